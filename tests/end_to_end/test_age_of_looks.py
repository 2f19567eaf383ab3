from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from bench import Bench

from exo_auth.plan.dkim import plan_rotation
from exo_auth.run.carry_out import Prepared, make_plan
from exo_auth.run.playbook import Playbook, Stage
from exo_auth.run.service_clock import utc_now
from exo_auth.run.session import ReadingSession
from exo_auth.run.stages import plan_playbook

Say = Callable[[str], None]


def one_step(session: ReadingSession, say: Say) -> Prepared:
    return make_plan(session, ("due-a.example",), plan_rotation, say)


def stages(session: ReadingSession, say: Say) -> Prepared:
    return plan_playbook(session, Playbook("", ("*",), stages=(Stage("keys", "rotate"),)), ("*",), say)


@pytest.mark.parametrize("prepare", [one_step, stages], ids=["one step", "a playbook of stages"])
def test_a_look_is_as_old_as_its_reading(
    prepare: Callable[[ReadingSession, Say], Prepared], bench: Bench
) -> None:
    """Asking DNS and planning come after the look, and may take minutes: they must not make it younger."""
    asked: list[datetime] = []

    def say(text: str) -> None:
        if text.startswith("asking DNS"):
            asked.append(utc_now())

    with bench.session() as session:
        prepared = prepare(session, say)
    assert prepared.plan.changes
    assert prepared.look.at < asked[0]
