"""`NameServer`: answers for the sandbox's zones over UDP and TCP, as a resolver would (sandbox).

It is authoritative for every zone, sets RA so that stub resolvers are content, and misbehaves on request.
"""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from exo_auth.errors import InputError
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.zone_updates import ZoneUpdates, data_of
from exo_auth.sandbox.zones import NEGATIVE_TTL, ZoneRecord, Zones, soa_of

LONGEST_UDP = 1232  # octets, whatever the client offers
LONGEST_CHAIN = 8
GARBAGE = b"\x00\x00this is no DNS message"


class NameServer:
    """Serves `zones` on 127.0.0.1 until closed; `address` is (host, port), the same for UDP and TCP."""

    def __init__(
        self, zones: Zones, faults: Faults, port: int = 0, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._zones = zones
        self._updates = ZoneUpdates(zones, on_change)
        self._faults = faults
        self._udp, self._tcp = _servers(self, port)
        self.address: tuple[str, int] = ("127.0.0.1", int(self._udp.server_address[1]))
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, wire: bytes, *, over_udp: bool) -> list[bytes]:
        """Give the messages that go back, none for silence."""
        try:
            query = dns.message.from_wire(wire, keyring=self._updates.keyring)
        except dns.exception.DNSException:
            return []
        if not query.question:
            return []
        if self._updates.concerns(query):
            return self._updates.answer(query, over_udp=over_udp)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        misbehaviour = self._misbehaviour(query, name, over_udp)
        if misbehaviour is not None:
            return misbehaviour
        response = self._resolve(query)
        messages = []
        if over_udp and self._faults.take("dns-wrong-id", domain=name):
            forged = self._resolve(query)
            forged.id = query.id ^ 0xFFFF
            messages.append(forged.to_wire())
        return [*messages, self._fitted(query, response, over_udp)]

    def _misbehaviour(self, query: dns.message.Message, name: str, over_udp: bool) -> list[bytes] | None:
        """Give what a fault answers in place of the truth; None when no fault fires."""
        take = self._faults.take
        if take("dns-timeout", domain=name):
            return []
        if over_udp and take("dns-loss", domain=name):
            return []
        if take("dns-garbage", domain=name):
            return [query.id.to_bytes(2) + GARBAGE]
        if not query.flags & dns.flags.CD and take("dns-bogus", domain=name):
            return [_failure(query, dns.rcode.SERVFAIL)]
        if take("dns-servfail", domain=name):
            return [_failure(query, dns.rcode.SERVFAIL)]
        if take("dns-refused", domain=name):
            return [_failure(query, dns.rcode.REFUSED)]
        if take("dns-loop", domain=name):
            return [_loop(query)]
        if over_udp and (take("dns-truncate", domain=name) or self._hard(name)):
            return [_truncated(query)]
        return None

    def _hard(self, name: str) -> bool:
        return self._faults.take("dns-truncate-hard", domain=name) is not None

    def tcp_is_closed(self) -> bool:
        """Does a fault close the TCP side?"""
        return self._faults.is_set("dns-truncate-hard")

    def _resolve(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        response = _response(query)
        name = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        validated = True
        for _ in range(LONGEST_CHAIN):
            if self._zones.apex_of(name) is None:
                is_known = _is_nobodys(name) or self._zones.shares_a_top_label(name)
                response.set_rcode(dns.rcode.NXDOMAIN if is_known else dns.rcode.REFUSED)
                return response
            validated = validated and self._zones.is_signed(name)
            if validated:
                response.flags |= dns.flags.AD  # RFC 4035 §3.2.3
            else:
                response.flags &= ~dns.flags.AD
            records = self._zones.find_all(name, rdtype)
            if records:
                response.answer.append(_rrset(*records))
                return response
            alias = self._zones.find(name, "CNAME")
            if alias is None or rdtype == "CNAME":
                return self._absent(response, name)
            response.answer.append(_rrset(alias))
            name = alias.value[0]
        return response

    def _absent(self, response: dns.message.Message, name: str) -> dns.message.Message:
        if not self._zones.exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        apex = self._zones.apex_of(name)
        response.authority.append(
            dns.rrset.from_text(
                f"{apex}.",
                NEGATIVE_TTL,
                "IN",
                "SOA",
                soa_of(str(apex), self._zones.serial_of(str(apex))),
            )
        )
        return response

    def _fitted(self, query: dns.message.Message, response: dns.message.Message, over_udp: bool) -> bytes:
        offered = query.payload if query.edns >= 0 else 512  # RFC 6891 §6.2.3, RFC 1035 §4.2.1
        wire = response.to_wire()
        if over_udp and len(wire) > max(512, min(offered, LONGEST_UDP)):
            return _truncated(query)
        return wire


def _response(query: dns.message.Message) -> dns.message.Message:
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.AA
    return response


def _failure(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(code)
    return response.to_wire()


def _truncated(query: dns.message.Message) -> bytes:
    response = _response(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def _loop(query: dns.message.Message) -> bytes:
    response = _response(query)
    name = query.question[0].name
    other = dns.name.from_text("loop", origin=name)
    response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", other.to_text()))
    response.answer.append(dns.rrset.from_text(other, 60, "IN", "CNAME", name.to_text()))
    return response.to_wire()


def _rrset(*records: ZoneRecord) -> dns.rrset.RRset:
    first = records[0]
    return dns.rrset.from_text(f"{first.owner}.", first.ttl, "IN", first.type, *map(data_of, records))


def _is_nobodys(name: str) -> bool:
    return name == "invalid" or name.endswith(".invalid")  # RFC 6761 §6.4


class _Server:
    """What the handlers know of their name server."""

    allow_reuse_address = True
    daemon_threads = True
    name_server: NameServer


class _UdpServer(_Server, socketserver.ThreadingUDPServer):
    max_packet_size = 65535


class _TcpServer(_Server, socketserver.ThreadingTCPServer):
    request_queue_size = 128


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        server: Any = self.server
        for message in server.name_server.answer(data, over_udp=True):
            with suppress(OSError):
                sock.sendto(message, self.client_address)


class _Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        if server.name_server.tcp_is_closed():
            return
        with suppress(OSError):
            self.request.settimeout(5)
            length = _exactly(self.request, 2)
            data = _exactly(self.request, int.from_bytes(length))
            for message in server.name_server.answer(data, over_udp=False):
                self.request.sendall(len(message).to_bytes(2) + message)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise ConnectionError("the client went away")
        data += chunk
    return data


def _servers(owner: NameServer, port: int) -> tuple[_UdpServer, _TcpServer]:
    """Bind UDP and TCP to one port; with port 0, one where both are free."""
    for _ in range(50):
        tcp: _TcpServer | None = None
        try:
            tcp = _TcpServer(("127.0.0.1", port), _Tcp)
            udp = _UdpServer(("127.0.0.1", int(tcp.server_address[1])), _Udp)
        except OSError as error:
            if tcp is not None:
                tcp.server_close()
            if port:
                raise InputError(
                    f"the DNS port {port} cannot be had: {error.strerror}",
                    hint="choose another --dns-port, or 0",
                ) from None
            time.sleep(0.01)  # another process took the port between the two binds
            continue
        udp.name_server = tcp.name_server = owner
        return udp, tcp
    raise InputError("no port is free for both UDP and TCP", hint="give one with --dns-port")
