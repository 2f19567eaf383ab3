"""Findings as JUnit, for pipelines that know tests only (render, pure)."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.finding import Finding, Severity
from exo_auth.render.evidence_text import evidence_line
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible


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


def _in_words(one: Finding) -> str:
    parts = (
        ("seen", one.seen),
        ("wanted", one.wanted),
        ("do", one.remedy),
        ("publish", " ; ".join(map(record_line, one.records))),
        ("see", one.source),
        ("frameworks", ", ".join(one.frameworks)),
        ("evidence", evidence_line(one)),
    )
    return "; ".join(f"{name}: {value}" for name, value in parts if value)


def _junit_case(one: Finding) -> str:
    head = f"    <testcase classname={quoteattr(one.subject.ascii)} name={quoteattr(f'{one.code}: {visible(one.message)}')}"
    if one.severity in (Severity.FAIL, Severity.UNKNOWN):
        kind = "failure" if one.severity is Severity.FAIL else "error"
        words = escape(visible(_in_words(one)))
        return f"{head}><{kind} type={quoteattr(one.code)} message={quoteattr(visible(one.message))}>{words}</{kind}></testcase>"
    return f"{head}/>"
