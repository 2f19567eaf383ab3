"""RFC 2136 updates and zone transfers of the sandbox's zones, signed with a TSIG key (sandbox)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsigkeyring
import dns.update

from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.zones import NEGATIVE_TTL, ZoneRecord, Zones, soa_of

KEY_NAME = "exo-auth-sandbox"
KEY_SECRET = "c2FuZGJveC1rZXktbm90LWZvci1yZWFsLXVzZQ=="  # noqa: S105 - of a sandbox that anybody may write to
KEY_ALGORITHM = "hmac-sha256"
WRITABLE = frozenset({"A", "AAAA", "CAA", "CNAME", "MX", "TXT"})


class ZoneUpdates:
    """Answers updates and transfers, as faults allow; `on_change` hears of every update that was made."""

    def __init__(self, zones: Zones, faults: Faults, on_change: Callable[[], None]) -> None:
        self.keyring = dns.tsigkeyring.from_text({KEY_NAME: KEY_SECRET})
        self._zones = zones
        self._faults = faults
        self._on_change = on_change

    def concerns(self, query: dns.message.Message) -> bool:
        """Is it an update or a transfer?"""
        return query.opcode() == dns.opcode.UPDATE or query.question[0].rdtype == dns.rdatatype.AXFR

    def answer(self, query: dns.message.Message, *, over_udp: bool) -> list[bytes]:
        """Give the messages that go back. Nobody without the key is told anything (RFC 8945)."""
        response = dns.message.make_response(query)
        apex = query.question[0].name.to_text(omit_final_dot=True).lower()
        is_update = isinstance(query, dns.update.UpdateMessage)
        if is_update and self._faults.take("update-unseen", domain=apex):
            return []
        if not query.had_tsig or (is_update and self._faults.take("update-refused", domain=apex)):
            response.set_rcode(dns.rcode.REFUSED)
        elif self._zones.apex_of(apex) != apex:
            response.set_rcode(dns.rcode.NOTAUTH)
        elif isinstance(query, dns.update.UpdateMessage):
            response.set_rcode(self._update(query, apex))
        elif over_udp:
            response.set_rcode(dns.rcode.FORMERR)
        else:
            response.answer = self._transfer(apex)
        if is_update and self._faults.take("update-unanswered", domain=apex):
            return []
        return [response.to_wire()]

    def _transfer(self, apex: str) -> list[dns.rrset.RRset]:
        """Give the whole zone, between two SOA records (RFC 5936 §2.2)."""
        text = soa_of(apex, self._zones.serial_of(apex))
        start = dns.rrset.from_text(f"{apex}.", NEGATIVE_TTL, "IN", "SOA", text)
        servers = self._zones.name_servers
        found = [dns.rrset.from_text(f"{apex}.", 3600, "IN", "NS", *(f"{one}.{apex}." for one in servers))]
        for label, address in servers.items():
            found.append(dns.rrset.from_text(f"{label}.{apex}.", 3600, "IN", "A", address))
        for record in self._zones.of_zone(apex):
            found.append(
                dns.rrset.from_text(f"{record.owner}.", record.ttl, "IN", record.type, data_of(record))
            )
        return [start, *found, start]

    def _update(self, query: dns.update.UpdateMessage, apex: str) -> dns.rcode.Rcode:
        """Make the changes in their order (RFC 2136 §3.4)."""
        if query.prerequisite:
            return dns.rcode.NOTIMP
        for part in query.update:
            if self._zones.apex_of(_owner(part).removeprefix("*.")) != apex:
                return dns.rcode.NOTZONE
            code = (
                self._remove(part) if part.deleting or part.rdtype == dns.rdatatype.ANY else self._add(part)
            )
            if code != dns.rcode.NOERROR:
                return code
        self._on_change()
        return dns.rcode.NOERROR

    def _remove(self, part: dns.rrset.RRset) -> dns.rcode.Rcode:
        owner, rdtype = _owner(part), dns.rdatatype.to_text(part.rdtype)
        if part.rdtype == dns.rdatatype.ANY:
            for present in self._zones.types_at(owner):
                self._zones.remove(owner, present)
        elif part.deleting == dns.rdataclass.ANY:
            self._zones.remove(owner, rdtype)
        else:
            for rdata in part:
                self._zones.discard(owner, rdtype, value_of(rdata))
        return dns.rcode.NOERROR

    def _add(self, part: dns.rrset.RRset) -> dns.rcode.Rcode:
        owner, rdtype = _owner(part), dns.rdatatype.to_text(part.rdtype)
        if rdtype not in WRITABLE:
            return dns.rcode.NOERROR if rdtype in ("SOA", "NS") else dns.rcode.NOTIMP
        for rdata in part:
            self._zones.add(ZoneRecord(owner, rdtype, value_of(rdata), int(part.ttl)))
        return dns.rcode.NOERROR


def _owner(part: dns.rrset.RRset) -> str:
    return part.name.to_text(omit_final_dot=True).lower()


def value_of(rdata: Any) -> tuple[str, ...]:
    """Give the data of a record as the sandbox keeps it."""
    if rdata.rdtype == dns.rdatatype.TXT:
        return tuple(chunk.decode("latin-1") for chunk in rdata.strings)
    if rdata.rdtype == dns.rdatatype.CAA:
        return (rdata.to_text(),)
    words = rdata.to_text().split()
    return tuple(word.rstrip(".").lower() for word in words)


def data_of(record: ZoneRecord) -> str:
    """Give the data of a record as a zone file has it."""
    if record.type == "TXT":
        return " ".join(f'"{"".join(map(_escaped, chunk))}"' for chunk in record.value)
    if record.type == "MX":
        return f"{record.value[0]} {record.value[1]}."
    return f"{record.value[0]}." if record.type in ("CNAME", "NS") else record.value[0]


def _escaped(character: str) -> str:
    """Write one octet of a character-string; those outside ASCII are kept as Latin-1."""
    if character in '"\\':
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\{ord(character):03}"
