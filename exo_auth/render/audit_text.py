"""Rules of frameworks and who breaks them (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exo_auth.checks.changes import Baseline
from exo_auth.checks.frameworks import RuleVerdict, score_of
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso

MOST_NAMED = 3  # domains in a cell


def audit_text(
    verdicts: Sequence[RuleVerdict], at: datetime, domains: int, output: str, *, color: bool = False
) -> str:
    """Write one row for each rule, and the score."""
    score = score_of(verdicts)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/audit/1",
                "checked_at": iso(at),
                "domains": domains,
                "score": {"kept": score.kept, "judged": score.judged, "percent": score.percent},
                "rules": [
                    {
                        "framework": v.rule.framework.value,
                        "rule": v.rule.id,
                        "title": v.rule.title,
                        "must": v.rule.must,
                        "state": v.state,
                        "kept": v.kept,
                        "broken": list(v.broken),
                        "unknown": list(v.unknown),
                    }
                    for v in verdicts
                ],
            }
        )
    rows = tuple(
        (
            v.rule.framework.value,
            v.rule.id,
            "must" if v.rule.must else "should",
            v.state,
            f"{v.kept} of {domains}",
            v.rule.title,
            _named(v.broken or v.unknown),
        )
        for v in verdicts
    )
    columns = ("Framework", "Rule", "Asks", "State", "Kept", "Title", "Not kept by")
    text = Table(columns, rows).to_text(output, color=color)
    if output != "table":
        return text
    percent = f"{score.percent} %" if score.percent is not None else "nothing could be judged"
    return f"{text}\nscore {percent}: {score.kept} of {score.judged} rules kept, over {domains} domains"


def compare_text(before: Baseline, after: Baseline, output: str) -> str:
    """Write which findings are new and which are gone between two documents."""
    rows: list[tuple[str, str, str, str]] = []
    for domain in sorted({*before.known, *after.known}):
        old, new = before.known.get(domain, {}), after.known.get(domain, {})
        rows += [(domain, "new", past.code, past.message) for key, past in new.items() if key not in old]
        rows += [(domain, "gone", past.code, past.message) for key, past in old.items() if key not in new]
    if output == "json":
        keys = ("domain", "change", "code", "message")
        return to_text(
            {
                "schema": "exo-auth/compare/1",
                "changes": [dict(zip(keys, row, strict=True)) for row in rows],
            }
        )
    if not rows and output == "table":
        return "no differences"
    return Table(("Domain", "Change", "Code", "What"), tuple(rows)).to_text(output)


def _named(domains: Sequence[str]) -> str:
    more = len(domains) - MOST_NAMED
    named = ", ".join(map(visible, domains[:MOST_NAMED]))
    return f"{named} and {more} more" if more > 0 else named
