"""The authoritative servers of a zone, each asked by itself (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed, Missing
from exo_auth.facts.domain import NameServerView
from exo_auth.facts.propagation import AuthorityView, Delegation, Propagation, ResolverView, is_there
from exo_auth.lookup.exchange_messages import ask, query_about
from exo_auth.lookup.presentation import written
from exo_auth.lookup.public_suffix import organizational_domain
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.udp_client import Server, UdpClient
from exo_auth.lookup.wire import NOERROR, NXDOMAIN, TYPES, MalformedMessage, Message, Soa

MOST_SERVERS = 13  # names; no zone that works has more
MOST_ADDRESSES = 4  # of one server
MOST_CUTS = 5  # zones below one another
DNS_PORT = 53


@dataclass(frozen=True)
class Authorities:
    """Asks authoritative servers: which resolver finds their addresses, at which port, for how long (seconds)."""

    resolver: Resolver
    port: int = DNS_PORT
    timeout: float = 5.0


async def look_everywhere(
    authorities: Authorities,
    name: DomainName,
    rdtype: str,
    resolvers: Mapping[str, Resolver],
    expected: frozenset[str] | None = None,
) -> Propagation:
    """Ask every authoritative server, and the resolvers (by name) only when those agree; trouble is in the facts.

    Those agree when all hold the `expected` values (none of a type where it is empty), or without any the same.
    """
    delegation = await find_delegation(authorities, name)
    if isinstance(delegation, LookupFailed):
        return Propagation(name, rdtype, None, failure=delegation.detail)
    views = await ask_all(authorities, delegation, name, rdtype)
    negative = [view.negative_ttl for view in views if view.negative_ttl is not None]
    if negative:  # what the resolver gave has run down
        delegation = replace(delegation, negative_ttl=max(negative))
    seen = Propagation(name, rdtype, delegation, views)
    told = {view.values for view in views if not view.failure}
    # A resolver that is asked too early remembers that the name is absent, or what it is to forget. RFC 2308 §5
    if not told or (expected is None and len(told) > 1) or not all(is_there(one, expected) for one in told):
        return seen
    asked = (_resolver_view(label, resolver, name, rdtype) for label, resolver in resolvers.items())
    return replace(seen, resolvers=tuple(await asyncio.gather(*asked)))


async def server_views(authorities: Authorities, domain: DomainName) -> tuple[NameServerView, ...]:
    """Ask every server of a domain's zone for its MX and TXT records; none where the zone is not found."""
    delegation = await find_delegation(authorities, domain)
    if isinstance(delegation, LookupFailed):
        return ()
    mx, txt = await asyncio.gather(
        ask_all(authorities, delegation, domain, "MX"), ask_all(authorities, delegation, domain, "TXT")
    )
    return tuple(
        NameServerView(a.server, a.address, a.serial, a.values, b.values, a.failure or b.failure)
        for a, b in zip(mx, txt, strict=True)
        if not a.has_no_route
    )


async def find_delegation(authorities: Authorities, name: DomainName) -> Delegation | LookupFailed:
    """Find the zone a name lies in, and who serves it.

    The resolver is asked about zones alone, never about the name: it would remember that a name is absent which is
    about to be published (RFC 2308 §5), and all names below it (RFC 8020).
    """
    delegation = await _delegation_of(authorities, organizational_domain(name))
    for _ in range(MOST_CUTS):
        if isinstance(delegation, LookupFailed):
            return delegation
        deeper = await _cut_below(authorities, delegation, name)
        if deeper is None:
            return delegation
        delegation = await _delegation_of(authorities, deeper)
    return delegation


async def _delegation_of(authorities: Authorities, start: DomainName) -> Delegation | LookupFailed:
    found = await _zone_of(authorities.resolver, start)
    if isinstance(found, LookupFailed):
        return found
    zone, soa, ttl = found
    servers: Answer[Any] = await authorities.resolver.resolve(zone, "NS")
    if isinstance(servers, LookupFailed):
        return servers
    child = frozenset(map(str, servers.values)) if isinstance(servers, Found) else frozenset()
    return Delegation(
        zone,
        child,
        await _named_above(authorities, zone),
        min(timedelta(seconds=soa.minimum), ttl),
        timedelta(seconds=soa.refresh),
    )


