"""Who takes part in a run over many tenants, which part is whose, and what is done again."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.errors import InputError
from exo_auth.plan.fleet import FleetRun, Shard, TenantEnd, choose, refuse_what_means_one_tenant
from exo_auth.render.fleet_text import fleet_text
from exo_auth.render.schema import schema_text

FLEET = tuple(f"customer-{number}" for number in range(3000))


@given(st.sets(st.text(min_size=1, max_size=20), max_size=40), st.integers(1, 12))
def test_the_parts_are_the_whole_and_nobody_is_in_two(names: set[str], count: int) -> None:
    parts = [frozenset(filter(Shard(index, count).holds, names)) for index in range(count)]
    assert frozenset().union(*parts) == names
    assert sum(map(len, parts)) == len(names)


def test_three_thousand_tenants_fall_apart_evenly_and_stay_where_they_are() -> None:
    sizes = [len(choose(FLEET, (), Shard(index, 8))) for index in range(8)]
    assert sum(sizes) == 3000
    assert max(sizes) < 1.15 * 375
    before = set(choose(FLEET, (), Shard(3, 8)))
    after = set(choose((*FLEET[100:], "newcomer"), (), Shard(3, 8))) - {"newcomer"}
    assert after == before - set(FLEET[:100])


def test_tenants_are_chosen_by_name_and_glob_in_the_order_of_the_configuration() -> None:
    names = ("canary-1", "big", "canary-2", "small")
    assert choose(names, (), Shard()) == names
    assert choose(names, ("canary-*", "big"), Shard()) == ("canary-1", "big", "canary-2")


WRONG = [  # what is asked, part of the message
    (lambda: choose(("a",), ("b*",), Shard()), "no tenant is called “b*”"),
    (lambda: choose((), (), Shard()), "names no tenants"),
    (lambda: Shard.parse("8/8"), "“8/8” is no part of a fleet"),
    (lambda: Shard.parse("1 of 8"), "is no part of a fleet"),
    (lambda: Shard.parse("0/0"), "is no part of a fleet"),
    (lambda: refuse_what_means_one_tenant(["dkim", "status", "-t", "x"], {}), "-t means one tenant"),
    (lambda: refuse_what_means_one_tenant(["dkim", "status", "--tenant=x"], {}), "--tenant=x means one"),
    (lambda: refuse_what_means_one_tenant(["fleet", "run"], {}), "a fleet runs no fleet"),
    (lambda: refuse_what_means_one_tenant(["plan"], {"EXO_AUTH_OUT": "f"}), "EXO_AUTH_OUT means the plan"),
    (lambda: refuse_what_means_one_tenant(["apply"], {"EXO_AUTH_DIGEST": "d"}), "EXO_AUTH_DIGEST means"),
]


@pytest.mark.parametrize(("ask", "part"), WRONG, ids=[row[1] for row in WRONG])
def test_what_cannot_be_meant(ask: object, part: str) -> None:
    with pytest.raises(InputError) as caught:
        ask()  # type: ignore[operator]
    assert part in str(caught.value)
    assert caught.value.hint


ENDS = [  # exit code, failed?, done again?, reason
    (0, False, False, "done"),
    (2, False, False, "the plan has changes"),
    (3, False, False, "a person is needed"),
    (4, False, False, "time is needed"),
    (9, True, False, "a limit, which is still there"),
    (10, True, False, "no sign-in, until somebody mends it"),
    (64, True, False, "the command line is wrong"),
    (1, True, True, "failed, perhaps not again"),
    (5, True, True, "partly done"),
    (6, True, True, "nobody could be asked"),
    (7, True, True, "somebody else was at it"),
    (137, True, True, "killed"),
    (143, True, True, "ended with the fleet"),
]


@pytest.mark.parametrize(("code", "failed", "again", "reason"), ENDS, ids=[row[3] for row in ENDS])
def test_what_is_done_again(code: int, failed: bool, again: bool, reason: str) -> None:
    end = TenantEnd("a", code, 1.0)
    run = FleetRun("r", ("version",), ("a", "b"), Shard(), {"a": end})
    assert end.failed is failed, reason
    assert run.to_resume == (("a", "b") if again else ("b",)), reason


def test_the_exit_code_of_a_run_is_the_gravest_and_nobody_left_out_is_forgotten() -> None:
    ends = {name: TenantEnd(name, code, 1.0) for name, code in (("a", 0), ("b", 4), ("c", 3))}
    run = FleetRun("r", ("version",), ("a", "b", "c"), Shard(), ends)
    assert run.exit_code == 3
    assert FleetRun("r", ("version",), ("a", "b", "c", "d"), Shard(), ends).exit_code == 9
    assert FleetRun("r", ("version",), (), Shard(7, 8)).exit_code == 0


def test_people_see_who_needs_them_and_programs_see_all() -> None:
    names = FLEET[:100]
    ends = {name: TenantEnd(name, 0 if number % 2 else 6, 1.5, "…") for number, name in enumerate(names[:90])}
    ends[names[1]] = TenantEnd(names[1], 10, 0.5, "error: no sign-in")
    run = FleetRun("2026-r", ("dkim", "rotate"), names, Shard(0, 8), ends)
    text = fleet_text(run, "table")
    assert "error: no sign-in" in text
    assert len([line for line in text.splitlines() if line.startswith("customer-")]) == 46
    assert text.splitlines()[-2:] == [
        "100 tenants in part 0/8: 44 ended with 0, 45 ended with 6, 1 ended with 10, 10 not started",
        "go on with 55 of them: exo-auth fleet resume 2026-r",
    ]
    document = json.loads(fleet_text(run, "json"))
    jsonschema.validate(document, json.loads(schema_text("fleet")))
    assert (len(document["ends"]), len(document["not_started"]), document["exit_code"]) == (90, 10, 10)
    assert len(fleet_text(run, "csv").splitlines()) == 91
