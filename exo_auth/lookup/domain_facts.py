"""All questions about one mail domain, as many at once as their order allows (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.errors import InputError
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed, MailDns, Txt
from exo_auth.facts.domain import (
    ALL_SUBJECTS,
    CaaRecord,
    DmarcFacts,
    DomainFacts,
    Exchanger,
    MailHost,
    MtaStsFacts,
    NameServerView,
    PolicyFetch,
    ReportDestination,
    Subject,
    TlsaRecord,
    ZoneStart,
)
from exo_auth.lookup.authorities import Authorities, server_views
from exo_auth.lookup.dmarc_walk import walk
from exo_auth.lookup.mail_dns import gather_mail_dns, gather_public_keys
from exo_auth.lookup.public_suffix import organizational_domain
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.spf_tree import spf_tree
from exo_auth.records import mta_sts
from exo_auth.records.dmarc import DmarcRecord

MOST_HOSTS = 10  # exchangers looked at
MOST_DESTINATIONS = 10  # report addresses looked at
MOST_ADDRESSES = 8  # of a policy host

Fetch = Callable[[DomainName, str], PolicyFetch]


@dataclass(frozen=True)
class Sources:
    """Where facts come from: a resolver, the policy hosts (None: no file is fetched), a label nobody uses."""

    resolver: Resolver
    fetch: Fetch | None
    random_label: str
    subjects: frozenset[Subject] = ALL_SUBJECTS
    knows_tenant: bool = False  # then both selectors are looked at in every way
    authorities: Authorities | None = None  # given, every server of the zone is asked by itself


async def gather_domain_facts(sources: Sources, domain: DomainName) -> DomainFacts:
    """Ask all there is to ask; trouble is in the facts, nothing is raised for it."""
    ask, wanted = sources.resolver, sources.subjects

    def when(subjects: Iterable[Subject], question: Callable[[], Any]) -> Any:
        return question() if wanted.intersection(subjects) else _nothing()

    soa, wildcard, (txt, spf), (mx, hosts), dkim, dmarc, sts, tls_rpt, bimi, servers = await asyncio.gather(
        when((Subject.DNS, Subject.DANE), lambda: _soa(ask, domain)),
        when((Subject.DNS, Subject.DMARC), lambda: _txt(ask, f"{sources.random_label}.{domain.ascii}")),
        _spf(ask, domain, wants_tree=Subject.SPF in wanted),
        _exchangers(ask, domain, wants_tlsa=Subject.DANE in wanted),
        when((Subject.DKIM,), lambda: _dkim(sources, domain)),
        when((Subject.DMARC,), lambda: _dmarc(ask, domain)),
        when((Subject.MTA_STS,), lambda: _mta_sts(sources, domain)),
        when((Subject.TLS_RPT,), lambda: _txt(ask, f"_smtp._tls.{domain.ascii}")),
        when((Subject.BIMI,), lambda: _txt(ask, f"default._bimi.{domain.ascii}")),
        _servers(sources, domain),
    )
    return DomainFacts(domain, soa, wildcard, txt, mx, hosts, spf, dkim, dmarc, sts, tls_rpt, bimi, servers)


async def _servers(sources: Sources, domain: DomainName) -> tuple[NameServerView, ...]:
    if sources.authorities is None or Subject.DNS not in sources.subjects:
        return ()
    return await server_views(sources.authorities, domain)


async def _dkim(sources: Sources, domain: DomainName) -> MailDns:
    gather = gather_mail_dns if sources.knows_tenant else gather_public_keys
    return await gather(sources.resolver, domain, random_label=sources.random_label)


async def _nothing() -> None:
    return None


async def _spf(resolver: Resolver, domain: DomainName, *, wants_tree: bool) -> tuple[Answer[Txt], Any]:
    txt = await resolver.txt(domain)
    return txt, await spf_tree(resolver, domain, txt) if wants_tree else None


async def _soa(resolver: Resolver, domain: DomainName) -> Answer[ZoneStart]:
    answer: Answer[Any] = await resolver.resolve(domain, "SOA")
    return _each(answer, lambda soa: ZoneStart(soa.primary, soa.serial, soa.minimum))


async def _exchangers(
    resolver: Resolver, domain: DomainName, *, wants_tlsa: bool
) -> tuple[Answer[Exchanger], tuple[MailHost, ...]]:
    answer = await mail_exchangers(resolver, domain)
    if not isinstance(answer, Found):
        return answer, ()
    order = sorted(answer.values, key=lambda mx: (mx.preference, mx.host))
    names = list(dict.fromkeys(mx.host for mx in order if mx.host))[:MOST_HOSTS]
    # RFC 7672 §2.2.1: without a validated MX set nobody looks for TLSA
    asks_tlsa = wants_tlsa and answer.authenticated
    return answer, tuple(
        await asyncio.gather(*(mail_host(resolver, name, wants_tlsa=asks_tlsa) for name in names))
    )


async def mail_exchangers(resolver: Resolver, domain: DomainName) -> Answer[Exchanger]:
    """Ask for the mail exchangers of a domain."""
    answer = await resolver.mx(domain)
    return _each(answer, lambda mx: Exchanger(mx.preference, mx.host))


async def mail_host(resolver: Resolver, name: str, *, wants_tlsa: bool) -> MailHost:
    """Ask for the addresses of a host, and for its TLSA records."""
    host = DomainName(name)
    ipv4: Answer[Any]
    ipv6: Answer[Any]
    ipv4, ipv6, tlsa = await asyncio.gather(
        resolver.resolve(host, "A"),
        resolver.resolve(host, "AAAA"),
        _tlsa(resolver, host) if wants_tlsa else _nothing(),
    )
    return MailHost(name, ipv4, ipv6, tlsa)


async def _tlsa(resolver: Resolver, host: DomainName) -> Answer[TlsaRecord]:
    answer: Answer[Any] = await resolver.resolve(DomainName(f"_25._tcp.{host.ascii}"), "TLSA")
    return _each(answer, lambda t: TlsaRecord(t.usage, t.selector, t.matching, t.data))


async def _dmarc(resolver: Resolver, domain: DomainName) -> DmarcFacts:
    name = f"_dmarc.{domain.ascii}"
    at_name = await _txt(resolver, name)
    found, alias, misplaced = await asyncio.gather(
        walk(resolver, domain),
        _cname(resolver, name) if isinstance(at_name, Found) and not at_name.via else _nothing(),
        _nothing() if isinstance(at_name, Found) else _txt(resolver, f"_dmarc.{name}"),
    )
    destinations: tuple[ReportDestination, ...] = ()
    record = found.steps[0].record if found.steps else None
    if isinstance(record, DmarcRecord):
        uris = [("rua", uri) for uri in record.rua] + [("ruf", uri) for uri in record.ruf]
        asked = (_destination(resolver, domain, tag, uri) for tag, uri in uris[:MOST_DESTINATIONS])
        destinations = tuple(d for d in await asyncio.gather(*asked) if d is not None)
    return DmarcFacts(found, at_name, alias, organizational_domain(domain), destinations, misplaced)


async def _destination(
    resolver: Resolver, domain: DomainName, tag: str, uri: str
) -> ReportDestination | None:
    host = report_host(uri)
    if host is None:
        return None
    mx = await mail_exchangers(resolver, host)
    address: Answer[Any] | None = None if isinstance(mx, Found) else await resolver.resolve(host, "A")
    far: DmarcWalk | None = None
    authorization: Answer[Txt] | None = None
    if not _on_one_branch(domain, host):
        far = await walk(resolver, host)
        authorization = await _txt(resolver, f"{domain.ascii}._report._dmarc.{host.ascii}")
    return ReportDestination(tag, uri, host, far, authorization, mx, address)


def report_host(uri: str) -> DomainName | None:
    """Give the host of a mailto URI, None where there is none that DNS can be asked for."""
    try:
        split = urlsplit(uri)
        if split.scheme.lower() != "mailto":
            return None
        return DomainName.parse_lookup(split.path.rpartition("@")[2])
    except (ValueError, InputError):
        return None


def _on_one_branch(one: DomainName, other: DomainName) -> bool:
    short, long = sorted((one.ascii, other.ascii), key=len)
    return long == short or long.endswith(f".{short}")


async def _mta_sts(sources: Sources, domain: DomainName) -> MtaStsFacts:
    resolver = sources.resolver
    txt = await _txt(resolver, f"_mta-sts.{domain.ascii}")
    # A policy without its record is a fault too, but a host alone is no sign of one: nothing is asked then.
    if not isinstance(txt, Found) or not any(mta_sts.looks_like(value.text) for value in txt.values):
        return MtaStsFacts(txt)
    return await gather_policy_host(resolver, sources.fetch, domain, txt)


async def gather_policy_host(
    resolver: Resolver,
    fetch: Fetch | None,
    domain: DomainName,
    txt: Answer[Txt],
    addresses: Sequence[str] | None = None,
) -> MtaStsFacts:
    """Look at the policy host, and fetch from each of its addresses; given `addresses` are taken for them."""
    host = DomainName(f"mta-sts.{domain.ascii}")
    ipv4: Answer[Any] | None
    ipv6: Answer[Any] | None
    ipv4, ipv6, caa = await asyncio.gather(
        resolver.resolve(host, "A") if addresses is None else _nothing(),
        resolver.resolve(host, "AAAA") if addresses is None else _nothing(),
        _caa(resolver, host),
    )
    if addresses is None:
        addresses = addresses_in(ipv4, ipv6)
    if fetch is None:
        return MtaStsFacts(txt, ipv4, ipv6, caa)
    asked = (asyncio.to_thread(fetch, domain, address) for address in addresses[:MOST_ADDRESSES])
    return MtaStsFacts(txt, ipv4, ipv6, caa, tuple(await asyncio.gather(*asked)))


def addresses_in(*answers: Answer[Any] | None) -> list[str]:
    """Give the addresses of answers, as text."""
    return [str(value) for answer in answers if isinstance(answer, Found) for value in answer.values]


async def _caa(resolver: Resolver, host: DomainName) -> Answer[CaaRecord]:
    """Climb to the first name that has CAA records (RFC 8659 §3)."""
    name: DomainName | None = host
    answer: Answer[Any] = await resolver.resolve(host, "CAA")
    while not isinstance(answer, Found | LookupFailed) and name is not None and len(name.labels) > 1:
        answer = await resolver.resolve(name, "CAA")
        name = name.parent
    return _each(
        answer, lambda caa: CaaRecord(caa.flags, caa.tag, caa.value.decode("ascii", errors="replace"))
    )


async def _txt(resolver: Resolver, name: str) -> Answer[Txt]:
    return _unaskable(name) if len(name) > MAX_NAME else await resolver.txt(DomainName(name))


async def _cname(resolver: Resolver, name: str) -> Answer[DomainName]:
    return _unaskable(name) if len(name) > MAX_NAME else await resolver.cname(DomainName(name))


def _unaskable(name: str) -> LookupFailed:
    return LookupFailed(
        FailureReason.MALFORMED,
        f"{name[:80]}… has {len(name)} characters; DNS holds names of at most {MAX_NAME}",
        temporary=False,
    )


def _each(answer: Answer[Any], turn: Callable[[Any], Any]) -> Answer[Any]:
    if not isinstance(answer, Found):
        return answer
    values = tuple(turn(value) for value in answer.values if not isinstance(value, bytes))
    return Found(values, answer.ttl, answer.via, answer.server, answer.authenticated)
