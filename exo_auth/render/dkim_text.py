"""Status and calendar of DKIM keys (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from exo_auth.plan.status import CalendarEntry, DkimStatusRow
from exo_auth.render.document import calendar_document, dkim_status_document, to_text
from exo_auth.render.records_text import records_output
from exo_auth.render.table import Table
from exo_auth.render.times import days, moment

__all__ = ["calendar_ics", "calendar_text", "records_output", "status_text"]

LONGEST_LINE = 75  # octets, RFC 5545 §3.1


def status_text(rows: Iterable[DkimStatusRow], output: str, *, color: bool = False) -> str:
    """Write one line a domain, and a line of counts for people."""
    found = list(rows)
    if output == "json":
        return to_text(dkim_status_document(found))
    table = Table(
        ("Domain", "Phase", "Signs with", "Key 1", "Key 2", "Age", "Due", "Gate", "Note"),
        tuple(
            (
                row.domain.unicode,
                row.phase,
                row.active_selector or "—",
                *(str(size) if size else "—" for size in row.key_sizes),
                days(row.key_age),
                "now" if row.phase == "due" else moment(row.due_at),
                row.readiness,
                row.note,
            )
            for row in found
        ),
    )
    text = table.to_text(output, color=color)
    return f"{text}\n{_counts(found)}" if output == "table" else text


def calendar_text(entries: Iterable[CalendarEntry], output: str, *, color: bool = False) -> str:
    """Write what comes when, earliest first."""
    found = list(entries)
    if output == "json":
        return to_text(calendar_document(found))
    rows = tuple((moment(entry.at), entry.domain.unicode, entry.what, entry.note) for entry in found)
    return Table(("When", "Domain", "What", "Note"), rows).to_text(output, color=color)


def calendar_ics(entries: Iterable[CalendarEntry], *, made_at: datetime) -> str:
    """Write the calendar as RFC 5545: CRLF, folded lines, stable UIDs."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//exo-auth//dkim calendar//EN"]
    for entry in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{entry.what.replace(' ', '-')}-{_stamp(entry.at)}@{entry.domain.ascii}",
            f"DTSTAMP:{_stamp(made_at)}",
            f"DTSTART:{_stamp(entry.at)}",
            f"SUMMARY:{_escaped(f'DKIM {entry.what}: {entry.domain.unicode}')}",
            f"DESCRIPTION:{_escaped(entry.note)}",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(_folded(line) + "\r\n" for line in lines)


def _counts(rows: list[DkimStatusRow]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.phase] = counts.get(row.phase, 0) + 1
    told = ", ".join(f"{count} {phase}" for phase, count in counts.items())
    return f"{len(rows)} domain{'s' if len(rows) != 1 else ''}" + (f": {told}" if told else "")


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for char, escape in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):  # RFC 5545 §3.3.11
        text = text.replace(char, escape)
    return text


def _folded(line: str) -> str:
    parts: list[str] = []
    part = ""
    for char in line:
        limit = LONGEST_LINE if not parts else LONGEST_LINE - 1
        if len((part + char).encode()) > limit:
            parts.append(part)
            part = ""
        part += char
    return "\r\n ".join([*parts, part])
