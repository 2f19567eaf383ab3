"""The record sets of many domains: one by one as they are known, or as one file for each zone (render, pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from exo_auth.domain_name import DomainName
from exo_auth.plan.dns_hosts import DnsHost
from exo_auth.plan.record_set import RecordSet
from exo_auth.render.record_set_text import FILE_ENDINGS, check_form, sets_document, written_as

_INDENT = "    "


class ExportWriter:
    """Gives text for the beginning, for each domain, and for the end; raises InputError for a form there is none of."""

    def __init__(self, form: str, output: str) -> None:
        check_form(form)
        self._form = form
        self._is_json = output == "json"
        self._is_first = True
        self._failed: list[dict[str, str]] = []

    def begin(self) -> str:
        """Give what stands before the first domain."""
        return '{\n  "schema": "exo-auth/dns-export/1",\n  "domains": [' if self._is_json else ""

    def domain(
        self,
        domain: DomainName,
        zone: DomainName,
        sets: Sequence[RecordSet],
        notes: Sequence[str],
        host: DnsHost | None,
    ) -> str:
        """Give the part of one domain."""
        is_first, self._is_first = self._is_first, False
        if self._is_json:
            document = sets_document(zone, sets, notes, host) | {"domain": domain.ascii}
            text = json.dumps(document, indent=2, ensure_ascii=False)
            return _INDENT + text.replace("\n", f"\n{_INDENT}") if is_first else f"{_INDENT}, {text}"
        text = written_as(self._form, zone, sets, notes, host)
        return text if is_first or self._form != "csv" else text.partition("\n")[2]  # one heading for all

    def failed(self, domain: DomainName, reason: str) -> None:
        """Note a domain of which there is nothing to write."""
        self._failed.append({"domain": domain.ascii, "reason": reason})

    def end(self) -> str:
        """Give what stands behind the last domain."""
        return (
            f'  ],\n  "failed": {json.dumps(self._failed, ensure_ascii=False)}\n}}' if self._is_json else ""
        )


@dataclass
class _Zone:
    host: DnsHost | None
    sets: dict[tuple[DomainName, str], RecordSet] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)  # in their order, each once


class ZoneFiles:
    """Gathers what belongs into one zone, whichever domains it came from; raises InputError for a form there is none of."""

    def __init__(self, form: str) -> None:
        check_form(form)
        self._form = form
        self._zones: dict[DomainName, _Zone] = {}
        self._failed: list[DomainName] = []

    def domain(
        self, zone: DomainName, sets: Sequence[RecordSet], notes: Sequence[str], host: DnsHost | None
    ) -> None:
        """Add the sets of one domain to the file of its zone."""
        found = self._zones.setdefault(zone, _Zone(host))
        found.sets.update({(one.owner, one.type): one for one in sets})
        found.notes.update(dict.fromkeys(notes))

    def failed(self, domain: DomainName) -> None:
        """Note a domain of which there is nothing to write: the file of its zone would lack its records."""
        self._failed.append(domain)

    def held_back(self) -> tuple[DomainName, ...]:
        """Name the zones whose file would not be whole."""
        return tuple(zone for zone in self._zones if any(one.is_within(zone) for one in self._failed))

    def files(self) -> dict[str, str]:
        """Give name and text of each file, without those of zones that are held back."""
        held = set(self.held_back())
        return {
            f"{zone.ascii}{FILE_ENDINGS[self._form]}": self._text(zone, found)
            for zone, found in self._zones.items()
            if zone not in held
        }

    def _text(self, zone: DomainName, found: _Zone) -> str:
        text = written_as(self._form, zone, list(found.sets.values()), list(found.notes), found.host)
        return text if text.endswith("\n") else f"{text}\n"
