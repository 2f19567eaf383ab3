"""Findings domain by domain, for people and for machines (render, pure): each format is a writer that streams.

A writer gives text for the beginning, for each domain as it is done, and for the end, so that ten thousand domains
need no more memory than a thousand.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import Evidence, Finding, Severity
from exo_auth.checks.gates import GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.errors import InputError
from exo_auth.render.document import evidence_document
from exo_auth.render.findings_html import HtmlFindings
from exo_auth.render.plan_text import finding_lines
from exo_auth.render.safe_text import for_spreadsheet, visible
from exo_auth.render.table import painted
from exo_auth.render.times import iso, moment

STYLES = {Severity.FAIL: "red", Severity.WARN: "yellow", Severity.UNKNOWN: "magenta", Severity.INFO: "cyan"}
_LEVELS = {
    Severity.FAIL: "error",
    Severity.WARN: "warning",
    Severity.UNKNOWN: "warning",
    Severity.INFO: "note",
}
_COLUMNS = ("Domain", "Severity", "Code", "Message", "Seen", "Wanted", "Remedy")


class FindingsWriter:
    """What the writers share: nothing at the beginning, nothing at the end."""

    def begin(self) -> str:
        """Give what stands before the first domain."""
        return ""

    def domain(self, report: DomainReport) -> str:
        """Give the part of one domain."""
        raise NotImplementedError

    def end(self, tally: Tally) -> str:  # noqa: ARG002 - the others count
        """Give what stands behind the last domain."""
        return ""


class TextFindings(FindingsWriter):
    """For terminals: domains in order, the worst of each first; what is only worth knowing takes one line."""

    def __init__(self, *, color: bool = False, verbose: bool = False, beside_baseline: bool = False) -> None:
        self._color = color
        self._verbose = verbose
        self._nothing, self._in_order = ("no change", "unchanged") if beside_baseline else ("ok", "in order")

    def domain(self, report: DomainReport) -> str:
        """Write the findings of one domain, or ok."""
        gate = f"{self._gate(report.gate)}\n" if report.gate else ""
        if not report.findings and not report.gone:
            return f"{report.domain.unicode}  {painted(self._nothing, 'green', color=self._color)}\n{gate}"
        lines = [report.domain.unicode]
        for one in sorted(report.findings, key=lambda one: -_ORDER[one.severity]):
            severity = painted(one.severity.value, STYLES[one.severity], color=self._color)
            is_brief = one.severity is Severity.INFO and not self._verbose
            lines.append(f"  {severity}  {visible(one.message)}" + (f"  {one.code}" if is_brief else ""))
            lines += [] if is_brief else self._finding(one)
            lines += self._evidence(one.evidence) if self._verbose else []
        lines += [
            f"  {painted('gone', 'green', color=self._color)}  {visible(past.message)}  {past.code}"
            for past in report.gone
        ]
        return "\n".join(lines) + "\n" + gate

    def end(self, tally: Tally) -> str:
        """Count domains and findings."""
        total = len(tally.domains)
        counts = ", ".join(
            f"{tally.by_severity[severity.value]} {severity.value}"
            for severity in sorted(Severity, key=lambda s: -_ORDER[s])
            if tally.by_severity[severity.value]
        )
        what = f"{total} domain{'s' if total != 1 else ''}, {tally.clean} {self._in_order}"
        return f"{what}; {counts}\n" if counts else f"{what}\n"

    def _finding(self, one: Finding) -> list[str]:
        lines = list(finding_lines(one, indent="    "))
        if one.wanted and not one.records:
            lines.insert(1, f"      wanted: {visible(one.wanted)}")
        return lines

    def _gate(self, verdict: GateVerdict) -> str:
        style = "green" if verdict.state is ReadinessState.READY else "yellow"
        state = painted(verdict.state.value, style, color=self._color)
        until = f", not before {moment(verdict.not_before)}" if verdict.not_before else ""
        held = ", ".join(dict.fromkeys(one.code for one in verdict.holding))
        return f"  gate {verdict.gate}: {state}{until}" + (f" ({held})" if held else "")

    def _evidence(self, proof: tuple[Evidence, ...]) -> list[str]:
        return [
            f"      {e.name} {e.type}: {e.outcome}"
            + (f", TTL {e.ttl_seconds}" if e.ttl_seconds is not None else "")
            + (f", from {e.server}" if e.server else "")
            + "".join(f"\n        {visible(value)}" for value in e.values)
            for e in proof
        ]


_ORDER = {Severity.INFO: 0, Severity.WARN: 1, Severity.UNKNOWN: 2, Severity.FAIL: 3}


class JsonFindings(FindingsWriter):
    """The document `check`: findings first, as they come; then the domains and the counts."""

    def __init__(self, at: datetime, profile: Profile) -> None:
        self._at, self._profile = at, profile
        self._comma = ""

    def begin(self) -> str:
        """Write the head, up to the list of findings."""
        head = {"schema": "exo-auth/check/1", "checked_at": iso(self._at), "profile": self._profile.value}
        return json.dumps(head, indent=2)[:-2] + ',\n  "findings": ['

    def domain(self, report: DomainReport) -> str:
        """Write findings."""
        parts = []
        for one in report.findings:
            parts.append(f"{self._comma}\n    {json.dumps(evidence_document(one), ensure_ascii=False)}")
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
        return json.dumps(line, ensure_ascii=False) + "\n"


class CsvFindings(FindingsWriter):
    """One row for each finding; cells that a spreadsheet would take for formulas are marked as text."""

    def begin(self) -> str:
        """Write the columns."""
        return _csv_row(_COLUMNS)

    def domain(self, report: DomainReport) -> str:
        """Write rows."""
        return "".join(_csv_row([for_spreadsheet(visible(cell)) for cell in row]) for row in _rows(report))


class MarkdownFindings(FindingsWriter):
    """One table for tickets and wikis."""

    def begin(self) -> str:
        """Write the head of the table."""
        return _markdown_row(_COLUMNS) + _markdown_row(["---"] * len(_COLUMNS))

    def domain(self, report: DomainReport) -> str:
        """Write rows."""
        return "".join(map(_markdown_row, _rows(report)))


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
            "informationUri": "https://pypi.org/project/exo-auth/",
            "rules": [_sarif_rule(code) for code in sorted(tally.by_code)],
        }
        return f'\n    ],\n    "tool": {{"driver": {json.dumps(driver, ensure_ascii=False)}}}\n  }}]\n}}\n'


class JunitFindings(FindingsWriter):
    """JUnit: a suite for each domain, a case for each finding, failures from fail on."""

    def begin(self) -> str:
        """Write the head."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="exo-auth check">\n'

    def domain(self, report: DomainReport) -> str:
        """Write the suite of one domain; one that is in order has one case that passes."""
        failing = [one for one in report.findings if one.severity is Severity.FAIL]
        errors = [one for one in report.findings if one.severity is Severity.UNKNOWN]
        lines = [
            f"  <testsuite name={quoteattr(report.domain.ascii)} tests={quoteattr(str(max(1, len(report.findings))))}"
            f" failures={quoteattr(str(len(failing)))} errors={quoteattr(str(len(errors)))}>"
        ]
        if not report.findings:
            lines.append(f'    <testcase classname={quoteattr(report.domain.ascii)} name="in order"/>')
        lines += map(_junit_case, report.findings)
        return "\n".join([*lines, "  </testsuite>", ""])

    def end(self, tally: Tally) -> str:  # noqa: ARG002 - each suite counts for itself
        """Close the suites."""
        return "</testsuites>\n"


