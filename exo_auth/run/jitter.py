"""A start that is spread over a fleet of jobs, the same for one of them all day (run)."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta


def jitter(what: str, day: date, longest: timedelta) -> timedelta:
    """Give the wait for a tenant on a machine, or for a job, on a day, from zero to `longest`, in whole seconds.

    It follows from what waits and the day alone, so that a repeated job starts at the same place in the queue.
    """
    seconds = int(longest.total_seconds())
    if seconds <= 0:
        return timedelta(0)
    digest = hashlib.sha256(f"{what.lower()}|{day.isoformat()}".encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8]) % (seconds + 1))
