"""Findings as people read them on a terminal (render, pure)."""

from __future__ import annotations

from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.gates import GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.render.evidence_text import evidence_heads
from exo_auth.render.findings_writer import FindingsWriter
from exo_auth.render.plan_text import finding_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import painted
from exo_auth.render.times import moment

STYLES = {Severity.FAIL: "red", Severity.WARN: "yellow", Severity.UNKNOWN: "magenta", Severity.INFO: "cyan"}
_ORDER = {Severity.INFO: 0, Severity.WARN: 1, Severity.UNKNOWN: 2, Severity.FAIL: 3}


class TextFindings(FindingsWriter):
    """For terminals: domains in order, the worst of each first; what is only worth knowing takes one line."""

    def __init__(self, *, color: bool = False, verbose: bool = False, beside_baseline: bool = False) -> None:
        self._color = color
        self._verbose = verbose
        self._worst: Finding | None = None  # so far, for the hint at the end
        self._nothing, self._in_order = ("no change", "unchanged") if beside_baseline else ("ok", "in order")

    def domain(self, report: DomainReport) -> str:
        """Write the findings of one domain, or ok."""
        gate = f"{self._gate(report.gate)}\n" if report.gate else ""
        if not report.findings and not report.gone:
            return f"{report.domain.unicode}  {painted(self._nothing, 'green', color=self._color)}\n{gate}"
        lines = [report.domain.unicode]
        for one in sorted(report.findings, key=lambda one: -_ORDER[one.severity]):
            if self._worst is None or _ORDER[one.severity] > _ORDER[self._worst.severity]:
                self._worst = one
            severity = painted(one.severity.value, STYLES[one.severity], color=self._color)
            is_brief = one.severity is Severity.INFO and not self._verbose
            lines.append(f"  {severity}  {visible(one.message)}" + (f"  {one.code}" if is_brief else ""))
            lines += [] if is_brief else self._finding(one)
            lines += _evidence(one) if self._verbose else []
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
        worst = self._worst.code if self._worst is not None else ""
        hint = f"exo-auth explain {worst} tells why it matters; so for every code\n" if worst else ""
        return f"{what}; {counts}\n{hint}" if counts else f"{what}\n"

    def _finding(self, one: Finding) -> list[str]:
        lines = list(finding_lines(one, indent="    "))
        if one.wanted and not one.records:
            lines.insert(1, f"      wanted: {visible(one.wanted)}")
        more = f"; {', '.join(one.frameworks)}" if one.frameworks and self._verbose else ""
        return [*lines, f"      see: {one.source}{more}"] if one.source else lines

    def _gate(self, verdict: GateVerdict) -> str:
        style = "green" if verdict.state is ReadinessState.READY else "yellow"
        state = painted(verdict.state.value, style, color=self._color)
        until = f", not before {moment(verdict.not_before)}" if verdict.not_before else ""
        held = ", ".join(dict.fromkeys(one.code for one in verdict.holding))
        return f"  gate {verdict.gate}: {state}{until}" + (f" ({held})" if held else "")


def _evidence(one: Finding) -> list[str]:
    return [
        f"      {visible(head)}" + "".join(f"\n        {visible(value)}" for value in values)
        for head, values in evidence_heads(one)
    ]
