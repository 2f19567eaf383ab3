"""`AuthoritativeResolver`: names of some zones from their own servers, everything else from a resolver (lookup; async I/O).

Waiting for a record by asking a resolver would make it remember that the record is absent (RFC 2308 §5). The servers
themselves remember nothing, so they are asked until they all have it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, Hop, LookupFailed, Missing, MissingKind, Txt
from exo_auth.facts.propagation import Delegation
from exo_auth.lookup.authorities import Authorities, find_delegation, messages_of
from exo_auth.lookup.recorded import OfOneKind
from exo_auth.lookup.resolver import Resolver
from exo_auth.lookup.verdict_cache import negative_ttl
from exo_auth.lookup.wire import NXDOMAIN, TYPES, Data, Message

__all__ = ["AuthoritativeResolver", "Txt"]


class AuthoritativeResolver(OfOneKind):
    """Answers from the servers of each name's own zone; the resolver is asked about zones and their servers alone.

    Servers that disagree are a failed look-up, which time heals. Only for names outside `domains` whose servers give no
    answer is the resolver asked.
    """

    def __init__(self, inner: Resolver, authorities: Authorities, domains: tuple[DomainName, ...]) -> None:
        self._inner = inner
        self._authorities = authorities
        self._domains = domains
        self._delegations: dict[str, asyncio.Task[Delegation | LookupFailed]] = {}
        self._silent: set[str] = set()  # zones of which no server answered
        self.knows_no_zone = False  # was the zone of a name in `domains` not to be found?
        self.is_lagging = False  # were there servers that disagreed?

    @property
    def is_unreachable(self) -> bool:
        """Did no server of a zone of `domains` answer at all?"""
        return any(
            domain.is_within(DomainName(zone)) for zone in tuple(self._silent) for domain in self._domains
        )

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask every server of the name's zone."""
        delegation = await self._delegation(name)
        if isinstance(delegation, LookupFailed):
            answer: Answer[Data] = delegation
        else:
            answer = await self._of_servers(delegation, name, rdtype)
            if not isinstance(answer, LookupFailed) or delegation.zone.ascii not in self._silent:
                return answer
        if any(name.is_within(domain) for domain in self._domains):
            return answer
        return await self._inner.resolve(name, rdtype)

    async def _delegation(self, name: DomainName) -> Delegation | LookupFailed:
        if name.ascii not in self._delegations:
            task = asyncio.ensure_future(find_delegation(self._authorities, name))
            self._delegations[name.ascii] = task
        found = await self._delegations[name.ascii]
        if isinstance(found, LookupFailed) and any(name.is_within(domain) for domain in self._domains):
            self.knows_no_zone = True
        return found

    async def _of_servers(self, delegation: Delegation, name: DomainName, rdtype: str) -> Answer[Data]:
        zone = delegation.zone
        if zone.ascii in self._silent:
            return _failed(f"no server of {zone} answers for {name}")
        found = await messages_of(self._authorities, delegation, name, rdtype)
        messages = [(where, message) for where, message in found if isinstance(message, Message)]
        if not messages:
            self._silent.add(zone.ascii)
            return _failed(f"no server of {zone} answers for {name}")
        versions = {frozenset((r.type, str(r.data)) for r in message.answers) for _, message in messages}
        if len(versions) > 1:
            self.is_lagging = True
            return _failed(f"the servers of {zone} disagree about {rdtype} of {name}")
        where, message = messages[0]
        return await self._answer(name, rdtype, message, where)

    async def _answer(self, name: DomainName, rdtype: str, message: Message, where: str) -> Answer[Data]:
        records = [r for r in message.answers if r.owner == name.ascii and r.type == TYPES[rdtype]]
        if records:
            ttl = timedelta(seconds=min(record.ttl for record in records))
            return Found(tuple(record.data for record in records), ttl, (), where)
        alias = next((r for r in message.answers if r.owner == name.ascii and r.type == TYPES["CNAME"]), None)
        if alias is None:
            kind = MissingKind.NXDOMAIN if message.rcode == NXDOMAIN else MissingKind.NODATA
            seconds = negative_ttl(message)
            return Missing(kind, None if seconds is None else timedelta(seconds=seconds), (), where)
        hop = Hop(name, DomainName(str(alias.data)), timedelta(seconds=alias.ttl))
        end = await self.resolve(hop.target, rdtype)
        return replace(end, via=(hop, *end.via))


def _failed(detail: str) -> LookupFailed:
    return LookupFailed(FailureReason.TIMEOUT, detail, temporary=True)
