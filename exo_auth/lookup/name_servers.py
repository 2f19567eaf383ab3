"""`NameServers`: one question to the servers in turn until one gives a verdict (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, LookupFailed
from exo_auth.lookup.encrypted import EncryptedClient
from exo_auth.lookup.exchange_messages import ask, completed, query_about
from exo_auth.lookup.pacing import PUBLIC_RATE, TokenBucket, polite_rate
from exo_auth.lookup.servers import AnyServer, server_text
from exo_auth.lookup.udp_client import Outcome, Query, UdpClient
from exo_auth.lookup.wire import (
    BADVERS,
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPE_NAMES,
    TYPES,
    MalformedMessage,
    Message,
    Question,
    ordinary_query,
)

_VERDICTS = frozenset({NOERROR, NXDOMAIN})
_NO_EDNS = frozenset({FORMERR, NOTIMP, BADVERS})  # how servers answer what they do not know, RFC 6891 §7
_SILENT = frozenset({FailureReason.TIMEOUT, FailureReason.NETWORK})


class Reply(NamedTuple):
    """A message that says what there is or is not, with the server (host:port) it came from."""

    message: Message
    server: str


Verdict: TypeAlias = Reply | LookupFailed
CLOSED = LookupFailed(FailureReason.NETWORK, "the resolver was closed before an answer came", temporary=True)


class _Try(NamedTuple):
    """One question to one server, to be finished at `until` of the event loop's clock; `signed` asks for signatures."""

    server: AnyServer
    name: DomainName
    rdtype: str
    until: float
    signed: bool

    @property
    def where(self) -> str:
        return server_text(self.server)

    @property
    def what(self) -> str:
        return f"{self.rdtype} {self.name}"

    def failed(self, reason: FailureReason, detail: str, *, temporary: bool = True) -> LookupFailed:
        return LookupFailed(reason, f"{self.where} {detail}", temporary, server=self.where)


