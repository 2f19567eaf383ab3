"""`Lane`: one call at a time over connections of its own; a tenant has one for reads and one for writes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta

from exo_auth.exchange.wire import Wire

STAYS_WARM = 2.0  # seconds; no server closes a connection so soon after it answered on it


@dataclass
class Lane:
    """What the calls of one kind share; the moments are the transport's clock, in seconds."""

    wire: Wire
    lock: threading.Lock = field(default_factory=threading.Lock)
    answered_at: float = float("-inf")
    quiet_until: float = float("-inf")  # the service wants no call before

    def prepare(self, now: float) -> None:
        """Let go of a connection that was idle: where a new one fails to open, certainly nothing was sent."""
        if now - self.answered_at > STAYS_WARM:
            self.wire.forget_connections()

    def hush(self, now: float, asked: timedelta | None) -> None:
        """Keep the Retry-After of a call that will be repeated: it is meant for the other lane, too."""
        self.quiet_until = now + asked.total_seconds() if asked else float("-inf")
