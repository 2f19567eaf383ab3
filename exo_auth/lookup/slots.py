"""So many at a time, cheaply where nobody has to wait (lookup; async I/O)."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """Like `asyncio.Semaphore`, first come first served, without a coroutine where a slot is free.

    Use it as `if not slots.take(): await slots.wait()`, and `release` in the end.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    async def wait(self) -> None:
        """Take a slot as soon as one is free."""
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # it was given in the same moment
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back, or a new one: the first who waits gets it."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(None)
                return
        self._free += 1
