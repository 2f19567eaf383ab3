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
from exo_auth.lookup.wire import NXDOMAIN, TYPES, Data, Record

LONGEST_CHAIN = 16  # CNAMEs; longer chains are defects in practice


@dataclass(frozen=True)
class _Broken:
    """Why one answer cannot be followed: a fault of the zone, which asking again does not mend."""

    reason: FailureReason
    detail: str


class Search:
    """One question of one asker: where it stands, and the CNAMEs followed on the way there."""

    __slots__ = ("at", "batch", "name", "number", "rdtype", "via")

    def __init__(self, name: DomainName, rdtype: str, batch: Batch, number: int) -> None:
        self.name = self.at = name
        self.rdtype = rdtype
        self.via: tuple[Hop, ...] = ()
        self.batch, self.number = batch, number  # where the answer belongs

    def read(self, verdict: Verdict) -> Answer[Data] | None:
        """Give the answer; None where a server gave only part of a chain: then `at` is to be asked for."""
        if isinstance(verdict, LookupFailed):
            return replace(verdict, via=self.via) if self.via else verdict
        records = _records(verdict, self.at, self.rdtype)
        if self.rdtype == "CNAME":
            return self._alias(verdict, records)
        if records:  # where they stand there is no CNAME, RFC 2181 §10.1
            return self._found(verdict, records)
        hops = _hops(self.at, verdict) if verdict.message.answers else ()
        if isinstance(hops, _Broken):
            return self._failed(verdict, hops)
        if not hops:
            return self._missing(verdict)
        return self._further(verdict, hops)

    def _further(self, reply: Reply, hops: tuple[Hop, ...]) -> Answer[Data] | None:
        """Look at the end of these CNAMEs, as far as the same reply speaks of it."""
        self.via += hops
        if _does_not_end(self.name, self.via):
            broken = _loop(self.name, self.via)
            self.via = self.via[:LONGEST_CHAIN]
            return self._failed(reply, broken)
        self.at = self.via[-1].target
        if records := _records(reply, self.at, self.rdtype):
            return self._found(reply, records)
        if reply.message.rcode == NXDOMAIN or negative_ttl(reply.message) is not None:
            return self._missing(reply)
        return None

    def _alias(self, reply: Reply, records: list[Record]) -> Answer[Data]:
        """Read the CNAME of the name itself, following nothing."""
        if not records:
            return self._missing(reply)
        if not all(record.data for record in records):
            return self._failed(reply, _alias_of_root(self.name))
        return self._found(reply, records)

    def _found(self, reply: Reply, records: list[Record]) -> Found[Data]:
        values = tuple([record.data for record in records])
        ttl = min([record.ttl for record in records])
        return Found(values, _seconds(ttl), self.via, reply.server, reply.message.authenticated)

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
        alias = next(iter(_records(reply, at, "CNAME")), None)
        if alias is None:
            break
        if not alias.data:
            return _alias_of_root(at)
        target = DomainName(str(alias.data))
        hops.append(Hop(at, target, _seconds(alias.ttl)))
        at = target
    return tuple(hops)


def _records(reply: Reply, owner: DomainName, rdtype: str) -> list[Record]:
    answers = reply.message.answers
    if not answers:
        return []
    wanted, name = TYPES[rdtype], owner.ascii
    return [record for record in answers if record.type == wanted and record.owner == name]


def _does_not_end(start: DomainName, via: tuple[Hop, ...]) -> bool:
    names = [start, *(hop.target for hop in via)]
    return len(set(names)) < len(names) or len(via) > LONGEST_CHAIN


def _loop(name: DomainName, via: tuple[Hop, ...]) -> _Broken:
    path = " → ".join(hop.target.ascii for hop in via[:4])
    return _Broken(FailureReason.LOOP, f"the CNAMEs of {name} do not end: {path} …")


def _alias_of_root(name: DomainName) -> _Broken:
    return _Broken(FailureReason.MALFORMED, f"the CNAME at {name} points to the root, which is no host")
