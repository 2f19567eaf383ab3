"""What a run did, as people read it (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.domain_name import DomainName
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.table import painted
from exo_auth.render.times import moment

_STYLES = {
    Result.APPLIED: "green",
    Result.ALREADY_SO: "green",
    Result.ACCEPTED: "yellow",
    Result.WAITING: "yellow",
    Result.SKIPPED: "yellow",
    Result.UNKNOWN: "magenta",
}
WORDS = {
    Result.APPLIED: "done",
    Result.ALREADY_SO: "was so already",
    Result.ACCEPTED: "accepted, not visible yet",
    Result.REFUSED: "refused",
    Result.FAILED: "failed",
    Result.UNKNOWN: "unknown",
    Result.WAITING: "waiting",
    Result.BLOCKED: "blocked",
    Result.STALE: "stale: nothing was sent",
    Result.SKIPPED: "skipped",
}


def outcome_text(report: RunReport, *, color: bool = False) -> str:
    """Write one line for each change with its evidence, and one for the run."""
    return "\n".join(_lines(report, color))


def _lines(report: RunReport, color: bool) -> Iterator[str]:
    why_skipped = ""
    for outcome in report.outcomes:
        word = painted(WORDS[outcome.result], _STYLES.get(outcome.result, "red"), color=color)
        yield f"{outcome.change.target.unicode}  {visible(outcome.change.action)}: {word}{_evidence(outcome)}"
        is_skipped = outcome.result is Result.SKIPPED
        if outcome.error and not (
            is_skipped and outcome.error == why_skipped
        ):  # the same for all that follow
            yield f"    {visible(outcome.error)}"
        why_skipped = outcome.error if is_skipped else ""
        if outcome.hint:
            yield f"    hint: {visible(outcome.hint)}"
        if outcome.not_before:
            yield f"    not before {moment(outcome.not_before)}"
        yield from (f"    {line}" for line in targets_to_publish(outcome))
    if report.interrupted:
        yield "interrupted: the change under way was finished, the others were not begun"
    counts: dict[str, int] = {}
    for outcome in report.outcomes:
        counts[WORDS[outcome.result]] = counts.get(WORDS[outcome.result], 0) + 1
    yield f"run {report.run_id}  " + ", ".join(f"{count} {word}" for word, count in counts.items())


def _evidence(outcome: Outcome) -> str:
    seen = outcome.evidence
    if outcome.result is not Result.APPLIED:
        return ""
    if outcome.change.verb.value == "rotate":
        when = str(seen.get("rotate_on", ""))[:16].replace("T", " ")
        return f"; {seen.get('selector_after_rotation')} signs from {when}Z"
    return f"; status {seen['status']}" if "status" in seen else ""


def targets_to_publish(outcome: Outcome) -> Iterator[str]:
    """Give the CNAMEs that have to be published after keys were made, as the tenant names them."""
    from exo_auth.checks.dkim import cname_record

    if outcome.change.verb.value != "create" or outcome.result is not Result.APPLIED:
        return
    for selector in ("selector1", "selector2"):
        target = outcome.evidence.get(f"{selector}_cname")
        if target:
            yield record_line(
                cname_record(outcome.change.target, selector, DomainName.parse_lookup(str(target)))
            )
