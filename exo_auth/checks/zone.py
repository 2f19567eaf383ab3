"""What is wrong with a domain's zone and its mail exchangers (checks, pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import absence, could_not_look, evidence, shortened
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.checks.validation import unsigned_because
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed, Missing
from exo_auth.facts.domain import DomainFacts, Exchanger, MailHost, NameServerView

LONG_NEGATIVE_TTL = timedelta(hours=1)
EXCHANGE_SUFFIXES = (  # of exchangers of Exchange Online, in all clouds
    ".mail.protection.outlook.com",
    ".mail.eo.outlook.com",
    ".mx.microsoft",
    ".mail.protection.office365.us",
    ".mail.protection.partner.outlook.cn",
)
UNSIGNED_SUFFIXES = (".mail.protection.outlook.com", ".mail.eo.outlook.com")
CLIENT_HOSTS = frozenset({"smtp.office365.com", "outlook.office365.com", "smtp-mail.outlook.com"})
FIRST_PREFERENCES = (0, 10)

_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}", re.ASCII)


def is_exchange_online(host: str) -> bool:
    """Is the exchanger one of Exchange Online?"""
    return host.endswith(EXCHANGE_SUFFIXES)


def check_zone(facts: DomainFacts) -> tuple[Finding, ...]:
    """Judge what concerns the zone as a whole."""
    return tuple(_zone_findings(facts))


def check_mx(facts: DomainFacts) -> tuple[Finding, ...]:
    """Judge where mail to the domain goes."""
    return tuple(_mx_findings(facts))


def _zone_findings(facts: DomainFacts) -> Iterator[Finding]:
    domain, soa = facts.domain, facts.soa
    if isinstance(soa, LookupFailed):
        yield could_not_look(domain, domain, "SOA", soa)
    negative = _negative_ttl(facts)
    if negative is not None and negative > LONG_NEGATIVE_TTL:
        yield finding(
            "SOA-NEGTTL",
            domain,
            f"an absent name is remembered for {int(negative.total_seconds())} seconds",
            seen=f"minimum of the SOA, and its TTL: {int(negative.total_seconds())} or more",
            wanted=f"{int(LONG_NEGATIVE_TTL.total_seconds())} seconds or less",
            evidence=(evidence(domain, "SOA", soa),) if soa is not None else (),
        )
    if isinstance(facts.wildcard, Found):
        yield finding(
            "WILDCARD-TXT",
            domain,
            "a wildcard answers TXT for every name below the domain",
            seen=f"*.{domain} TXT {shortened(facts.wildcard.values[0].text)}",
            evidence=(evidence(f"*.{domain}", "TXT", facts.wildcard),),
        )
    elif isinstance(facts.wildcard, LookupFailed) and not isinstance(soa, LookupFailed):  # told once
        yield could_not_look(domain, f"*.{domain}", "TXT", facts.wildcard)
    if isinstance(soa, Found) and not soa.authenticated:
        yield finding(
            "DNSSEC-INSECURE",
            domain,
            "no chain of signatures leads to the zone"
            if soa.judgement is not None
            else "the resolver did not validate the zone with DNSSEC",
            seen=unsigned_because(soa),
            evidence=(evidence(domain, "SOA", soa),),
        )
    yield from _server_findings(domain, facts.servers)


def _negative_ttl(facts: DomainFacts) -> timedelta | None:
    """Give how long absence is remembered: the smaller of the SOA's minimum and TTL (RFC 2308 §5)."""
    if isinstance(facts.soa, Found) and facts.soa.values:
        # The TTL that a cache gives has run down; the minimum alone says what the zone wants.
        return timedelta(seconds=facts.soa.values[0].minimum)
    return facts.soa.negative_ttl if isinstance(facts.soa, Missing) else None


def _server_findings(domain: DomainName, servers: tuple[NameServerView, ...]) -> Iterator[Finding]:
    if servers and all(server.failure for server in servers):
        # A network that lets nobody ask strangers looks the same as a zone without a working server.
        detail = f"{servers[0].server} ({servers[0].address}) {servers[0].failure}"
        failed = LookupFailed(FailureReason.TIMEOUT, detail, temporary=True)
        yield could_not_look(domain, domain, "NS", failed)
        return
    for server in servers:
        if server.failure:
            yield finding(
                "NS-LAME",
                domain,
                f"{server.server} does not answer for the zone",
                seen=f"{server.address}: {server.failure}",
            )
    views = [server for server in servers if not server.failure]
    for what, values in (
        ("serial numbers", [str(view.serial) for view in views]),
        ("MX records", [" ".join(sorted(view.mx)) for view in views]),
        ("TXT records", [" ".join(sorted(view.txt)) for view in views]),
    ):
        if len(set(values)) > 1:
            yield finding(
                "NS-DIVERGE",
                domain,
                f"the name servers have different {what}",
                seen=shortened("; ".join(f"{v.server}: {x}" for v, x in zip(views, values, strict=True))),
            )
            return


