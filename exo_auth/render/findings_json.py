"""Findings as JSON: one document, or one line for each domain (render, pure)."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import Severity
from exo_auth.checks.finding_document import evidence_document
from exo_auth.checks.gates import GateVerdict
from exo_auth.facts.domain import ALL_SUBJECTS, Subject
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.times import iso

_encoded = json.JSONEncoder(ensure_ascii=False).encode


class JsonFindings(FindingsWriter):
    """The document `check`: findings first, as they come; then the domains and the counts."""

    def __init__(
        self,
        at: datetime,
        profile: Profile,
        *,
        subjects: Collection[Subject] = ALL_SUBJECTS,
        beside_baseline: bool = False,
    ) -> None:
        self._head = {
            "schema": "exo-auth/check/1",
            "checked_at": iso(at),
            "profile": profile.value,
            "subjects": [subject.value for subject in Subject if subject in subjects],
            "beside_baseline": beside_baseline,
        }
        self._comma = ""

    def begin(self) -> str:
        """Write the head, up to the list of findings."""
        return json.dumps(self._head, indent=2)[:-2] + ',\n  "findings": ['

    def domain(self, report: DomainReport) -> str:
        """Write findings."""
        parts = []
        for one in report.findings:
            parts.append(f"{self._comma}\n    {_encoded(evidence_document(one))}")
            self._comma = ","
        return "".join(parts)

    def end(self, tally: Tally) -> str:
        """Write the domains, the gates, the counts."""
        rest: dict[str, Any] = {
            "domains": tally.domains,
            "gone": [
                {"domain": domain, "code": past.code, "message": past.message} for domain, past in tally.gone
            ],
            "gates": [_gate_document(verdict) for verdict in tally.gates],
            "summary": {
                "domains": len(tally.domains),
                "in_order": tally.clean,
                **{severity.value: tally.by_severity[severity.value] for severity in Severity},
            },
        }
        return (
            ("\n  " if self._comma else "")
            + "],\n"
            + json.dumps(rest, indent=2, ensure_ascii=False).removeprefix("{\n")
            + "\n"
        )


class NdjsonFindings(FindingsWriter):
    """One line for each domain, with its findings."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def domain(self, report: DomainReport) -> str:
        """Write one line."""
        line: dict[str, Any] = {
            "domain": report.domain.ascii,
            "checked_at": iso(self._at),
            "worst": report.worst.value if report.worst else None,
            "findings": [evidence_document(one) for one in report.findings],
        }
        if report.gone:
            line["gone"] = [{"code": past.code, "message": past.message} for past in report.gone]
        if report.gate is not None:
            line["gate"] = _gate_document(report.gate)
        return _encoded(line) + "\n"


def _gate_document(verdict: GateVerdict) -> dict[str, Any]:
    return {
        "domain": verdict.domain.ascii,
        "gate": verdict.gate.value,
        "state": verdict.state.value,
        "not_before": iso(verdict.not_before),
        "held_by": list(dict.fromkeys(one.code for one in verdict.holding)),
    }
