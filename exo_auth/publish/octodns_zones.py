"""`OctoDnsZones`: the zones that the user's own octoDNS configuration can write (publish; I/O).

octoDNS does the talking to some fifty DNS hosts. It is given the whole zone as it stands, with our sets changed, so that its
plan holds our changes and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import ConfigError, ExoAuthError, PublishError
from exo_auth.plan.record_set import RecordSet

Key = tuple[str, str]  # owner and type


@dataclass(frozen=True)
class ZoneHome:
    """One zone of the configuration, and the providers it is written to."""

    zone: DomainName
    targets: tuple[str, ...]
    providers: tuple[str, ...]  # their classes


class OctoDnsZones:
    """Reads and writes zones through octoDNS; raises ConfigError for a configuration that cannot be used."""

    def __init__(self, config_file: Path) -> None:
        try:
            from octodns.manager import Manager
        except ImportError:
            raise ConfigError(
                "octoDNS is not installed", file=str(config_file), hint="pip install 'exo-auth[publish]'"
            ) from None
        try:
            self._manager: Any = Manager(str(config_file))
        except Exception as error:  # noqa: BLE001 - whatever a provider's constructor raises
            raise ConfigError(
                f"octoDNS cannot use it: {type(error).__name__}: {error}",
                file=str(config_file),
                hint="octodns-sync --config-file … tells the same",
            ) from None
        self._live: dict[str, dict[Key, RecordSet]] = {}

    def homes(self) -> tuple[ZoneHome, ...]:
        """List the zones that have targets; `*` entries of octoDNS are not zones."""
        found = []
        for name, zone in self._manager.config["zones"].items():
            targets = tuple((zone or {}).get("targets") or ())
            if name.endswith(".") and "*" not in name and targets:
                classes = tuple(type(self._provider(target)).__name__ for target in targets)
                found.append(ZoneHome(DomainName(name.rstrip(".").lower()), targets, classes))
        return tuple(sorted(found, key=lambda home: home.zone))

    def home_of(self, name: DomainName) -> ZoneHome | None:
        """Give the deepest zone that holds a name."""
        holding = [home for home in self.homes() if name.is_within(home.zone)]
        return max(holding, key=lambda home: len(home.zone.labels), default=None)

    def live(self, home: ZoneHome, *, fresh: bool = False) -> Mapping[Key, RecordSet]:
        """Read a zone from its first provider; raises PublishError."""
        if fresh or home.zone.ascii not in self._live:
            zone = self._zone(home)
            self._populate(home, home.targets[0], zone)
            self._live[home.zone.ascii] = {
                (one.owner.ascii, one.type): one
                for record in zone.records
                for one in _set_of(record, home.zone)
            }
        return self._live[home.zone.ascii]

    def write(self, home: ZoneHome, sets: Iterable[RecordSet]) -> None:
        """Put the sets into the zone, everything else as it stands; a set without values is removed.

        Raises PublishError; then some of it may have been written: only reading tells.
        """
        wanted = tuple(sets)
        self._live.pop(home.zone.ascii, None)
        for target in home.targets:
            self._write_to(home, target, wanted)

    def _write_to(self, home: ZoneHome, target: str, sets: tuple[RecordSet, ...]) -> None:
        from octodns.record import Record

        desired = self._zone(home)
        self._populate(home, target, desired)
        touched = {(one.owner.ascii, one.type) for one in sets}
        for record in tuple(desired.records):
            if (_owner(record, home.zone).ascii, record._type) in touched:  # noqa: SLF001 - octoDNS has no other name for it
                desired.remove_record(record)
        try:
            for one in sets:
                if one.values:
                    name = (
                        "" if one.owner == home.zone else one.owner.ascii.removesuffix(f".{home.zone.ascii}")
                    )
                    desired.add_record(Record.new(desired, name, _data_of(one), lenient=True), lenient=True)
            provider = self._provider(target)
            plan = provider.plan(desired, lenient=True)
            if plan is not None:
                provider.apply(plan)
        except Exception as error:  # noqa: BLE001 - providers raise what their libraries raise
            raise _trouble(home, target, error) from None

    def _populate(self, home: ZoneHome, target: str, zone: Any) -> None:
        try:
            self._provider(target).populate(zone, target=True, lenient=True)
        except Exception as error:  # noqa: BLE001 - providers raise what their libraries raise
            raise _trouble(home, target, error) from None

    def _zone(self, home: ZoneHome) -> Any:
        return self._manager.get_zone(f"{home.zone.ascii}.")

    def _provider(self, target: str) -> Any:
        try:
            return self._manager.providers[target]
        except KeyError:
            raise PublishError(
                f"octoDNS has no provider “{target}”", hint="see providers: in its file"
            ) from None


def _trouble(home: ZoneHome, target: str, error: Exception) -> ExoAuthError:
    told = " ".join(str(error).split())[:300]
    return PublishError(
        f"octoDNS ({target}) failed for {home.zone}: {type(error).__name__}{': ' + told if told else ''}",
        hint="the zone is looked at again before anything is repeated",
    )


def _owner(record: Any, zone: DomainName) -> DomainName:
    return DomainName(f"{record.name}.{zone.ascii}".lower() if record.name else zone.ascii)


def _set_of(record: Any, zone: DomainName) -> Iterable[RecordSet]:
    """Give a record of octoDNS as a set, where it is of a type we know."""
    rdtype = str(record._type)  # noqa: SLF001 - octoDNS has no other name for it
    data = record.data
    raw = data.get("values", [data["value"]] if "value" in data else [])
    if rdtype == "TXT":
        values = tuple(str(value).replace("\\;", ";") for value in raw)
    elif rdtype == "MX":
        values = tuple(f"{value['preference']} {str(value['exchange']).rstrip('.')}" for value in raw)
    elif rdtype in ("CNAME", "NS", "PTR"):
        values = tuple(str(value).rstrip(".") for value in raw)
    elif rdtype in ("A", "AAAA"):
        values = tuple(map(str, raw))
    else:
        return
    yield RecordSet(_owner(record, zone), rdtype, values, int(record.ttl))


def _data_of(one: RecordSet) -> dict[str, Any]:
    """Give a set as octoDNS' own data: names with their dot, semicolons escaped."""
    if one.type == "TXT":
        values: list[Any] = [value.replace(";", "\\;") for value in one.values]
    elif one.type == "MX":
        values = [
            {"preference": int(preference), "exchange": f"{host}."}
            for preference, _, host in (value.partition(" ") for value in one.values)
        ]
    elif one.type in ("A", "AAAA"):
        values = list(one.values)
    else:
        values = [f"{value}." for value in one.values]
    data: dict[str, Any] = {"type": one.type, "ttl": one.ttl}
    return data | ({"value": values[0]} if one.type in ("CNAME", "PTR") else {"values": values})
