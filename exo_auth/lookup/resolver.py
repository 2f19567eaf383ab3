"""`StubResolver`: tells found, missing and failed apart, following CNAMEs hop by hop (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, Txt
from exo_auth.lookup import wire
from exo_auth.lookup.answers import as_mx, as_names, as_txt
from exo_auth.lookup.batch import Batch
from exo_auth.lookup.name_servers import CLOSED, NameServers, Verdict
from exo_auth.lookup.search import Search
from exo_auth.lookup.servers import AnyServer, parse_nameserver
from exo_auth.lookup.system_servers import system_name_servers
from exo_auth.lookup.verdict_cache import VerdictCache
from exo_auth.lookup.wire import Data, Mx

__all__ = ["Resolver", "StubResolver", "parse_nameserver"]


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


class StubResolver:
    """Asks the given servers, or the system's when `servers` is None, and remembers verdicts as long as they say.

    `timeout` is in seconds, for one question with all its retries; `attempts` is how often each server is asked;
    `concurrency` is how many questions may be under way; `rate` is how many questions a second each server is
    asked, None for 500 at public resolvers and any number elsewhere; `clock` tells seconds for the memory;
    `ca_file` (PEM) holds roots to trust besides the system's where a server is asked over TLS or HTTPS.
    Identical questions under way are asked once. CNAMEs at the asked name are followed up to 16 hops.
    A resolver belongs to one event loop; its sockets are closed by `close`, or when that loop ends.
    """

    def __init__(
        self,
        servers: tuple[AnyServer, ...] | None = None,
        *,
        timeout: float | None = None,
        attempts: int | None = None,
        concurrency: int = 512,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        ca_file: str | None = None,
    ) -> None:
        system = system_name_servers()
        self._name_servers = NameServers(
            system.servers if servers is None else servers,
            self._hear,
            timeout=system.timeout * system.attempts if timeout is None else timeout,
            attempts=system.attempts if attempts is None else attempts,
            rate=rate,
            ca_file=ca_file,
        )
        self._concurrency = concurrency
        self._verdicts = VerdictCache(clock)
        self._signed = VerdictCache(clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = concurrency
        self._under_way: dict[wire.Question, list[Search]] = {}  # and who wants to know
        self._waiting: deque[wire.Question] = deque()  # those under way that are still to be asked

    @property
    def questions(self) -> int:
        """How many questions were sent, each counted once."""
        return self._name_servers.client.questions + self._name_servers.encrypted.questions

    @property
    def retransmissions(self) -> int:
        """How many datagrams were sent because no answer came to an earlier one."""
        return self._name_servers.client.retransmissions

    async def close(self) -> None:
        """Close all sockets; verdicts are kept, and asking again opens new ones."""
        await self._name_servers.close()

    async def __aenter__(self) -> StubResolver:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def txt(self, name: DomainName) -> Answer[Txt]:
        """Ask for TXT, following CNAMEs."""
        (answer,) = await self.resolve_all([(name, "TXT")])
        return as_txt(answer)

    async def mx(self, name: DomainName) -> Answer[Mx]:
        """Ask for MX, following CNAMEs."""
        return as_mx(await self.resolve(name, "MX"))

    async def cname(self, name: DomainName) -> Answer[DomainName]:
        """Ask for the CNAME of the name itself, following nothing."""
        return as_names(await self.resolve(name, "CNAME"))

    async def resolve(self, name: DomainName, rdtype: str) -> Answer[Data]:
        """Ask for any type in `wire.TYPES`; a server that gives only part of a chain is asked for the rest."""
        (answer,) = await self.resolve_all([(name, rdtype)])
        return answer

    async def resolve_all(self, questions: Sequence[Question]) -> list[Answer[Data]]:
        """Ask several questions at once; the answers come in their order.

        Whoever gives up waiting leaves the questions to those who wait for the same, and to the memory.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        batch = Batch(len(questions))
        for number, (name, rdtype) in enumerate(questions):
            self._ask(Search(name, rdtype, batch, number))
        return await batch.complete()

    async def signed(self, name: DomainName, rdtype: str) -> Verdict:
        """Ask for an answer with its signatures, validated or not, as validators need it; follows nothing."""
        question = name.ascii, wire.TYPES[rdtype]
        known = self._signed.get(question)
        if known is None:
            known = await self._name_servers.signed(name, rdtype)
            self._signed.keep(question, known)
        return known

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave another event loop, whose askers nobody runs any more."""
        self._under_way.clear()
        self._waiting.clear()
        self._free = self._concurrency
        self._loop = loop

    def _ask(self, search: Search) -> None:
        """Answer from what is known, or join those who ask the same, or ask."""
        question = search.at.ascii, search.type
        known = self._verdicts.get(question)
        if known is not None:
            self._tell(search, known)
        elif (askers := self._under_way.get(question)) is not None:
            askers.append(search)
        else:
            self._under_way[question] = [search]
            if self._free > 0:
                self._free -= 1
                self._name_servers.begin(question)
            else:
                self._waiting.append(question)

    def _hear(self, question: wire.Question, verdict: Verdict) -> None:
        if self._waiting and verdict is not CLOSED:
            self._name_servers.begin(self._waiting.popleft())
        else:
            self._free += 1
        self._settle(question, verdict)
        while self._waiting and verdict is CLOSED:
            self._settle(self._waiting.popleft(), CLOSED)

    def _settle(self, question: wire.Question, verdict: Verdict) -> None:
        self._verdicts.keep(question, verdict)
        for search in self._under_way.pop(question, ()):
            self._tell(search, verdict)

    def _tell(self, search: Search, verdict: Verdict) -> None:
        answer = search.read(verdict)
        if answer is None:
            self._ask(search)
        else:
            search.batch.put(search.number, answer)
