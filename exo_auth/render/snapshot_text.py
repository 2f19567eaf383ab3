"""Snapshots: what is in one, and what differs between two (render, pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from exo_auth.checks.evidence import evidence
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso

Answers = Mapping[tuple[str, str], Answer[Any]]


def snapshot_text(at: datetime, domains: Sequence[str], answers: Answers, tenant: str, output: str) -> str:
    """Tell when a snapshot was taken, of whom, and how many answers were had."""
    counts = {
        "found": sum(isinstance(answer, Found) for answer in answers.values()),
        "absent": sum(isinstance(answer, Missing) for answer in answers.values()),
        "failed": sum(isinstance(answer, LookupFailed) for answer in answers.values()),
    }
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/snapshot-show/1",
                "taken_at": iso(at),
                "tenant": tenant or None,
                "domains": list(domains),
                "answers": counts,
            }
        )
    rows = [("taken at", iso(at) or ""), ("tenant", tenant), ("domains", ", ".join(domains))]
    rows += [(f"answers {word}", str(number)) for word, number in counts.items()]
    return Table(("Fact", "Value"), tuple(rows)).to_text(output)


def diff_text(
    before: Answers, after: Answers, random_labels: tuple[str, str], output: str
) -> tuple[str, bool]:
    """Write the answers that differ, and tell whether any does; TTLs and servers do not count."""
    old, new = (_plain(answers, label) for answers, label in zip((before, after), random_labels, strict=True))
    rows = tuple(
        (name, rdtype, old.get((name, rdtype), "not asked"), new.get((name, rdtype), "not asked"))
        for name, rdtype in sorted({*old, *new})
        if old.get((name, rdtype)) != new.get((name, rdtype))
    )
    if output == "json":
        keys = ("name", "type", "before", "after")
        return (
            to_text(
                {
                    "schema": "exo-auth/snapshot-diff/1",
                    "differences": [dict(zip(keys, row, strict=True)) for row in rows],
                }
            ),
            bool(rows),
        )
    if not rows and output == "table":
        return "no differences", False
    return Table(("Name", "Type", "Before", "After"), rows).to_text(output), bool(rows)


def _plain(answers: Answers, random_label: str) -> dict[tuple[str, str], str]:
    """Give answers as text; names with the random label get the same label in both snapshots."""
    return {
        (name.replace(random_label, "<random>"), rdtype): _told(name, rdtype, answer)
        for (name, rdtype), answer in answers.items()
    }


def _told(name: str, rdtype: str, answer: Answer[Any]) -> str:
    if isinstance(answer, LookupFailed):
        return f"failed: {answer.reason}"
    seen = evidence(name, rdtype, _with_text(answer))
    via = "".join(f"{hop.target} ← " for hop in reversed(answer.via))
    return visible(via + (" | ".join(sorted(seen.values)) or seen.outcome))


def _with_text(answer: Answer[Any]) -> Answer[Any]:
    """Join the strings of TXT values, as they come from the wire."""
    if not isinstance(answer, Found):
        return answer
    values = tuple(
        b"".join(value).decode("ascii", errors="replace") if isinstance(value, tuple) else value
        for value in answer.values
    )
    return answer.holding(values)
