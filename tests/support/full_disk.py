"""A disk without room: no file of this process grows beyond a size, as when a file system is full."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from exo_auth.run.journal import Journal, JournalLine


@contextmanager
def disk_that_ends_at(octets: int) -> Iterator[None]:
    """Within the block a write past so many octets of a file is cut short, and then refused."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


class Full(Journal):
    """A journal that has room for half a line when one of that event is to be written."""

    event = "result"

    def append(self, event: str, **rest: Any) -> JournalLine:
        if event != self.event:
            return super().append(event, **rest)
        size = self.path.stat().st_size if self.path.exists() else 0
        with disk_that_ends_at(size + 100):
            return super().append(event, **rest)


class FullAtOnce(Full):
    event = "intent"
