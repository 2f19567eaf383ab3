"""Which changes of a plan a person wants, asked for one by one (plan, pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from exo_auth.plan.change import Change
from exo_auth.plan.dependence import blocker
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan

DECLINED = "declined when it was asked for"


class Answer(StrEnum):
    """What a person says to a change; ALL takes this one and the rest, QUIT neither."""

    YES = "yes"
    NO = "no"
    ALL = "all"
    QUIT = "quit"


@dataclass(frozen=True)
class Choice:
    """A plan, and why which of its changes were left out, by their places in it."""

    plan: Plan
    declined: Mapping[int, str]

    @property
    def chosen(self) -> Plan:
        """The plan with the changes that are wanted alone."""
        kept = (change for place, change in enumerate(self.plan.changes) if place not in self.declined)
        return replace(self.plan, changes=tuple(kept))

    def whole(self, report: RunReport) -> RunReport:
        """Give the report about all of the plan: what was declined is skipped, and says so."""
        ends = iter(report.outcomes)
        outcomes = (
            Outcome(change, Result.SKIPPED, error=self.declined[place])
            if place in self.declined
            else next(ends)
            for place, change in enumerate(self.plan.changes)
        )
        return replace(report, plan=self.plan, outcomes=tuple(outcomes))


def choose(plan: Plan, ask: Callable[[int, Change], Answer], tell: Callable[[str], None]) -> Choice:
    """Ask about each change by its place; what builds on one that was declined is not asked about, and told."""
    declined: dict[int, str] = {}
    takes_all = quits = False
    for place, change in enumerate(plan.changes):
        needed = blocker(change, [plan.changes[one] for one in declined])
        if quits:
            declined[place] = DECLINED
        elif needed is not None:
            declined[place] = f"it builds on “{needed.title}”, which was declined"
            tell(f"{change.title} is left out: {declined[place]}")
        elif not takes_all:
            answer = ask(place, change)
            takes_all, quits = answer is Answer.ALL, answer is Answer.QUIT
            if answer in (Answer.NO, Answer.QUIT):
                declined[place] = DECLINED
    return Choice(plan, declined)
