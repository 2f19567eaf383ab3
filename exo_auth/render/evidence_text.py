"""What name servers and hosts said about a finding, as text (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.checks.finding import Finding
from exo_auth.render.times import iso


def evidence_heads(one: Finding) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each answer as one line – question, outcome, TTL, who, when – and its values."""
    for e in one.evidence:
        head = f"{e.name} {e.type}: {e.outcome}"
        head += f", TTL {e.ttl_seconds}" if e.ttl_seconds is not None else ""
        head += f", from {e.server}" if e.server else ""
        head += f", at {iso(one.at)}" if one.at else ""
        yield head, e.values


def evidence_line(one: Finding) -> str:
    """Write all evidence on one line."""
    return " ; ".join(
        f"{head}: {' | '.join(values)}" if values else head for head, values in evidence_heads(one)
    )
