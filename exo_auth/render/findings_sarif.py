"""Findings as SARIF, for code scanning (render, pure)."""

from __future__ import annotations

import json
from typing import Any

from exo_auth import __version__
from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.changes import key_of
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.finding import Finding, Severity
from exo_auth.render.evidence_text import evidence_line
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.times import iso

_LEVELS = {
    Severity.FAIL: "error",
    Severity.WARN: "warning",
    Severity.UNKNOWN: "warning",
    Severity.INFO: "note",
}


class SarifFindings(FindingsWriter):
    """SARIF 2.1.0: results as they come, the rules they need at the end."""

    def __init__(self) -> None:
        self._comma = ""

    def begin(self) -> str:
        """Write the head, up to the list of results."""
        return (
            '{\n  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",\n  "version": "2.1.0",\n'
            '  "runs": [{\n    "results": ['
        )

    def domain(self, report: DomainReport) -> str:
        """Write results."""
        parts = []
        for one in report.findings:
            parts.append(f"{self._comma}\n      {json.dumps(_sarif_result(one), ensure_ascii=False)}")
            self._comma = ","
        return "".join(parts)

    def end(self, tally: Tally) -> str:
        """Write the rules."""
        driver = {
            "name": "exo-auth",
            "version": __version__,
            "informationUri": "https://pypi.org/project/exo-auth/",
            "rules": [_sarif_rule(code) for code in sorted(tally.by_code)],
        }
        return f'\n    ],\n    "tool": {{"driver": {json.dumps(driver, ensure_ascii=False)}}}\n  }}]\n}}\n'


def _sarif_result(one: Finding) -> dict[str, Any]:
    return {
        "ruleId": one.code,
        "level": _LEVELS[one.severity],
        "message": {"text": f"{one.subject}: {visible(one.message)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": f"dns:{one.subject.ascii}"},  # RFC 4501
                    "region": {"startLine": 1, "endLine": 1},  # viewers want one
                },
                "logicalLocations": [{"fullyQualifiedName": one.subject.ascii, "kind": "domain"}],
            },
        ],
        "partialFingerprints": {
            "exoAuthFinding/v1": "/".join((one.subject.ascii, *key_of(one.code, one.message)))
        },
        "properties": {
            "seen": visible(one.seen),
            "wanted": visible(one.wanted),
            "remedy": visible(one.remedy),
            "publish": [visible(record_line(record)) for record in one.records],
            "source": one.source,
            "frameworks": list(one.frameworks),
            "notBefore": iso(one.not_before),
            "evidence": visible(evidence_line(one)),
        },
    }


def _sarif_rule(code: str) -> dict[str, Any]:
    entry = CATALOGUE[code]
    return {
        "id": code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.why},
        "help": {"text": f"{entry.remedy} ({entry.source})"},
        "properties": {"tags": list(entry.frameworks)},
    }