class NameServers:
    """Asks `servers` in their order, `attempts` times each, and gives up after `timeout` seconds in all.

    `on_verdict` hears each question and its verdict. A server that stayed silent is asked
    after the others until it answers again; one that cannot read EDNS is asked without from then on. `rate` is in
    questions a second to each server, None for what is polite; waiting for it does not count as time without an
    answer.
    """

    def __init__(
        self,
        servers: tuple[AnyServer, ...],
        on_verdict: Callable[[Question, Verdict], None],
        *,
        timeout: float,
        attempts: int,
        rate: float | None = None,
        ca_file: str | None = None,
    ) -> None:
        self.client = UdpClient(on_repeat=self._take)
        self.encrypted = EncryptedClient(ca_file)
        rates = {server: _polite_rate(server) if rate is None else rate for server in servers}
        self._buckets = {server: TokenBucket(limit) for server, limit in rates.items() if limit is not None}
        self._servers = servers
        self._on_verdict = on_verdict
        self._timeout = timeout
        self._attempts = max(1, attempts)
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent: set[AnyServer] = set()
        self._without_edns: set[AnyServer] = set()
        self._first_share = timeout / max(1, len(servers) * self._attempts)  # seconds
        self._first = servers[0] if servers and isinstance(servers[0], tuple) else None
        self._first_where = server_text(servers[0]) if servers else ""

    def begin(self, question: Question) -> None:
        """Ask until one server gives a verdict, else until there is nothing left to try; then `on_verdict` hears.

        A plain question to the first server is sent at once, and costs no task unless its answer raises doubts.
        """
        query = self._plain_query(question)
        now = asyncio.get_running_loop().time()
        if query is not None and self._first is not None:
            self.client.begin(self._first, query, now + self._first_share, self._hear)
        else:
            self._go_on(question, now)

    async def signed(self, name: DomainName, rdtype: str) -> Verdict:
        """Ask for an answer with its signatures, validated or not: DO of RFC 3225, CD of RFC 4035 §3.2.2."""
        return await self._in_turn(name, rdtype, asyncio.get_running_loop().time(), None, signed=True)

    async def close(self) -> None:
        """Close all sockets, and give up what is under way."""
        for task in tuple(self._tasks):
            if not task.get_loop().is_closed():
                task.cancel()
        self.client.close()
        await self.encrypted.close()

    def _plain_query(self, question: Question) -> Query | None:
        """Write the question if nothing stands between it and the first server."""
        if self._silent or self._without_edns or self._buckets or self._first is None:
            return None
        try:
            return Query(question, *ordinary_query(question))
        except ValueError:
            return None

    def _hear(self, query: Query, outcome: Outcome) -> None:
        if isinstance(outcome, Message) and _settles(outcome):
            self._on_verdict(query.question, Reply(outcome, self._first_where))
        elif isinstance(outcome, ConnectionAbortedError):
            self._on_verdict(query.question, CLOSED)
        else:
            self._go_on(query.question, query.sent, outcome)

    def _go_on(self, question: Question, started: float, heard: Outcome | None = None) -> None:
        task = asyncio.get_running_loop().create_task(self._tell_in_turn(question, started, heard))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_in_turn(self, question: Question, started: float, heard: Outcome | None) -> None:
        verdict: Verdict = CLOSED
        name, number = question
        try:
            verdict = await self._in_turn(DomainName(name), TYPE_NAMES[number], started, heard)
        finally:
            self._on_verdict(question, verdict)

    async def _in_turn(
        self,
        name: DomainName,
        rdtype: str,
        started: float,
        heard: Outcome | None,
        *,
        signed: bool = False,
    ) -> Reply | LookupFailed:
        """Ask the servers in turn; `heard` is what the first one was heard to say already."""
        failure = LookupFailed(
            FailureReason.NETWORK,
            "this machine names no name server; give one with --nameserver",
            temporary=True,
        )
        tries = sorted(self._servers, key=self._silent.__contains__) * self._attempts
        now = asyncio.get_running_loop().time
        deadline = started + self._timeout
        for number, server in enumerate(tries):
            if heard is None and (wait := self._take(server)):
                await asyncio.sleep(wait)
                deadline += wait
            share = (deadline - now()) / (len(tries) - number)
            reply = await self._one(_Try(server, name, rdtype, now() + share, signed), heard)
            heard = None
            if isinstance(reply, Reply) or reply.reason is FailureReason.BOGUS:
                return reply  # a bogus zone is a verdict: a server that does not validate would only hide it
            failure = reply if number == 0 else _telling(failure, reply)
        return failure

    def _take(self, server: AnyServer) -> float:
        bucket = self._buckets.get(server)
        return 0.0 if bucket is None else bucket.take(asyncio.get_running_loop().time())

    async def _one(self, one: _Try, heard: Outcome | None) -> Reply | LookupFailed:
        try:
            if isinstance(heard, Exception):
                raise heard
            message = await self._ask(one, heard=heard)
            reply = _read(one, message) if message.rcode != SERVFAIL else await self._doubted(one, message)
        except TimeoutError as error:
            self._silent.add(one.server)
            return one.failed(FailureReason.TIMEOUT, f"did not answer for {one.what} in time{error}")
        except MalformedMessage as error:
            return one.failed(FailureReason.MALFORMED, f"sent no valid answer for {one.what}: {error}")
        except ValueError as error:
            return one.failed(
                FailureReason.MALFORMED, f"cannot be asked for {one.what}: {error}", temporary=False
            )
        except OSError as error:
            self._silent.add(one.server)
            reason = error.strerror or str(error) or type(error).__name__
            return one.failed(FailureReason.NETWORK, f"cannot be reached: {reason}")
        self._silent.discard(one.server)
        return reply

    async def _doubted(self, one: _Try, servfail: Message) -> Reply | LookupFailed:
        unchecked = await self._ask_unchecked(one)
        if unchecked is None or unchecked.rcode not in _VERDICTS:
            return _servfail(one, servfail)
        # Answered with CD=1: either validation fails (RFC 4035 §3.2.2), or the server has recovered meanwhile.
        again = await self._ask_again(one)
        return _bogus(one, again) if again.rcode == SERVFAIL else _read(one, again)

    async def _ask_unchecked(self, one: _Try) -> Message | None:
        try:
            return await self._ask_again(one, checking_disabled=True)
        except (OSError, MalformedMessage):  # TimeoutError is an OSError; the SERVFAIL stays the news
            return None

    async def _ask(
        self, one: _Try, *, checking_disabled: bool = False, heard: Message | None = None
    ) -> Message:
        edns = one.server not in self._without_edns
        query = query_about(
            one.name,
            one.rdtype,
            edns=edns,
            checking_disabled=checking_disabled or one.signed,
            dnssec_ok=one.signed,
        )
        message = await self._answer(one, query, heard)
        if edns and message.rcode in _NO_EDNS:
            self._without_edns.add(one.server)
            return await self._ask_again(one, checking_disabled=checking_disabled)
        return message

    async def _answer(self, one: _Try, query: Query, heard: Message | None) -> Message:
        if not isinstance(one.server, tuple):
            return await self.encrypted.exchange(one.server, query, one.until)
        if heard is not None:
            return await completed(heard, one.server, query, one.until)
        return await ask(self.client, one.server, query, one.until)

    async def _ask_again(self, one: _Try, *, checking_disabled: bool = False) -> Message:
        self._take(one.server)  # the next question waits for this one too
        return await self._ask(one, checking_disabled=checking_disabled)


