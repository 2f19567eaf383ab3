"""`ServiceClock`: the time by which rotation windows are judged, the one the service states with its answers (run)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

TOLERATED_SKEW = timedelta(minutes=5)


def utc_now() -> datetime:
    """Read this machine's clock."""
    return datetime.now(UTC)


class ServiceClock:
    """Runs on from the last time the service stated; this machine's clock serves until it stated one."""

    def __init__(
        self,
        local: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local = local
        self._monotonic = monotonic
        self._stated: tuple[datetime, float] | None = None

    def hear(self, stated: datetime | None) -> None:
        """Take over what an answer's Date header says; None changes nothing."""
        if stated is not None:
            self._stated = (stated, self._monotonic())

    def now(self) -> datetime:
        """Give the service's time, UTC."""
        if self._stated is None:
            return self._local()
        stated, heard_at = self._stated
        return stated + timedelta(seconds=self._monotonic() - heard_at)

    def skew(self) -> timedelta:
        """How far this machine's clock is ahead of the service's; negative when it is behind."""
        return self._local() - self.now()

    def skew_warning(self) -> str | None:
        """Say so when the two clocks are further apart than five minutes."""
        skew = self.skew()
        if abs(skew) <= TOLERATED_SKEW:
            return None
        minutes = abs(skew).total_seconds() / 60
        direction = "ahead of" if skew > timedelta(0) else "behind"
        return (
            f"this machine's clock is {minutes:.0f} minutes {direction} the service's; "
            "rotation windows are judged by the service's clock. Set the clock right (NTP)"
        )
