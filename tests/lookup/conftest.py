"""A real name server on loopback whose every answer is scripted; dnspython writes its messages."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from signed_zones import SignedWorld, signed_world

from exo_auth.lookup.resolver import StubResolver

SOA = "example. 600 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 300"


@dataclass(frozen=True)
class Asked:
    """One question as it came in."""

    message: dns.message.Message
    octets: bytes
    over: str  # "udp" or "tcp"

    @property
    def name(self) -> str:
        return self.message.question[0].name.to_text(omit_final_dot=True)

    @property
    def type(self) -> str:
        return dns.rdatatype.to_text(self.message.question[0].rdtype)

    @property
    def checking_disabled(self) -> bool:
        return bool(self.message.flags & dns.flags.CD)

    @property
    def edns(self) -> bool:
        return self.message.edns >= 0

    def reply(
        self,
        *answer: str,
        authority: tuple[str, ...] = (),
        rcode: str = "NOERROR",
        flags: int = dns.flags.RA,
        options: Any = (),
    ) -> dns.message.Message:
        """Make an answer from lines such as `a.example. 60 IN TXT "x"`."""
        message = dns.message.make_response(self.message)
        message.flags |= flags
        if options:
            message.use_edns(0, options=list(options))
        message.set_rcode(dns.rcode.from_text(rcode))
        for section, lines in ((message.answer, answer), (message.authority, authority)):
            for line in lines:
                name, ttl, klass, rdtype, data = line.split(" ", 4)
                section.append(dns.rrset.from_text(name, int(ttl), klass, rdtype, data))
        return message


Part = dns.message.Message | bytes
Script = Callable[[Asked], Part | list[Part] | None]  # None: no answer at all


class ScriptedNameServer:
    """Answers by `script`, over UDP and TCP on one port, and remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.clients: list[tuple[str, int]] = []  # who asked over UDP
        self._udp, self._tcp = _bind(self)
        self.address: tuple[str, int] = self._udp.server_address[:2]
        for server in (self._udp, self._tcp):
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def answers(self, octets: bytes, over: str) -> list[bytes]:
        asked = Asked(dns.message.from_wire(octets), octets, over)
        self.asked.append(asked)
        given = self.script(asked)
        parts = given if isinstance(given, list) else [] if given is None else [given]
        return [part if isinstance(part, bytes) else part.to_wire(max_size=65535) for part in parts]

    def send(self, octets: bytes, client: tuple[str, int]) -> None:
        """Send a datagram that nobody asked this server for."""
        self._udp.socket.sendto(octets, client)

    def close(self) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()


class _OverUdp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        octets, sock = self.request
        self.server.name_server.clients.append(self.client_address)
        for answer in self.server.name_server.answers(octets, "udp"):
            sock.sendto(answer, self.client_address)


class _OverTcp(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        length = int.from_bytes(self.rfile.read(2))
        for answer in self.server.name_server.answers(self.rfile.read(length), "tcp"):
            self.wfile.write(len(answer).to_bytes(2) + answer)


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    name_server: ScriptedNameServer


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    name_server: ScriptedNameServer


def _bind(owner: ScriptedNameServer) -> tuple[_Udp, _Tcp]:
    for _ in range(20):  # the port that is free for TCP may be taken for UDP
        tcp = _Tcp(("127.0.0.1", 0), _OverTcp)
        try:
            udp = _Udp(tcp.server_address[:2], _OverUdp)
        except OSError:
            tcp.server_close()
            continue
        udp.name_server = tcp.name_server = owner
        return udp, tcp
    raise AssertionError("no port is free for both")


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedWorld]:
    """Serve signed zones, whole and broken, for all tests of the chain of trust."""
    with signed_world(tmp_path_factory.mktemp("signed")) as made:
        yield made


@pytest.fixture
def serve() -> Iterator[Callable[[Script], ScriptedNameServer]]:
    """Start name servers that end with the test."""
    with contextlib.ExitStack() as stack:

        def start(script: Script) -> ScriptedNameServer:
            server = ScriptedNameServer(script)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def dns_lab(serve: Callable[[Script], ScriptedNameServer]) -> SimpleNamespace:
    """Servers, and resolvers that ask them."""

    def resolver(*servers: ScriptedNameServer | tuple[str, int], **how: Any) -> StubResolver:
        addresses = tuple(s.address if isinstance(s, ScriptedNameServer) else s for s in servers)
        return StubResolver(addresses, **{"timeout": 5.0, "attempts": 2} | how)

    return SimpleNamespace(serve=serve, resolver=resolver, soa=SOA)
