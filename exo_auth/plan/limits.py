"""`Limits`: the brake on too much change at once, as it is configured (plan, pure)."""

from __future__ import annotations

from dataclasses import dataclass

SHARE_FLOOR = 10  # the share limit counts from this many domains up; below, only the absolute limit does


@dataclass(frozen=True)
class Limits:
    """The most a plan may change in one run."""

    changes_per_run: int = 25
    share: float = 0.5  # of the tenant's domains under management, from SHARE_FLOOR domains up
