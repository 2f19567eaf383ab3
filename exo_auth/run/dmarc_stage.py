"""One step of DMARC for many domains of a playbook: asked side by side, each judged by itself (run)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exo_auth.checks.gates import SUBJECTS, Gate
from exo_auth.domain_name import DomainName
from exo_auth.errors import ExoAuthError, RecordSyntaxError
from exo_auth.facts.domain import DomainFacts, Subject
from exo_auth.plan.change import Blockage, Deferral
from exo_auth.plan.dmarc_edit import DmarcWish, policy_named
from exo_auth.plan.plan import Plan
from exo_auth.plan.record_set import RecordChange
from exo_auth.records import dmarc
from exo_auth.records.dmarc import Policy
from exo_auth.run.dns_changes import open_zones, plan_publication
from exo_auth.run.durations import parse_duration
from exo_auth.run.observe import Observation
from exo_auth.run.playbook import Stage
from exo_auth.run.policy_records import facts_of_all, gated_dmarc_change, policy_at
from exo_auth.run.record_export import DomainRecords
from exo_auth.run.session import ReadingSession
from exo_auth.run.stage_planners import trouble
from exo_auth.run.stage_time import Published, hold_while_observed, last_published

ORDER = (Policy.NONE, Policy.QUARANTINE, Policy.REJECT)


@dataclass(frozen=True)
class _Wish:
    """How far to go, what to tell receivers, and how long a policy is watched before the next."""

    last: Policy
    rua: tuple[str, ...]
    window: timedelta
    now: datetime
    published: Mapping[tuple[str, str], Published]

    def of(self, facts: DomainFacts) -> DmarcWish | Deferral:
        """Say what is wanted of a domain next, or until when its present policy is watched; raises CannotLook."""
        now = policy_at(facts)
        if now is None:
            return DmarcWish(Policy.NONE, rua=self.rua)
        step = max(now, ORDER[min(ORDER.index(now) + 1, ORDER.index(self.last))], key=ORDER.index)
        if step is not now:
            since = _standing_since(self.published.get((f"_dmarc.{facts.domain.ascii}", "TXT")), now)
            held = hold_while_observed(facts.domain, "DMARC record", since, self.window, self.now)
            if held is not None:
                return held
        return DmarcWish(step, rua=self.rua)


def plan_dmarc_stage(
    session: ReadingSession, observation: Observation, stage: Stage, names: tuple[DomainName, ...]
) -> Plan:
    """Plan one step of DMARC: from none to quarantine, from quarantine to reject, as far as `to` says.

    No step is taken before the last one has been observed for so long (`observe`, 30 days): reports arrive days late, and
    a sender who was overlooked loses mail from the first day on. Whoever is to go on is looked at as a whole.
    """
    scene = observation.scene
    wish = _Wish(
        policy_named(stage.value("to")) or Policy.REJECT,
        stage.values.get("rua", ()),
        parse_duration(stage.value("observe")),
        scene.now,
        last_published(session),
    )
    parts = [*_wishes(session, wish, names)]
    wishes = {name: one for name, one in parts if isinstance(one, DmarcWish)}
    changes = [*_changes(session, wishes)]
    found = [
        DomainRecords(name, name, None, (one,), ()) for name, one in changes if isinstance(one, RecordChange)
    ]
    zones = open_zones(session.settings)
    plan = plan_publication(zones, found, scene.limits, scene.now, scene.tenant.tenant)
    held = [one for _, one in (*parts, *changes)]
    return replace(
        plan,
        deferrals=(*plan.deferrals, *(one for one in held if isinstance(one, Deferral))),
        blockages=(*plan.blockages, *(one for one in held if isinstance(one, Blockage))),
    )


def _wishes(
    session: ReadingSession, wish: _Wish, names: Sequence[DomainName]
) -> Iterator[tuple[DomainName, DmarcWish | Deferral | Blockage]]:
    for facts in facts_of_all(session.settings, names, frozenset({Subject.DMARC})):
        try:
            yield facts.domain, wish.of(facts)
        except ExoAuthError as error:
            yield facts.domain, trouble(facts.domain, error)


def _changes(
    session: ReadingSession, wishes: Mapping[DomainName, DmarcWish]
) -> Iterator[tuple[DomainName, RecordChange | Blockage]]:
    for facts in facts_of_all(session.settings, tuple(wishes), SUBJECTS[Gate.DMARC_ENFORCE]):
        try:
            yield facts.domain, gated_dmarc_change(facts, wishes[facts.domain])
        except ExoAuthError as error:
            yield facts.domain, trouble(facts.domain, error)


def _standing_since(published: Published | None, policy: Policy) -> datetime | None:
    """Give since when this policy stands; None when somebody else has changed it since we published."""
    if published is None:
        return None
    for text in published.values:
        if dmarc.looks_like(text):
            with suppress(RecordSyntaxError):
                return published.at if dmarc.parse(text).policy is policy else None
    return None
