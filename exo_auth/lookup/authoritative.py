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
    """Answers for names in the zones of `domains`; servers that disagree are a failed look-up, which time heals."""

    def __init__(self, inner: Resolver, authorities: Authorities, domains: tuple[DomainName, ...]) -> None:
        self._inner = inner
        self._authorities = authorities
        self._domains = domains
        self._delegations: dict[str, asyncio.Task[Delegation | LookupFailed]] = {}

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask every server of the name's zone, or the resolver where the zone is not one of ours."""
        domain = next((one for one in self._domains if name.is_within(one)), None)
        if domain is None:
            return await self._inner.resolve(name, rdtype)
        delegation = await self._delegation(domain)
        if isinstance(delegation, LookupFailed):
            return delegation
        return await self._of_servers(delegation, name, rdtype)

    async def _delegation(self, domain: DomainName) -> Delegation | LookupFailed:
        if domain.ascii not in self._delegations:
            task = asyncio.ensure_future(find_delegation(self._authorities, domain))
            self._delegations[domain.ascii] = task
        return await self._delegations[domain.ascii]

    async def _of_servers(self, delegation: Delegation, name: DomainName, rdtype: str) -> Answer[Data]:
        found = await messages_of(self._authorities, delegation, name, rdtype)
        messages = [(where, message) for where, message in found if isinstance(message, Message)]
        if not messages:
            return _failed(f"no server of {delegation.zone} answers for {name}")
        versions = {frozenset((r.type, str(r.data)) for r in message.answers) for _, message in messages}
        if len(versions) > 1:
            return _failed(f"the servers of {delegation.zone} disagree about {rdtype} of {name}")
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
