"""`Zones`: what stands in the sandbox's DNS — the tenant's zones, and the names Microsoft publishes keys at (sandbox)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

TTL = 3600  # seconds
NEGATIVE_TTL = 900  # seconds, the SOA's minimum
LONGEST_STRING = 255  # octets, RFC 1035 §3.3


@dataclass(frozen=True)
class ZoneRecord:
    """One record: names lower case without the trailing dot; TXT as its strings, MX as preference and host."""

    owner: str
    type: str  # CNAME, TXT, MX, A, TLSA, SOA
    value: tuple[str, ...]
    ttl: int = TTL


class Zones:
    """All records by owner and type; safe to use from all server threads.

    `published_key` gives the TXT that Microsoft publishes at a name, None where it publishes none; `targets` are
    all names at which it ever may. `hosted` gives other records of Microsoft's by name and type, as text. Answers
    from the zones of `signed` are marked as validated.
    """

    def __init__(
        self,
        apexes: tuple[str, ...],
        published_key: Callable[[str], str | None],
        targets: Iterable[str] = (),
        *,
        hosted: Callable[[str, str], str | None] = lambda _name, _type: None,
        signed: Iterable[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._apexes = frozenset(apex.lower() for apex in apexes)
        self._top_labels = frozenset(apex.rsplit(".", 1)[-1] for apex in self._apexes)
        self._published_key = published_key
        self._hosted = hosted
        self._signed = frozenset(apex.lower() for apex in signed)
        self._above_targets = frozenset(above for target in targets for above in _names_above(target.lower()))
        self._records: dict[tuple[str, str], tuple[ZoneRecord, ...]] = {}
        self._serials: dict[str, int] = {}
        self._names: dict[str, int] = {}  # how many records stand at a name or below it

    def publish_cname(self, owner: str, target: str, ttl: int = TTL) -> None:
        """Put a CNAME; one that is there is replaced."""
        self._put(ZoneRecord(owner.lower(), "CNAME", (target.lower().rstrip("."),), ttl))

    def publish_txt(self, owner: str, text: str, ttl: int = TTL) -> None:
        """Put a TXT record, split into strings of at most 255 octets."""
        chunks = tuple(text[i : i + LONGEST_STRING] for i in range(0, len(text), LONGEST_STRING)) or ("",)
        self._put(ZoneRecord(owner.lower(), "TXT", chunks, ttl))

    def publish_mx(self, owner: str, host: str, preference: int = 0) -> None:
        """Put an MX record in place of all that are there."""
        self._put(ZoneRecord(owner.lower(), "MX", (str(preference), host.lower())))

    def add_mx(self, owner: str, host: str, preference: int) -> None:
        """Put one more MX record beside those that are there."""
        self.add(ZoneRecord(owner.lower(), "MX", (str(preference), host.lower())))

    def publish_address(self, owner: str, address: str) -> None:
        """Put an A record; the owner may be a wildcard."""
        self._put(ZoneRecord(owner.lower(), "A", (address,)))

    def remove(self, owner: str, rdtype: str) -> None:
        """Take a record away; nothing happens when there is none."""
        with self._lock:
            if self._records.pop((owner.lower(), rdtype), None) is not None:
                self._count(owner.lower(), -1)
                self._touch(owner.lower())

    def add(self, record: ZoneRecord) -> None:
        """Put a record beside those that stand there; one that is there already is left alone."""
        with self._lock:
            key = (record.owner, record.type)
            there = self._records.get(key, ())
            if any(one.value == record.value for one in there):
                return
            if not there:
                self._count(record.owner, 1)
            self._records[key] = (*there, record)
            self._touch(record.owner)

    def discard(self, owner: str, rdtype: str, value: tuple[str, ...]) -> None:
        """Take one value away; nothing happens when it is not there."""
        key = (owner.lower(), rdtype)
        with self._lock:
            left = tuple(one for one in self._records.get(key, ()) if one.value != value)
        if left:
            with self._lock:
                self._records[key] = left
                self._touch(key[0])
        else:
            self.remove(owner, rdtype)

    def types_at(self, owner: str) -> tuple[str, ...]:
        """Name the types that stand at a name."""
        with self._lock:
            return tuple(rdtype for name, rdtype in self._records if name == owner.lower())

    def of_zone(self, apex: str) -> tuple[ZoneRecord, ...]:
        """Give all records of a zone that were put there, sorted; not those that the server makes by itself."""
        with self._lock:
            every = [one for records in self._records.values() for one in records]
        inside = [one for one in every if self.apex_of(one.owner.removeprefix("*.")) == apex]
        return tuple(sorted(inside, key=lambda one: (one.owner, one.type, one.value)))

    def serial_of(self, apex: str) -> int:
        """Give the zone's serial number: it grows with every change."""
        return self._serials.get(apex, 1)

    def mx_of(self, owner: str) -> tuple[tuple[int, str], ...]:
        """Give preference and host of each MX record at `owner`."""
        with self._lock:
            records = self._records.get((owner.lower(), "MX"), ())
        return tuple((int(record.value[0]), record.value[1]) for record in records)

    def cname_of(self, owner: str) -> str | None:
        """Give the target of the CNAME at `owner`."""
        with self._lock:
            records = self._records.get((owner.lower(), "CNAME"))
        return records[0].value[0] if records else None

    def find(self, name: str, rdtype: str) -> ZoneRecord | None:
        """Give the first record of that type at the name itself, from a wildcard if nothing else exists there."""
        return next(iter(self.find_all(name, rdtype)), None)

    def find_all(self, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give all records of that type at the name itself, from a wildcard if nothing else exists there."""
        made = self._made(name.lower(), rdtype)
        if made is not None:
            return (made,)
        wanted = name.lower()
        with self._lock:
            records = self._records.get((wanted, rdtype), ())
            if records or self._has_name(wanted):
                return records
            wildcard = self._records.get((f"*.{wanted.partition('.')[2]}", rdtype), ())
        return tuple(ZoneRecord(wanted, rdtype, one.value, one.ttl) for one in wildcard)

    def _made(self, wanted: str, rdtype: str) -> ZoneRecord | None:
        """Give what the server answers by itself: SOA, NS, its own address, and the keys that Microsoft publishes."""
        if rdtype == "SOA" and wanted in self._apexes:
            return ZoneRecord(wanted, "SOA", (soa_of(wanted, self.serial_of(wanted)),), NEGATIVE_TTL)
        if rdtype == "NS" and wanted in self._apexes:
            return ZoneRecord(wanted, "NS", (f"ns1.{wanted}",))
        if rdtype == "A" and wanted.partition(".")[2] in self._apexes and wanted.startswith("ns1."):
            return ZoneRecord(wanted, "A", ("127.0.0.1",))
        if rdtype == "TXT":
            key = self._published_key(wanted)
            if key is not None:
                chunks = tuple(key[i : i + LONGEST_STRING] for i in range(0, len(key), LONGEST_STRING))
                return ZoneRecord(wanted, "TXT", chunks)
        text = self._hosted(wanted, rdtype)
        return ZoneRecord(wanted, rdtype, (text,)) if text is not None else None

    def exists(self, name: str) -> bool:
        """Is there anything at the name or below it? Then an absent type is NODATA, else NXDOMAIN (RFC 8020)."""
        wanted = name.lower()
        if wanted.startswith("ns1.") and wanted.partition(".")[2] in self._apexes:
            return True
        if wanted in self._above_targets or self._published_key(wanted) is not None:
            return True
        if any(self._hosted(wanted, rdtype) is not None for rdtype in ("A", "TLSA")):
            return True
        with self._lock:
            above = f"*.{wanted.partition('.')[2]}"
            return self._has_name(wanted) or any((above, kind) in self._records for kind in ("TXT", "A"))

    def apex_of(self, name: str) -> str | None:
        """Give the zone the name lies in; None when this server knows nothing of it."""
        wanted = name.lower()
        return next((above for above in (wanted, *_names_above(wanted)) if above in self._apexes), None)

    def is_signed(self, name: str) -> bool:
        """Does the name lie in a zone that is signed with DNSSEC?"""
        return self.apex_of(name) in self._signed

    def shares_a_top_label(self, name: str) -> bool:
        """Does the name end as one of the zones does? Then this server, playing a resolver, knows that it is not."""
        return name.lower().rsplit(".", 1)[-1] in self._top_labels

    def to_state(self) -> list[dict[str, Any]]:
        """Give all records as plain JSON values."""
        with self._lock:
            return [
                {"owner": r.owner, "type": r.type, "value": list(r.value), "ttl": r.ttl}
                for records in self._records.values()
                for r in records
            ]

    def load_state(self, values: list[dict[str, Any]]) -> None:
        """Take back what `to_state` gave."""
        records = [ZoneRecord(v["owner"], v["type"], tuple(v["value"]), int(v["ttl"])) for v in values]
        with self._lock:
            self._records, self._names = {}, {}
        for record in records:
            self.add(record)

    def _put(self, record: ZoneRecord) -> None:
        with self._lock:
            if (record.owner, record.type) not in self._records:
                self._count(record.owner, 1)
            self._records[record.owner, record.type] = (record,)
            self._touch(record.owner)

    def _touch(self, owner: str) -> None:
        apex = self.apex_of(owner.removeprefix("*."))
        if apex is not None:
            self._serials[apex] = self._serials.get(apex, 1) + 1

    def _count(self, owner: str, change: int) -> None:
        for name in (owner, *_names_above(owner)):
            self._names[name] = self._names.get(name, 0) + change

    def _has_name(self, wanted: str) -> bool:
        return wanted in self._apexes or self._names.get(wanted, 0) > 0


def soa_of(apex: str, serial: int = 1) -> str:
    """Give the data of a zone's SOA record as text."""
    return f"ns1.{apex}. hostmaster.{apex}. {serial} 3600 600 86400 {NEGATIVE_TTL}"


def _names_above(name: str) -> list[str]:
    """Name all parents, the nearest first."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]
