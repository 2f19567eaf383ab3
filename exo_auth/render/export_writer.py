"""The record sets of many domains, written one by one as they are known (render, pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from exo_auth.domain_name import DomainName
from exo_auth.plan.dns_hosts import DnsHost
from exo_auth.plan.record_set import RecordSet
from exo_auth.render.record_set_text import check_form, sets_document, written_as

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
