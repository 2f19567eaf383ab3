"""An authoritative name server for one root zone, written with dnspython: wildcards, CNAMEs, empty non-terminals."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = ". 900 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 900"


class ZoneServer:
    """Answers over UDP and TCP on a loopback address until closed; `address` is (host, port)."""

    def __init__(
        self,
        lines: Iterable[str],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        lame: bool = False,
        cuts: Iterable[str] = (),
        broken: Iterable[str] = (),
    ) -> None:
        self._records: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._names: set[str] = set()
        self._ttls: dict[tuple[str, str], int] = {}
        for line in lines:
            owner, ttl, _class, rdtype, data = line.split(" ", 4)
            name = owner.rstrip(".").lower()
            self._records[name, rdtype].append(data)
            self._ttls[name, rdtype] = int(ttl)
            labels = name.split(".")
            self._names.update(".".join(labels[n:]) for n in range(len(labels)))
        self.questions = 0
        self._cuts = tuple(cuts)  # zones below, whose servers are named to those who ask without recursion
        self._broken = tuple(broken)  # zones about which it fails
        self._lame = lame  # answers without authority
        self._udp, self._tcp = _sockets(host, port)
        self.address: tuple[str, int] = self._udp.getsockname()
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        self._udp.close()
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, client = self._udp.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(wire)
            answer = self._answer(query)
            reply = answer.to_wire(max_size=65535)
            if len(reply) > (query.payload or 512):
                answer = dns.message.make_response(query)
                answer.flags |= dns.flags.TC
                reply = answer.to_wire()
            with contextlib.suppress(OSError):  # closed while the answer was made
                self._udp.sendto(reply, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as reader:
                length = int.from_bytes(reader.read(2))
                reply = self._answer(dns.message.from_wire(reader.read(length))).to_wire(max_size=65535)
                connection.sendall(len(reply).to_bytes(2) + reply)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        self.questions += 1
        response = dns.message.make_response(query)
        if not self._lame:
            response.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        if any(f".{name}".endswith(f".{zone}") for zone in self._broken):
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        cut = next((zone for zone in self._cuts if f".{name}".endswith(f".{zone}")), None)
        if cut and not query.flags & dns.flags.RD:
            response.flags &= ~dns.flags.AA
            hosts = self._records[cut, "NS"]
            response.authority.append(dns.rrset.from_text(f"{cut}.", 3600, "IN", "NS", *hosts))
            return response
        for _ in range(12):
            source = self._source(name)
            found = self._records.get((source, rdtype), [])
            alias = self._records.get((source, "CNAME"), [])
            if found:
                ttl = self._ttls[source, rdtype]
                response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", rdtype, *found))
                return response
            if not alias:
                break
            response.answer.append(dns.rrset.from_text(f"{name}.", 3600, "IN", "CNAME", alias[0]))
            name = alias[0].rstrip(".").lower()
        if name not in self._names and self._source(name) == name:
            response.set_rcode(dns.rcode.NXDOMAIN)
        response.authority.append(dns.rrset.from_text(*SOA.split(" ", 4)))
        return response

    def _source(self, name: str) -> str:
        """Give the name whose records answer: itself, or the wildcard at the closest encloser (RFC 4592 §3.3.1)."""
        if name in self._names:
            return name
        labels = name.split(".")
        for n in range(1, len(labels)):
            encloser = ".".join(labels[n:])
            if encloser in self._names:
                wildcard = f"*.{encloser}"
                return wildcard if wildcard in self._names else name
        return name


def _sockets(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    while True:
        tcp = socket.create_server((host, port))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:  # somebody else has that port for UDP
            tcp.close()
            udp.close()
            if port:
                raise
            continue
        return udp, tcp
