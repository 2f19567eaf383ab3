"""One question to one name server: UDP, and TCP when the answer does not fit (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from exo_auth.domain_name import DomainName
from exo_auth.lookup.udp_client import Question, Server, UdpClient
from exo_auth.lookup.wire import (
    PAYLOAD,
    TYPES,
    MalformedMessage,
    Message,
    encode_query,
    ordinary_query,
    parse_message,
)

_HEADER_OCTETS, _OPT_OCTETS = 12, 11  # of a query: before the question, and EDNS after it


def question_about(
    name: DomainName,
    rdtype: str,
    *,
    edns: bool = True,
    checking_disabled: bool = False,
    recursion_desired: bool = True,
) -> Question:
    """Write a question; raises ValueError for a label over 63 octets."""
    if edns and recursion_desired and not checking_disabled:
        query, section = ordinary_query(name.ascii, rdtype)
        return Question(name.ascii, TYPES[rdtype], query, section)
    query = encode_query(
        name,
        rdtype,
        0,
        edns_payload=PAYLOAD if edns else None,
        checking_disabled=checking_disabled,
        recursion_desired=recursion_desired,
    )
    section = query[_HEADER_OCTETS : len(query) - _OPT_OCTETS if edns else None]
    return Question(name.ascii, TYPES[rdtype], query, section)


async def ask(client: UdpClient, server: Server, question: Question, until: float) -> Message:
    """Ask one server, again while time is left; raises TimeoutError, OSError or MalformedMessage.

    `until` is a time of the event loop's clock, in seconds.
    """
    return await completed(await client.exchange(server, question, until), server, question, until)


async def completed(message: Message, server: Server, question: Question, until: float) -> Message:
    """Give the answer itself, or the whole one over TCP where it was cut off; raises as `ask` does."""
    if message.truncated:
        async with asyncio.timeout_at(until):
            return await _over_tcp(server, question)
    return message


async def _over_tcp(server: Server, question: Question) -> Message:
    number = secrets.randbelow(0x10000)
    octets = number.to_bytes(2) + question.query[2:]
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(octets).to_bytes(2) + octets)  # RFC 1035 §4.2.2
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(2))
        message = parse_message(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        raise MalformedMessage("the connection ended inside the answer") from None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if message.id != number or not question.is_answered_by(message):
        raise MalformedMessage("the answer over TCP belongs to another question")
    if message.truncated:  # it would look like an empty answer
        raise MalformedMessage("the answer is cut off over TCP too")
    return message
