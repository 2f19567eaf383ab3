"""The journal as people read it (render, pure). It takes any objects shaped like `run.journal.JournalLine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso, moment


class Line(Protocol):
    """One line of a journal."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def event(self) -> str: ...  # noqa: D102
    @property
    def body(self) -> Mapping[str, Any]: ...  # noqa: D102


def runs_text(lines: Sequence[Line], output: str, *, color: bool = False) -> str:
    """Write one line a run: when, how many changes, how they ended."""
    runs: dict[str, list[Line]] = {}
    for line in lines:
        runs.setdefault(line.run_id, []).append(line)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal-list/1",
                "runs": [
                    {"run": name, "at": iso(own[0].at), "changes": _changes(own), "results": _results(own)}
                    for name, own in runs.items()
                ],
            }
        )
    rows = tuple(
        (
            name,
            moment(own[0].at),
            str(_changes(own)),
            ", ".join(f"{count} {word}" for word, count in _results(own).items()),
        )
        for name, own in runs.items()
    )
    return Table(("Run", "At", "Changes", "Results"), rows).to_text(output, color=color)


def lines_text(lines: Sequence[Line], output: str, *, color: bool = False) -> str:
    """Write the lines of runs, each with what it says."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal/1",
                "lines": [
                    {
                        "n": line.number,
                        "at": iso(line.at),
                        "run": line.run_id,
                        "event": line.event,
                        "body": line.body,
                    }
                    for line in lines
                ],
            }
        )
    rows = tuple((str(line.number), moment(line.at), line.run_id, line.event, _told(line)) for line in lines)
    return Table(("No", "At", "Run", "Event", "What"), rows).to_text(output, color=color)


def verdict_text(file: str, lines: int, error: str | None, torn: int, output: str) -> str:
    """Say whether the chain holds, and what a kill left behind."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal-verify/1",
                "file": file,
                "lines": lines,
                "whole": error is None,
                "error": error,
                "torn_octets": torn,
            }
        )
    if error is not None:
        return f"{visible(error)}\nthe first {lines} lines hold"
    torn_line = (
        f"\nan unfinished last line of {torn} octets: the run was killed while it wrote it" if torn else ""
    )
    return f"{file}: {lines} lines, the chain holds{torn_line}"


def _changes(lines: Sequence[Line]) -> int:
    return sum(line.event == "intent" for line in lines)


def _results(lines: Sequence[Line]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        if line.event == "result":
            word = str(line.body.get("result", ""))
            found[word] = found.get(word, 0) + 1
    missing = _changes(lines) - sum(found.values())
    return found | ({"in flight": missing} if missing else {})


def _told(line: Line) -> str:
    body = line.body
    if line.event == "intent":
        change = body.get("change", {})
        return f"{change.get('verb')} {change.get('domain')}: {change.get('because')}"
    if line.event == "resolved":
        return str(body.get("sentence", ""))
    error = f": {body['error']}" if body.get("error") else ""
    return f"of line {body.get('intent')}: {body.get('result')}{error}"
