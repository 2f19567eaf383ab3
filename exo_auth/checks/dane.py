"""Where a domain stands on the way to DANE (checks, pure). RFC 7672."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import could_not_look, evidence
from exo_auth.checks.finding import Finding
from exo_auth.checks.validation import signed_because, unsigned_because
from exo_auth.checks.zone import UNSIGNED_SUFFIXES, is_exchange_online
from exo_auth.facts.dns import Answer, Found, LookupFailed
from exo_auth.facts.domain import DomainFacts, MailHost, ZoneStart

USABLE_USAGES = (2, 3)  # DANE-TA, DANE-EE; RFC 7672 §3.1


def check_dane(facts: DomainFacts) -> tuple[Finding, ...]:
    """Judge what is in the way of DANE; a domain that is not signed has none, which DNSSEC-INSECURE says."""
    return tuple(_findings(facts))


def _findings(facts: DomainFacts) -> Iterator[Finding]:
    if not isinstance(facts.mx, Found) or not facts.mx.authenticated:
        return
    for host in facts.hosts:
        if not is_signed(host):
            yield finding(
                "DANE-DNSSEC-MX",
                facts.domain,
                f"{host.name} is not signed",
                seen=unsigned_because(host.ipv4, host.ipv6),
                wanted="an exchanger in a signed zone, such as one under mx.microsoft",
            )
        else:
            yield from _tlsa_findings(facts, host)


def is_signed(host: MailHost) -> bool:
    """Are the host's addresses validated?"""
    return any(isinstance(answer, Found) and answer.authenticated for answer in (host.ipv4, host.ipv6))


def _about_zone(soa: Answer[ZoneStart] | None) -> str:
    if isinstance(soa, LookupFailed):
        return f"could not be looked up: {soa.detail}"
    if isinstance(soa, Found) and soa.authenticated:
        return signed_because(soa)
    return f"{unsigned_because(soa)}; sign the zone, and have the registrar publish DS"


def _unsigned_hosts(hosts: tuple[MailHost, ...]) -> str:
    told = [f"{host.name}: {unsigned_because(host.ipv4, host.ipv6)}" for host in hosts if not is_signed(host)]
    return "; ".join(told)


def _tlsa_findings(facts: DomainFacts, host: MailHost) -> Iterator[Finding]:
    name = f"_25._tcp.{host.name}"
    answer = host.tlsa
    if answer is None:
        return
    if isinstance(answer, LookupFailed):
        yield could_not_look(facts.domain, name, "TLSA", answer)
    elif not isinstance(answer, Found):
        yield finding(
            "DANE-TLSA-MISSING",
            facts.domain,
            f"{host.name} has no TLSA record",
            seen=f"{name} TLSA: none",
            remedy=f"Enable-SmtpDaneInbound -DomainName {facts.domain}"
            if is_exchange_online(host.name)
            else "publish TLSA 3 1 1 for the host",
        )
    elif not any(record.usage in USABLE_USAGES for record in answer.values):
        yield finding(
            "DANE-TLSA-UNUSABLE",
            facts.domain,
            f"no TLSA record of {host.name} can be used for mail",
            seen=", ".join(f"{t.usage} {t.selector} {t.matching}" for t in answer.values),
            wanted="3 1 1",
            evidence=(evidence(name, "TLSA", answer),),
        )


@dataclass(frozen=True)
class DaneStep:
    """One step of the way: `state` is done, next, later or unknown."""

    name: str
    state: str
    detail: str


def dane_steps(facts: DomainFacts) -> tuple[DaneStep, ...]:
    """Tell where the domain stands: its zone, its exchanger, the exchanger's zone, TLSA."""
    hosts = facts.hosts
    zone = isinstance(facts.soa, Found) and facts.soa.authenticated
    unknown = isinstance(facts.soa, LookupFailed) or isinstance(facts.mx, LookupFailed)
    only_exchange = bool(hosts) and all(is_exchange_online(host.name) for host in hosts)
    moved = only_exchange and not any(host.name.endswith(UNSIGNED_SUFFIXES) for host in hosts)
    signed = bool(hosts) and all(map(is_signed, hosts))
    tlsa = signed and all(isinstance(host.tlsa, Found) for host in hosts)
    nobody = "could not be looked up" if isinstance(facts.mx, LookupFailed) else "no exchanger"
    names = ", ".join(host.name for host in hosts) or nobody
    told = (
        (
            "zone signed",
            zone,
            _about_zone(facts.soa),
        ),
        ("one exchanger", len(hosts) == 1, names),
        (
            "under mx.microsoft",
            moved,
            "Enable-DnssecForVerifiedDomain names the host" if not moved else names,
        ),
        ("exchanger signed", signed, "validated" if signed else _unsigned_hosts(hosts) or nobody),
        ("TLSA", tlsa, "published" if tlsa else "Enable-SmtpDaneInbound publishes it"),
    )
    steps: list[DaneStep] = []
    is_next = True
    for name, is_done, detail in told:
        state = "unknown" if unknown else "done" if is_done else "next" if is_next else "later"
        is_next = is_next and is_done
        steps.append(DaneStep(name, state, detail))
    return tuple(steps)
