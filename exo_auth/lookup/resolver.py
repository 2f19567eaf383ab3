"""`StubResolver`: tells found, missing and failed apart, following CNAMEs hop by hop (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeAlias, TypeVar

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, Hop, LookupFailed, Missing, MissingKind, Txt
from exo_auth.lookup.name_servers import NameServers, Reply
from exo_auth.lookup.slots import Slots
from exo_auth.lookup.system_servers import parse_nameserver, system_name_servers
from exo_auth.lookup.udp_client import Server
from exo_auth.lookup.verdict_cache import Verdict, VerdictCache, negative_ttl
from exo_auth.lookup.wire import NXDOMAIN, TYPES, Data, Mx, Record

__all__ = ["Resolver", "StubResolver", "parse_nameserver"]

T = TypeVar("T")

LONGEST_CHAIN = 16  # CNAMEs; longer chains are defects in practice


Question: TypeAlias = tuple[DomainName, str]  # a name, and any type in `wire.TYPES`


class Resolver(Protocol):
    """Answers questions about names; DNS trouble is a value, never an exception."""

    async def resolve_all(self, questions: Sequence[Question]) -> list[Answer[Data]]:
        """Ask several questions at once, which is cheaper than one by one; the answers come in their order."""
        ...

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask for any type in `wire.TYPES`, following CNAMEs; the values are as `wire.Record.data` has them."""
        ...

    async def txt(self, name: DomainName) -> Answer[Txt]:
        """Ask for TXT, following CNAMEs."""
        ...

    async def cname(self, name: DomainName) -> Answer[DomainName]:
        """Ask for the CNAME of the name itself, following nothing."""
        ...

    async def mx(self, name: DomainName) -> Answer[Mx]:
        """Ask for MX, following CNAMEs."""
        ...


@dataclass(frozen=True)
class _Broken:
    """Why one answer cannot be followed: a fault of the zone, which asking again does not mend."""

    reason: FailureReason
    detail: str


