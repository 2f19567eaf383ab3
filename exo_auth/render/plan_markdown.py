"""A plan for a change ticket, and a run for a step summary, in Markdown (render, pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from exo_auth.checks.finding import DnsRecord
from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.groups import P, Part, StagePart, alike, by_stage, domains_of
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.render.markdown import code, fenced, folded, plain, table
from exo_auth.render.outcome_text import WORDS, targets_to_publish
from exo_auth.render.plan_text import counts_line, value_text
from exo_auth.render.powershell_text import powershell_line
from exo_auth.render.records_text import record_line
from exo_auth.render.times import moment

MANY = 10  # cmdlet lines that differ in the domain alone, from which on they are written as one loop


def plan_markdown(plan: Plan, apply_line: str = "") -> str:
    """Write what a plan is, then stage by stage what is sent and why, what waits, what is held, and the way back.

    `apply_line` is the command that applies exactly this plan.
    """
    return "\n".join(
        [f"# Plan for {plan.tenant}", "", *_facts(plan), *_body(plan), *_how_to(plan, apply_line)]
    )


def report_markdown(report: RunReport) -> str:
    """Write what a run did: counts, every change that did not simply succeed, then all of them, then what is left."""
    lines = [f"# Run {report.run_id}", "", f"**{report.plan.tenant}: {_counts(report.outcomes)}**", ""]
    if report.interrupted:
        lines += ["**Interrupted**: the change under way was finished, the others were not begun.", ""]
    lines += [*(f"- {plain(note)}" for note in report.notes), *([""] if report.notes else [])]
    trouble = [one for one in report.outcomes if one.result not in (Result.APPLIED, Result.ALREADY_SO)]
    if trouble:
        lines += ["## Needs a look", "", *_outcomes(trouble)]
    if len(trouble) < len(report.outcomes):
        lines += ["## Changes", "", *folded(len(report.outcomes), _outcomes(report.outcomes), "changes")]
    targets = list(_records(line for one in report.outcomes for line in targets_to_publish(one)))
    if targets:
        lines += ["## To be published", "", *targets]
    for part in by_stage(report.plan):
        held = [*_deferred(part.deferrals), *_held_back(part.blockages)]
        if held:
            lines += [
                f"## Not done, and why{f': stage {plain(part.stage)}' if part.stage else ''}",
                "",
                *held,
            ]
    if any(one.result is Result.APPLIED for one in report.outcomes):
        lines += [f"Taken back, where a way back exists, by `exo-auth undo {report.run_id}`."]
    return "\n".join(lines).rstrip("\n")


def _facts(plan: Plan) -> Iterator[str]:
    if plan.exceeds_limit:
        yield from (f"> **Over the limit**: {plain(plan.exceeds_limit)}. It will be refused.", "")
    yield from (f"**{plain(counts_line(plan))}**", "")
    ready = ": DNS and tenant were ready for every change below" if plan.changes else ""
    rows = [
        ("Tenant", f"{plan.tenant}, `{plan.tenant.tenant_id}`"),
        ("Looked at", f"{moment(plan.made_at)}{ready}"),
    ]
    if plan.changes:
        rows += [("Valid until", moment(plan.expires_at)), ("Digest", f"`{plan.digest}`")]
    yield from table(("", ""), rows)


def _body(plan: Plan) -> Iterator[str]:
    for part in by_stage(plan):
        what = "What is done" if part.changes else "What was found"
        yield from (f"## {f'Stage {plain(part.stage)}' if part.stage else what}", "")
        yield from _changes(part)
        yield from _deferred(part.deferrals)
        yield from _held_back(part.blockages)
    if plan.steady:
        yield from ("## Right as they are", "", *_names(plan.steady))


def _changes(part: StagePart) -> Iterator[str]:
    for changes in alike(part.changes):
        first = changes[0]
        yield from (f"### `{first.sign}` {first.verb}: {_domains(changes)}", "")
        values = [(_values(one.before), _values(one.after)) for one in changes]
        if any(before or after for before, after in values):
            rows = [
                (_domain(one), plain(one.because), *pair) for one, pair in zip(changes, values, strict=True)
            ]
            yield from folded(len(rows), table(("Domain", "Why", "Before", "After"), rows), "changes")
        else:
            yield from _reasons(changes, lambda one: one.because)
        yield from _by_hand(changes)
        if first.undo:
            yield from (f"Undo: {plain(first.undo)}", "")


def _by_hand(changes: Sequence[Change]) -> Iterator[str]:
    """Write what would do the same by hand: cmdlets, or lines of a zone file for records."""
    lines = [line for line in map(powershell_line, changes) if line]
    if lines:
        block = _loop(changes) if len(lines) > MANY else lines
        yield from folded(len(block), fenced("powershell", block), "cmdlets")
    yield from _records(line for one in changes if one.cmdlet == OCTODNS for line in _zone_lines(one))


def _loop(changes: Sequence[Change]) -> list[str]:
    """Write lines that differ in the domain alone as one loop; others as they are."""
    lines = [powershell_line(one) for one in changes]
    bodies = {
        f"{line} ".replace(f" {one.target.ascii} ", " $_ ").rstrip()
        for one, line in zip(changes, lines, strict=True)
    }
    if len(bodies) > 1 or "$_" not in min(bodies):
        return lines
    names = ",\n  ".join(
        ", ".join(f"'{name.ascii}'" for name in domains_of(changes)[start : start + 8])
        for start in range(0, len(changes), 8)
    )
    return [*f"{names} |".split("\n"), f"  ForEach-Object {{ {min(bodies)} }}"]


def _zone_lines(change: Change) -> list[str]:
    owner, rdtype = DomainName(str(change.parameters["name"])), str(change.parameters["type"])
    ttl = int(change.after.get("ttl") or change.parameters["ttl"])
    lines = [record_line(DnsRecord(owner, rdtype, str(value), ttl)) for value in change.after["values"]]
    return lines or [f"; {owner} {rdtype}: the whole set goes"]


def _deferred(deferrals: Sequence[Deferral]) -> Iterator[str]:
    for title, parts in (
        ("`…` Waiting", [one for one in deferrals if one.is_waiting]),
        (
            "Nothing to do now",
            [one for one in deferrals if not one.is_waiting and one.verb is not Verb.REPORT],
        ),
        ("Later", [one for one in deferrals if not one.is_waiting and one.verb is Verb.REPORT]),
    ):
        if not parts:
            continue
        yield from (f"### {title}: {_domains(parts)}", "")
        rows = [(_domain(one), plain(one.reason), moment(one.retry_after)) for one in parts]
        if any(row[2] for row in rows):
            yield from folded(len(rows), table(("Domain", "Why", "Not before"), rows), "domains")
        else:
            yield from _reasons(parts, lambda one: one.reason)


def _held_back(blockages: Sequence[Blockage]) -> Iterator[str]:
    for title, parts in (
        ("`!` Held back", [one for one in blockages if not one.is_unknown]),
        ("`?` No verdict", [one for one in blockages if one.is_unknown]),
    ):
        if not parts:
            continue
        yield from (f"### {title}: {_domains(parts)}", "")
        rows = [(_domain(one), plain(one.reason), plain(_to_do(one))) for one in parts]
        yield from folded(len(rows), table(("Domain", "Why", "What to do"), rows), "domains")
        findings = [finding for one in parts for finding in one.findings]
        yield from _records(record_line(record) for finding in findings for record in finding.records)


def _records(lines: Iterable[str]) -> Iterator[str]:
    distinct = dict.fromkeys(lines)
    if distinct:
        yield from folded(len(distinct), fenced("dns-zone", distinct), "records")


def _to_do(blockage: Blockage) -> str:
    return "; ".join(dict.fromkeys(finding.remedy for finding in blockage.findings if finding.remedy))


def _reasons(parts: Sequence[P], why: Callable[[P], str]) -> Iterator[str]:
    """Write why: as a table, or once before the names when it is the same for many."""
    reasons = {why(one) for one in parts}
    if len(parts) > MANY and len(reasons) == 1:
        yield from (plain(reasons.pop()), "", *_names(domains_of(parts)))
        return
    rows = [(_domain(one), plain(why(one))) for one in parts]
    yield from folded(len(rows), table(("Domain", "Why"), rows), "domains")


def _names(names: Sequence[DomainName]) -> list[str]:
    return folded(len(names), [", ".join(code(name.unicode) for name in names), ""], "domains")


def _how_to(plan: Plan, apply_line: str) -> Iterator[str]:
    if not plan.changes:
        return
    yield from ("## How it is carried out", "")
    line = code(apply_line) if apply_line else f"The same command with `--digest {plan.digest[:16]} --yes`"
    yield f"- {line} applies exactly this plan; it refuses when anything has moved since"
    yield "- Each change is compared, and its gate looked at, once more right before it is sent; it is read back afterwards"
    yield "- `exo-auth journal list` names the run, and `exo-auth undo RUN` takes it back where a way back exists"


def _outcomes(outcomes: Iterable[Outcome]) -> list[str]:
    rows = [
        (
            _domain(one.change),
            plain(one.change.action),
            WORDS[one.result],
            plain("; ".join(filter(None, (one.error, one.hint))) or one.change.because),
            moment(one.not_before),
        )
        for one in outcomes
    ]
    keep = 5 if any(row[4] for row in rows) else 4
    columns = ("Domain", "Change", "Result", "Why", "Not before")
    return table(columns[:keep], [row[:keep] for row in rows])


def _counts(outcomes: Sequence[Outcome]) -> str:
    counts: dict[str, int] = {}
    for one in outcomes:
        counts[WORDS[one.result]] = counts.get(WORDS[one.result], 0) + 1
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "nothing was to be done"


def _values(state: Mapping[str, object]) -> str:
    values = state.get("values")
    return "<br>".join(code(value_text(value)) for value in values) if isinstance(values, list) else ""


def _domain(part: Part) -> str:
    return code(part.target.unicode)


def _domains(parts: Sequence[P]) -> str:
    count = len(domains_of(parts))
    return f"{count} domain{'s' if count != 1 else ''}"
