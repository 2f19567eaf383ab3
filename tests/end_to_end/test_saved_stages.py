"""A stage of a playbook that was planned and approved is judged again when it is applied: by its gates, and by its digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

NAME, OTHER = "due.example", "other.example"
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec(NAME, age=timedelta(days=200)),
    DomainSpec(OTHER, age=timedelta(days=200)),
)
GATED = """version: 1
stages:
  - {name: keys, do: rotate, gate: [spf, dkim-rotate]}
"""


@dataclass(frozen=True)
class Desk:
    box: Sandbox
    folder: Path

    def run(self, line: str) -> Done:
        environment = {
            **self.box.description.environment,
            "EXO_AUTH_STATE_DIR": str(self.folder / "state"),
            "EXO_AUTH_NO_JITTER": "1",
            "HOME": str(self.folder),
        }
        return in_process(*line.split(), environment=environment)

    @property
    def file(self) -> Path:
        return self.folder / "keys.plan"

    @property
    def rotations(self) -> int:
        return self.box.tenant.rotations(NAME)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "gated.yaml").write_text(GATED, encoding="utf-8")
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        yield Desk(box, tmp_path)


def planned(desk: Desk, whom: str = NAME) -> dict[str, Any]:
    done = desk.run(f"plan {desk.folder}/gated.yaml -d {whom} --out {desk.file} -o json")
    assert done.code == 0, done
    document: dict[str, Any] = json.loads(done.out)
    assert all(
        (one["stage"], one["gates"]) == ("keys", ["spf", "dkim-rotate"]) for one in document["changes"]
    )
    return document


def no_spf(box: Sandbox) -> None:
    box.zones.remove(NAME, "TXT")


def no_answer(box: Sandbox) -> None:
    box.faults.add(Fault("dns-servfail", domain=NAME, count=0))


def lag(box: Sandbox) -> None:
    """Exchange Online has looked at a bad moment, and remembers the absence of CNAMEs that are there."""
    state = box.tenant.to_state()
    state[NAME]["forced_status"] = "CnameMissing"
    box.tenant.load_state(state)


TURNED: list[tuple[Callable[[Sandbox], None], int, str, str]] = [  # what happened since, code, reason told
    (no_spf, 3, "the gate spf is closed", "a person has to look"),
    (no_answer, 6, "could not be looked up", "nobody knows"),
    (lag, 4, "the gate dkim-rotate is closed", "only time is missing"),
]


@pytest.mark.parametrize(("turn", "code", "part", "reason"), TURNED, ids=[row[3] for row in TURNED])
def test_a_gate_that_closed_since(
    desk: Desk, turn: Callable[[Sandbox], None], code: int, part: str, reason: str
) -> None:
    digest = planned(desk)["digest"]
    turn(desk.box)
    for line in (f"apply {desk.file} --yes", f"apply {desk.file} --digest {digest} --yes -o json"):
        done = desk.run(line)
        assert (done.code, part in done.out) == (code, True), (done, reason)
    held = json.loads(done.out)
    assert held["changes"] == []
    assert {one["stage"] for one in (*held["blockages"], *held["deferrals"])} == {"keys"}
    assert desk.rotations == 0
    desk.box.faults.clear()


def test_a_closed_gate_holds_up_no_other_domain(desk: Desk) -> None:
    assert len(planned(desk, "*")["changes"]) == 2
    no_spf(desk.box)
    done = desk.run(f"apply {desk.file} --yes -o json")
    assert (done.code, desk.rotations, desk.box.tenant.rotations(OTHER)) == (3, 0, 1), done
    report = json.loads(done.out)
    assert [one["domain"] for one in report["plan"]["blockages"]] == [NAME]


def test_gates_that_are_open_let_it_through(desk: Desk) -> None:
    planned(desk)
    done = desk.run(f"apply {desk.file} --yes")
    assert (done.code, desk.rotations) == (0, 1), done


def test_a_plan_without_its_gates_is_another_plan(desk: Desk) -> None:
    document = planned(desk)
    document["changes"][0]["gates"] = []
    desk.file.write_text(json.dumps(document), encoding="utf-8")
    done = desk.run(f"apply {desk.file} --yes")
    assert (done.code, "its digest does not fit" in done.err) == (8, True), done
    document["changes"][0]["gates"] = ["spff"]
    desk.file.write_text(json.dumps(document), encoding="utf-8")
    done = desk.run(f"apply {desk.file} --yes")
    assert (done.code, "is not a whole plan" in done.err) == (64, True), done


def test_a_playbook_is_applied_by_the_digest_that_was_approved(desk: Desk) -> None:
    digest = planned(desk)["digest"]
    line = f"apply {desk.folder}/gated.yaml -d {NAME} --yes --digest"
    wrong = desk.run(f"{line} {'0' * 16}")
    assert (wrong.code, "the plan made now has the digest" in wrong.err) == (8, True), wrong
    txt = list(desk.box.zones.find_all(NAME, "TXT"))
    no_spf(desk.box)
    moved = desk.run(f"{line} {digest}")
    assert (moved.code, desk.rotations) == (8, 0), (
        "a gate closed: what was approved is not what would be done"
    )
    for record in txt:
        desk.box.zones.add(record)
    done = desk.run(f"{line} {digest[:16]}")
    assert (done.code, desk.rotations) == (0, 1), done
