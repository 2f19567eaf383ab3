"""A plan of stages, seen from one domain: which step it is at, and what that step waits for (plan, pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.plan import Plan


class StepState(StrEnum):
    """Where a step stands."""

    DONE = "done"
    CHANGE = "change"  # something is to be sent
    WAITING = "waiting"  # only time is missing
    BLOCKED = "blocked"  # a person is needed
    UNKNOWN = "unknown"  # a look-up failed
    LATER = "later"  # a step before comes first
    LEFT_OUT = "left-out"  # the playbook has other domains in mind


@dataclass(frozen=True)
class OnboardingStep:
    """One numbered step of a domain, from 1."""

    number: int
    name: str
    state: StepState
    changes: tuple[Change, ...] = ()
    deferrals: tuple[Deferral, ...] = ()
    blockages: tuple[Blockage, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it stands where it stands."""
        return (*(one.reason for one in self.blockages), *(one.reason for one in self.deferrals))

    @property
    def not_before(self) -> datetime | None:
        """The moment from which looking again makes sense, None where nobody can say."""
        return max((one.retry_after for one in self.deferrals if one.retry_after), default=None)


def steps_of(
    plan: Plan, stages: Sequence[str], members: Mapping[str, Sequence[DomainName]], domain: DomainName
) -> tuple[OnboardingStep, ...]:
    """Give the steps of a domain in their order; the first with something to do, or to wait for, holds back those after."""
    found: list[OnboardingStep] = []
    is_held = False
    for number, name in enumerate(stages, start=1):
        if domain not in members[name]:
            found.append(OnboardingStep(number, name, StepState.LEFT_OUT))
            continue
        if is_held:
            found.append(OnboardingStep(number, name, StepState.LATER))
            continue
        step = _step(plan, number, name, domain)
        is_held = step.state is not StepState.DONE
        found.append(step)
    return tuple(found)


def _step(plan: Plan, number: int, name: str, domain: DomainName) -> OnboardingStep:
    changes = tuple(one for one in plan.changes if (one.stage, one.target) == (name, domain))
    blockages = tuple(one for one in plan.blockages if (one.stage, one.target) == (name, domain))
    deferrals = tuple(
        one
        for one in plan.deferrals
        if (one.stage, one.target) == (name, domain) and one.verb is not Verb.REPORT
    )
    state = StepState.DONE
    if changes:
        state = StepState.CHANGE
    elif blockages:
        state = StepState.UNKNOWN if all(one.is_unknown for one in blockages) else StepState.BLOCKED
    elif any(one.is_waiting for one in deferrals):
        state = StepState.WAITING
    return OnboardingStep(number, name, state, changes, deferrals, blockages)
