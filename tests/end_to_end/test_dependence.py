"""What builds on a change that was not made is not sent, whatever kind either is of; and a person decides one by one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench
from desk import NEW, Desk
from every_kind import DOMAINS, Wishes, World
from scenes import name
from terminal import in_process, on_terminal

from exo_auth.plan.outcome import Result
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

SIGNING = name("signing.example")
WISHES = Wishes(records=[(["one"], "remove"), (None, ["two"])], dkim=("disable",))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        world = World(box, tmp_path)
        world.prepare(WISHES)
        yield world


def test_records_stay_when_the_tenant_refuses_what_comes_before_them(world: World) -> None:
    with world.bench.session() as session:
        plan = world.plan(session, WISHES)
        gone, fresh, disable = plan.changes
        plan = replace(plan, changes=(disable, replace(gone, target=SIGNING), fresh))
        world.bench.fault("refuse", cmdlet="Set-DkimSigningConfig")
        report = world.apply(session, plan)
    assert [one.result for one in report.outcomes] == [Result.REFUSED, Result.SKIPPED, Result.APPLIED]
    assert report.outcomes[1].error == "it builds on “disable signing.example”, which was not made"
    assert report.exit_code == 5
    values = [one for one in world.state()["zones"] if "_test0" in one]
    assert values, "the record is still there"


@pytest.mark.parametrize("is_alone", [True, False], ids=["records alone", "with the tenant"])
def test_the_tenant_stays_when_a_record_before_has_moved(world: World, is_alone: bool) -> None:
    with world.bench.session() as session:
        plan = world.plan(session, WISHES)
        gone, fresh, disable = plan.changes
        held = replace(fresh, target=SIGNING, parameters={**fresh.parameters, "type": "TXT"})
        last = replace(gone, target=SIGNING, cmdlet=gone.cmdlet) if is_alone else disable
        first = replace(held, before={"values": ["somebody else's"]})
        if is_alone:  # a policy that acts, and what such mail passes by
            first = _as_dmarc(first)
            last = replace(last, after={"values": ["v=spf1 -all"]})
        report = world.apply(session, replace(plan, changes=(first, last)))
    assert [one.result for one in report.outcomes] == [Result.STALE, Result.SKIPPED]
    assert world.box.tenant.to_state()["signing.example"]["enabled"] is True


def _as_dmarc(change: object) -> object:
    return replace(
        change,  # type: ignore[type-var]
        parameters={"name": "_dmarc.zone.example", "type": "TXT", "ttl": 3600},
        after={"values": ["v=DMARC1; p=reject"]},
    )


# Asked change by change


@pytest.fixture
def terminal(bench: Bench) -> dict[str, str]:
    return {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state), "TERM": "xterm"}


def test_a_person_decides_change_by_change(terminal: dict[str, str], bench: Bench) -> None:
    answers = {
        "Change 1 of 2": "what",
        "answer with one of": "show",
        '"verb": "rotate"': "n",
        "Change 2 of 2": "YES",
        "Apply 1 of 2 changes": "y",
    }
    done = on_terminal("dkim", "rotate", "--interactive", "-o", "json", environment=terminal, answers=answers)
    assert done.code == 0, done.out
    document = json.loads(done.out[done.out.index('{\n  "schema": "exo-auth/run-report') :])
    assert [(one["domain"], one["result"]) for one in document["outcomes"]] == [
        ("due-a.example", "skipped"),
        ("due-b.example", "applied"),
    ]
    assert len(document["plan"]["changes"]) == 2
    assert {domain: count for domain, count in bench.rotations().items() if count} == {"due-b.example": 1}


@pytest.mark.parametrize(
    ("answers", "code", "count"),
    [
        ({"Change 1 of 2": "a", "Apply 2 of 2 changes": "y"}, 0, 2),
        ({"Change 1 of 2": "q"}, 9, 0),
        ({"Change 1 of 2": "y", "Change 2 of 2": "q", "Apply 1 of 2 changes": "n"}, 9, 0),
        ({"Change 1 of 2": "y", "Change 2 of 2": "\x04"}, 130, 0),
        ({"Change 1 of 2": "y", "Change 2 of 2": "\x03"}, 130, 0),
    ],
    ids=["all the rest", "quit", "second thoughts", "end of input", "Ctrl-C"],
)
def test_nothing_is_sent_before_all_is_answered(
    terminal: dict[str, str], bench: Bench, answers: dict[str, str], code: int, count: int
) -> None:
    done = on_terminal("dkim", "rotate", "--interactive", environment=terminal, answers=answers)
    assert done.code == code, done.out
    assert sum(bench.rotations().values()) == count


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("dkim rotate --interactive", "--interactive asks about every change, and nobody can be asked here"),
        ("dkim rotate --interactive --yes", "--interactive and --yes contradict each other"),
        ("dkim rotate --interactive --dry-run", "--interactive and --dry-run contradict each other"),
        ("dkim rotate --interactive --out x", "--interactive and --out contradict each other"),
    ],
)
def test_options_that_do_not_go_together(
    terminal: dict[str, str], bench: Bench, line: str, told: str
) -> None:
    done = in_process(*line.split(), environment=terminal)
    assert (done.code, done.out) == (64, "")
    assert told in done.err
    assert bench.box.requests == ()


def test_what_builds_on_a_declined_record_is_left_out_and_told(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        desk = Desk(box, tmp_path)
        done = on_terminal(
            *["apply", "park-domain", "--var", "domains=new.example", "--interactive"],
            environment={**desk.environment, "TERM": "xterm", "PATH": os.defpath, "NO_COLOR": "1"},
            answers={"Change 1 of 3": "y", "Change 2 of 3": "n", "Apply 1 of 3 changes": "y"},
        )
        left = json.loads(desk.run("plan park-domain --var domains=new.example -o json").out)["changes"]
    assert done.code == 0, done.out
    told = "it builds on “publish new.example TXT”, which was declined"
    assert f"publish _dmarc.new.example TXT is left out: {told}\n" in done.out
    assert f"publish _dmarc.new.example TXT: skipped\n    {told}\n" in done.out
    assert "publish new.example MX: done\n" in done.out
    assert [one["parameters"]["type"] for one in left] == ["TXT", "TXT"]
