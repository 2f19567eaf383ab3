"""`Simulation`: who would pass under another SPF record (plan, pure)."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.plan.record_set import RecordChange


@dataclass(frozen=True)
class SenderVerdict:
    """One sender under the record as published and as proposed."""

    address: str
    before: str
    after: str
    term: str  # of the proposed record, "" where none matched

    @property
    def is_lost(self) -> bool:
        """Does it pass today, and not any more?"""
        return self.before == "pass" and self.after != "pass"


@dataclass(frozen=True)
class Simulation:
    """What a changed record does to those who send."""

    change: RecordChange
    senders: tuple[SenderVerdict, ...]
    lost: tuple[str, ...]  # networks that pass today and not any more
    unknown: tuple[str, ...]  # what cannot be known before a message comes