async def _cut_below(authorities: Authorities, delegation: Delegation, name: DomainName) -> DomainName | None:
    """Ask the zone's own servers whether the name lies in a zone further down."""
    client = UdpClient()
    try:
        for server in delegation.servers[:MOST_SERVERS]:
            for address in await _addresses(authorities.resolver, server):
                message = await _direct(authorities, client, (address, authorities.port), name, "TXT")
                if isinstance(message, Message) and message.rcode in (NOERROR, NXDOMAIN):
                    return _deeper_zone(message, delegation.zone, name)
    finally:
        client.close()
    return None


def _deeper_zone(message: Message, zone: DomainName, name: DomainName) -> DomainName | None:
    """Read the owner of a referral, or of the SOA that comes with a negative answer (RFC 2308 §2)."""
    for record in message.authority:
        if record.type in (TYPES["NS"], TYPES["SOA"]) and record.owner and "\\" not in record.owner:
            owner = DomainName(record.owner)
            if owner != zone and owner.is_within(zone) and name.is_within(owner):
                return owner
    return None


async def ask_all(
    authorities: Authorities, delegation: Delegation, name: DomainName, rdtype: str
) -> tuple[AuthorityView, ...]:
    """Ask every address of every server, without recursion; sorted by server and address."""
    client = UdpClient()
    try:
        asked = (
            _server(authorities, client, delegation.zone, server, name, rdtype)
            for server in delegation.servers[:MOST_SERVERS]
        )
        return tuple(view for views in await asyncio.gather(*asked) for view in views)
    finally:
        client.close()


async def messages_of(
    authorities: Authorities, delegation: Delegation, name: DomainName, rdtype: str
) -> tuple[tuple[str, Message | OSError | MalformedMessage], ...]:
    """Ask every address of every server, without recursion; give what each sent, with where it came from.

    Left out are servers that answer without authority, or refuse: they are lame (RFC 1034 §4.2.2), and resolvers go on to
    the next.
    """
    client = UdpClient()
    try:
        hosts = await asyncio.gather(
            *(_addresses(authorities.resolver, server) for server in delegation.servers[:MOST_SERVERS])
        )
        places = [(address, authorities.port) for found in hosts for address in found[:MOST_ADDRESSES]]
        answers = await asyncio.gather(
            *(_direct(authorities, client, place, name, rdtype) for place in places)
        )
        return tuple(
            (f"{place[0]}:{place[1]}", answer)
            for place, answer in zip(places, answers, strict=True)
            if not isinstance(answer, Message)
            or (answer.rcode in (NOERROR, NXDOMAIN) and answer.authoritative)
        )
    finally:
        client.close()


async def _zone_of(resolver: Resolver, start: DomainName) -> tuple[DomainName, Soa, timedelta] | LookupFailed:
    """Climb to the first name with an SOA of its own."""
    at: DomainName | None = start
    while at is not None:
        answer: Answer[Any] = await resolver.resolve(at, "SOA")
        if isinstance(answer, LookupFailed):
            return answer
        if isinstance(answer, Found) and not answer.via and isinstance(answer.values[0], Soa):
            return at, answer.values[0], answer.ttl
        at = at.parent
    return LookupFailed(
        FailureReason.REFUSED, f"no zone holds {start}: there is no SOA up to the top", temporary=False
    )


async def _named_above(authorities: Authorities, zone: DomainName) -> frozenset[str] | None:
    """Ask a server of the zone above whom it delegates to; None where that cannot be had."""
    if zone.parent is None:
        return None
    above = await _zone_of(authorities.resolver, zone.parent)
    if isinstance(above, LookupFailed):
        return None
    servers: Answer[Any] = await authorities.resolver.resolve(above[0], "NS")
    if not isinstance(servers, Found):
        return None
    client = UdpClient()
    try:
        for server in sorted(map(str, servers.values))[:3]:
            for address in (await _addresses(authorities.resolver, server))[:MOST_ADDRESSES]:
                message = await _direct(authorities, client, (address, authorities.port), zone, "NS")
                if isinstance(message, Message) and (named := _named(message, zone)):
                    return named
    finally:
        client.close()
    return None


def _named(message: Message, zone: DomainName) -> frozenset[str]:
    """Read the servers out of a referral, or out of an answer where one server holds both zones."""
    return frozenset(
        str(record.data)
        for record in (*message.authority, *message.answers)
        if record.type == TYPES["NS"] and record.owner == zone.ascii
    )


