"""`Outcome` and `RunReport`: did it work, and how do we know (plan, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from exo_auth.plan.change import Change
from exo_auth.plan.plan import Plan


class Result(StrEnum):
    """How one change ended."""

    APPLIED = "applied"  # sent, and read back as wanted
    ALREADY_SO = "already_so"  # found as wanted before anything was sent
    ACCEPTED = "accepted"  # the service said yes, but reads do not show it yet
    REFUSED = "refused"  # the service said no, and did nothing
    FAILED = "failed"  # it did not happen, and the reason is known
    UNKNOWN = "unknown"  # sent, and neither the answer nor a later look could tell
    WAITING = "waiting"  # the gate closed again before the change was sent; only time is missing
    BLOCKED = "blocked"  # the gate closed again before the change was sent; a person must look
    STALE = "stale"  # the tenant moved since planning; nothing was sent
    SKIPPED = "skipped"  # never tried: the run was stopped before


@dataclass(frozen=True)
class Outcome:
    """One change and its end; there is one for each change, also when nothing was sent."""

    change: Change
    result: Result
    evidence: Mapping[str, Any] = field(default_factory=dict)  # what was read back, as plain JSON values
    error: str = ""
    hint: str = ""
    not_before: datetime | None = None
    exit_code: int = 0  # of the error's family, for the fold in RunReport


# Highest first: the first code of this list that occurs in a run is the run's.
EXIT_PRIORITY = (10, 9, 8, 7, 1, 5, 6, 3, 4, 2, 0)


def worst_exit_code(codes: set[int]) -> int:
    """Fold the codes of a mixed run into one by the documented priority."""
    return next((code for code in EXIT_PRIORITY if code in codes), max(codes, default=0))


@dataclass(frozen=True)
class RunReport:
    """What a run did: the plan it followed, one outcome for each change, and the exit code of it all."""

    run_id: str
    plan: Plan
    outcomes: tuple[Outcome, ...]
    started_at: datetime
    ended_at: datetime
    interrupted: int = 0  # 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM
    notes: tuple[str, ...] = ()  # such as what became of a change that an earlier run left in flight

    @property
    def exit_code(self) -> int:
        """129, 130 or 143 when interrupted; else the worst of plan and outcomes, 5 when some failed and some did not."""
        if self.interrupted:
            return self.interrupted
        return worst_exit_code(self._codes())

    def _codes(self) -> set[int]:
        codes = plan_exit_codes(self.plan)
        failures = [outcome for outcome in self.outcomes if outcome.exit_code]
        codes |= {outcome.exit_code for outcome in failures}
        done = [o for o in self.outcomes if o.result in (Result.APPLIED, Result.ALREADY_SO, Result.ACCEPTED)]
        hard = [o for o in failures if o.result in (Result.FAILED, Result.REFUSED)]
        if done and hard:
            codes = (codes - {1}) | {5}
        return codes


def plan_exit_codes(plan: Plan) -> set[int]:
    """Give the codes that the plan alone stands for: 4 waiting, 3 a person must act, 6 no verdict."""
    codes = {0}
    if any(deferral.is_waiting for deferral in plan.deferrals):
        codes.add(4)
    for blockage in plan.blockages:
        codes.add(6 if blockage.is_unknown else 3)
    return codes
