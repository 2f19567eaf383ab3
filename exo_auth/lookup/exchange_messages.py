"""One question to one name server: UDP, and TCP when the answer does not fit (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import TypeAlias

from exo_auth.domain_name import DomainName
from exo_auth.lookup.wire import (
    NOERROR,
    NXDOMAIN,
    PAYLOAD,
    TYPES,
    MalformedMessage,
    Message,
    encode_query,
    parse_message,
)

Server: TypeAlias = tuple[str, int]  # host, port


@dataclass(frozen=True, slots=True)
class _Question:
    id: int
    name: str
    type: int
    octets: bytes


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the answer that fits the question; what does not fit is ignored, as a forgery would be."""

    def __init__(self, question: _Question, strays: list[str]) -> None:
        self._question, self._strays = question, strays
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if self.answer.done():
            return
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            if data[:2] == self._question.id.to_bytes(2):
                self.answer.set_exception(error)
            else:
                self._strays.append("no DNS message")
            return
        if _fits(message, self._question):
            self.answer.set_result(message)
        else:
            self._strays.append("the answer to another question")

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionAbortedError("the socket was closed"))
            self.answer.exception()  # the one who waited may have left already


async def ask(
    server: Server,
    name: DomainName,
    rdtype: str,
    *,
    until: float,
    edns: bool = True,
    checking_disabled: bool = False,
) -> Message:
    """Ask one server once; raises TimeoutError, OSError or MalformedMessage.

    `until` is a time of the event loop's clock, in seconds.
    """
    number = secrets.randbelow(0x10000)
    octets = encode_query(
        name, rdtype, number, edns_payload=PAYLOAD if edns else None, checking_disabled=checking_disabled
    )
    question = _Question(number, name.ascii, TYPES[rdtype], octets)
    strays: list[str] = []
    try:
        async with asyncio.timeout_at(until):
            message = await _over_udp(server, question, strays)
            if message.truncated:
                message = await _over_tcp(server, question)
            return message
    except TimeoutError:
        ignored = f"; {len(strays)} datagrams were ignored, the last was {strays[-1]}" if strays else ""
        raise TimeoutError(ignored) from None


async def _over_udp(server: Server, question: _Question, strays: list[str]) -> Message:
    # The socket is connected, so that the kernel drops what another address or port sends.
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Datagrams(question, strays), remote_addr=server
    )
    try:
        transport.sendto(question.octets)
        return await protocol.answer
    finally:
        transport.close()


async def _over_tcp(server: Server, question: _Question) -> Message:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(question.octets).to_bytes(2) + question.octets)  # RFC 1035 §4.2.2
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2))
        message = parse_message(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        raise MalformedMessage("the connection ended inside the answer") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not _fits(message, question):
        raise MalformedMessage("the answer over TCP belongs to another question")
    if message.truncated:  # it would look like an empty answer
        raise MalformedMessage("the answer is cut off over TCP too")
    return message


def _fits(message: Message, question: _Question) -> bool:
    if not message.is_response or message.id != question.id:
        return False
    if message.question is None:  # servers that could not read the question leave it out
        return message.rcode not in (NOERROR, NXDOMAIN)
    return message.question == (question.name, question.type)