class StubResolver:
    """Asks the given servers, or the system's when `servers` is None, and remembers verdicts as long as they say.

    `timeout` is in seconds, for one question with all its retries; `attempts` is how often each server is asked;
    `concurrency` is how many questions may be under way; `rate` is how many questions a second each server is
    asked, None for 500 at public resolvers and any number elsewhere; `clock` tells seconds for the memory.
    Identical questions under way are asked once. CNAMEs at the asked name are followed up to 16 hops.
    A resolver belongs to one event loop; its sockets are closed by `close`, or when that loop ends.
    """

    def __init__(
        self,
        servers: tuple[Server, ...] | None = None,
        *,
        timeout: float | None = None,
        attempts: int | None = None,
        concurrency: int = 512,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        system = system_name_servers()
        self._name_servers = NameServers(
            system.servers if servers is None else servers,
            timeout=system.timeout * system.attempts if timeout is None else timeout,
            attempts=system.attempts if attempts is None else attempts,
            rate=rate,
        )
        self._slots = Slots(concurrency)
        self._verdicts = VerdictCache(clock)
        self._under_way: dict[tuple[str, str], list[asyncio.Future[Verdict | None]]] = {}

    @property
    def questions(self) -> int:
        """How many questions were sent over UDP, each counted once."""
        return self._name_servers.client.questions

    @property
    def retransmissions(self) -> int:
        """How many datagrams were sent because no answer came to an earlier one."""
        return self._name_servers.client.retransmissions

    async def close(self) -> None:
        """Close all sockets; verdicts are kept, and asking again opens new ones."""
        self._name_servers.client.close()

    async def __aenter__(self) -> StubResolver:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def txt(self, name: DomainName) -> Answer[Txt]:
        """Ask for TXT, following CNAMEs."""
        answer = await self.resolve(name, "TXT")
        if not isinstance(answer, Found):
            return answer
        return _with(answer, tuple(Txt(data) for data in answer.values if isinstance(data, tuple)))

    async def mx(self, name: DomainName) -> Answer[Mx]:
        """Ask for MX, following CNAMEs."""
        answer = await self.resolve(name, "MX")
        if not isinstance(answer, Found):
            return answer
        return _with(answer, tuple(data for data in answer.values if isinstance(data, Mx)))

    async def cname(self, name: DomainName) -> Answer[DomainName]:
        """Ask for the CNAME of the name itself, following nothing."""
        reply = await self._reply(name, "CNAME")
        if isinstance(reply, LookupFailed):
            return reply
        found = _records(reply, name, "CNAME")
        if not found:
            return _missing(reply, ())
        if not all(record.data for record in found):
            return _failed(_alias_of_root(name), (), reply.server)
        targets = tuple(DomainName(str(record.data)) for record in found)
        return _found(reply, found, (), targets)

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask for any type in `wire.TYPES`; a server that gives only part of a chain is asked for the rest."""
        if rdtype == "CNAME":
            return await self._cname_as_data(name)
        via: tuple[Hop, ...] = ()
        at = name
        while True:
            reply = await self._reply(at, rdtype)
            if isinstance(reply, LookupFailed):
                return replace(reply, via=via)
            records = _records(reply, at, rdtype)
            if records:  # where they stand there is no CNAME, RFC 2181 §10.1
                return _found(reply, records, via, tuple([record.data for record in records]))
            hops = _hops(at, reply)
            if isinstance(hops, _Broken):
                return _failed(hops, via, reply.server)
            if hops:
                via += hops
                if _does_not_end(name, via):
                    return _failed(_loop(name, via), via[:LONGEST_CHAIN], reply.server)
                at = via[-1].target
            records = _records(reply, at, rdtype)
            if records:
                return _found(reply, records, via, tuple(record.data for record in records))
            if not hops or reply.message.rcode == NXDOMAIN or negative_ttl(reply.message) is not None:
                return _missing(reply, via)

    async def resolve_all(self, questions: Sequence[Question]) -> list[Answer[Data]]:
        """Ask several questions at once; the answers come in their order."""
        return list(await asyncio.gather(*(self.resolve(name, rdtype) for name, rdtype in questions)))

    async def _cname_as_data(self, name: DomainName) -> Answer[Data]:
        answer = await self.cname(name)
        if not isinstance(answer, Found):
            return answer
        return _with(answer, tuple(target.ascii for target in answer.values))

    def _reply(self, name: DomainName, rdtype: str) -> Awaitable[Verdict]:
        key = (name.ascii, rdtype)
        if key in self._under_way or self._verdicts.has(key):
            return self._shared(key, name)
        return self._ask(key, name)

    async def _shared(self, key: tuple[str, str], name: DomainName) -> Verdict:
        """Give what is known, or what another is about to hear."""
        while True:
            known = self._verdicts.get(key)
            if known is not None:
                return known
            waiting = self._under_way.get(key)
            if waiting is None:
                return await self._ask(key, name)
            told: asyncio.Future[Verdict | None] = asyncio.get_running_loop().create_future()
            waiting.append(told)
            verdict = await told
            if verdict is not None:
                return verdict
            # The one who asked has given up waiting: the first of the others asks.

    async def _ask(self, key: tuple[str, str], name: DomainName) -> Verdict:
        waiting = self._under_way[key] = []
        verdict: Verdict | None = None
        try:
            if not self._slots.take():
                await self._slots.wait()
            try:
                verdict = await self._name_servers.reply(name, key[1])
            finally:
                self._slots.release()
            self._verdicts.keep(key, verdict)
            return verdict
        finally:
            del self._under_way[key]
            for told in waiting:
                if not told.done():
                    told.set_result(verdict)


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
        hops.append(Hop(at, target, timedelta(seconds=alias.ttl)))
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


def _failed(broken: _Broken, via: tuple[Hop, ...], server: str) -> LookupFailed:
    return LookupFailed(broken.reason, broken.detail, temporary=False, via=via, server=server)


def _found(reply: Reply, records: list[Record], via: tuple[Hop, ...], values: tuple[T, ...]) -> Found[T]:
    ttl = timedelta(seconds=min(record.ttl for record in records))
    return Found(values, ttl, via, reply.server, reply.message.authenticated)


def _with(answer: Found[object], values: tuple[T, ...]) -> Found[T]:
    return Found(values, answer.ttl, answer.via, answer.server, answer.authenticated)


def _missing(reply: Reply, via: tuple[Hop, ...]) -> Missing:
    kind = MissingKind.NXDOMAIN if reply.message.rcode == NXDOMAIN else MissingKind.NODATA
    return Missing(kind, _negative_ttl(reply), via, reply.server)


def _negative_ttl(reply: Reply) -> timedelta | None:
    seconds = negative_ttl(reply.message)
    return None if seconds is None else timedelta(seconds=seconds)
