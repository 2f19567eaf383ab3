"""One domain through a playbook: step after step, as far as it goes today (run).

There is no second engine: each round plans the playbook for the domain, applies what is ready, and looks again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exo_auth.domain_name import DomainName
from exo_auth.plan.outcome import Result, RunReport, plan_exit_codes, worst_exit_code
from exo_auth.plan.steps import OnboardingStep, steps_of
from exo_auth.run.carry_out import Prepared, note_found
from exo_auth.run.playbook import Playbook
from exo_auth.run.session import ReadingSession
from exo_auth.run.stages import plan_playbook

_GOOD = frozenset({Result.APPLIED, Result.ALREADY_SO})

Say = Callable[[str], None]


@dataclass(frozen=True)
class Onboarded:
    """How far a domain came: its steps now, and the runs that brought it there."""

    steps: tuple[OnboardingStep, ...]
    reports: tuple[RunReport, ...]
    exit_code: int


def onboard(
    session: ReadingSession,
    playbook: Playbook,
    domain: DomainName,
    apply: Callable[[Prepared], RunReport] | None,
    say: Say,
) -> Onboarded:
    """Go on until nothing is ready; `apply` carries out one round, None only looks.

    No change is sent twice in one call: what is wanted again right after it was done, such as the next DMARC policy,
    comes with the next call. A round that did not go well ends it.
    """
    reports: list[RunReport] = []
    sent: set[str] = set()
    while True:
        prepared = plan_playbook(session, playbook, (domain.ascii,), say)
        plan = prepared.plan
        again = {change.key for change in plan.changes} & sent
        if apply is None or plan.is_empty or again:
            if apply is not None:
                note_found(session, prepared)
            return _ended(playbook, prepared, domain, reports)
        sent |= {change.key for change in plan.changes}
        report = apply(prepared)
        reports.append(report)
        if report.interrupted or any(outcome.result not in _GOOD for outcome in report.outcomes):
            return _ended(playbook, prepared, domain, reports, report.exit_code)


def _ended(
    playbook: Playbook,
    prepared: Prepared,
    domain: DomainName,
    reports: list[RunReport],
    exit_code: int | None = None,
) -> Onboarded:
    names = [stage.name for stage in playbook.steps]
    code = worst_exit_code(plan_exit_codes(prepared.plan)) if exit_code is None else exit_code
    return Onboarded(steps_of(prepared.plan, names, prepared.members, domain), tuple(reports), code)
