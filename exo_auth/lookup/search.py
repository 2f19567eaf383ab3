"""What replies say about a name, over as many CNAMEs as it takes (lookup; pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, Hop, LookupFailed, Missing, MissingKind
from exo_auth.lookup.batch import Batch
from exo_auth.lookup.name_servers import Reply, Verdict
from exo_auth.lookup.verdict_cache import negative_ttl
from exo_auth.lookup.wire import NXDOMAIN, TYPES, Data

LONGEST_CHAIN = 16  # CNAMEs; longer chains are defects in practice

_CNAME = TYPES["CNAME"]
_LONGEST_TTL = 0x7FFFFFFF  # seconds, RFC 2181 §8


@dataclass(frozen=True)
class _Broken:
    """Why one answer cannot be followed: a fault of the zone, which asking again does not mend."""

    reason: FailureReason
    detail: str


class Search:
    """One question of one asker: where it stands, and the CNAMEs followed on the way there."""

    __slots__ = ("at", "batch", "name", "number", "type", "via")

    def __init__(self, name: DomainName, rdtype: str, batch: Batch, number: int) -> None:
        self.name = self.at = name
        self.type = TYPES[rdtype]
        self.via: tuple[Hop, ...] = ()
        self.batch, self.number = batch, number  # where the answer belongs

    def read(self, verdict: Verdict) -> Answer[Data] | None:
        """Give the answer; None where a server gave only part of a chain: then `at` is to be asked for."""
        if isinstance(verdict, LookupFailed):
            return replace(verdict, via=self.via) if self.via else verdict
        values, ttl = _values(verdict, self.at, self.type)
        if self.type == _CNAME:
            return self._alias(verdict, values, ttl)
        if values:  # where they stand there is no CNAME, RFC 2181 §10.1
            return self._found(verdict, values, ttl)
        hops = _hops(self.at, verdict) if verdict.message.answers else ()
        if isinstance(hops, _Broken):
            return self._failed(verdict, hops)
        if not hops:
            return self._missing(verdict)
        return self._further(verdict, hops)

    def _alias(self, reply: Reply, values: list[Data], ttl: int) -> Answer[Data]:
        """Read the CNAME of the name itself, following nothing."""
        if not values:
            return self._missing(reply)
        if not all(values):
            return self._failed(reply, _alias_of_root(self.name))
        return self._found(reply, values, ttl)

    def _further(self, reply: Reply, hops: tuple[Hop, ...]) -> Answer[Data] | None:
        """Look at the end of these CNAMEs, as far as the same reply speaks of it."""
        self.via += hops
        if _does_not_end(self.name, self.via):
            broken = _loop(self.name, self.via)
            self.via = self.via[:LONGEST_CHAIN]
            return self._failed(reply, broken)
        self.at = self.via[-1].target
        values, ttl = _values(reply, self.at, self.type)
        if values:
            return self._found(reply, values, ttl)
        if reply.message.rcode == NXDOMAIN or negative_ttl(reply.message) is not None:
            return self._missing(reply)
        return None

    def _found(self, reply: Reply, values: list[Data], ttl: int) -> Found[Data]:
        return Found(tuple(values), _seconds(ttl), self.via, reply.server, reply.message.authenticated)

    def _missing(self, reply: Reply) -> Missing:
        kind = MissingKind.NXDOMAIN if reply.message.rcode == NXDOMAIN else MissingKind.NODATA
        ttl = negative_ttl(reply.message)
        return Missing(kind, None if ttl is None else _seconds(ttl), self.via, reply.server)

    def _failed(self, reply: Reply, broken: _Broken) -> LookupFailed:
        return LookupFailed(broken.reason, broken.detail, temporary=False, via=self.via, server=reply.server)


@lru_cache(maxsize=4096)
def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def _hops(start: DomainName, reply: Reply) -> tuple[Hop, ...] | _Broken:
    """Follow the CNAMEs of one answer from `start`."""
    hops: list[Hop] = []
    at = start
    while len(hops) <= LONGEST_CHAIN:
        aliases, ttl = _values(reply, at, _CNAME)
        if not aliases:
            break
        if not aliases[0]:
            return _alias_of_root(at)
        target = DomainName(str(aliases[0]))
        hops.append(Hop(at, target, _seconds(ttl)))
        at = target
    return tuple(hops)


def _values(reply: Reply, name: DomainName, wanted: int) -> tuple[list[Data], int]:
    """Give the data of this type at this name, and how long they may be remembered, in seconds."""
    values: list[Data] = []
    shortest = _LONGEST_TTL
    for owner, rdtype, ttl, data in reply.message.answers:
        if rdtype == wanted and owner == name.ascii:
            values.append(data)
            if ttl < shortest:
                shortest = ttl
    return values, shortest


def _does_not_end(start: DomainName, via: tuple[Hop, ...]) -> bool:
    names = [start, *(hop.target for hop in via)]
    return len(set(names)) < len(names) or len(via) > LONGEST_CHAIN


def _loop(name: DomainName, via: tuple[Hop, ...]) -> _Broken:
    path = " → ".join(hop.target.ascii for hop in via[:4])
    return _Broken(FailureReason.LOOP, f"the CNAMEs of {name} do not end: {path} …")


def _alias_of_root(name: DomainName) -> _Broken:
    return _Broken(FailureReason.MALFORMED, f"the CNAME at {name} points to the root, which is no host")
