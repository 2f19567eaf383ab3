"""The order in which inbound DANE of one domain is switched on and off (run)."""

from __future__ import annotations

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.domain import DomainFacts, Subject
from exo_auth.plan.change import Blockage, Change, Verb
from exo_auth.plan.mail_flow import DISABLE_DANE, DISABLE_DNSSEC, ENABLE_DANE, ENABLE_DNSSEC, plan_feature
from exo_auth.run.session import ReadingSession


def next_dane_step(
    session: ReadingSession, domain: DomainName, *, dnssec_only: bool = False
) -> Change | Blockage | None:
    """Give the next step: DNSSEC, then the move of MX (a person's), then DANE; None when all is done."""
    status = session.reader.dnssec_status(domain, looks_at_dns=False)
    facts = _facts(session, domain)
    if not status.is_enabled:
        held = _unsigned(facts)
        if held is not None:
            return held
        because = "the exchanger moves into a signed zone; its name is told afterwards"
        return plan_feature(ENABLE_DNSSEC, domain, enabled=False, because=because)
    if dnssec_only or session.reader.dane_status(domain).is_enabled:
        return None
    return _mx_not_moved(facts, status.expected_host) or plan_feature(
        ENABLE_DANE, domain, enabled=False, because=f"MX leads to {status.expected_host}, in a signed zone"
    )


def previous_dane_step(session: ReadingSession, domain: DomainName) -> Change | Blockage | None:
    """Give the step back: DANE, then the move of MX (a person's), then DNSSEC; None when all is off."""
    if session.reader.dane_status(domain).is_enabled:
        because = "senders stop pinning the certificate before anything moves"
        return plan_feature(DISABLE_DANE, domain, enabled=True, because=because)
    status = session.reader.dnssec_status(domain, looks_at_dns=False)
    if not status.is_enabled:
        return None
    facts = _facts(session, domain)
    if isinstance(facts.mx, LookupFailed):
        return _unknown(domain, facts.mx.detail)
    hosts = [mx.host for mx in facts.mx.values] if isinstance(facts.mx, Found) else []
    if status.expected_host in hosts:
        reason = f"MX still leads to {status.expected_host}: move it back first, or mail would be lost"
        return Blockage(domain, Verb.DISABLE, reason, (), is_unknown=False)
    return plan_feature(DISABLE_DNSSEC, domain, enabled=True, because="MX leads elsewhere")


def _facts(session: ReadingSession, domain: DomainName) -> DomainFacts:
    import asyncio

    from exo_auth.lookup.domain_facts import gather_domain_facts
    from exo_auth.run.check import CheckRequest, sources_for

    subjects = frozenset({Subject.DNS, Subject.MX, Subject.DANE})

    async def ask() -> DomainFacts:
        return await gather_domain_facts(
            sources_for(session.settings, CheckRequest(subjects=subjects)), domain
        )

    return asyncio.run(ask())


def _unsigned(facts: DomainFacts) -> Blockage | None:
    if isinstance(facts.soa, LookupFailed):
        return _unknown(facts.domain, facts.soa.detail)
    if isinstance(facts.soa, Found) and facts.soa.authenticated:
        return None
    reason = "the zone is not signed with DNSSEC, or the resolver does not validate: sign it, publish DS, wait a week"
    return Blockage(facts.domain, Verb.ENABLE, reason, (), is_unknown=False)


def _mx_not_moved(facts: DomainFacts, expected: str) -> Blockage | None:
    if isinstance(facts.mx, LookupFailed):
        return _unknown(facts.domain, facts.mx.detail)
    hosts = [mx.host for mx in facts.mx.values] if isinstance(facts.mx, Found) else []
    if hosts == [expected]:
        return None
    reason = (
        f"MX must lead to {expected} alone (now: {', '.join(hosts) or 'nowhere'}): add it with preference 20, name it "
        "in the MTA-STS policy, test, then give it 0 and remove the old one after its TTL"
    )
    return Blockage(facts.domain, Verb.ENABLE, reason, (), is_unknown=False)


def _unknown(domain: DomainName, detail: str) -> Blockage:
    return Blockage(domain, Verb.ENABLE, f"no verdict: {detail}", (), is_unknown=True)
