"""Findings for people, and as reports for machines: JSON, SARIF, JUnit (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.finding import Finding, Severity
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.render.document import check_document, to_text
from exo_auth.render.plan_text import finding_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table, painted

_STYLES = {Severity.FAIL: "red", Severity.WARN: "yellow", Severity.UNKNOWN: "magenta", Severity.INFO: "cyan"}
_LEVELS = {
    Severity.FAIL: "error",
    Severity.WARN: "warning",
    Severity.UNKNOWN: "warning",
    Severity.INFO: "note",
}


def findings_output(
    findings: Sequence[Finding],
    domains: Sequence[DomainName],
    at: datetime,
    output: str,
    *,
    color: bool = False,
) -> str:
    """Write findings domain by domain, and the domains without any."""
    if output == "json":
        return to_text(check_document(findings, domains, at))
    if output == "table":
        return "\n".join(_lines(findings, domains, color))
    rows = tuple(
        (f.subject.ascii, f.severity.value, f.code, f.message, f.seen, f.wanted, f.remedy) for f in findings
    )
    columns = ("Domain", "Severity", "Code", "Message", "Seen", "Wanted", "Remedy")
    return Table(columns, rows).to_text(output)


def write_report(findings: Sequence[Finding], domains: Sequence[DomainName], at: datetime, file: str) -> str:
    """Write a report in the format of the file's suffix: .json, .sarif, .xml (JUnit); raises InputError."""
    if file.endswith(".sarif"):
        return to_text(_sarif(findings)) + "\n"
    if file.endswith(".xml"):
        return _junit(findings, domains)
    if file.endswith(".json"):
        return to_text(check_document(findings, domains, at)) + "\n"
    raise InputError(f"the suffix of {file} names no format", hint="use .json, .sarif or .xml (JUnit)")


def _lines(findings: Sequence[Finding], domains: Sequence[DomainName], color: bool) -> Iterator[str]:
    bad = 0
    for domain in domains:
        own = [finding for finding in findings if finding.subject == domain]
        if not own:
            yield f"{domain.unicode}  {painted('ok', 'green', color=color)}"
            continue
        bad += 1
        yield domain.unicode
        for finding in own:
            severity = painted(finding.severity.value, _STYLES[finding.severity], color=color)
            yield f"  {severity}  {visible(finding.message)}"
            yield from finding_lines(finding, indent="    ")
    yield f"{len(domains)} domains checked, {bad} with findings; exo-auth explain CODE tells more"


def _sarif(findings: Sequence[Finding]) -> dict[str, object]:
    codes = sorted({finding.code for finding in findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "exo-auth",
                        "rules": [
                            {
                                "id": code,
                                "shortDescription": {"text": CATALOGUE[code].title},
                                "help": {"text": CATALOGUE[code].remedy},
                            }
                            for code in codes
                        ],
                    }
                },
                "results": [
                    {
                        "ruleId": finding.code,
                        "level": _LEVELS[finding.severity],
                        "message": {"text": f"{finding.subject}: {finding.message}"},
                        "locations": [
                            {
                                "logicalLocations": [
                                    {"fullyQualifiedName": finding.subject.ascii, "kind": "domain"}
                                ]
                            }
                        ],
                    }
                    for finding in findings
                ],
            }
        ],
    }


def _junit(findings: Sequence[Finding], domains: Sequence[DomainName]) -> str:
    failing = [finding for finding in findings if finding.severity in (Severity.FAIL, Severity.UNKNOWN)]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="exo-auth check" tests="{len(domains)}" failures="{len({f.subject for f in failing})}">',
    ]
    for domain in domains:
        own = [finding for finding in failing if finding.subject == domain]
        lines.append(f"  <testcase name={quoteattr(domain.ascii)}>")
        lines += [
            f"    <failure type={quoteattr(finding.code)}>{escape(visible(finding.message))}</failure>"
            for finding in own
        ]
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>", ""])