def _polite_rate(server: AnyServer) -> float | None:
    """Give how many questions a second a server is asked; one that is asked over TLS is somebody else's."""
    return polite_rate(server[0]) if isinstance(server, tuple) else PUBLIC_RATE


def _settles(message: Message) -> bool:
    """Is it a whole answer that says what there is or is not, without anything to look into?"""
    if message.rcode not in _VERDICTS or message.truncated:
        return False
    return bool(message.answers) or not _is_referral(message)


def _read(one: _Try, message: Message) -> Reply | LookupFailed:
    if message.rcode == REFUSED:
        return one.failed(
            FailureReason.REFUSED, f"refuses to answer for {one.name.ascii or '.'} (REFUSED){_words(message)}"
        )
    if message.rcode not in _VERDICTS:
        return one.failed(FailureReason.MALFORMED, f"answered {one.what} with response code {message.rcode}")
    if _is_referral(message):
        return one.failed(
            FailureReason.REFUSED, f"does not resolve {one.name}: it only names the servers to ask instead"
        )
    return Reply(message, one.where)


def _is_referral(message: Message) -> bool:
    """Is it a pointer to other servers? RFC 2308 §2.2: NS without SOA, and nothing answered."""
    if message.rcode != NOERROR or message.answers or message.recursion_available:
        return False
    kinds = {record.type for record in message.authority}
    return TYPES["NS"] in kinds and TYPES["SOA"] not in kinds


def _servfail(one: _Try, message: Message) -> LookupFailed:
    return one.failed(FailureReason.SERVFAIL, f"fails for {one.what} (SERVFAIL){_words(message)}")


def _bogus(one: _Try, message: Message) -> LookupFailed:
    return one.failed(
        FailureReason.BOGUS,
        f"rejects {one.what}: the zone’s DNSSEC signatures do not validate{_words(message)}",
        temporary=False,
    )


def _words(message: Message) -> str:
    """Write the server's own explanation (RFC 8914), shortened and without control characters."""
    parts = [
        f"EDE {code}" + (f" {''.join(c if c.isprintable() else '�' for c in text[:120])}" if text else "")
        for code, text in message.extended_errors[:3]
    ]
    return f"; {', '.join(parts)}" if parts else ""


def _telling(former: LookupFailed, latest: LookupFailed) -> LookupFailed:
    """Keep the failure that says most: any answer over silence, the first of equals."""
    return latest if former.reason in _SILENT and latest.reason not in _SILENT else former
