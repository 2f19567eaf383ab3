"""Record sets before and after, with what the change costs (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exo_auth.plan.record_meaning import first_difference
from exo_auth.plan.record_set import RecordChange
from exo_auth.render.document import to_text
from exo_auth.render.record_set_text import shown
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table

SHOWN = 40  # octets of each value behind the first that differs


def changes_text(changes: Sequence[RecordChange], output: str, files: dict[str, str] | None = None) -> str:
    """Write what would change; `files` are texts to host, by name."""
    if output in ("json", "ndjson"):
        return to_text(changes_document(changes, files or {}))
    if output != "table":
        rows = tuple(
            (
                one.owner.ascii,
                one.type,
                " | ".join(one.before),
                " | ".join(one.after),
                "; ".join(one.because),
                one.refusal,
            )
            for one in changes
        )
        return Table(("Name", "Type", "Before", "After", "Because", "Refused"), rows).to_text(output)
    lines = [line for one in changes for line in _lines(one)]
    for name, text in (files or {}).items():
        lines += ["", f"{name}:", *(f"  {line}" for line in text.splitlines())]
    return "\n".join(lines)


def changes_document(changes: Sequence[RecordChange], files: dict[str, str]) -> dict[str, Any]:
    """Describe the changes as plain JSON values."""
    return {
        "schema": "exo-auth/record-changes/1",
        "changes": [
            {
                "name": one.owner.ascii,
                "type": one.type,
                "ttl": one.ttl,
                "needed": one.is_needed,
                "before": list(one.before),
                "after": list(one.after),
                "because": list(one.because),
                "notes": list(one.notes),
                "refused": one.refusal or None,
            }
            for one in changes
        ],
        "files": files,
    }


def _lines(change: RecordChange) -> Iterator[str]:
    sign = "=" if not change.is_needed else "!" if change.refusal else "~" if change.before else "+"
    yield f"{sign} {change.owner.unicode} {change.type}  TTL {change.ttl}"
    for value in change.before:
        yield f"    {' ' if value in change.after else '-'} {visible(shown(change.type, value))}"
    for value in change.after:
        if value not in change.before:
            yield f"    + {visible(shown(change.type, value))}"
    yield from _where_it_differs(change)
    yield from (f"  because {visible(text)}" for text in change.because)
    yield from (f"  note: {visible(text)}" for text in change.notes)
    if change.refusal:
        yield f"  refused: {visible(change.refusal)}"


def _where_it_differs(change: RecordChange) -> Iterator[str]:
    """Point at the first octet that is otherwise, where one value takes the place of one."""
    gone = [value for value in change.before if value not in change.after]
    new = [value for value in change.after if value not in change.before]
    if len(gone) == len(new) == 1:
        octet = first_difference(gone[0], new[0])
        means = "" if change.is_needed else "; they mean the same"
        yield (
            f"  from octet {octet}: {visible(gone[0][octet - 1 :][:SHOWN]) or '(the end)'} becomes "
            f"{visible(new[0][octet - 1 :][:SHOWN]) or '(the end)'}{means}"
        )
