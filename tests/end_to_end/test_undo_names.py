"""How a person names what is to be taken back: a run by its beginning, a change by its key, its record or its domain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import NEW, WISH, Desk

from exo_auth.sandbox.serve import Sandbox, SandboxOptions


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at which two runs were made: one of records, one of the tenant."""
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        desk = Desk(box, tmp_path_factory.mktemp("state"))
        assert desk.run(f"dns apply {WISH} --yes").code == 0
        desk.run("dkim enable -d new.example --yes")
        yield desk


@pytest.fixture(scope="module")
def runs(desk: Desk) -> list[str]:
    return [one["run"] for one in json.loads(desk.run("journal list -o json").out)["runs"]]


ONLY = [
    ("publish:new.example:TXT:_dmarc.new.example", {"_dmarc.new.example"}, "a key of `journal show`"),
    ("_dmarc.new.example", {"_dmarc.new.example"}, "a record"),
    ("_DMARC.New.Example", {"_dmarc.new.example"}, "in any case"),
    (
        "new.example",
        {"autodiscover.new.example", "new.example", "_dmarc.new.example", "_smtp._tls.new.example"},
        "a domain",
    ),
]


@pytest.mark.parametrize(("only", "owners", "why"), ONLY, ids=[row[2] for row in ONLY])
def test_what_is_taken_back(desk: Desk, runs: list[str], only: str, owners: set[str], why: str) -> None:
    shown = json.loads(desk.run(f"undo {runs[0]} --only {only} --dry-run -o json").out)
    assert {one["parameters"]["name"] for one in shown["changes"]} == owners


def test_a_run_may_be_named_by_its_beginning(desk: Desk, runs: list[str]) -> None:
    beginning = next(runs[0][:end] for end in range(1, 40) if not runs[1].startswith(runs[0][:end]))
    whole, short = (desk.run(f"undo {name} --dry-run") for name in (runs[0], beginning))
    assert re.sub("made.*", "", short.out) == re.sub("made.*", "", whole.out)
    assert (whole.code, short.code) == (0, 0)


WRONG = [
    ("undo 20 --yes", "2 runs begin with “20”", "more than one"),
    ("undo 1999 --yes", "no journal here holds run 1999", "none"),
    ("undo 20.6 --yes", "no journal here holds run 20.6", "a name is no pattern"),
    ("undo {0} --only nobody.example --yes", "its changes are publish:new.example:", "no such domain"),
    (
        "undo {0} --only create:new.example --yes",
        "no change create:new.example of run",
        "a change of another run",
    ),
    ("undo {0} --only two,words --yes", "“two,words” is not a domain name", "no name"),
]


@pytest.mark.parametrize(("line", "told", "why"), WRONG, ids=[row[2] for row in WRONG])
def test_what_names_nothing_is_told(desk: Desk, runs: list[str], line: str, told: str, why: str) -> None:
    done = desk.run(line.format(*runs))
    assert (done.code, done.out) == (64, "")
    assert told in done.err
    assert len(json.loads(desk.run("journal list -o json").out)["runs"]) == 2, "nothing was sent"


def test_an_undo_is_taken_back_like_any_run(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        desk = Desk(box, tmp_path)

        def txt() -> list[str]:
            return sorted(str(one) for one in box.zones.to_state() if one["type"] == "TXT")

        empty, line, states = txt(), f"dns apply {WISH} --yes", []
        for _ in range(4):  # published, taken back, published anew, taken back anew
            done = desk.run(line)
            assert done.code == 0, done
            states.append(txt())
            found = re.search(r"^run (\S+)", done.out, re.MULTILINE)
            assert found
            line = f"undo {found[1]} --yes"
    assert states == [states[0], empty, states[0], empty]
    assert states[0] != empty
