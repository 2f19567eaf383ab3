"""Findings as plain JSON values (checks, pure)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from exo_auth.checks.finding import Finding


def finding_document(finding: Finding) -> dict[str, Any]:
    """Give a finding without what DNS said."""
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "domain": finding.subject.ascii,
        "message": finding.message,
        "seen": finding.seen,
        "wanted": finding.wanted,
        "remedy": finding.remedy,
        "records": [
            {"owner": r.owner.ascii, "type": r.type, "value": r.value, "ttl_seconds": r.ttl_seconds}
            for r in finding.records
        ],
        "source": finding.source,
        "frameworks": list(finding.frameworks),
        "not_before": _time(finding.not_before),
    }


def evidence_document(finding: Finding) -> dict[str, Any]:
    """Give a finding with what DNS said."""
    document, at = finding_document(finding), _time(finding.at)
    document["evidence"] = [
        {
            "name": e.name,
            "type": e.type,
            "outcome": e.outcome,
            "values": list(e.values),
            "server": e.server,
            "ttl_seconds": e.ttl_seconds,
            "at": at,
        }
        for e in finding.evidence
    ]
    return document


@lru_cache(maxsize=64)  # the findings of a domain come from one look
def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None