def _mx_findings(facts: DomainFacts) -> Iterator[Finding]:
    domain, answer = facts.domain, facts.mx
    if answer is None:
        return
    if isinstance(answer, LookupFailed):
        yield could_not_look(domain, domain, "MX", answer)
        return
    if isinstance(answer, Missing):
        yield finding(
            "MX-MISSING",
            domain,
            "there is no MX record",
            seen=absence(domain, "MX", answer),
            wanted="the host the tenant names, or a null MX",
            evidence=(evidence(domain, "MX", answer),),
        )
        return
    yield from _set_findings(domain, answer)
    for host in facts.hosts:
        yield from _host_findings(domain, host)


def _set_findings(domain: DomainName, answer: Found[Exchanger]) -> Iterator[Finding]:
    hosts = [mx.host for mx in answer.values]
    if "" in hosts:
        if len(hosts) == 1:
            yield finding(
                "MX-NULL",
                domain,
                "a null MX: the domain takes no mail",
                seen="MX 0 .",
                evidence=(evidence(domain, "MX", answer),),
            )
        else:
            yield finding(
                "MX-NULL-BESIDE",
                domain,
                "a null MX stands beside others",
                seen=_written(answer),
                wanted="MX 0 . alone, or none",
                evidence=(evidence(domain, "MX", answer),),
            )
    for host, count in Counter(hosts).items():
        if host and count > 1:
            yield finding("MX-DUPLICATE", domain, f"{host} is listed {count} times", seen=_written(answer))
    for host in dict.fromkeys(hosts):
        if host in CLIENT_HOSTS:
            yield finding(
                "MX-CLIENT-HOST", domain, f"{host} takes no mail from other servers", seen=_written(answer)
            )
        elif _IPV4.fullmatch(host):
            yield finding("MX-ADDRESS", domain, f"{host} is an address, not a host", seen=_written(answer))
    yield from _microsoft_findings(domain, answer)


def _microsoft_findings(domain: DomainName, answer: Found[Exchanger]) -> Iterator[Finding]:
    own = [mx for mx in answer.values if is_exchange_online(mx.host)]
    others = [mx for mx in answer.values if mx.host and not is_exchange_online(mx.host)]
    if not own:
        return
    for mx in own:
        if mx.host.endswith(UNSIGNED_SUFFIXES):
            yield finding(
                "MX-LEGACY-HOST",
                domain,
                f"{mx.host} is of a form that DANE cannot use",
                seen=_written(answer),
            )
    if others:
        yield finding(
            "MX-EXTRA",
            domain,
            f"{', '.join(sorted(mx.host for mx in others))} stands beside Exchange Online",
            seen=_written(answer),
            wanted=f"MX {own[0].preference} {own[0].host} alone",
        )
    first = min(mx.preference for mx in own)
    if (others and min(mx.preference for mx in others) <= first) or first not in FIRST_PREFERENCES:
        host = min(own, key=lambda mx: mx.preference).host
        yield finding(
            "MX-PRIORITY",
            domain,
            f"Exchange Online has the preference {first}",
            seen=_written(answer),
            wanted=f"MX 0 {host}",
            records=(DnsRecord(domain, "MX", f"0 {host}"),),
        )


def _host_findings(domain: DomainName, host: MailHost) -> Iterator[Finding]:
    if host.name in CLIENT_HOSTS or _IPV4.fullmatch(host.name):
        return
    answers: tuple[tuple[str, Answer[object]], ...] = (("A", host.ipv4), ("AAAA", host.ipv6))
    for rdtype, answer in answers:
        if isinstance(answer, LookupFailed):
            yield could_not_look(domain, host.name, rdtype, answer)
    if isinstance(host.ipv4, Missing) and isinstance(host.ipv6, Missing):
        yield finding(
            "MX-NOADDR",
            domain,
            f"{host.name} has no address",
            seen=absence(host.name, "A and AAAA", host.ipv4),
            evidence=(evidence(host.name, "A", host.ipv4), evidence(host.name, "AAAA", host.ipv6)),
        )
    via = host.ipv4.via or host.ipv6.via
    if via and via[0].owner.ascii == host.name:
        yield finding(
            "MX-CNAME",
            domain,
            f"{host.name} is an alias of {via[0].target}",
            seen=f"{host.name} CNAME {via[0].target}",
            wanted="an MX that names the host itself",
        )


def _written(answer: Found[Exchanger]) -> str:
    return ", ".join(
        f"MX {mx.preference} {mx.host or '.'}"
        for mx in sorted(answer.values, key=lambda mx: (mx.preference, mx.host))
    )
