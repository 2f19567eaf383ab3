"""`StubResolver`: asks name servers and tells found, missing and failed apart (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, TypeVar

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.dns import Answer, FailureReason, Found, Hop, LookupFailed, Missing, MissingKind, Txt
from exo_auth.lookup.exchange_messages import Server, ask
from exo_auth.lookup.system_servers import parse_nameserver, system_servers
from exo_auth.lookup.wire import (
    BADVERS,
    FORMERR,
    NOERROR,
    NOTIMP,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPES,
    MalformedMessage,
    Message,
    Mx,
    Record,
    Soa,
)

__all__ = ["Resolver", "StubResolver", "parse_nameserver"]

T = TypeVar("T")

LONGEST_CHAIN = 16  # CNAMEs; longer chains are defects in practice
_NO_EDNS = frozenset({FORMERR, NOTIMP, BADVERS})  # how old servers answer what they do not know, RFC 6891 §7


class Resolver(Protocol):
    """Answers questions about names; DNS trouble is a value, never an exception."""

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
class _Reply:
    """A message with the server it came from."""

    message: Message
    server: str


class StubResolver:
    """Asks the given servers, or the system's, in order; identical questions are asked once.

    `timeout` is in seconds, for one question with all its retries; `attempts` is how often each server is asked.
    """

    def __init__(
        self,
        servers: tuple[Server, ...] | None = None,
        *,
        timeout: float = 5.0,
        attempts: int = 2,
        concurrency: int = 64,
    ) -> None:
        self._servers = system_servers() if servers is None else servers
        self._timeout = timeout
        self._attempts = attempts
        self._slots = asyncio.Semaphore(concurrency)
        self._asked: dict[tuple[DomainName, str], asyncio.Task[_Reply | LookupFailed]] = {}

    async def txt(self, name: DomainName) -> Answer[Txt]:
        """Ask for TXT, following CNAMEs."""
        return await self._resolve(name, "TXT", lambda data: Txt(data) if isinstance(data, tuple) else None)

    async def mx(self, name: DomainName) -> Answer[Mx]:
        """Ask for MX, following CNAMEs."""
        return await self._resolve(name, "MX", lambda data: data if isinstance(data, Mx) else None)

    async def cname(self, name: DomainName) -> Answer[DomainName]:
        """Ask for the CNAME of the name itself, following nothing."""
        reply = await self._reply(name, "CNAME")
        if isinstance(reply, LookupFailed):
            return reply
        found = [r for r in reply.message.answers if r.type == TYPES["CNAME"] and r.owner == name.ascii]
        if not found:
            return _missing(
                reply, (), is_nxdomain=reply.message.rcode == NXDOMAIN and not reply.message.answers
            )
        try:
            targets = tuple(DomainName.parse_lookup(str(record.data)) for record in found)
        except InputError as error:
            return _malformed(f"{name} is an alias of no name: {error.message}", reply.server)
        ttl = timedelta(seconds=min(record.ttl for record in found))
        return Found(targets, ttl, server=reply.server, authenticated=reply.message.authenticated)

    async def _resolve(self, name: DomainName, rdtype: str, read: Callable[[object], T | None]) -> Answer[T]:
        """Follow the chain from `name`, asking again where a server gives only part of it."""
        via: list[Hop] = []
        at = name
        while True:
            reply = await self._reply(at, rdtype)
            if isinstance(reply, LookupFailed):
                return replace(reply, via=tuple(via))
            try:
                hops = _hops(at, reply.message.answers)
            except InputError as error:
                return replace(
                    _malformed(f"a CNAME leads to no name: {error.message}", reply.server), via=tuple(via)
                )
            via += hops
            end = via[-1].target if via else name
            if _is_loop(name, via):
                return LookupFailed(
                    FailureReason.LOOP,
                    f"the CNAMEs of {name} do not end: {' → '.join(hop.target.ascii for hop in via[:4])} …",
                    temporary=False,
                    via=tuple(via[:LONGEST_CHAIN]),
                    server=reply.server,
                )
            records = [r for r in reply.message.answers if r.type == TYPES[rdtype] and r.owner == end.ascii]
            if records or not hops:
                return _answer(reply, records, tuple(via), read)
            if reply.message.rcode == NXDOMAIN:
                return _missing(reply, tuple(via), is_nxdomain=True)
            if any(isinstance(record.data, Soa) for record in reply.message.authority):
                return _missing(reply, tuple(via), is_nxdomain=False)
            at = end

    async def _reply(self, name: DomainName, rdtype: str) -> _Reply | LookupFailed:
        key = (name, rdtype)
        if key not in self._asked:
            self._asked[key] = asyncio.create_task(self._ask_servers(name, rdtype))
        return await self._asked[key]

    async def _ask_servers(self, name: DomainName, rdtype: str) -> _Reply | LookupFailed:
        if not self._servers:
            return LookupFailed(
                FailureReason.NETWORK,
                "this machine names no name server; give one with --nameserver",
                temporary=True,
            )
        async with self._slots:
            failure: LookupFailed | None = None
            share = self._timeout / (self._attempts * len(self._servers))
            for _ in range(self._attempts):
                for server in self._servers:
                    reply = await self._ask_server(server, name, rdtype, share)
                    if isinstance(reply, _Reply):
                        return reply
                    failure = _better(failure, reply)
            assert failure is not None  # noqa: S101 - there was at least one server and one attempt
            return failure

    async def _ask_server(
        self, server: Server, name: DomainName, rdtype: str, timeout: float
    ) -> _Reply | LookupFailed:
        where = f"{server[0]}:{server[1]}" if ":" not in server[0] else f"[{server[0]}]:{server[1]}"
        try:
            message = await ask(server, name, rdtype, timeout=timeout)
            if message.rcode in _NO_EDNS:
                message = await ask(server, name, rdtype, timeout=timeout, edns=False)
            if message.rcode == SERVFAIL:
                return await self._servfail(server, name, rdtype, timeout, where)
        except TimeoutError:
            return LookupFailed(
                FailureReason.TIMEOUT,
                f"{where} did not answer for {rdtype} {name}",
                temporary=True,
                server=where,
            )
        except MalformedMessage as error:
            return _malformed(f"{where} sent no DNS message for {rdtype} {name}: {error}", where)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return LookupFailed(
                FailureReason.NETWORK, f"{where} cannot be reached: {reason}", temporary=True, server=where
            )
        if message.rcode == REFUSED:
            return LookupFailed(
                FailureReason.REFUSED, f"{where} refuses to answer for {name}", temporary=True, server=where
            )
        if message.rcode not in (NOERROR, NXDOMAIN):
            return _malformed(f"{where} answered with code {message.rcode} for {rdtype} {name}", where)
        return _Reply(message, where)

    async def _servfail(
        self, server: Server, name: DomainName, rdtype: str, timeout: float, where: str
    ) -> LookupFailed:
        """Tell a zone whose signatures are wrong from a server in trouble: ask without validation."""
        try:
            unchecked = await ask(server, name, rdtype, timeout=timeout, checking_disabled=True)
            is_bogus = unchecked.rcode in (NOERROR, NXDOMAIN)  # RFC 4035 §3.2.2
        except (TimeoutError, OSError, MalformedMessage):
            is_bogus = False
        if is_bogus:
            return LookupFailed(
                FailureReason.BOGUS,
                f"{where}: DNSSEC validation fails for {name}; the zone's signatures are wrong",
                temporary=False,
                server=where,
            )
        return LookupFailed(
            FailureReason.SERVFAIL,
            f"{where} fails for {rdtype} {name} (SERVFAIL)",
            temporary=True,
            server=where,
        )


def _hops(start: DomainName, answers: tuple[Record, ...]) -> list[Hop]:
    """Follow the CNAMEs of one answer from `start`; raises InputError for a target that is no name."""
    aliases = {record.owner: record for record in answers if record.type == TYPES["CNAME"]}
    hops: list[Hop] = []
    at = start
    while at.ascii in aliases and len(hops) <= LONGEST_CHAIN:
        record = aliases[at.ascii]
        target = DomainName.parse_lookup(str(record.data))
        hops.append(Hop(at, target, timedelta(seconds=record.ttl)))
        at = target
    return hops


def _is_loop(start: DomainName, via: list[Hop]) -> bool:
    seen = {start}
    for hop in via:
        if hop.target in seen:
            return True
        seen.add(hop.target)
    return len(via) > LONGEST_CHAIN


def _answer(
    reply: _Reply, records: list[Record], via: tuple[Hop, ...], read: Callable[[object], T | None]
) -> Answer[T]:
    if not records:
        return _missing(reply, via, is_nxdomain=reply.message.rcode == NXDOMAIN)
    values = tuple(value for value in (read(record.data) for record in records) if value is not None)
    ttl = timedelta(seconds=min([record.ttl for record in records]))
    return Found(values, ttl, via, reply.server, reply.message.authenticated)


def _missing(reply: _Reply, via: tuple[Hop, ...], *, is_nxdomain: bool) -> Missing:
    negative = [
        min(record.ttl, record.data.minimum)  # RFC 2308 §5
        for record in reply.message.authority
        if isinstance(record.data, Soa)
    ]
    return Missing(
        MissingKind.NXDOMAIN if is_nxdomain else MissingKind.NODATA,
        timedelta(seconds=negative[0]) if negative else None,
        via,
        reply.server,
    )


def _malformed(detail: str, server: str) -> LookupFailed:
    return LookupFailed(FailureReason.MALFORMED, detail, temporary=True, server=server)


def _better(former: LookupFailed | None, latest: LookupFailed) -> LookupFailed:
    """Keep the failure that says most: a bogus zone over silence."""
    if former is None or latest.reason is FailureReason.BOGUS:
        return latest
    silent = (FailureReason.TIMEOUT, FailureReason.NETWORK)
    return latest if former.reason in silent and latest.reason not in silent else former
