"""Which writer a format of findings has; each is loaded when it is asked for (render, pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.entry import Profile
from exo_auth.errors import InputError
from exo_auth.facts.domain import ALL_SUBJECTS, Subject
from exo_auth.render.findings_writer import FindingsWriter

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
    subjects: Collection[Subject] = ALL_SUBJECTS,
    beside_baseline: bool = False,
) -> FindingsWriter:
    """Give the writer of a format; raises KeyError for one that is not known."""
    if output in ("json", "ndjson"):
        from exo_auth.render.findings_json import JsonFindings, NdjsonFindings

        if output == "ndjson":
            return NdjsonFindings(at)
        return JsonFindings(at, profile, subjects=subjects, beside_baseline=beside_baseline)
    if output == "table":
        from exo_auth.render.findings_text import TextFindings

        return TextFindings(color=color, verbose=verbose, beside_baseline=beside_baseline)
    if output == "html":
        from exo_auth.render.findings_html import HtmlFindings

        return HtmlFindings(at, profile, beside_baseline=beside_baseline)
    return _plain_writer(output)


def _plain_writer(output: str) -> FindingsWriter:
    from exo_auth.render.findings_junit import JunitFindings
    from exo_auth.render.findings_sarif import SarifFindings
    from exo_auth.render.findings_table import CsvFindings, MarkdownFindings

    makers: dict[str, Callable[[], FindingsWriter]] = {
        "csv": CsvFindings,
        "md": MarkdownFindings,
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


def whole_text(reports: Iterable[DomainReport], writer: FindingsWriter) -> str:
    """Write everything at once."""
    tally = Tally()
    parts = [writer.begin()]
    for report in reports:
        tally.add(report)
        parts.append(writer.domain(report))
    return "".join([*parts, writer.end(tally)])
