"""Facts that many domains share: the hosts they name, the records they include (lookup; pure: the clock is given)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_SHARED = 1024  # of a kind
SECONDS = 5.0  # as long as the resolver remembers any answer


class Shared(Generic[T]):
    """Facts of one kind by name, so that what stands behind ten thousand domains is put together once.

    `clock` tells seconds. Nothing is kept longer than a resolver keeps the answers that it was made from.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._facts: dict[str, tuple[float, T]] = {}

    def get(self, name: str) -> T | None:
        """Give what is known about a name."""
        kept = self._facts.get(name)
        return kept[1] if kept is not None and kept[0] > self._clock() else None

    def keep(self, name: str, fact: T) -> T:
        """Remember a fact; all are forgotten when there are too many."""
        if len(self._facts) >= MOST_SHARED:
            self._facts.clear()
        self._facts[name] = self._clock() + SECONDS, fact
        return fact
