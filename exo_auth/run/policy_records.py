"""DMARC, TLS-RPT and MTA-STS records made from what is published (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exo_auth.checks import parked
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import Finding
from exo_auth.checks.gates import SUBJECTS, Gate, judge_gate
from exo_auth.checks.mta_sts import policy_of
from exo_auth.checks.readiness import ReadinessState
from exo_auth.checks.whole import check_domain
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, InputError, RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.domain import DomainFacts, MtaStsFacts, Subject, looked_at
from exo_auth.plan.dmarc_edit import (
    DmarcWish,
    by_rules,
    effects,
    is_stricter,
    same_record,
    text_of,
    wished,
)
from exo_auth.plan.receiver_effects import mta_sts_effects, size_of, tls_rpt_effects
from exo_auth.plan.record_set import RecordChange
from exo_auth.records import dmarc, mta_sts, mta_sts_policy, tls_rpt
from exo_auth.records.dmarc import DmarcRecord, Policy
from exo_auth.records.mta_sts_id import id_of
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.records.tls_rpt import TlsRptRecord
from exo_auth.run.check import CheckRequest, facts_in_order, sources_for
from exo_auth.run.policy_memory import PolicyMemory
from exo_auth.run.settings import Settings

AGES = {Mode.TESTING: 86_400, Mode.ENFORCE: 604_800, Mode.NONE: 86_400}  # seconds, of a first policy
ABOUT_TO_CHANGE = frozenset(  # what the change itself heals
    {
        "DMARC-PCT-RAMP",
        "DMARC-MULTI",
        "DMARC-VOID",
        "DMARC-P-INVALID",
        "DMARC-SP-INVALID",
        "STS-TXT-MISSING",
        "STS-ID",
        "STS-ID-STALE",
        "STS-MULTI",
        "STS-SYNTAX",
    }
)
TESTING_TTL = 300  # of the TXT record while the policy moves


def generate_dmarc(
    settings: Settings, name: str, wish: DmarcWish, rules: Profile = Profile.IETF
) -> RecordChange:
    """Make the record at `_dmarc` from the published one, by somebody's rules.

    Enforcement is refused while its gate is closed; of a parked domain, while its SPF lets anybody send.
    """
    domain = DomainName.parse_lookup(name)
    facts = facts_of(settings, domain, SUBJECTS[Gate.DMARC_ENFORCE])
    wish = by_rules(rules, _at_name(facts), wish)
    change = gated_dmarc_change(facts, wish)
    if not change.refusal or rules is not Profile.PARKED:
        return change
    is_shut = parked.names_no_sender(published(domain, looked_at(facts.txt)))
    return replace(change, refusal="" if is_shut else f"publish {parked.SPF} first: somebody may still send")


def gated_dmarc_change(facts: DomainFacts, wish: DmarcWish) -> RecordChange:
    """Give the change at `_dmarc`, refused where it asks for more than before while its gate is closed; raises CannotLook."""
    change, is_stricter = dmarc_change(facts, wish)
    return replace(change, refusal=gate_refusal(facts, Gate.DMARC_ENFORCE)) if is_stricter else change


def policy_at(facts: DomainFacts) -> Policy | None:
    """Give the policy that stands at `_dmarc` of the domain itself, None for none; raises CannotLook."""
    record = _at_name(facts)
    return record.policy if record is not None else None


def _at_name(facts: DomainFacts) -> DmarcRecord | None:
    texts = published(facts.domain.child("_dmarc"), looked_at(facts.dmarc).at_name)
    return _published_dmarc(tuple(text for text in texts if dmarc.looks_like(text)))


def dmarc_change(facts: DomainFacts, wish: DmarcWish) -> tuple[RecordChange, bool]:
    """Give the change at `_dmarc`, and whether it asks for more than before; raises CannotLook."""
    owner = facts.domain.child("_dmarc")
    texts = published(owner, looked_at(facts.dmarc).at_name)
    own = tuple(text for text in texts if dmarc.looks_like(text))
    old = _published_dmarc(own)
    record, because = wished(old, wish)
    if len(own) > 1:
        because = (f"{len(own)} records are made one: receivers discard them all", *because)
    written = text_of(record)
    if old is not None and len(own) == 1 and same_record(old, record):
        written = own[0]  # a valid record is changed only where asked
    after = (*(text for text in texts if text not in own), written)
    notes = (*effects(record, old), size_of(after))
    return RecordChange(owner, "TXT", texts, after, because, notes), is_stricter(record, old)


def generate_tls_rpt(settings: Settings, name: str, rua: Sequence[str]) -> RecordChange:
    """Make the record at `_smtp._tls` from the published one; raises InputError for an address that is none."""
    domain = DomainName.parse_lookup(name)
    return tls_rpt_change(facts_of(settings, domain, frozenset({Subject.TLS_RPT})), rua)


def tls_rpt_change(facts: DomainFacts, rua: Sequence[str]) -> RecordChange:
    """Give the change at `_smtp._tls`; raises InputError, CannotLook."""
    owner = facts.domain.child("_smtp._tls")
    texts = published(owner, looked_at(facts.tls_rpt))
    own = tuple(text for text in texts if tls_rpt.looks_like(text))
    old = _read_tls_rpt(own[0]) if own else None
    addresses = tuple(rua) or (tuple(uri for uri in old.rua if tls_rpt.is_report_uri(uri)) if old else ())
    if not addresses:
        raise InputError("nothing is published, and no address is given", hint="--rua mailto:tls@contoso.com")
    for address in addresses:
        if not tls_rpt.is_report_uri(address):
            raise InputError(f"“{address}” is no address for reports", hint="mailto:… or https://…")
    record = TlsRptRecord(addresses, old.extensions if old else ())
    because = ("reports about failing TLS are asked for",) if not old else ()
    written = own[0] if len(own) == 1 and record == old else tls_rpt.render(record)
    after = (*(text for text in texts if text not in own), written)
    notes = (*tls_rpt_effects(record, facts.domain), size_of(after))
    return RecordChange(owner, "TXT", texts, after, because, notes)


@dataclass(frozen=True)
class MtaStsStep:
    """What to do next about a policy: the file to host, or the TXT that announces it. RFC 8461 §8.1."""

    step: str  # file, record, done
    policy: MtaStsPolicy
    change: RecordChange  # of the TXT
    reason: str
    waits_for_file: bool = False  # nothing else holds the record back

    @property
    def file(self) -> str:
        """The policy file, lines ended by CRLF."""
        return mta_sts_policy.render(self.policy)


@dataclass(frozen=True)
class MtaStsWish:
    """The policy to reach. `patterns` default to the exchangers that are published, `max_age` (seconds) to the live one."""

    mode: Mode | None = None  # None for the one that is served, else testing
    patterns: tuple[str, ...] = ()
    max_age: int | None = None


def next_mta_sts_step(settings: Settings, name: str, wish: MtaStsWish) -> MtaStsStep:
    """Say what comes next: first the file on every address, then the id. RFC 8461 §8.1, §8.3.

    A policy that leaves out an exchanger, and enforcement while its gate is closed, are refused.
    """
    domain = DomainName.parse_lookup(name)
    facts = facts_of(settings, domain, SUBJECTS[Gate.MTA_STS_ENFORCE], looks_at_host=True)
    sts = looked_at(facts.mta_sts)
    texts = published(domain.child("_mta-sts"), sts.txt)
    served = served_policy(sts)
    policy = _wanted_policy(facts, wish, served)
    memory = PolicyMemory.of(settings.state_dir, domain)
    change = _announcement(domain, texts, policy, is_stale=memory.is_stale(texts, id_of(policy)))
    change = replace(change, notes=(*mta_sts_effects(policy), size_of(change.after)))
    if not change.is_needed and served == policy:
        return MtaStsStep("done", policy, change, "the file and its id are published")
    refusal = _policy_refusal(facts, policy, texts)
    if served != policy:
        where = f"https://mta-sts.{domain}/.well-known/mta-sts.txt"
        blocked = refusal or "the id comes after the file: host the file, then run this again (RFC 8461 §8.1)"
        told = f"host this file at {where}, on every address"
        memory.expect(texts, id_of(policy), served)
        return MtaStsStep("file", policy, replace(change, refusal=blocked), told, waits_for_file=not refusal)
    return MtaStsStep(
        "record", policy, replace(change, refusal=refusal), "the file is served everywhere: announce it"
    )


def mode_named(word: str) -> Mode:
    """Read a mode; raises InputError."""
    try:
        return Mode(word.lower())
    except ValueError:
        raise InputError(f"“{word}” is no mode", hint=f"one of {', '.join(Mode)}") from None


def served_policy(sts: MtaStsFacts) -> MtaStsPolicy | None:
    """Give the policy that every address of the host serves, None where they fail or differ."""
    policies = [policy_of(fetch) for fetch in sts.fetches]
    first = policies[0] if policies else None
    if not isinstance(first, MtaStsPolicy) or any(policy != first for policy in policies):
        return None
    return first


def policy_in_force(facts: DomainFacts) -> MtaStsPolicy | None:
    """Give the policy that senders are told of and get, None for none; of several the strictest.

    Raises CannotLook: a policy that cannot be fetched binds those who remember it.
    """
    sts = looked_at(facts.mta_sts)
    if isinstance(sts.txt, LookupFailed):
        raise CannotLook(f"TXT of _mta-sts.{facts.domain}: {sts.txt.detail}", hint="ask again")
    if not isinstance(sts.txt, Found):
        return None
    policies = [policy_of(fetch) for fetch in sts.fetches]
    found = [policy for policy in policies if isinstance(policy, MtaStsPolicy)]
    if not found or len(found) < len(policies):
        raise CannotLook(
            f"the MTA-STS policy of {facts.domain} is announced and cannot be fetched everywhere",
            hint=f"exo-auth mta-sts check {facts.domain}",
        )
    return max(found, key=lambda policy: (Mode.NONE, Mode.TESTING, Mode.ENFORCE).index(policy.mode))


def _wanted_policy(facts: DomainFacts, wish: MtaStsWish, served: MtaStsPolicy | None) -> MtaStsPolicy:
    patterns = wish.patterns or (served.mx if served is not None else ()) or _exchangers(facts)
    mode = wish.mode or (served.mode if served is not None else Mode.TESTING)
    if not patterns and mode is not Mode.NONE:
        raise InputError(
            f"{facts.domain} has no mail exchanger to name", hint="publish its MX first, or give --mx"
        )
    kept = served.max_age if served is not None and served.mode is mode else AGES[mode]
    age = wish.max_age if wish.max_age is not None else kept
    text = mta_sts_policy.render(MtaStsPolicy(mode, patterns, age))
    try:
        return mta_sts_policy.parse(text)
    except RecordSyntaxError as error:
        raise InputError(f"this is no policy: {error.message}", hint="see --mx and --max-age") from None


def _announcement(
    domain: DomainName, texts: tuple[str, ...], policy: MtaStsPolicy, *, is_stale: bool
) -> RecordChange:
    owner = domain.child("_mta-sts")
    own = [text for text in texts if mta_sts.looks_like(text)]
    if len(own) == 1 and not is_stale:
        return RecordChange(owner, "TXT", texts, texts)
    text = mta_sts.render(mta_sts.MtaStsRecord(id_of(policy)))
    after = (*(value for value in texts if value not in own), text)
    reason = (
        "the file has another content than the id announced" if own else "senders look for this record first"
    )
    return RecordChange(owner, "TXT", texts, after, (reason,), ttl=TESTING_TTL)


def _policy_refusal(facts: DomainFacts, policy: MtaStsPolicy, texts: tuple[str, ...]) -> str:
    if policy.mode is Mode.NONE:
        return ""
    unmatched = [host for host in _exchangers(facts) if not policy.allows(host)]
    if unmatched:
        return f"no pattern matches {', '.join(unmatched)}: senders would stop delivering there"
    if policy.mode is Mode.ENFORCE:
        return gate_refusal(facts, Gate.MTA_STS_ENFORCE)
    return "" if texts else gate_refusal(facts, Gate.MTA_STS_TESTING)


def _exchangers(facts: DomainFacts) -> tuple[str, ...]:
    if isinstance(facts.mx, LookupFailed):
        raise CannotLook(f"MX of {facts.domain}: {facts.mx.detail}", hint="ask again")
    if not isinstance(facts.mx, Found):
        return ()
    order = sorted(facts.mx.values, key=lambda mx: (mx.preference, mx.host))
    return tuple(dict.fromkeys(mx.host for mx in order if mx.host))


def facts_of(
    settings: Settings, domain: DomainName, subjects: frozenset[Subject], *, looks_at_host: bool = False
) -> DomainFacts:
    """Look at a domain; with `looks_at_host` also at its policy host where nothing announces a policy yet."""
    from exo_auth.lookup.domain_facts import gather_domain_facts, gather_policy_host

    async def ask() -> DomainFacts:
        sources = sources_for(settings, CheckRequest(subjects=subjects))
        facts = await gather_domain_facts(sources, domain)
        if looks_at_host and facts.mta_sts is not None and not facts.mta_sts.fetches:
            seen = await gather_policy_host(sources.resolver, sources.fetch, domain, facts.mta_sts.txt)
            facts = replace(facts, mta_sts=seen)
        return facts

    return asyncio.run(ask())


def facts_of_all(
    settings: Settings, domains: Sequence[DomainName], subjects: frozenset[Subject]
) -> list[DomainFacts]:
    """Look at many domains side by side, in their order; what could not be looked up is a value in the facts."""

    async def ask() -> list[DomainFacts]:
        sources = sources_for(settings, CheckRequest(subjects=subjects))
        return [facts async for facts in facts_in_order(sources, domains)]

    return asyncio.run(ask())


def gate_refusal(facts: DomainFacts, gate: Gate) -> str:
    """Say why a gate is closed, "" while it is open. The record itself is about to change: it does not hold itself."""
    findings = check_domain(facts, datetime.now(UTC), subjects=SUBJECTS[gate])
    verdict = judge_gate(
        facts.domain, gate, tuple(one for one in findings if one.code not in ABOUT_TO_CHANGE)
    )
    if verdict.state is ReadinessState.READY:
        return ""
    first: Finding = verdict.holding[0]
    more = f", and {len(verdict.holding) - 1} more" if len(verdict.holding) > 1 else ""
    return f"the gate {gate} is {verdict.state}: {first.code} {first.message}{more}"


def published(owner: DomainName, answer: Answer[Txt]) -> tuple[str, ...]:
    """Give the texts that stand at a name; raises CannotLook: what is not known is not taken for absent."""
    if isinstance(answer, LookupFailed):
        raise CannotLook(
            f"TXT of {owner}: {answer.detail}", hint="nothing is proposed without what is published"
        )
    return tuple(txt.text for txt in answer.values) if isinstance(answer, Found) else ()


def _published_dmarc(own: tuple[str, ...]) -> DmarcRecord | None:
    for text in own:
        try:
            return dmarc.parse(text)
        except RecordSyntaxError:
            continue
    return None


def _read_tls_rpt(text: str) -> TlsRptRecord | None:
    try:
        return tls_rpt.parse(text)
    except RecordSyntaxError:
        return None
