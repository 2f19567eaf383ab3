"""One question to one name server: UDP, and TCP when the answer does not fit (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import secrets
from typing import TypeAlias

from exo_auth.domain_name import DomainName
from exo_auth.lookup.wire import TYPES, MalformedMessage, Message, encode_query, parse_message

Server: TypeAlias = tuple[str, int]  # host, port


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the answer that fits the question; what does not fit is ignored, as a forgery would be."""

    def __init__(self, question: tuple[str, int], message_id: int) -> None:
        self._question, self._id = question, message_id
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if self.answer.done():
            return
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            if data[:2] == self._id.to_bytes(2):
                self.answer.set_exception(error)
            return
        if _fits(message, self._question, self._id):
            self.answer.set_result(message)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.cancel()


async def ask(
    server: Server,
    name: DomainName,
    rdtype: str,
    *,
    timeout: float,
    edns: bool = True,
    checking_disabled: bool = False,
) -> Message:
    """Ask one server once; raises TimeoutError, OSError or MalformedMessage. `timeout` is in seconds."""
    async with asyncio.timeout(timeout):
        message_id = secrets.randbelow(0x10000)
        query = encode_query(name, rdtype, message_id, edns=edns, checking_disabled=checking_disabled)
        question = (name.ascii, TYPES[rdtype])
        message = await _over_udp(server, query, question, message_id)
        if message.truncated:
            message = await _over_tcp(server, query, question, message_id)
        return message


async def _over_udp(server: Server, query: bytes, question: tuple[str, int], message_id: int) -> Message:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Datagrams(question, message_id), remote_addr=server
    )
    try:
        transport.sendto(query)
        return await protocol.answer
    finally:
        transport.close()


async def _over_tcp(server: Server, query: bytes, question: tuple[str, int], message_id: int) -> Message:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(query).to_bytes(2) + query)  # RFC 1035 §4.2.2
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2))
        message = parse_message(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        raise MalformedMessage("the connection ended inside the answer") from None
    finally:
        writer.close()
    if not _fits(message, question, message_id):
        raise MalformedMessage("the answer belongs to another question")
    return message


def _fits(message: Message, question: tuple[str, int], message_id: int) -> bool:
    if not message.is_response or message.id != message_id:
        return False
    return message.question is None or message.question == question
