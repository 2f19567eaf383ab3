"""Asking again: how often, after how long, and when not (the only user of tenacity)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import tenacity

from exo_auth.errors import Throttled, TransportBroken
from exo_auth.exchange.errors_on_wire import Failure

T = TypeVar("T")


@dataclass(frozen=True)
class RetryLimits:
    """How patient a cmdlet execution is; seconds."""

    retries: int = 5  # after the first try
    first_wait: float = 2.0  # doubles each time: 2, 4, 8 …
    longest_wait: float = 120.0  # of our own back-off; a Retry-After may ask for more
    total: float = 900.0  # of one execution, all pages and waits included


@dataclass(frozen=True)
class Repeater:
    """Runs attempts until one succeeds or hope is gone; time and chance come from outside."""

    limits: RetryLimits
    sleep: Callable[[float], None]
    clock: Callable[[], float]  # seconds, monotonic
    chance: Callable[[], float]  # 0 ≤ x < 1

    def deadline(self) -> float:
        """Give the clock's reading at which an execution that begins now must end."""
        return self.clock() + self.limits.total

    def run(self, attempt: Callable[[], T | Failure], *, is_write: bool, deadline: float) -> T | Failure:
        """Give the first success, or the last failure; never waits past `deadline`."""

        def hopeless(state: tenacity.RetryCallState) -> bool:
            too_often = state.attempt_number > self.limits.retries
            return too_often or self.clock() + state.upcoming_sleep > deadline

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda result: may_repeat(result, is_write=is_write)),
            wait=self._wait,
            stop=hopeless,
            sleep=self.sleep,
            retry_error_callback=_last_result,
        )
        return retrying(attempt)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        failure = _last_result(state)
        ceiling = min(
            self.limits.longest_wait, self.limits.first_wait * 2.0 ** min(state.attempt_number - 1, 30)
        )
        wait: float = (
            ceiling * self.chance()
        )  # full jitter: tools that failed together do not return together
        asked = failure.retry_after if isinstance(failure, Failure) else None
        return max(wait, (asked or timedelta(0)).total_seconds())


def may_repeat(result: object, *, is_write: bool) -> bool:
    """May the question be put again? A write only when it is certain that nothing was done."""
    if not isinstance(result, Failure) or not result.repeatable:
        return False
    if not is_write:
        return True
    error = result.error
    return isinstance(error, Throttled) or (isinstance(error, TransportBroken) and not error.sent)


def _last_result(state: tenacity.RetryCallState) -> Any:
    if state.outcome is None:
        raise RuntimeError("tenacity asks about an attempt that did not happen")
    return state.outcome.result()
