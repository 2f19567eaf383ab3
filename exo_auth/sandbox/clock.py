"""`SandboxClock`: the real time plus an offset that can be moved (sandbox)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def utc_now() -> datetime:
    """Read this machine's clock."""
    return datetime.now(UTC)


class SandboxClock:
    """The clock that the admin API and the DKIM windows run on. Entra runs on the real one."""

    def __init__(self, real: Callable[[], datetime] = utc_now) -> None:
        self._real = real
        self._lock = threading.Lock()
        self._offset = timedelta(0)

    @property
    def offset(self) -> timedelta:
        """How far the clock was moved."""
        with self._lock:
            return self._offset

    def now(self) -> datetime:
        """Give the sandbox's time, UTC."""
        return self._real() + self.offset

    def advance(self, by: timedelta) -> datetime:
        """Move the clock; give the new time."""
        with self._lock:
            self._offset += by
        return self.now()

    def set_offset(self, offset: timedelta) -> None:
        """Put the clock at a known distance from the real time."""
        with self._lock:
            self._offset = offset


def read_span(text: str) -> timedelta:
    """Read 4d, 96h, 30m or 1d12h; raises ValueError."""
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None or not text.strip():
        raise ValueError(f"“{text}” is no span of time; write it like 4d, 96h or 30m")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
