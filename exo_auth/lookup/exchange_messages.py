"""One question to one name server: UDP, and TCP when the answer does not fit (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import secrets
import socket

from exo_auth.domain_name import DomainName
from exo_auth.lookup.udp_client import Query, Server, UdpClient
from exo_auth.lookup.wire import (
    PAYLOAD,
    TYPES,
    MalformedMessage,
    Message,
    encode_query,
    ordinary_query,
    parse_message,
)

_LENGTH_OCTETS = 2  # before a message over TCP
_ID_OCTETS, _HEADER_OCTETS, _OPT_OCTETS = 2, 12, 11  # of a query: before the question, and EDNS after it


def query_about(
    name: DomainName,
    rdtype: str,
    *,
    edns: bool = True,
    checking_disabled: bool = False,
    recursion_desired: bool = True,
    dnssec_ok: bool = False,
) -> Query:
    """Write a question; raises ValueError for a label over 63 octets."""
    question = name.ascii, TYPES[rdtype]
    if edns and recursion_desired and not checking_disabled and not dnssec_ok:
        return Query(question, *ordinary_query(question))
    wire = encode_query(
        name,
        rdtype,
        0,
        edns_payload=PAYLOAD if edns else None,
        checking_disabled=checking_disabled,
        recursion_desired=recursion_desired,
        dnssec_ok=dnssec_ok,
    )
    section = wire[_HEADER_OCTETS : len(wire) - _OPT_OCTETS if edns else None]
    return Query(question, wire[_ID_OCTETS:], section)


async def ask(client: UdpClient, server: Server, query: Query, until: float) -> Message:
    """Ask one server, again while time is left; raises TimeoutError, OSError or MalformedMessage.

    `until` is a time of the event loop's clock, in seconds.
    """
    return await completed(await client.exchange(server, query, until), server, query, until)


async def completed(message: Message, server: Server, query: Query, until: float) -> Message:
    """Give the answer itself, or the whole one over TCP where it was cut off; raises as `ask` does."""
    if message.truncated:
        async with asyncio.timeout_at(until):
            return await _over_tcp(server, query)
    return message


async def _over_tcp(server: Server, query: Query) -> Message:
    number = secrets.token_bytes(_ID_OCTETS)
    octets = number + query.octets
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = socket.getaddrinfo(
        *server, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    with socket.socket(family, kind, protocol) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, address)
        await loop.sock_sendall(connection, len(octets).to_bytes(_LENGTH_OCTETS) + octets)  # RFC 1035 §4.2.2
        length = int.from_bytes(await _read(connection, _LENGTH_OCTETS))
        message = parse_message(await _read(connection, length))
    if not message.octets.startswith(number) or not query.is_answered_by(message):
        raise MalformedMessage("the answer over TCP belongs to another question")
    if message.truncated:  # it would look like an empty answer
        raise MalformedMessage("the answer is cut off over TCP too")
    return message


async def _read(connection: socket.socket, length: int) -> bytes:
    octets = b""
    while len(octets) < length:
        more = await asyncio.get_running_loop().sock_recv(connection, length - len(octets))
        if not more:
            raise MalformedMessage("the connection ended inside the answer")
        octets += more
    return octets
