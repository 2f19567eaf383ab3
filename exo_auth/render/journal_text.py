"""The journal as people read it (render, pure). It takes any objects shaped like `run.journal.JournalLine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from exo_auth.errors import ExoAuthError
from exo_auth.plan.plan_file import change_from_document
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


class Verdict(Protocol):
    """What the verification of a journal found."""

    @property
    def lines(self) -> int: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def torn(self) -> int: ...  # noqa: D102


def runs_text(journals: Mapping[str, Sequence[Line]], output: str, *, color: bool = False) -> str:
    """Write one line a run, oldest first: when, how many changes, how they ended; journals by their name."""
    runs: list[tuple[str, str, list[Line], dict[str, int]]] = []
    for journal, lines in journals.items():
        own: dict[str, list[Line]] = {}
        for line in lines:
            own.setdefault(line.run_id, []).append(line)
        found_out = _found_out(lines)
        runs += [(name, journal, of, _results(of, found_out)) for name, of in own.items()]
    runs.sort(key=lambda one: (one[2][0].at, one[2][0].number))
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal-list/1",
                "runs": [
                    {
                        "run": name,
                        "journal": journal,
                        "at": iso(own[0].at),
                        "changes": _changes(own),
                        "results": results,
                    }
                    for name, journal, own, results in runs
                ],
            }
        )
    rows = tuple(
        (
            name,
            moment(of[0].at),
            str(_changes(of)),
            ", ".join(f"{count} {word}" for word, count in results.items()),
            journal,
        )
        for name, journal, of, results in runs
    )
    return _table(("Run", "At", "Changes", "Results", "Journal"), rows, journals, output, color=color)


def lines_text(journals: Mapping[str, Sequence[Line]], output: str, *, color: bool = False) -> str:
    """Write the lines of runs, oldest first, each with what it says; journals by their name."""
    every = [(line, journal) for journal, lines in journals.items() for line in lines]
    every.sort(key=lambda one: (one[0].at, one[0].number))
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal/1",
                "lines": [
                    {
                        "n": line.number,
                        "journal": journal,
                        "at": iso(line.at),
                        "run": line.run_id,
                        "event": line.event,
                        "body": line.body,
                    }
                    for line, journal in every
                ],
            }
        )
    rows = tuple(
        (str(line.number), moment(line.at), line.run_id, line.event, _told(line), journal)
        for line, journal in every
    )
    return _table(("No", "At", "Run", "Event", "What", "Journal"), rows, journals, output, color=color)


def verdicts_text(verdicts: Mapping[str, Verdict], output: str) -> str:
    """Say of each journal, by its file, whether the chain holds, and what a kill left behind."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/journal-verify/1",
                "whole": all(one.error is None for one in verdicts.values()),
                "journals": [
                    {
                        "file": file,
                        "lines": one.lines,
                        "whole": one.error is None,
                        "error": one.error,
                        "torn_octets": one.torn,
                    }
                    for file, one in verdicts.items()
                ],
            }
        )
    return "\n".join(_verdict(file, one) for file, one in verdicts.items()) or "there is no journal yet"


def _verdict(file: str, verdict: Verdict) -> str:
    if verdict.error is not None:
        return f"{visible(verdict.error)}\nthe first {verdict.lines} lines hold"
    torn = (
        f"\nan unfinished last line of {verdict.torn} octets: the run was killed while it wrote it"
        if verdict.torn
        else ""
    )
    return f"{file}: {verdict.lines} lines, the chain holds{torn}"


def _table(
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
    journals: Mapping[str, Sequence[Line]],
    output: str,
    *,
    color: bool,
) -> str:
    """Write a table whose last column is the journal; where there is only one, people need not read its name."""
    if len(journals) < 2 and output == "table":
        columns, rows = columns[:-1], tuple(row[:-1] for row in rows)
    return Table(columns, rows).to_text(output, color=color)


def _changes(lines: Sequence[Line]) -> int:
    return sum(line.event == "intent" for line in lines)


def _found_out(lines: Sequence[Line]) -> dict[int, str]:
    """Give what later runs found out about changes that were left in flight, by the number of the announcement."""
    return {
        int(line.body["intent"]): f"found {line.body['effect']}"
        for line in lines
        if line.event == "resolved" and "effect" in line.body
    }


def _results(lines: Sequence[Line], found_out: Mapping[int, str]) -> dict[str, int]:
    ends = {int(line.body.get("intent", 0)): line for line in lines if line.event == "result"}
    found: dict[str, int] = {}
    for line in lines:
        if line.event != "intent":
            continue
        end = ends.get(line.number)
        word = found_out.get(line.number) or (
            str(end.body.get("result", "")) if end is not None else "in flight"
        )
        found[word] = found.get(word, 0) + 1
    return found


def _key(change: Mapping[str, Any]) -> str:
    """Name a change as `undo --only` takes it; one of a newer version by what can be read of it."""
    try:
        return change_from_document(change).key
    except (KeyError, TypeError, ValueError, ExoAuthError):
        return f"{change.get('verb')}:{change.get('domain')}"


def _told(line: Line) -> str:
    body = line.body
    if line.event == "intent":
        change = body.get("change", {})
        return f"{_key(change)}: {change.get('because')}"
    if line.event == "resolved":
        return str(body.get("sentence", ""))
    if line.event == "through":
        return f"{body.get('domain')} waits before stage {body.get('stage')} from here on"
    error = f": {body['error']}" if body.get("error") else ""
    return f"of line {body.get('intent')}: {body.get('result')}{error}"
