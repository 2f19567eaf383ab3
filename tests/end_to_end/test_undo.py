"""`undo` after `apply` brings the tenant and its zones back to an equal state, for every kind of change together."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from every_kind import DOMAINS, KINDS, LEAVE, REMOVE, Wishes, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exo_auth.plan.change import Verb
from exo_auth.plan.outcome import Result
from exo_auth.run.undo import NO_WAY_BACK
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

MODES = st.sampled_from(("Audit", "Enforce"))
VERIFY = st.sampled_from((("encryption", ""), ("certificate", ""), ("domain", "mx.partner.example")))
CERTIFICATES = st.tuples(st.sampled_from(("mx.a.example", "mx.b.example")), st.booleans())
VALUES = st.lists(st.sampled_from(("one", "two", "three")), unique=True, min_size=1, max_size=2)
ENDS = st.sampled_from((LEAVE, REMOVE))
STEPS = (("off", "off"), ("off", "dnssec"), ("dnssec", "dane"), ("dnssec", "off"), ("dane", "dnssec"))
WISHES = st.builds(
    Wishes,
    rules=st.lists(st.tuples(st.none() | MODES, st.booleans(), MODES | ENDS), max_size=3),
    outbound=st.lists(st.tuples(st.none() | VERIFY, VERIFY | ENDS), max_size=2),
    inbound=st.lists(st.tuples(st.none() | CERTIFICATES, CERTIFICATES | ENDS), max_size=2),
    records=st.lists(st.tuples(st.none() | VALUES, VALUES | ENDS), max_size=2),
    dnssec=st.sampled_from(STEPS),
    dkim=st.sampled_from(((), ("disable",), ("enable",), ("disable", "enable"))),
    foreign_rule=st.booleans(),
)
WAY_BACK = {kind: wishes for kind, wishes in KINDS.items() if not {"create", "rotate"} & {*wishes.dkim}}


@pytest.fixture(scope="module")
def kept_box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield box


@given(wishes=WISHES)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_undo_restores_an_equal_state(kept_box: Sandbox, tmp_path: Path, wishes: Wishes) -> None:
    goes_and_comes_back(kept_box, tmp_path, wishes)


@pytest.mark.parametrize("kind", WAY_BACK)
def test_undo_restores_an_equal_state_after_each_kind(kept_box: Sandbox, tmp_path: Path, kind: str) -> None:
    assert goes_and_comes_back(kept_box, tmp_path, WAY_BACK[kind]) == 1


def goes_and_comes_back(box: Sandbox, state: Path, wishes: Wishes) -> int:
    """Apply and undo; give how many changes that were."""
    box.reset()
    world = World(box, state)
    world.prepare(wishes)
    before = world.state()
    with world.bench.session() as session:
        plan = world.plan(session, wishes)
        report = world.apply(session, plan)
        assert {one.result for one in report.outcomes} <= {Result.APPLIED}, report.outcomes
        if plan.changes:
            assert world.state() != before
            back, undone = world.undo(session, report.run_id)
            assert not back.blockages
            assert [one.result for one in undone.outcomes] == [Result.APPLIED] * len(plan.changes)
    assert world.state() == before
    return len(plan.changes)


@pytest.mark.parametrize("verb", ["create", "rotate"])
def test_what_has_no_way_back_says_why_and_changes_nothing(
    kept_box: Sandbox, tmp_path: Path, verb: str
) -> None:
    kept_box.reset()
    world = World(kept_box, tmp_path)
    with world.bench.session() as session:
        report = world.apply(session, world.plan(session, Wishes(dkim=(verb,))))
        applied = world.state()
        back, _ = world.undo(session, report.run_id)
    assert [one.reason for one in back.blockages] == [NO_WAY_BACK[Verb(verb)]]
    assert back.is_empty
    assert world.state() == applied
