"""What demands TLS already stays as strict as it is, unless somebody says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.mail_flow import OutboundConnector, TransportRule
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.tls_strength import no_weaker

PARTNER = DomainName("fabrikam.com")
NAME = PartnerWish(PARTNER).name
ALL = frozenset({"mode", "terms", "verify"})


def rule(mode: str, state: str = "Enabled", name: str = NAME, **more: Any) -> MailFlow:
    domains = {"recipient_domains": ("fabrikam.com",), "sent_to_scope": "NotInOrganization"}
    return MailFlow((TransportRule(name, "", 0, state, mode, requires_tls=True, **domains, **more),))


def connector(tls: str, tls_domain: str = "") -> MailFlow:
    one = OutboundConnector(
        NAME, "", True, "Partner", "Default", ("fabrikam.com",), True, (), tls, tls_domain, False
    )
    return MailFlow(outbound=(one,))


MODES = [  # flow, keeps, wished mode, mode that comes of it, reason
    (rule("Enforce"), ALL, "Audit", "", "an enforced rule stays as it is"),
    (rule("Enforce"), frozenset(), "Audit", "Audit", "unless it was said"),
    (rule("Enforce"), ALL, "Enforce", "Enforce", "nothing is lowered"),
    (rule("Audit"), ALL, "Enforce", "Enforce", "stricter is what was asked for"),
    (
        rule("Enforce", "Disabled"),
        ALL,
        "Audit",
        "Audit",
        "a rule that is off forces nothing: it audits first",
    ),
    (rule("Enforce", name="Other"), ALL, "Audit", "Audit", "another rule is not ours"),
    (MailFlow(), ALL, "Audit", "Audit", "a new rule"),
]


@pytest.mark.parametrize(("flow", "keeps", "mode", "wanted", "reason"), MODES, ids=[row[4] for row in MODES])
def test_a_rules_mode(flow: MailFlow, keeps: frozenset[str], mode: str, wanted: str, reason: str) -> None:
    kept, told = no_weaker(flow, PartnerWish(PARTNER, mode=mode, keeps=keeps))
    assert (kept.mode, bool(told)) == (wanted, mode != wanted), reason


def test_what_a_person_left_out_of_a_rule_stays_out() -> None:
    flow = rule("Audit", except_recipient_domains=("lab.fabrikam.com",))
    kept, _ = no_weaker(flow, PartnerWish(PARTNER, keeps=ALL))
    assert kept.terms == {"ExceptIfRecipientDomainIs": ["lab.fabrikam.com"]}
    assert no_weaker(flow, PartnerWish(PARTNER))[0].terms == {}


DEMANDS = [  # what stands, keeps, what is wished, what comes of it, reason
    (("CertificateValidation", ""), ALL, "encryption", ("certificate", ""), "no less than now"),
    (("DomainValidation", "*.f.com"), ALL, "certificate", ("domain", "*.f.com"), "with its name"),
    (("CertificateValidation", ""), frozenset(), "encryption", ("encryption", ""), "unless it was said"),
    (("EncryptionOnly", ""), ALL, "certificate", ("certificate", ""), "more is what was asked for"),
    (("", ""), ALL, "encryption", ("encryption", ""), "it demands nothing yet"),
]


@pytest.mark.parametrize(
    ("now", "keeps", "verify", "wanted", "reason"), DEMANDS, ids=[row[4] for row in DEMANDS]
)
def test_what_a_connector_demands(
    now: tuple[str, str], keeps: frozenset[str], verify: str, wanted: tuple[str, str], reason: str
) -> None:
    kept, told = no_weaker(connector(*now), PartnerWish(PARTNER, "connector", verify=verify, keeps=keeps))
    assert ((kept.verify, kept.tls_domain), bool(told)) == (wanted, verify != wanted[0]), reason
