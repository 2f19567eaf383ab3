"""Does a parked domain refuse to be used? (checks, pure)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exo_auth.checks.catalogue import finding
from exo_auth.checks.dmarc_policy import judge
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, LookupFailed, Missing
from exo_auth.facts.domain import DomainFacts
from exo_auth.records import spf
from exo_auth.records.dmarc import Policy

SPF = "v=spf1 -all"
DMARC = "v=DMARC1; p=reject; sp=reject; np=reject"


def names_no_sender(texts: Iterable[str]) -> bool:
    """Do the TXT values of a domain hold one SPF record, and it lets nobody send? Its terms have no case (RFC 7208 §4.6.1)."""
    return [" ".join(text.lower().split()) for text in texts if spf.looks_like(text)] == [SPF]


def check_parked(facts: DomainFacts) -> tuple[Finding, ...]:
    """Compare SPF, DMARC and MX with what a domain publishes that nobody sends from."""
    return (*_spf(facts), *_dmarc(facts), *_mx(facts))


def _spf(facts: DomainFacts) -> Iterator[Finding]:
    tree = facts.spf
    if tree is None or isinstance(tree.answer, LookupFailed) or names_no_sender(tree.texts):
        return
    yield finding(
        "SPF-PARKED",
        facts.domain,
        "SPF does not refuse all senders",
        seen=" | ".join(tree.texts) or "no SPF record",
        wanted=SPF,
        records=(DnsRecord(facts.domain, "TXT", SPF),),
    )


def _dmarc(facts: DomainFacts) -> Iterator[Finding]:
    if facts.dmarc is None or facts.dmarc.walk.failure:
        return
    verdict = judge(facts.dmarc.walk)
    record = verdict.record
    subdomains = record.applies(is_subdomain=True, exists=True) if record is not None else None
    if verdict.policy is Policy.REJECT and subdomains is Policy.REJECT:
        return
    name = DomainName(f"_dmarc.{facts.domain.ascii}")
    yield finding(
        "DMARC-PARKED",
        facts.domain,
        "the domain may be forged",
        seen=facts.dmarc.walk.steps[0].text or "no record at the domain",
        wanted=DMARC,
        records=(DnsRecord(name, "TXT", DMARC),),
    )


def _mx(facts: DomainFacts) -> Iterator[Finding]:
    takes_mail = isinstance(facts.mx, Found) and any(mx.host for mx in facts.mx.values)
    if takes_mail or isinstance(facts.mx, Missing):
        yield finding(
            "MX-PARKED",
            facts.domain,
            "the domain takes mail" if takes_mail else "the domain does not say that it takes no mail",
            seen="MX records" if takes_mail else "no MX",
            wanted="MX 0 .",
            records=(DnsRecord(facts.domain, "MX", "0 ."),),
        )
