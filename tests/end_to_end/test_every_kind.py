"""Digest, staleness, guard and journal hold for every kind of change there is."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from every_kind import DOMAINS, KINDS, World

from exo_auth.errors import TooMuchChange
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.limits import Limits
from exo_auth.plan.mail_flow import CMDLETS
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.plan.plan_file import APPLYABLE, from_text, to_text
from exo_auth.run.journal import FILE_NAME, Journal, JournalLine, read, verify
from exo_auth.run.session import WritingSession
from exo_auth.sandbox.serve import Sandbox, SandboxOptions


@pytest.fixture(scope="module")
def kept_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield box


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, kept_box: Sandbox, tmp_path: Path) -> World:
    kept_box.reset()
    world = World(kept_box, tmp_path, KINDS[request.param])
    world.prepare(world.wishes)
    return world


class Watched(Journal):
    """Tells what the world was like when each line had been written."""

    states: list[tuple[str, dict[str, Any]]]
    look: Callable[[], dict[str, Any]]

    def append(self, event: str, **rest: Any) -> JournalLine:
        line = super().append(event, **rest)
        self.states.append((event, self.look()))
        return line


def test_it_holds_for_the_kind(world: World) -> None:
    before = world.state()
    with world.bench.session() as session:
        plan = world.plan(session, world.wishes)
        (change,) = plan.changes
        the_digest_is_of_the_decision(plan, world.plan(session, world.wishes), change)
        the_guard_refuses_before_anything_is_sent(world, session, plan)
        what_moved_is_refused(world, session, plan, change)
        assert world.state() == before
        assert not list(read(session.state / FILE_NAME)), "announced, and refused"
        the_journal_tells_before_and_after(world, session, plan, before)
        applied = world.state()
        (again,) = world.apply(session, plan).outcomes
        assert again.result is Result.ALREADY_SO, "sent twice"
    elsewhere = World(world.box, world.bench.state / "of another machine")
    with elsewhere.bench.session() as session:
        (other,) = elsewhere.apply(session, plan).outcomes
        assert other.result is Result.ALREADY_SO, "sent by two machines"
        assert not list(read(session.state / FILE_NAME))
    assert world.state() == applied


def the_digest_is_of_the_decision(plan: Plan, again: Plan, change: Change) -> None:
    assert plan.digest == again.digest, "the same decision, made a moment later"
    assert from_text(to_text(plan), file="a plan").digest == plan.digest
    for other in (
        replace(change, before={**change.before, "enabled": "otherwise"}),
        replace(change, after={**change.after, "enabled": "otherwise"}),
        replace(change, parameters={**change.parameters, "Name": "otherwise"}),
    ):
        assert replace(plan, changes=(other,)).digest != plan.digest


def the_guard_refuses_before_anything_is_sent(world: World, session: WritingSession, plan: Plan) -> None:
    excess = limit_excess(len(plan.changes), plan.considered, Limits(changes_per_run=0, share=1.0))
    with pytest.raises(TooMuchChange):
        world.apply(session, replace(plan, exceeds_limit=excess))


def what_moved_is_refused(world: World, session: WritingSession, plan: Plan, change: Change) -> None:
    moved = replace(change, before={**change.before, next(iter(change.before)): "as it never was"})
    (outcome,) = world.apply(session, replace(plan, changes=(moved,))).outcomes
    assert (outcome.result, outcome.exit_code) == (Result.STALE, 8)
    assert "as it never was" in outcome.error


def the_journal_tells_before_and_after(
    world: World, session: WritingSession, plan: Plan, before: dict[str, Any]
) -> None:
    journals: list[Watched] = []

    def opened(path: Path) -> Watched:
        journal = Watched.open(path)
        journal.states, journal.look = [], world.state
        journals.append(journal)
        return journal

    (outcome,) = world.apply(session, plan, opened).outcomes
    assert outcome.result is Result.APPLIED
    (journal,) = journals
    assert [event for event, _ in journal.states] == ["intent", "result"]
    assert journal.states[0][1] == before, "sent before it was announced"
    assert journal.states[1][1] != before
    intent, result = read(journal.path)
    assert result.body["intent"] == intent.number
    assert result.body["evidence"] == dict(outcome.evidence)
    assert verify(journal.path).error is None


def test_whatever_can_be_applied_or_sent_is_among_the_kinds(kept_box: Sandbox, tmp_path: Path) -> None:
    """A new kind of change fails here until it has its place in KINDS."""
    planned: set[tuple[Verb, str]] = set()
    sent: set[str] = set()
    for wishes in KINDS.values():
        kept_box.reset()
        world = World(kept_box, tmp_path)
        world.prepare(wishes)
        with world.bench.session() as session:
            plan = world.plan(session, wishes)
            planned |= {(change.verb, change.cmdlet) for change in plan.changes}
            world.undo(session, world.apply(session, plan).run_id)
        sent |= {request.cmdlet for request in kept_box.requests}
    assert planned <= APPLYABLE
    assert {cmdlet for _, cmdlet in planned} == {cmdlet for _, cmdlet in APPLYABLE}
    assert planned >= {(verb, cmdlet) for verb, cmdlet in APPLYABLE if cmdlet not in CMDLETS}
    assert sent >= {cmdlet.name for cmdlet in ALLOWED.values() if cmdlet.is_write}
