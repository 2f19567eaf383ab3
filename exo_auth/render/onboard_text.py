"""The steps of a domain that is onboarded (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exo_auth.checks.finding_document import finding_document
from exo_auth.domain_name import DomainName
from exo_auth.plan.plan_file import change_document
from exo_auth.plan.steps import OnboardingStep, StepState
from exo_auth.render.plan_text import change_lines, finding_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import painted
from exo_auth.render.times import iso, moment

_WORDS = {
    StepState.DONE: "done",
    StepState.CHANGE: "change",
    StepState.WAITING: "WAITING",
    StepState.BLOCKED: "BLOCKED",
    StepState.UNKNOWN: "UNKNOWN",
    StepState.LATER: "later",
    StepState.LEFT_OUT: "left out",
}
_STYLES = {
    StepState.DONE: "green",
    StepState.CHANGE: "cyan",
    StepState.WAITING: "yellow",
    StepState.BLOCKED: "red",
    StepState.UNKNOWN: "magenta",
}


def onboard_text(
    domain: DomainName, steps: Sequence[OnboardingStep], resume: str, *, color: bool = False
) -> str:
    """Write one numbered line for each step, what the present one waits for, and how to go on ("" when all is done)."""
    lines = [domain.unicode]
    wide = max(len(step.name) for step in steps)
    for step in steps:
        lines += _lines(step, wide, color)
    if resume:
        lines.append(f"resume: {resume}")
    return "\n".join(lines)


def _lines(step: OnboardingStep, wide: int, color: bool) -> Iterator[str]:
    word = _WORDS[step.state]
    style = _STYLES.get(step.state)
    shown = painted(word, style, color=color) if style else word
    reason = "; ".join(visible(one) for one in step.reasons)
    line = f"{step.number:2} {step.name.ljust(wide)}  {shown}"
    yield f"{line}{' ' * (8 - len(word))}  {reason}" if reason else line
    indent = " " * (wide + 5)
    for change in step.changes:
        yield from (f"{indent}{line}" for line in change_lines(change, color=color))
    if step.not_before:
        yield f"{indent}not before {moment(step.not_before)}"
    for blockage in step.blockages:
        for finding in blockage.findings:
            yield from finding_lines(finding, indent)


def onboard_document(
    domain: DomainName,
    steps: Sequence[OnboardingStep],
    runs: Sequence[str],
    exit_code: int,
    resume: str,
) -> dict[str, Any]:
    """Describe where a domain stands; `runs` are those of the journal that this command made."""
    waiting = [step.not_before for step in steps if step.not_before]
    return {
        "schema": "exo-auth/onboard/1",
        "domain": domain.ascii,
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "state": step.state.value,
                "reasons": list(step.reasons),
                "not_before": iso(step.not_before),
                "changes": [change_document(change) for change in step.changes],
                "findings": [finding_document(one) for held in step.blockages for one in held.findings],
            }
            for step in steps
        ],
        "runs": list(runs),
        "not_before": iso(max(waiting, default=None)),
        "exit_code": exit_code,
        "resume": resume,
    }
