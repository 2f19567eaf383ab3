"""Durations as people write them: `180d`, `96h`, `4d12h` (run)."""

from __future__ import annotations

import re
from datetime import timedelta

from exo_auth.errors import InputError

LONGEST = timedelta(days=36_500)  # a century: anything longer is a typing error

# Largest first; a duration names each at most once, in this order. Months and years are left out because
# their length varies.
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_RENDERED = ("d", "h", "m", "s")
_UNITS = "w (weeks), d (days), h (hours), m (minutes) or s (seconds)"
_PART = re.compile(r"(?P<number>[0-9]+)(?P<unit>[^\W\d_]*)")
_HINT = "write it like 180d, 96h, 30m or 4d12h"


def parse_duration(text: str) -> timedelta:
    """Read a duration; raises InputError with the position of the first character that does not fit."""
    body = text.strip()
    start = text.index(body) if body else 0
    if not body:
        raise InputError("the duration is empty", position=0, hint=_HINT)
    seconds, at, left = 0, 0, list(_SECONDS)
    while at < len(body):
        part = _PART.match(body, at)
        if part is None:
            raise _refusal(text, start + at, "a number is expected")
        unit = part["unit"]
        if unit not in left:
            raise _refusal(text, start + part.start("unit"), _complaint(unit))
        left = left[left.index(unit) + 1 :]
        digits = part["number"].lstrip("0")[:18]  # eighteen are past LONGEST already, and cheap to convert
        seconds += int(digits or "0") * _SECONDS[unit]
        at = part.end()
    if seconds > LONGEST.total_seconds():
        raise InputError(f"“{text}” is longer than a century", position=start, hint=_HINT)
    return timedelta(seconds=seconds)


def render_duration(duration: timedelta) -> str:
    """Write a duration of whole seconds so that `parse_duration` reads the same; fractions are dropped."""
    rest = int(duration.total_seconds())
    parts = []
    for unit in _RENDERED:
        count, rest = divmod(rest, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _complaint(unit: str) -> str:
    if not unit:
        return f"a unit is expected: {_UNITS}"
    if unit in _SECONDS:
        return f"“{unit}” comes after a smaller or equal unit"
    return f"“{unit}” is not a unit; there are {_UNITS}"


def _refusal(text: str, position: int, complaint: str) -> InputError:
    return InputError(
        f"“{text}” is not a duration: {complaint}, at character {position + 1}",
        position=position,
        hint=_HINT,
    )
