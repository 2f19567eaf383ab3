"""`NameServer`: the sandbox's zones over UDP and TCP, as a resolver and as two authoritative servers (sandbox).

At 127.0.0.1 it is a resolver to whoever asks for recursion, and the zones' first server to whoever does not; at
127.0.0.2 it is their second server. It misbehaves on request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from exo_auth.sandbox.clock import read_span, utc_now
from exo_auth.sandbox.dns_sockets import PRIMARY, SECONDARY, DnsSockets, Doors
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.policy_faults import faulty_records
from exo_auth.sandbox.resolver_memory import ResolverMemory
from exo_auth.sandbox.zone_updates import ZoneUpdates, data_of
from exo_auth.sandbox.zones import NEGATIVE_TTL, Unreachable, ZoneRecord, Zones, soa_of

LONGEST_UDP = 1232  # octets, whatever the client offers
LONGEST_CHAIN = 8
LONGEST_LOG = 10_000  # questions
GARBAGE = b"\x00\x00this is no DNS message"
RESOLVER, FIRST, SECOND = "resolver", "ns1", "ns2"


@dataclass(frozen=True)
class Question:
    """Who was asked for what."""

    server: str  # resolver, ns1 or ns2
    name: str
    type: str


class NameServer:
    """Serves `zones` until closed; `address` is (host, port) of the resolver. `now` is the clock that it remembers by."""

    def __init__(
        self,
        zones: Zones,
        faults: Faults,
        port: int = 0,
        on_change: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._zones = zones
        self._updates = ZoneUpdates(zones, faults, on_change)
        self._faults = faults
        self._now = now
        self.memory = ResolverMemory(now)
        self.questions: deque[Question] = deque(maxlen=LONGEST_LOG)
        self._sockets = DnsSockets(Doors(self._answer, self._tcp_is_closed), port)
        self.address: tuple[str, int] = (PRIMARY, self._sockets.port)
        if SECONDARY in self._sockets.addresses:
            zones.name_servers = {"ns1": PRIMARY, "ns2": SECONDARY}

    def close(self) -> None:
        """Stop serving."""
        self._sockets.close()

    def _answer(self, wire: bytes, address: str, over_udp: bool) -> list[bytes]:
        """Give the messages that go back, none for silence."""
        try:
            query = dns.message.from_wire(wire, keyring=self._updates.keyring)
        except dns.exception.DNSException:
            return []
        if not query.question:
            return []
        if self._updates.concerns(query):
            return self._updates.answer(query, over_udp=over_udp)
        asks_resolver = bool(query.flags & dns.flags.RD)
        face = SECOND if address == SECONDARY else RESOLVER if asks_resolver else FIRST
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.questions.append(Question(face, name, dns.rdatatype.to_text(query.question[0].rdtype)))
        misbehaviour = self._misbehaviour(query, name, over_udp)
        if misbehaviour is not None:
            return misbehaviour
        try:
            response = self._response_of(query, name, face)
        except Unreachable:  # the server of a delegated zone does not answer
            return [_failure(query, dns.rcode.SERVFAIL)]
        messages = []
        if over_udp and self._faults.take("dns-wrong-id", domain=name):
            forged = self._response_of(query, name, face)
            forged.id = query.id ^ 0xFFFF
            messages.append(forged.to_wire())
        return [*messages, self._fitted(query, response, over_udp)]

    def _response_of(self, query: dns.message.Message, name: str, face: str) -> dns.message.Message:
        if face == FIRST:
            return self._resolve(query, self._zone_now)
        if face == SECOND:
            return self._of_second(query, name)
        cache = self._faults.take("dns-cache", domain=name)
        if cache is None:
            return self._resolve(query, self._zone_now)
        rdtype = dns.rdatatype.to_text(query.question[0].rdtype)
        response = _response(query)
        if self.memory.recall(response, name, rdtype):
            return response
        response = self._resolve(query, self._zone_now)
        self.memory.keep(response, name, rdtype, read_span(cache.value) if cache.value else None)
        return response

    def _of_second(self, query: dns.message.Message, name: str) -> dns.message.Message:
        """Answer as the second server does: late or lame where a fault says so."""
        lame = self._faults.take("dns-lame", domain=name)
        if lame is not None:
            response = _response(query)
            response.flags &= ~dns.flags.AA
            response.set_rcode(dns.rcode.REFUSED if lame.value == "refused" else dns.rcode.NOERROR)
            return response
        lag = self._faults.take("dns-lag", domain=name)
        if lag is None:
            return self._resolve(query, self._zone_now)
        behind = read_span(lag.value) if lag.value else timedelta(hours=1)
        moment = self._now() - behind
        return self._resolve(query, lambda at: self._zone_then(at, moment))

    def _zone_now(self, _name: str) -> Zones:
        return self._zones

    def _zone_then(self, name: str, moment: datetime) -> Zones:
        apex = self._zones.apex_of(name)
        return self._zones if apex is None else self._zones.as_of(apex, moment)

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

    def _tcp_is_closed(self) -> bool:
        return self._faults.is_set("dns-truncate-hard")

    def _resolve(self, query: dns.message.Message, zones_for: Callable[[str], Zones]) -> dns.message.Message:
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
            zones = zones_for(name)
            records = self._standing(zones, name, rdtype)
            if not records:
                return _absent(response, name, zones)
            response.answer.append(_rrset(*records))
            if records[0].type == rdtype:
                return response
            name = records[0].value[0]
        return response

    def _standing(self, zones: Zones, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give what stands at a name: records of the type, or else the CNAME there."""
        return (
            faulty_records(self._faults, name, rdtype)
            or zones.find_all(name, rdtype)
            or zones.find_all(name, "CNAME")
        )

    def _fitted(self, query: dns.message.Message, response: dns.message.Message, over_udp: bool) -> bytes:
        offered = query.payload if query.edns >= 0 else 512  # RFC 6891 §6.2.3, RFC 1035 §4.2.1
        wire = response.to_wire()
        if over_udp and len(wire) > max(512, min(offered, LONGEST_UDP)):
            return _truncated(query)
        return wire


def _response(query: dns.message.Message) -> dns.message.Message:
    """Begin an answer: a resolver's to whoever asks for recursion, else an authoritative server's."""
    response = dns.message.make_response(query, recursion_available=True)
    if not query.flags & dns.flags.RD:
        response.flags |= dns.flags.AA
    return response


def _absent(response: dns.message.Message, name: str, zones: Zones) -> dns.message.Message:
    if not zones.exists(name):
        response.set_rcode(dns.rcode.NXDOMAIN)
    apex = str(zones.apex_of(name))
    start = soa_of(apex, zones.serial_of(apex))
    response.authority.append(dns.rrset.from_text(f"{apex}.", NEGATIVE_TTL, "IN", "SOA", start))
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
