"""What a DMARC tree walk found (facts, pure). RFC 9989 §4.10."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.records.dmarc import DmarcRecord


@dataclass(frozen=True)
class WalkStep:
    """One name that was asked. `record` is None where there is none, or more than one (then all are discarded)."""

    name: DomainName
    record: DmarcRecord | RecordSyntaxError | None = None
    text: str = ""
    count: int = 0  # of DMARC records there
    failure: str = ""  # why DNS gave no verdict


@dataclass(frozen=True)
class DmarcWalk:
    """All steps from the longest name to the shortest, and whether the author domain exists.

    `failure` is set when a step had no verdict: then nothing can be said about the policy.
    """

    author: DomainName
    steps: tuple[WalkStep, ...]
    exists: bool = True  # False after NXDOMAIN only
    failure: str = ""

    @cached_property
    def found(self) -> tuple[tuple[DomainName, DmarcRecord], ...]:
        """The records that count, longest name first."""
        return tuple(
            [(step.name, step.record) for step in self.steps if isinstance(step.record, DmarcRecord)]
        )
