"""What became of changes that an earlier run left in flight (run; pure but for its place in the tree).

A change is open when its intent has no result, or a result that does not tell: accepted but never seen, or unknown.
It is never sent again while it may still take effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import ExoAuthError, JournalError
from exo_auth.facts.tenant import TenantFacts
from exo_auth.plan.change import Change
from exo_auth.plan.dkim_state import Effect, effect_of
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan_file import change_from_document
from exo_auth.run.journal import JournalLine

# A cmdlet may run for 15 minutes on the server, and reads have been seen to lag for several more.
SETTLING_TIME = timedelta(minutes=30)
_DKIM = "-DkimSigningConfig"
OPEN_RESULTS = frozenset({Result.ACCEPTED.value, Result.UNKNOWN.value})


@dataclass(frozen=True)
class OpenChange:
    """A change whose end is not known: its intent's line, and when it was written by the service's clock."""

    number: int
    run_id: str
    service_time: datetime
    change: Change


@dataclass(frozen=True)
class Resolution:
    """What was found out about an open change."""

    open: OpenChange
    effect: Effect
    sentence: str

    @property
    def body(self) -> dict[str, Any]:
        """What the journal holds of it."""
        return {"intent": self.open.number, "effect": self.effect.value, "sentence": self.sentence}


@dataclass(frozen=True)
class Recovery:
    """The result of looking back: sentences for people, resolutions for the journal, domains to leave alone."""

    resolutions: tuple[Resolution, ...] = ()
    in_flight: Mapping[DomainName, datetime] = field(default_factory=dict)

    def only_looked_at(self) -> Recovery:
        """Keep what the tenant's DKIM configurations told: other changes are only compared where a plan names them again."""
        told = tuple(one for one in self.resolutions if one.open.change.cmdlet.endswith(_DKIM))
        return replace(self, resolutions=told)

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences of all resolutions."""
        return tuple(resolution.sentence for resolution in self.resolutions)


def open_changes(lines: Iterable[JournalLine]) -> tuple[OpenChange, ...]:
    """List the changes whose end the journal does not tell, oldest first; raises JournalError."""
    found: dict[int, OpenChange] = {}
    for line in lines:
        if line.event == "intent":
            found[line.number] = _open_change(line)
        elif (
            line.event == "result" and line.body.get("result") not in OPEN_RESULTS
        ) or line.event == "resolved":
            found.pop(int(line.body.get("intent", 0)), None)
    return tuple(found.values())


def end_told_by(line: JournalLine) -> str:
    """Give the result that a line tells of its intent, "" where it tells none: also what a later run found done."""
    if line.event == "result":
        return str(line.body.get("result"))
    found_done = line.event == "resolved" and line.body.get("effect") == Effect.DONE.value
    return Result.APPLIED.value if found_done else ""


def recover(lines: Iterable[JournalLine], facts: TenantFacts, now: datetime) -> Recovery:
    """Compare each open change with what the tenant shows now."""
    resolutions: list[Resolution] = []
    in_flight: dict[DomainName, datetime] = {}
    for opened in open_changes(lines):
        if not opened.change.cmdlet.endswith(_DKIM):
            # Such a change names the whole state wanted: it is compared with what is there before it is sent again.
            resolutions.append(Resolution(opened, Effect.OTHER, _compared(opened)))
            continue
        effect = effect_of(opened.change, facts.dkim_config(opened.change.target))
        settled_at = opened.service_time + SETTLING_TIME
        if effect is Effect.NOT_DONE and now < settled_at:
            in_flight[opened.change.target] = settled_at
        else:
            resolutions.append(Resolution(opened, effect, _sentence(opened, effect)))
    return Recovery(tuple(resolutions), in_flight)


def _open_change(line: JournalLine) -> OpenChange:
    try:
        change = change_from_document(line.body["change"])
    except (KeyError, TypeError, ValueError, ExoAuthError) as error:
        raise JournalError(
            f"line {line.number} of the journal holds no change this version can read: {error}",
            hint="a newer version may have written it: use that one",
        ) from None
    return OpenChange(line.number, line.run_id, line.service_time, change)


def _compared(opened: OpenChange) -> str:
    change = opened.change
    return f"{change.key}, left in flight by run {opened.run_id}: the plan compares it with what is there now"


def _sentence(opened: OpenChange, effect: Effect) -> str:
    change = opened.change
    what = f"{change.verb} of {change.target}, left in flight by run {opened.run_id}"
    return {
        Effect.DONE: f"{what}: it took effect",
        Effect.NOT_DONE: f"{what}: it did not take effect; nothing was lost and it may be planned again",
        Effect.OTHER: f"{what}: the tenant shows another state than before and than wanted; somebody changed it since",
    }[effect]