SUFFIXES = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".csv": "csv",
    ".md": "md",
    ".html": "html",
    ".sarif": "sarif",
    ".xml": "junit",
    ".txt": "table",
}


def writer_for(
    output: str,
    at: datetime,
    profile: Profile = Profile.IETF,
    *,
    color: bool = False,
    verbose: bool = False,
    beside_baseline: bool = False,
) -> FindingsWriter | HtmlFindings:
    """Give the writer of a format; raises KeyError for one that is not known."""
    makers: dict[str, Callable[[], FindingsWriter | HtmlFindings]] = {
        "table": lambda: TextFindings(color=color, verbose=verbose, beside_baseline=beside_baseline),
        "json": lambda: JsonFindings(at, profile),
        "ndjson": lambda: NdjsonFindings(at),
        "csv": CsvFindings,
        "md": MarkdownFindings,
        "html": lambda: HtmlFindings(at, profile),
        "sarif": SarifFindings,
        "junit": JunitFindings,
    }
    return makers[output]()


def format_of(file: str) -> str:
    """Name the format that the suffix of a file asks for; raises InputError."""
    for suffix, output in SUFFIXES.items():
        if file.lower().endswith(suffix):
            return output
    raise InputError(f"the suffix of {file} names no format", hint=f"use one of {', '.join(SUFFIXES)}")


def whole_text(reports: Iterable[DomainReport], writer: FindingsWriter | HtmlFindings) -> str:
    """Write everything at once."""
    tally = Tally()
    parts = [writer.begin()]
    for report in reports:
        tally.add(report)
        parts.append(writer.domain(report))
    return "".join([*parts, writer.end(tally)])


def _gate_document(verdict: GateVerdict) -> dict[str, Any]:
    return {
        "domain": verdict.domain.ascii,
        "gate": verdict.gate.value,
        "state": verdict.state.value,
        "not_before": iso(verdict.not_before),
        "held_by": list(dict.fromkeys(one.code for one in verdict.holding)),
    }


def _cells(one: Finding) -> tuple[str, ...]:
    return (one.subject.ascii, one.severity.value, one.code, one.message, one.seen, one.wanted, one.remedy)


def _rows(report: DomainReport) -> Iterator[tuple[str, ...]]:
    yield from map(_cells, report.findings)
    for past in report.gone:
        yield (report.domain.ascii, "gone", past.code, past.message, "", "", "")


def _csv_row(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(visible(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _sarif_result(one: Finding) -> dict[str, Any]:
    return {
        "ruleId": one.code,
        "level": _LEVELS[one.severity],
        "message": {"text": f"{one.subject}: {visible(one.message)}"},
        "locations": [
            {"logicalLocations": [{"fullyQualifiedName": one.subject.ascii, "kind": "domain"}]},
        ],
        "properties": {
            "seen": visible(one.seen),
            "wanted": visible(one.wanted),
            "remedy": visible(one.remedy),
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


def _junit_case(one: Finding) -> str:
    head = f"    <testcase classname={quoteattr(one.subject.ascii)} name={quoteattr(f'{one.code}: {visible(one.message)}')}"
    if one.severity in (Severity.FAIL, Severity.UNKNOWN):
        kind = "failure" if one.severity is Severity.FAIL else "error"
        words = escape(visible(f"seen: {one.seen}; wanted: {one.wanted}; do: {one.remedy}"))
        return f"{head}><{kind} type={quoteattr(one.code)} message={quoteattr(visible(one.message))}>{words}</{kind}></testcase>"
    return f"{head}/>"
