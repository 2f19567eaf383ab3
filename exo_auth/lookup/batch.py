"""`Batch`: one thing to wait for, whatever number of questions are asked (lookup; async I/O).

A task or a future for each question would cost more than the question itself.
"""

from __future__ import annotations

import asyncio

from exo_auth.facts.dns import Answer
from exo_auth.lookup.name_servers import CLOSED
from exo_auth.lookup.wire import Data


class Batch:
    """Answers to several questions, some of which are still to come."""

    __slots__ = ("_answers", "_left", "_ready")

    def __init__(self, size: int) -> None:
        self._answers: list[Answer[Data]] = [CLOSED] * size
        self._left = size
        self._ready: asyncio.Future[None] | None = None

    def put(self, number: int, answer: Answer[Data]) -> None:
        """Note the answer to one of the questions."""
        self._answers[number] = answer
        self._left -= 1
        if self._left == 0 and self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def complete(self) -> list[Answer[Data]]:
        """Give the answers as soon as all are there."""
        if self._left:
            self._ready = asyncio.get_running_loop().create_future()
            await self._ready
        return self._answers
