"""A plan as people read it (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.plan.change import Blockage, Change, Deferral
from exo_auth.plan.plan import Plan
from exo_auth.render.powershell_text import powershell_line
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.table import painted
from exo_auth.render.times import moment

_SIGN_STYLES = {"+": "green", "~": "cyan", "-": "red"}


def plan_text(plan: Plan, *, color: bool = False) -> str:
    """Write changes first, then what waits, what is held and why, and one line of counts."""
    return "\n".join(_lines(plan, color))


def _lines(plan: Plan, color: bool) -> Iterator[str]:
    for change in plan.changes:
        yield from change_lines(change, color=color)
    for deferral in plan.deferrals:
        yield _deferral(deferral, color)
    for blockage in plan.blockages:
        yield from _blockage(blockage, color)
    if plan.exceeds_limit:
        yield painted(f"over the limit: {plan.exceeds_limit}; it will be refused", "red", color=color)
    yield counts_line(plan)
    if plan.changes:
        yield f"digest {plan.digest[:16]}  valid until {moment(plan.expires_at)}"


def change_lines(change: Change, *, color: bool = False) -> Iterator[str]:
    """Write one change: what and why, the values that go and come, the cmdlet, the way back."""
    sign = painted(change.verb.sign, _SIGN_STYLES.get(change.verb.sign, "cyan"), color=color)
    yield f"{sign} {change.target.unicode}  {change.verb}: {visible(change.because)}"
    before, after = change.before.get("values"), change.after.get("values")
    if isinstance(before, list) and isinstance(after, list):
        yield from (f"    {' ' if value in after else '-'} {_value(value)}" for value in before)
        yield from (f"    + {_value(value)}" for value in after if value not in before)
    if line := powershell_line(change):
        yield f"    {visible(line)}"
    if change.undo:
        yield f"    undo: {change.undo}"


def _value(value: object) -> str:
    text = str(value)
    return visible(
        f"{text}." if text.endswith(" ") else text
    )  # the host of a null MX is the root, RFC 7505 §3


def _deferral(deferral: Deferral, color: bool) -> str:
    until = f"; not before {moment(deferral.retry_after)}" if deferral.retry_after else ""
    sign = painted("…" if deferral.is_waiting else "·", "yellow", color=color)
    return f"{sign} {deferral.target.unicode}  {visible(deferral.reason)}{until}"


def _blockage(blockage: Blockage, color: bool) -> Iterator[str]:
    sign = painted(
        "?" if blockage.is_unknown else "!", "magenta" if blockage.is_unknown else "red", color=color
    )
    yield f"{sign} {blockage.target.unicode}  {visible(blockage.reason)}"
    for finding in blockage.findings:
        yield from finding_lines(finding, indent="    ")


def finding_lines(finding: Finding, indent: str) -> Iterator[str]:
    """Write what was seen, what is wanted, and what to do about one finding."""
    yield f"{indent}{finding.code}  {visible(finding.seen)}" if finding.seen else f"{indent}{finding.code}"
    if finding.remedy:
        yield f"{indent}  do: {visible(finding.remedy)}"
    for record in _distinct(finding.records):
        yield f"{indent}  {record_line(record)}"
    if finding.not_before:
        yield f"{indent}  caches may remember the old answer until {moment(finding.not_before)}"


def _distinct(records: tuple[DnsRecord, ...]) -> list[DnsRecord]:
    return list(dict.fromkeys(records))


def counts_line(plan: Plan) -> str:
    """Count the changes by verb, then what waits, is held, unknown, and right as it is."""
    verbs: dict[str, int] = {}
    for change in plan.changes:
        verbs[change.verb.value] = verbs.get(change.verb.value, 0) + 1
    waiting = sum(deferral.is_waiting for deferral in plan.deferrals)
    unknown = sum(blockage.is_unknown for blockage in plan.blockages)
    parts = [f"{count} to {verb}" for verb, count in verbs.items()]
    for count, word in (
        (waiting, "waiting"),
        (len(plan.deferrals) - waiting, "with nothing to do now"),
        (len(plan.blockages) - unknown, "blocked"),
        (unknown, "unknown"),
        (len(plan.steady), "steady"),
    ):
        if count:
            parts.append(f"{count} {word}")
    domains = f"{plan.considered} domain{'s' if plan.considered != 1 else ''}"
    return f"{domains} of {plan.tenant}: " + (", ".join(parts) if parts else "nothing to do")
