"""One question to one name server: UDP, and TCP when the answer does not fit (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from exo_auth.domain_name import DomainName
from exo_auth.lookup.udp_client import Question, Server, UdpClient
from exo_auth.lookup.wire import PAYLOAD, TYPES, MalformedMessage, Message, encode_query, parse_message


async def ask(
    client: UdpClient,
    server: Server,
    name: DomainName,
    rdtype: str,
    *,
    until: float,
    edns: bool = True,
    checking_disabled: bool = False,
    recursion_desired: bool = True,
) -> Message:
    """Ask one server, again while time is left; raises TimeoutError, OSError or MalformedMessage.

    `until` is a time of the event loop's clock, in seconds.
    """
    query = encode_query(
        name,
        rdtype,
        0,
        edns_payload=PAYLOAD if edns else None,
        checking_disabled=checking_disabled,
        recursion_desired=recursion_desired,
    )
    question = Question(name.ascii, TYPES[rdtype], query)
    message = await client.exchange(server, question, until)
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
