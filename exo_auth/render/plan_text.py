"""A plan as people read it (render, pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.groups import P, Part, StagePart, alike, by_stage, domains_of
from exo_auth.plan.plan import Plan
from exo_auth.render.powershell_text import powershell_line
from exo_auth.render.records_text import record_line
from exo_auth.render.safe_text import visible
from exo_auth.render.table import painted
from exo_auth.render.times import moment

SHORT = 40  # parts; a plan with more is summed up, what is alike under one heading
MANY = 4  # parts that are alike, from which on they are summed up
NAMED = 5  # domains named in a summary

_SIGN_STYLES = {"+": "green", "~": "cyan", "-": "red"}


def plan_text(plan: Plan, *, color: bool = False, whole: bool = False) -> str:
    """Write stage by stage what is sent, what waits, what is held and why, and one line of counts.

    A long plan is summed up: what is the same for many domains stands once, unless the `whole` is wanted.
    """
    return "\n".join(_lines(plan, color, whole))


def _lines(plan: Plan, color: bool, whole: bool) -> Iterator[str]:
    is_long = len(plan.changes) + len(plan.deferrals) + len(plan.blockages) > SHORT and not whole
    for part in by_stage(plan):
        if part.stage:
            yield painted(f"stage {part.stage}", "bold", color=color)
        yield from _written(part, color, MANY if is_long else None)
    if plan.exceeds_limit:
        yield painted(f"over the limit: {plan.exceeds_limit}; it will be refused", "red", color=color)
    if is_long:
        yield "what is alike stands once; --verbose names every domain, and so do -o md and -o json"
    yield counts_line(plan)
    if plan.changes:
        yield f"digest {plan.digest[:16]}  valid until {moment(plan.expires_at)}"


def _written(part: StagePart, color: bool, many: int | None) -> Iterator[str]:
    """Write a stage line by line; from `many` parts on that are alike, the first of them for all."""
    yield from _each(part.changes, lambda one: change_lines(one, color=color), many)
    yield from _each(part.deferrals, lambda one: [_deferral(one, color)], many)
    yield from _each(part.blockages, lambda one: _blockage(one, color), many)


def _each(parts: Sequence[P], write: Callable[[P], Iterable[str]], many: int | None) -> Iterator[str]:
    for group in alike(parts) if many else [parts]:
        if many is None or len(group) < many:
            yield from (line for one in group for line in write(one))
            continue
        first, *more = write(group[0])
        sign, _, rest = first.partition(" ")
        yield f"{sign} {_counted(group)}, such as {rest}"
        yield from more
        yield from _span(group)
        yield f"    {names_of(group)}"


def _span(parts: Sequence[Part]) -> Iterator[str]:
    """Say when the last of some that wait is ready, where it is not when the first is."""
    moments = {one.retry_after for one in parts if isinstance(one, Deferral) and one.retry_after}
    if len(moments) > 1:
        yield f"    not before {moment(min(moments))} for the first, {moment(max(moments))} for the last"


def _counted(parts: Sequence[Part]) -> str:
    domains = len(domains_of(parts))
    return f"{len(parts)} times" if domains < len(parts) else f"{domains} domains"


def names_of(parts: Sequence[Part], most: int = NAMED) -> str:
    """Name the first domains, and count the others."""
    names = domains_of(parts)
    shown = ", ".join(name.unicode for name in names[:most])
    return shown + (f", and {len(names) - most} more" if len(names) > most else "")


def change_lines(change: Change, *, color: bool = False) -> Iterator[str]:
    """Write one change: what and why, the values that go and come, the cmdlet, the way back."""
    sign = painted(change.sign, _SIGN_STYLES.get(change.sign, "cyan"), color=color)
    yield f"{sign} {change.target.unicode}  {change.verb}: {visible(change.because)}"
    before, after = change.before.get("values"), change.after.get("values")
    if isinstance(before, list) and isinstance(after, list):
        yield from (f"    {' ' if value in after else '-'} {value_text(value)}" for value in before)
        yield from (f"    + {value_text(value)}" for value in after if value not in before)
    if line := powershell_line(change):
        yield f"    {visible(line)}"
    if change.undo:
        yield f"    undo: {change.undo}"


def value_text(value: object) -> str:
    """Write a value of a record set."""
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


def findings_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Write findings with all that finding_lines has, each under its severity and its message."""
    for one in findings:
        yield f"{one.severity}  {visible(one.message)}"
        yield from finding_lines(one, indent="  ")


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
        (
            sum(not one.is_waiting and one.verb is not Verb.REPORT for one in plan.deferrals),
            "with nothing to do now",
        ),
        (len(plan.blockages) - unknown, "blocked"),
        (unknown, "unknown"),
        (len(plan.steady), "steady"),
    ):
        if count:
            parts.append(f"{count} {word}")
    domains = f"{plan.considered} domain{'s' if plan.considered != 1 else ''}"
    whose = f" of {plan.tenant}" if plan.tenant.cloud else ""  # records alone have none
    return f"{domains}{whose}: " + (", ".join(parts) if parts else "nothing to do")
