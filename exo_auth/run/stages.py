"""A playbook of stages → one plan: each domain goes on to the next stage when it is through the one before (run)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.plan.selection import Tags, matching
from exo_auth.run.carry_out import Prepared, cmdlets_of
from exo_auth.run.journal import FILE_NAME, read
from exo_auth.run.observe import Observation, observe
from exo_auth.run.playbook import Playbook, Stage
from exo_auth.run.preflight import preflight
from exo_auth.run.session import ReadingSession
from exo_auth.run.stage_gates import GateKeeper
from exo_auth.run.stage_planners import Say, plan_of_stage
from exo_auth.run.stage_time import Arrival, hold_for_time


@dataclass
class _Parts:
    """What a plan is made of, collected over the stages; `held` are domains that wait in a stage."""

    changes: list[Change] = field(default_factory=list)
    deferrals: list[Deferral] = field(default_factory=list)
    blockages: list[Blockage] = field(default_factory=list)
    held: dict[DomainName, str] = field(default_factory=dict)

    def take(self, plan: Plan, stage: Stage, names: Iterable[DomainName]) -> None:
        """Add the part of one stage; whoever has something to do in it waits there."""
        self.changes += plan.changes
        self.blockages += [replace(one, stage=stage.name) for one in plan.blockages]
        self.deferrals += [replace(one, stage=stage.name) for one in plan.deferrals]
        waiting = [one.target for one in plan.deferrals if one.is_waiting]
        busy = {*(one.target for one in plan.changes), *(one.target for one in plan.blockages), *waiting}
        for name in names:
            if name in busy:
                self.held.setdefault(name, stage.name)


def plan_playbook(
    session: ReadingSession, playbook: Playbook, patterns: Sequence[str], say: Say, only: str = ""
) -> Prepared:
    """Plan every stage for the domains that are through those before it; raises what the planners raise.

    With `only` the changes of that stage alone: who has something to do in one before it is held back, and told.
    """
    playbook = playbook.until(only) if only else playbook
    tags = playbook.every_tag(session.settings.tags)
    observation = observe(session, patterns, say, tags)
    scene = observation.scene
    excepted = matching(scene.chosen, observation.domains, playbook.excepted, tags)
    names = tuple(name for name in scene.chosen if name not in excepted)
    members = {stage.name: _members(stage, names, observation, tags) for stage in playbook.steps}
    parts, keeper = _Parts(), GateKeeper.of(session, observation)
    journal = tuple(read(session.state / FILE_NAME))
    arrivals: list[Arrival] = []
    before: list[str] = []
    for stage in playbook.steps:
        say(f"stage {stage.name}")
        ready = tuple(name for name in members[stage.name] if name not in parts.held)
        plan = plan_of_stage(session, observation, stage, ready, say)
        plan, arrived = hold_for_time(plan, stage, before, journal, scene.now)
        arrivals += arrived
        plan = keeper.hold(_of_stage(plan, stage), say)
        parts.take(plan if only in ("", stage.name) else _not_now(plan, stage, only), stage, ready)
        before.append(stage.name)
    targets = {change.target for change in parts.changes}
    plan = Plan(
        scene.tenant.tenant,
        scene.now,
        "playbook",
        scene.policy.as_values(),
        tuple(parts.changes),
        (*parts.deferrals, *_later(playbook.steps, members, parts.held)),
        tuple(parts.blockages),
        tuple(name for name in names if name not in parts.held),
        len(names),
        limit_excess(len(targets), len(names), scene.limits),
        tuple(stage.name for stage in playbook.steps),
    )
    preflight(session, cmdlets_of(plan))
    notes = observation.recovery.notes
    return Prepared(plan, observation.look, observation, notes, tuple(arrivals), members)


def _of_stage(plan: Plan, stage: Stage) -> Plan:
    """Let each change say which stage wants it, and behind which gates: a saved plan is judged by them again."""
    gates = tuple(gate.value for gate in stage.gates)
    return replace(plan, changes=tuple(replace(one, stage=stage.name, gates=gates) for one in plan.changes))


def _not_now(plan: Plan, stage: Stage, only: str) -> Plan:
    """Hold back the changes of a stage that was not asked for, and comes before the one that was."""
    reason = f"stage “{stage.name}” comes before “{only}”, and has something to do"
    verbs = {change.target: change.verb for change in plan.changes}
    held = tuple(Blockage(name, verb, reason, (), is_unknown=False) for name, verb in verbs.items())
    return replace(plan, changes=(), blockages=(*plan.blockages, *held))


def _members(
    stage: Stage, names: tuple[DomainName, ...], observation: Observation, tags: Tags
) -> tuple[DomainName, ...]:
    """Give the domains that a stage is for, in their order; raises InputError for a name the tenant does not accept."""
    every = observation.domains
    wanted = matching(names, every, stage.domains, tags) if stage.domains else frozenset(names)
    excepted = matching(names, every, stage.excepted, tags)
    return tuple(name for name in names if name in wanted and name not in excepted)


def _later(
    steps: Sequence[Stage], members: dict[str, tuple[DomainName, ...]], held: dict[DomainName, str]
) -> list[Deferral]:
    """Say what follows for each domain that waits in a stage."""
    order = [stage.name for stage in steps]
    found = []
    for name, stage in held.items():
        following = [one for one in order[order.index(stage) + 1 :] if name in members[one]]
        if following:
            reason = f"then {', '.join(following)}, when “{stage}” is through"
            found.append(Deferral(name, reason, None, verb=Verb.REPORT, stage=stage))
    return found
