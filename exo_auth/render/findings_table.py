"""Findings as rows: CSV for spreadsheets, Markdown for tickets (render, pure)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.finding import Finding
from exo_auth.render.evidence_text import evidence_line
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import for_spreadsheet, visible
from exo_auth.render.times import iso

_COLUMNS = (
    *("Domain", "Severity", "Code", "Message", "Seen", "Wanted", "Remedy"),
    *("Publish", "Source", "Frameworks", "Not before"),
)


class CsvFindings(FindingsWriter):
    """One row for each finding; cells that a spreadsheet would take for formulas are marked as text."""

    def begin(self) -> str:
        """Write the columns."""
        return _csv_row((*_COLUMNS, "Evidence"))

    def domain(self, report: DomainReport) -> str:
        """Write rows."""
        proofs = [evidence_line(one) for one in report.findings] + [""] * len(report.gone)
        rows = [(*row, proof) for row, proof in zip(_rows(report), proofs, strict=True)]
        return "".join(_csv_row([for_spreadsheet(visible(cell)) for cell in row]) for row in rows)


class MarkdownFindings(FindingsWriter):
    """One table for tickets and wikis."""

    def begin(self) -> str:
        """Write the head of the table."""
        return _markdown_row(_COLUMNS) + _markdown_row(["---"] * len(_COLUMNS))

    def domain(self, report: DomainReport) -> str:
        """Write rows."""
        return "".join(map(_markdown_row, _rows(report)))


def _cells(one: Finding) -> tuple[str, ...]:
    return (
        *(one.subject.ascii, one.severity.value, one.code, one.message, one.seen, one.wanted, one.remedy),
        *(" ; ".join(map(record_line, one.records)), one.source, ", ".join(one.frameworks)),
        iso(one.not_before) or "",
    )


def _rows(report: DomainReport) -> Iterator[tuple[str, ...]]:
    yield from map(_cells, report.findings)
    for past in report.gone:
        yield (report.domain.ascii, "gone", past.code, past.message, *[""] * (len(_COLUMNS) - 4))


def _csv_row(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(visible(cell).replace("|", "\\|") for cell in cells) + " |\n"
