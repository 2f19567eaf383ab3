"""All questions about one mail domain, as many at once as their order allows (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from exo_auth.domain_name import MAX_NAME, DomainName
from exo_auth.errors import InputError
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.facts.dns import Answer, Found, LookupFailed, MailDns, Missing, MissingKind, Txt
from exo_auth.facts.domain import (
    ALL_SUBJECTS,
    CaaRecord,
    DmarcFacts,
    DomainFacts,
    Exchanger,
    MailHost,
    MtaStsFacts,
    PolicyFetch,
    ReportDestination,
    Subject,
    TlsaRecord,
    ZoneStart,
)
from exo_auth.facts.spf import SpfNode
from exo_auth.lookup.authorities import Authorities, server_views
from exo_auth.lookup.dmarc_walk import policy_name, step_of, walk_steps
from exo_auth.lookup.mail_dns import mail_dns, public_keys
from exo_auth.lookup.public_suffix import organizational_domain
from exo_auth.lookup.questions import all_of, answered, ask, cname, txt
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.shared import Shared
from exo_auth.lookup.spf_tree import Subtree, tree_steps
from exo_auth.records import mta_sts
from exo_auth.records.dmarc import DmarcRecord

MOST_HOSTS = 10  # exchangers looked at
MOST_DESTINATIONS = 10  # report addresses looked at
MOST_ADDRESSES = 8  # of a policy host

Fetch = Callable[[DomainName, str], PolicyFetch]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class SharedFacts:
    """What stands behind many domains, so that it is put together once."""

    hosts: Shared[MailHost] = field(default_factory=Shared)
    subtrees: Shared[Subtree] = field(default_factory=Shared)  # of SPF
    walk_steps: Shared[WalkStep] = field(default_factory=Shared)  # of DMARC


@dataclass(frozen=True)
class Sources:
    """Where facts come from: a resolver, the policy hosts (None: no file is fetched), a label nobody uses."""

    resolver: Resolver
    fetch: Fetch | None
    random_label: str
    subjects: frozenset[Subject] = ALL_SUBJECTS
    knows_tenant: bool = False  # then both selectors are looked at in every way
    authorities: Authorities | None = None  # given, every server of the zone is asked by itself
    shared: SharedFacts = field(default_factory=SharedFacts)
    clock: Callable[[], datetime] = _now  # says when a look is over, UTC


async def gather_domain_facts(sources: Sources, domain: DomainName) -> DomainFacts:
    """Ask all there is to ask; trouble is in the facts, nothing is raised for it."""
    facts = await answered(sources.resolver, _domain_steps(sources, domain))
    sts = facts.mta_sts
    if sts is not None and sts.host_ipv4 is not None:
        sts = await _with_policy(sources.fetch, domain, sts)
        facts = replace(facts, mta_sts=sts, seen_at=sources.clock())
    if sources.authorities is not None and Subject.DNS in sources.subjects:
        servers = await server_views(sources.authorities, domain)
        facts = replace(facts, servers=servers, seen_at=sources.clock())
    return facts


async def _domain_steps(sources: Sources, domain: DomainName) -> DomainFacts:
    wanted, name, shared = sources.subjects, domain.ascii, sources.shared

    def when(subjects: Iterable[Subject], steps: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return None if wanted.isdisjoint(subjects) else steps()

    soa, (sts, wildcard), (at_apex, spf), (mx, hosts), dkim, dmarc, tls_rpt, bimi = await all_of(
        when((Subject.DNS, Subject.DANE), lambda: _soa(domain)),
        _mta_sts_and_wildcard(domain, sources.random_label, wanted),
        _spf(domain, shared.subtrees if Subject.SPF in wanted else None),
        _exchangers(domain, shared.hosts, wants_tlsa=Subject.DANE in wanted),
        when((Subject.DKIM,), lambda: _dkim(sources, domain)),
        when((Subject.DMARC,), lambda: _dmarc(domain, shared.walk_steps)),
        when((Subject.TLS_RPT,), lambda: txt(DomainName(f"_smtp._tls.{name}"))),
        when((Subject.BIMI,), lambda: txt(DomainName(f"default._bimi.{name}"))),
    )
    return DomainFacts(
        domain,
        soa,
        wildcard,
        at_apex,
        mx,
        hosts,
        spf,
        dkim,
        dmarc,
        sts,
        tls_rpt,
        bimi,
        seen_at=sources.clock(),
    )


def _dkim(sources: Sources, domain: DomainName) -> Coroutine[Any, Any, MailDns]:
    steps = mail_dns if sources.knows_tenant else public_keys
    return steps(domain, sources.random_label)


async def _spf(domain: DomainName, known: Shared[Subtree] | None) -> tuple[Answer[Txt], SpfNode | None]:
    at_apex = await txt(domain)
    return at_apex, await tree_steps(domain, at_apex, known) if known is not None else None


async def _soa(domain: DomainName) -> Answer[ZoneStart]:
    return _each(await ask(domain, "SOA"), lambda soa: ZoneStart(soa.primary, soa.serial, soa.minimum))


async def _exchangers(
    domain: DomainName, known: Shared[MailHost], *, wants_tlsa: bool
) -> tuple[Answer[Exchanger], tuple[MailHost, ...]]:
    answer = await _mail_exchangers(domain)
    if not isinstance(answer, Found):
        return answer, ()
    order = sorted(answer.values, key=lambda mx: (mx.preference, mx.host))
    names = list(dict.fromkeys(mx.host for mx in order if mx.host))[:MOST_HOSTS]
    # RFC 7672 §2.2.1: without a validated MX set nobody looks for TLSA
    asks_tlsa = wants_tlsa and answer.authenticated
    hosts = await all_of(*(_known_host(name, known, wants_tlsa=asks_tlsa) for name in names))
    return answer, tuple(hosts)


async def _known_host(name: str, known: Shared[MailHost], *, wants_tlsa: bool) -> MailHost:
    host = known.get(name)
    if host is None or (wants_tlsa and host.tlsa is None):
        host = await _mail_host(name, wants_tlsa=wants_tlsa)
        if not any(isinstance(answer, LookupFailed) for answer in (host.ipv4, host.ipv6, host.tlsa)):
            known.keep(name, host)
    return host if wants_tlsa or host.tlsa is None else replace(host, tlsa=None)


async def mail_exchangers(resolver: Resolver, domain: DomainName) -> Answer[Exchanger]:
    """Ask for the mail exchangers of a domain."""
    return await answered(resolver, _mail_exchangers(domain))


async def _mail_exchangers(domain: DomainName) -> Answer[Exchanger]:
    return _each(await ask(domain, "MX"), lambda mx: Exchanger(mx.preference, mx.host))


async def mail_host(resolver: Resolver, name: str, *, wants_tlsa: bool) -> MailHost:
    """Ask for the addresses of a host, and for its TLSA records."""
    return await answered(resolver, _mail_host(name, wants_tlsa=wants_tlsa))


async def _mail_host(name: str, *, wants_tlsa: bool) -> MailHost:
    host = DomainName(name)
    tlsa = _tlsa(host) if wants_tlsa else None
    return MailHost(name, *await all_of(ask(host, "A"), ask(host, "AAAA"), tlsa))


async def _tlsa(host: DomainName) -> Answer[TlsaRecord]:
    answer = await ask(DomainName(f"_25._tcp.{host.ascii}"), "TLSA")
    return _each(answer, lambda t: TlsaRecord(t.usage, t.selector, t.matching, t.data))


async def _dmarc(domain: DomainName, parents: Shared[WalkStep]) -> DmarcFacts:
    name = policy_name(domain)
    at_name = await txt(name)
    is_there = isinstance(at_name, Found)
    first = step_of(domain, at_name)
    found, alias, misplaced, destinations = await all_of(
        walk_steps(domain, first, parents),
        cname(name) if is_there and not at_name.via else None,
        None if is_there else txt(policy_name(name)),
        _destinations(domain, first.record, parents) if isinstance(first.record, DmarcRecord) else None,
    )
    organizational = organizational_domain(domain)
    old_step = await _old_step(found, organizational)
    return DmarcFacts(found, at_name, alias, organizational, destinations or (), misplaced, old_step)


async def _old_step(found: DmarcWalk, organizational: DomainName) -> WalkStep | None:
    """Ask where RFC 7489 receivers look next (§6.6.3), unless the walk was there, or they need not look."""
    if found.steps[0].count or organizational in {step.name for step in found.steps}:
        return None
    return step_of(organizational, await txt(policy_name(organizational)))


async def _destinations(
    domain: DomainName, record: DmarcRecord, known: Shared[WalkStep]
) -> tuple[ReportDestination, ...]:
    uris = [("rua", uri) for uri in record.rua] + [("ruf", uri) for uri in record.ruf]
    hosts = [(tag, uri, report_host(uri)) for tag, uri in uris[:MOST_DESTINATIONS]]
    return tuple(
        await all_of(
            *(_destination(domain, tag, uri, host, known) for tag, uri, host in hosts if host is not None)
        )
    )


async def _destination(
    domain: DomainName, tag: str, uri: str, host: DomainName, known: Shared[WalkStep]
) -> ReportDestination:
    far = authorization = None
    if _on_one_branch(domain, host):
        mx = await _mail_exchangers(host)
    else:
        agreement = DomainName(f"{domain.ascii}._report._dmarc.{host.ascii}")
        mx, far, authorization = await all_of(
            _mail_exchangers(host), walk_steps(host, known=known), _authorization(agreement)
        )
    address = None if isinstance(mx, Found) else await ask(host, "A")
    return ReportDestination(tag, uri, host, far, authorization, mx, address)


async def _authorization(name: DomainName) -> Answer[Txt]:
    # RFC 9990 §4: a name that DNS cannot hold is a domain that cannot be authorized
    return await txt(name) if len(name.ascii) <= MAX_NAME else Missing(MissingKind.NXDOMAIN)


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


async def _mta_sts_and_wildcard(
    domain: DomainName, random_label: str, wanted: frozenset[Subject]
) -> tuple[MtaStsFacts | None, Answer[Txt] | None]:
    """Look at `_mta-sts`, and at a label nobody uses where the former leaves open whether a wildcard answers."""
    wants_wildcard = Subject.DNS in wanted or Subject.DMARC in wanted
    probe = DomainName(f"{random_label}.{domain.ascii}")
    if Subject.MTA_STS not in wanted:
        return None, await txt(probe) if wants_wildcard else None
    record = await txt(DomainName(f"_mta-sts.{domain.ascii}"))
    # RFC 4592 §2.2.1: where a wildcard stands right below the domain, no name there is absent
    if isinstance(record, Missing) and record.kind is MissingKind.NXDOMAIN and not record.via:
        return MtaStsFacts(record), record if wants_wildcard else None
    sts, wildcard = await all_of(_mta_sts(domain, record), txt(probe) if wants_wildcard else None)
    return sts, wildcard


async def _mta_sts(domain: DomainName, record: Answer[Txt]) -> MtaStsFacts:
    # A policy without its record is a fault too, but a host alone is no sign of one: nothing is asked then.
    if not isinstance(record, Found) or not any(mta_sts.looks_like(value.text) for value in record.values):
        return MtaStsFacts(record)
    return await _policy_host(domain, record)


async def _policy_host(
    domain: DomainName, record: Answer[Txt], *, wants_addresses: bool = True
) -> MtaStsFacts:
    host = DomainName(f"mta-sts.{domain.ascii}")
    addresses = (ask(host, "A"), ask(host, "AAAA")) if wants_addresses else (None, None)
    return MtaStsFacts(record, *await all_of(*addresses, _caa(host)))


async def gather_policy_host(
    resolver: Resolver,
    fetch: Fetch | None,
    domain: DomainName,
    txt: Answer[Txt],
    addresses: Sequence[str] | None = None,
) -> MtaStsFacts:
    """Look at the policy host, and fetch from each of its addresses; given `addresses` are taken for them."""
    facts = await answered(resolver, _policy_host(domain, txt, wants_addresses=addresses is None))
    return await _with_policy(fetch, domain, facts, addresses)


async def _with_policy(
    fetch: Fetch | None, domain: DomainName, facts: MtaStsFacts, addresses: Sequence[str] | None = None
) -> MtaStsFacts:
    """Fetch the policy file from each address."""
    if addresses is None:
        addresses = addresses_in(facts.host_ipv4, facts.host_ipv6)
    if fetch is None or not addresses:
        return facts
    asked = (asyncio.to_thread(fetch, domain, address) for address in addresses[:MOST_ADDRESSES])
    return replace(facts, fetches=tuple(await asyncio.gather(*asked)))


def addresses_in(*answers: Answer[Any] | None) -> list[str]:
    """Give the addresses of answers, as text."""
    return [str(value) for answer in answers if isinstance(answer, Found) for value in answer.values]


async def _caa(host: DomainName) -> Answer[CaaRecord]:
    """Climb to the first name that has CAA records (RFC 8659 §3)."""
    name: DomainName | None = host
    answer = await ask(host, "CAA")
    while not isinstance(answer, Found | LookupFailed) and name is not None and len(name.labels) > 1:
        answer = await ask(name, "CAA")
        name = name.parent
    return _each(
        answer, lambda caa: CaaRecord(caa.flags, caa.tag, caa.value.decode("ascii", errors="replace"))
    )


def _each(answer: Answer[Any], turn: Callable[[Any], Any]) -> Answer[Any]:
    if not isinstance(answer, Found):
        return answer
    values = tuple(turn(value) for value in answer.values if not isinstance(value, bytes))
    return answer.holding(values)
