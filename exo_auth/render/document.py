"""The JSON documents, each with its schema's name in `schema` (render, pure). They are an interface: keys stay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from exo_auth.checks.domains import ClassifiedDomain
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.checks.finding_document import evidence_document
from exo_auth.errors import ExchangeError, ExoAuthError, SignInError
from exo_auth.plan.outcome import Outcome, RunReport
from exo_auth.plan.plan_file import change_document
from exo_auth.plan.plan_file import to_document as plan_document
from exo_auth.plan.status import CalendarEntry, DkimStatusRow
from exo_auth.render.times import iso

ONE_DOCUMENT = ("json", "ndjson")  # of a command that has one thing to tell: indented, or on one line


def to_text(document: Mapping[str, Any], output: str = "json") -> str:
    """Write a document in the order of its keys: indented, or on one line as ndjson."""
    return json.dumps(document, indent=2 if output == "json" else None, ensure_ascii=False)


def error_document(error: ExoAuthError) -> dict[str, Any]:
    """Describe an error: what, what to do, and how support finds the call."""
    document: dict[str, Any] = {
        "schema": "exo-auth/error/1",
        "error": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, SignInError):
        document["code"] = error.code
        document["correlation_id"] = error.correlation_id
    if isinstance(error, ExchangeError) and error.correlation is not None:
        where = error.correlation
        document["correlation"] = {
            "cmdlet": where.cmdlet,
            "tenant_id": where.tenant_id,
            "client_request_id": where.client_request_id,
            "request_id": where.request_id,
            "status": where.status,
            "server": where.server,
            "at": iso(where.at),
        }
    return document


def domains_document(domains: Iterable[ClassifiedDomain]) -> dict[str, Any]:
    """List accepted domains with their kinds."""
    return {
        "schema": "exo-auth/domains/1",
        "domains": [
            {
                "domain": domain.name.ascii,
                "kind": domain.kind.value,
                "managed": domain.is_managed,
                "domain_type": domain.accepted.domain_type,
                "default": domain.accepted.is_default,
                "initial": domain.accepted.is_initial,
                "note": domain.note,
            }
            for domain in domains
        ],
    }


def dkim_status_document(rows: Iterable[DkimStatusRow]) -> dict[str, Any]:
    """Describe where every domain stands."""
    return {
        "schema": "exo-auth/dkim-status/1",
        "domains": [
            {
                "domain": row.domain.ascii,
                "enabled": row.enabled,
                "status": row.status,
                "phase": row.phase,
                "active_selector": row.active_selector or None,
                "selector1_key_size": row.key_sizes[0],
                "selector2_key_size": row.key_sizes[1],
                "key_created": iso(row.key_created),
                "key_age_days": row.key_age.days if row.key_age is not None else None,
                "rotate_on": iso(row.rotate_on),
                "due_at": iso(row.due_at),
                "readiness": row.readiness,
                "note": row.note,
            }
            for row in rows
        ],
    }


def findings_list(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Describe findings."""
    return [evidence_document(one) for one in findings]


def records_document(records: Iterable[DnsRecord]) -> dict[str, Any]:
    """List records to publish."""
    return {"schema": "exo-auth/dns-records/1", "records": [record_document(record) for record in records]}


def record_document(record: DnsRecord) -> dict[str, Any]:
    """Describe one record; names are absolute, without the trailing dot."""
    return {
        "owner": record.owner.ascii,
        "type": record.type,
        "value": record.value,
        "ttl_seconds": record.ttl_seconds,
    }


def calendar_document(entries: Iterable[CalendarEntry]) -> dict[str, Any]:
    """List what comes when."""
    return {
        "schema": "exo-auth/dkim-calendar/1",
        "entries": [
            {"domain": e.domain.ascii, "at": iso(e.at), "what": e.what, "note": e.note} for e in entries
        ],
    }


def report_document(report: RunReport) -> dict[str, Any]:
    """Describe a run: its plan, one outcome for each change, and the exit code."""
    counts: dict[str, int] = {}
    for outcome in report.outcomes:
        counts[outcome.result.value] = counts.get(outcome.result.value, 0) + 1
    return {
        "schema": "exo-auth/run-report/1",
        "run": report.run_id,
        "tenant": report.plan.tenant.tenant_id,
        "started_at": iso(report.started_at),
        "ended_at": iso(report.ended_at),
        "interrupted": bool(report.interrupted),
        "exit_code": report.exit_code,
        "counts": counts,
        "notes": list(report.notes),
        "outcomes": [_outcome(outcome) for outcome in report.outcomes],
        "plan": plan_document(report.plan),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "domain": outcome.change.target.ascii,
        "verb": outcome.change.verb.value,
        "result": outcome.result.value,
        "evidence": dict(outcome.evidence),
        "error": outcome.error,
        "hint": outcome.hint,
        "not_before": iso(outcome.not_before),
        "change": change_document(outcome.change),
    }
