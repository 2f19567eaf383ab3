"""The disk is full: nothing is sent that cannot be announced, and what was sent is told as what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk
from every_kind import DOMAINS, KINDS, World
from full_disk import Full, FullAtOnce

from exo_auth.plan.outcome import Result
from exo_auth.run.journal import FILE_NAME, read, verify
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

SOME = ("keys are rotated", "a rule is made", "a record is published")


@pytest.fixture(scope="module")
def kept_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield box


def world_of(box: Sandbox, state: Path, kind: str) -> World:
    box.reset()
    world = World(box, state, KINDS[kind])
    world.prepare(world.wishes)
    return world


@pytest.mark.parametrize("kind", SOME)
def test_what_cannot_be_announced_is_not_sent(kept_box: Sandbox, tmp_path: Path, kind: str) -> None:
    world = world_of(kept_box, tmp_path, kind)
    before = world.state()
    with world.bench.session() as session:
        report = world.apply(session, world.plan(session, world.wishes), FullAtOnce.open)
    (outcome,) = report.outcomes
    assert (outcome.result, report.exit_code) == (Result.FAILED, 1)
    assert "the journal" in outcome.error
    assert world.state() == before


@pytest.mark.parametrize("kind", SOME)
def test_what_was_sent_is_told_and_found_out_by_the_next_run(
    kept_box: Sandbox, tmp_path: Path, kind: str
) -> None:
    world = world_of(kept_box, tmp_path, kind)
    before = world.state()
    with world.bench.session() as session:
        plan = world.plan(session, world.wishes)
        report = world.apply(session, plan, Full.open)
        (outcome,) = report.outcomes
        assert (outcome.result, report.exit_code) == (Result.APPLIED, 1)
        assert "it was sent, and its end is not in the journal" in outcome.error
        after = world.state()
        assert after != before
        path = session.state / FILE_NAME
        assert [line.event for line in read(path)] == ["intent"]
        (again,) = world.apply(session, plan).outcomes
        assert again.result is Result.ALREADY_SO
        assert [line.event for line in read(path)] == ["intent", "resolved"]
    assert world.state() == after
    assert verify(path).error is None


def test_a_change_that_a_later_run_found_done_is_watched_and_can_be_taken_back(
    kept_box: Sandbox, tmp_path: Path
) -> None:
    world = world_of(kept_box, tmp_path, "signing is switched on")
    before = world.state()
    with world.bench.session() as session:
        run = world.apply(session, world.plan(session, world.wishes), Full.open).run_id
    desk = Desk(kept_box, tmp_path)
    elsewhere = Desk(kept_box, tmp_path / "elsewhere").run("drift")
    assert (elsewhere.code, "nothing was applied from here" in elsewhere.err) == (0, True)
    found = desk.run("dkim enable silent.example --yes")
    assert (found.code, "it took effect" in found.err) == (0, True), found
    assert "it took effect" not in desk.run("dkim enable silent.example --yes").err, "told twice"
    assert "1 compared, 0 moved" in desk.run("drift").out
    back = desk.run(f"undo {run} --yes")
    assert back.code == 0, back
    assert re.search(r"undo: exo-auth dkim enable -d silent.example", back.out)
    assert world.state() == before