async def _addresses(resolver: Resolver, host: str) -> list[str]:
    ipv4: Answer[Any]
    ipv6: Answer[Any]
    ipv4, ipv6 = await asyncio.gather(
        resolver.resolve(DomainName(host), "A"), resolver.resolve(DomainName(host), "AAAA")
    )
    return [str(value) for answer in (ipv4, ipv6) if isinstance(answer, Found) for value in answer.values]


async def _server(
    authorities: Authorities,
    client: UdpClient,
    zone: DomainName,
    server: str,
    name: DomainName,
    rdtype: str,
) -> tuple[AuthorityView, ...]:
    addresses = await _addresses(authorities.resolver, server)
    if not addresses:
        return (AuthorityView(server, "", failure="its name has no address"),)
    asked = (
        _view(authorities, client, zone, AuthorityView(server, address), name, rdtype)
        for address in addresses[:MOST_ADDRESSES]
    )
    return tuple(await asyncio.gather(*asked))


async def _view(
    authorities: Authorities,
    client: UdpClient,
    zone: DomainName,
    view: AuthorityView,
    name: DomainName,
    rdtype: str,
) -> AuthorityView:
    server = (view.address, authorities.port)
    message, start = await asyncio.gather(
        _direct(authorities, client, server, name, rdtype), _direct(authorities, client, server, zone, "SOA")
    )
    if isinstance(message, OSError):
        no_route = not isinstance(message, TimeoutError) and ":" in view.address
        return replace(view, failure=_words(message), has_no_route=no_route)
    if isinstance(message, MalformedMessage):
        return replace(view, failure=f"sends no valid answer: {message}")
    if message.rcode not in (NOERROR, NXDOMAIN):
        return replace(view, failure=f"answers with response code {message.rcode}")
    if not message.authoritative:
        return replace(view, failure="answers without authority for the zone")  # RFC 1034 §4.2.2: lame
    values, ttl = _record_set(message, name, rdtype)
    zone_start = _start(start)
    if zone_start is None:
        return replace(view, values=values, ttl=ttl)
    soa, soa_ttl = zone_start
    negative = timedelta(seconds=min(soa.minimum, soa_ttl))
    return replace(view, values=values, ttl=ttl, serial=soa.serial, negative_ttl=negative)


def _record_set(message: Message, name: DomainName, rdtype: str) -> tuple[frozenset[str], timedelta | None]:
    at_name = [record for record in message.answers if record.owner == name.ascii]
    records = [record for record in at_name if record.type == TYPES[rdtype]]
    if records:
        return frozenset(written(r.data) for r in records), timedelta(seconds=min(r.ttl for r in records))
    aliases = [record for record in at_name if record.type == TYPES["CNAME"]]
    return (
        frozenset(f"CNAME {written(r.data)}" for r in aliases),
        timedelta(seconds=aliases[0].ttl) if aliases else None,
    )


def _start(answer: Message | OSError | MalformedMessage) -> tuple[Soa, int] | None:
    if not isinstance(answer, Message):
        return None
    return next(((r.data, r.ttl) for r in answer.answers if isinstance(r.data, Soa)), None)


async def _direct(
    authorities: Authorities, client: UdpClient, server: Server, name: DomainName, rdtype: str
) -> Message | OSError | MalformedMessage:
    until = asyncio.get_running_loop().time() + authorities.timeout
    try:
        return await ask(client, server, query_about(name, rdtype, recursion_desired=False), until)
    except (OSError, MalformedMessage) as error:
        return error


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    return f"cannot be reached: {error.strerror or type(error).__name__}"


async def _resolver_view(label: str, resolver: Resolver, name: DomainName, rdtype: str) -> ResolverView:
    answer: Answer[Any] = await resolver.resolve(name, rdtype)
    if isinstance(answer, LookupFailed):
        return ResolverView(label, failure=answer.detail)
    if answer.via:  # the chain is not part of the set: authoritative servers give the alias alone
        first = answer.via[0]
        return ResolverView(label, frozenset({f"CNAME {first.target.ascii}."}), first.ttl)
    if isinstance(answer, Missing):
        return ResolverView(label, frozenset(), answer.negative_ttl)
    return ResolverView(label, frozenset(map(written, answer.values)), answer.ttl)
