"""What may stand in a playbook: the reader, the schema and the document of the format follow these tables (run)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exo_auth.plan.dane_move import DaneStep
from exo_auth.plan.record_set import Part

VERSION = "1"
VERBS = ("all", "enable", "rotate", "upgrade-keys")
POLICY = {"max_key_age": "policy.dkim.max_key_age", "key_size": "policy.dkim.key_size"}


@dataclass(frozen=True)
class Key:
    """What may stand behind a key, as text; `words` are all it may be, `default` is "" where there is none."""

    about: str
    default: str = ""
    words: tuple[str, ...] = ()
    is_list: bool = False
    is_duration: bool = False
    is_needed: bool = False


KEYS: Mapping[str, str] = {  # of the file
    "version": "Version of this shape.",
    "do": "The one step of a playbook without stages.",
    "domains": "For which domains: names, globs, tags, or the word all or none.",
    "except": "For which of them not.",
    "tags": "Names for groups of domains, laid over the tags of the configuration.",
    "policy": "When a DKIM key is due, and how long new ones are; over the configuration.",
    "variables": "Put in as ${name}; given with --var. One without a value must be given.",
    "stages": "What is done, in this order; each domain goes on when it is through the stage before.",
}
STAGE_KEYS: Mapping[str, str] = {
    "name": "What plans and the journal call the stage; each has its own.",
    "do": "What the stage does.",
    "domains": "For which of the playbook's domains.",
    "except": "For which of them not.",
    "after": "How long a domain must be through the stages before.",
    "gate": "What must be in order before a change; exo-auth check --gate judges the same.",
    "with": "What the stage is told, by the keys that its “do” takes.",
}
_RUA = Key("Where DMARC reports go, as mailto: URIs.", is_list=True)
WITH: Mapping[str, Mapping[str, Key]] = {  # what each kind of stage takes
    **{verb: {} for verb in VERBS},
    "inventory": {},
    "publish": {
        "records": Key("Which records.", ", ".join(Part), tuple(Part), is_list=True),
        "rua": _RUA,
        "tls_rua": Key("Where TLS reports go, as mailto: or https: URIs.", is_list=True),
        "policy_host": Key("The host of MTA-STS policies, to which mta-sts.DOMAIN is an alias."),
    },
    "park": {
        "rua": _RUA,
        "loss": Key("May senders go that SPF names today?", "refuse", ("refuse", "allow")),
    },
    "advance-dmarc": {
        "to": Key("The strictest policy to go to.", "reject", ("none", "quarantine", "reject")),
        "rua": _RUA,
        "observe": Key("How long a policy must have stood before the next.", "30d", is_duration=True),
    },
    "publish-mta-sts": {
        "mode": Key(
            "The mode that the served policy must have; whatever is served is announced without it.",
            words=("testing", "enforce", "none"),
        ),
    },
    "advance-mta-sts": {
        "to": Key("How far to go; none leaves it as it is.", "enforce", ("none", "testing", "enforce")),
        "observe": Key("How long testing must have stood before enforce.", "14d", is_duration=True),
    },
    "enforce-tls": {
        "partners": Key("Mail domains of partners.", is_list=True, is_needed=True),
        "mode": Key(
            "Audit or Enforce. Without it a new rule audits, and one that stands stays as it is.",
            words=("audit", "enforce"),
        ),
        "verify": Key(
            "What is demanded: encryption alone, a certificate, or one for tls_domain.",
            "encryption",
            ("encryption", "certificate", "domain"),
        ),
        "tls_domain": Key("The name that certificates show, with verify: domain."),
        "weaken": Key(
            "May an enforced rule audit again, and a connector demand less?", "never", ("never", "allowed")
        ),
    },
    "dane": {
        "step": Key("Which step; without it whichever comes next.", words=tuple(DaneStep)),
        "probe": Key("Must the new mail host have been asked for TLS?", "required", ("required", "optional")),
    },
}
# Stages that are about others than the tenant's domains, so that no domains can be chosen for them.
ABOUT_OTHERS = frozenset({"enforce-tls"})
