"""`Zones`: what stands in the sandbox's DNS — the tenant's zones, and the names Microsoft publishes keys at (sandbox)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from exo_auth.sandbox.clock import utc_now

TTL = 3600  # seconds
NEGATIVE_TTL = 900  # seconds, the SOA's minimum
LONGEST_STRING = 255  # octets, RFC 1035 §3.3
LONGEST_PAST = 10_000  # changes that a secondary which lags can still be told apart from


@dataclass(frozen=True)
class ZoneRecord:
    """One record: names lower case without the trailing dot; TXT as its strings, MX as preference and host."""

    owner: str
    type: str  # A, AAAA, CAA, CNAME, MX, NS, SOA, TLSA, TXT
    value: tuple[str, ...]
    ttl: int = TTL


class Unreachable(Exception):  # noqa: N818 - a server's silence, or its “not mine”
    """The server of a delegated zone gave no answer that counts."""


class Elsewhere(Protocol):
    """Zones that another server holds."""

    def covers(self, name: str) -> bool:
        """Is the name in one of them?"""
        ...

    def find_all(self, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give all records of that type at the name itself; raises Unreachable."""
        ...

    def exists(self, name: str) -> bool:
        """Is there anything at the name or below it? Raises Unreachable."""
        ...


@dataclass(frozen=True)
class PastChange:
    """What stood at an owner and type before a change, and the serial of its zone then."""

    at: datetime
    key: tuple[str, str]
    before: tuple[ZoneRecord, ...]
    apex: str | None
    serial: int


class Zones:
    """All records by owner and type; safe to use from all server threads.

    `published_key` gives the TXT that Microsoft publishes at a name, None where it publishes none; `targets` are
    all names at which it ever may. `hosted` gives other records of Microsoft's by name and type, as text. Answers
    from the zones of `signed` are marked as validated. `now` dates changes, for secondaries that lag. What lies in the
    zones of `elsewhere` is asked for there.
    """

    def __init__(
        self,
        apexes: tuple[str, ...],
        published_key: Callable[[str], str | None],
        targets: Iterable[str] = (),
        *,
        hosted: Callable[[str, str], str | None] = lambda _name, _type: None,
        signed: Iterable[str] = (),
        now: Callable[[], datetime] = utc_now,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self.name_servers: dict[str, str] = {"ns1": "127.0.0.1"}  # label below each apex, and address
        self._now = now
        self._past: deque[PastChange] = deque(maxlen=LONGEST_PAST)
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
            self._store(owner.lower(), rdtype, ())

    def add(self, record: ZoneRecord) -> None:
        """Put a record beside those that stand there; one that is there already is left alone."""
        with self._lock:
            there = self._records.get((record.owner, record.type), ())
            if all(one.value != record.value for one in there):
                self._store(record.owner, record.type, (*there, record))

    def discard(self, owner: str, rdtype: str, value: tuple[str, ...]) -> None:
        """Take one value away; nothing happens when it is not there."""
        with self._lock:
            there = self._records.get((owner.lower(), rdtype), ())
            self._store(owner.lower(), rdtype, tuple(one for one in there if one.value != value))

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
        """Give preference and host of each MX record at `owner`, as a resolver of Microsoft's sees them."""
        return tuple((int(record.value[0]), record.value[1]) for record in self._seen(owner, "MX"))

    def cname_of(self, owner: str) -> str | None:
        """Give the target of the CNAME at `owner`, as a resolver of Microsoft's sees it."""
        return next((record.value[0] for record in self._seen(owner, "CNAME")), None)

    def _seen(self, owner: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give the records of that type at the name itself; none where its server cannot be reached."""
        if self._elsewhere is not None and self._elsewhere.covers(owner):
            try:
                return self._elsewhere.find_all(owner, rdtype)
            except Unreachable:
                return ()
        with self._lock:
            return self._records.get((owner.lower(), rdtype), ())

    def find(self, name: str, rdtype: str) -> ZoneRecord | None:
        """Give the first record of that type at the name itself, from a wildcard if nothing else exists there."""
        return next(iter(self.find_all(name, rdtype)), None)

    def find_all(self, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give all records of that type at the name itself, from a wildcard if nothing else exists there.

        Raises Unreachable for a name in a delegated zone whose server does not answer.
        """
        if self._elsewhere is not None and self._elsewhere.covers(name):
            return self._elsewhere.find_all(name, rdtype)
        made = self._made(name.lower(), rdtype)
        if made:
            return made
        wanted = name.lower()
        with self._lock:
            records = self._records.get((wanted, rdtype), ())
            if records or self._has_name(wanted):
                return records
            wildcard = self._records.get((f"*.{wanted.partition('.')[2]}", rdtype), ())
        return tuple(ZoneRecord(wanted, rdtype, one.value, one.ttl) for one in wildcard)

    def as_of(self, apex: str, moment: datetime) -> Zones:
        """Give one zone as it stood at a moment."""
        former = Zones((apex,), self._published_key, hosted=self._hosted, signed=self._signed & {apex})
        former.name_servers = self.name_servers
        with self._lock:
            records = {
                key: there
                for key, there in self._records.items()
                if self.apex_of(key[0].removeprefix("*.")) == apex
            }
            serial = self._serials.get(apex, 1)
            for change in reversed(self._past):
                if change.at <= moment:
                    break
                if change.apex == apex:
                    records[change.key], serial = change.before, change.serial
        for (owner, rdtype), there in records.items():
            former._store(owner, rdtype, there)
        former._serials[apex] = serial
        return former

    def _made(self, wanted: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give what the server answers by itself: SOA, NS, its own addresses, and what Microsoft publishes."""
        if rdtype == "SOA" and wanted in self._apexes:
            return (ZoneRecord(wanted, "SOA", (soa_of(wanted, self.serial_of(wanted)),), NEGATIVE_TTL),)
        if rdtype == "NS" and wanted in self._apexes:
            return tuple(ZoneRecord(wanted, "NS", (f"{label}.{wanted}",)) for label in self.name_servers)
        if rdtype == "A" and (address := self._address_of_server(wanted)):
            return (ZoneRecord(wanted, "A", (address,)),)
        if rdtype == "TXT":
            key = self._published_key(wanted)
            if key is not None:
                chunks = tuple(key[i : i + LONGEST_STRING] for i in range(0, len(key), LONGEST_STRING))
                return (ZoneRecord(wanted, "TXT", chunks),)
        text = self._hosted(wanted, rdtype)
        return (ZoneRecord(wanted, rdtype, (text,)),) if text is not None else ()

    def _address_of_server(self, wanted: str) -> str | None:
        label, _, above = wanted.partition(".")
        return self.name_servers.get(label) if above in self._apexes else None

    def exists(self, name: str) -> bool:
        """Is there anything at the name or below it? Then an absent type is NODATA, else NXDOMAIN (RFC 8020)."""
        wanted = name.lower()
        if self._elsewhere is not None and self._elsewhere.covers(name):
            return self._elsewhere.exists(name)
        if self._address_of_server(wanted):
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
            self._past.clear()
        for record in records:
            self.add(record)

    def _put(self, record: ZoneRecord) -> None:
        with self._lock:
            self._store(record.owner, record.type, (record,))

    def _store(self, owner: str, rdtype: str, records: tuple[ZoneRecord, ...]) -> None:
        """Let a set stand at an owner, none for no records; every change goes through here. The lock is held."""
        key = (owner, rdtype)
        before = self._records.get(key, ())
        if before == records:
            return
        apex = self.apex_of(owner.removeprefix("*."))
        serial = self._serials.get(apex, 1) if apex is not None else 1
        self._past.append(PastChange(self._now(), key, before, apex, serial))
        if bool(before) != bool(records):
            self._count(owner, 1 if records else -1)
        if records:
            self._records[key] = records
        else:
            del self._records[key]
        if apex is not None:
            self._serials[apex] = serial + 1

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
