"""One stage of a playbook alone, and a plan that two jobs share by its digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import Desk

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("due.example", age=timedelta(days=200), dmarc="none"),
    DomainSpec("ready.example", age=timedelta(days=200), dmarc="reject"),
    DomainSpec("parked.example", listed=False, cnames="none", spf="", dmarc=""),
)
PLAYBOOK = """version: 1
domains: ["*.example"]
stages:
  - {name: park, do: park, domains: [parked.example]}
  - {name: stricter, do: advance-dmarc, domains: [due.example], with: {to: quarantine, observe: 0d}}
  - {name: keys, do: rotate, except: [parked.example]}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "three.yaml").write_text(PLAYBOOK)
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield Desk(box, tmp_path)


def json_of(desk: Desk, line: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(desk.run(f"{line} -o json").out)
    return document


def wanted(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["stage"], one["domain"]) for one in document["changes"]}


def test_only_the_changes_of_the_stage_that_was_asked_for(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "three.yaml"
    whole = json_of(desk, f"plan {file}")
    assert wanted(whole) == {
        ("park", "parked.example"),
        ("stricter", "due.example"),
        ("keys", "ready.example"),
    }
    keys = desk.run(f"plan {file} --stage keys -o json")
    assert keys.code == 3, "due.example needs somebody to do the stage before"
    document = json.loads(keys.out)
    assert wanted(document) == {("keys", "ready.example")}
    assert document["stages"] == ["park", "stricter", "keys"]
    told = {one["domain"]: one["reason"] for one in document["blockages"]}
    assert told == {
        "parked.example": "stage “park” comes before “keys”, and has something to do",
        "due.example": "stage “stricter” comes before “keys”, and has something to do",
    }


def test_stage_by_stage_comes_to_the_same_end(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "three.yaml"
    for stage, domain in (("stricter", "due.example"), ("park", "parked.example")):
        done = json_of(desk, f"apply {file} --stage {stage} --yes")
        assert {(one["domain"], one["result"]) for one in done["outcomes"]} == {(domain, "applied")}
        assert json_of(desk, f"plan {file} --stage {stage} -d {domain}")["changes"] == [], "nothing twice"
    done = json_of(desk, f"apply {file} --stage keys --yes")
    assert {one["domain"] for one in done["outcomes"]} == {"due.example", "ready.example"}
    assert json_of(desk, f"plan {file}")["changes"] == []


def test_two_jobs_share_a_plan_by_its_digest(desk: Desk, tmp_path: Path) -> None:
    """The second job runs elsewhere: it has no file of the first, and a state folder of its own."""
    line = f"{tmp_path / 'three.yaml'} --stage stricter"
    digest = json_of(desk, f"plan {line}")["digest"]
    elsewhere = Desk(desk.box, tmp_path / "elsewhere")
    assert json_of(elsewhere, f"plan {line}")["digest"] == digest
    other = elsewhere.run(f"apply {tmp_path / 'three.yaml'} --stage keys --digest {digest} --yes")
    assert other.code == 8, "another stage is another plan"
    assert "the tenant moved since" in other.err
    desk.box.advance(timedelta(hours=3))
    done = json_of(elsewhere, f"apply {line} --digest {digest[:16]} --yes")
    assert [one["result"] for one in done["outcomes"]] == ["applied"]
    again = elsewhere.run(f"apply {line} --digest {digest[:16]} --yes")
    assert again.code == 8, "an approval counts once"


def test_a_playbook_of_one_step_has_one_stage_and_one_digest(desk: Desk) -> None:
    whole, stage = (json_of(desk, f"plan rotate-dkim {words}") for words in ("", "--stage rotate"))
    assert whole["digest"] == stage["digest"]
    assert len(whole["changes"]) == len(stage["changes"]) == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plan three.yaml --stage key", "there is no stage “key”\nhint: did you mean keys?"),
        ("apply three.yaml --stage key --yes", "there is no stage “key”"),
        ("plan --stage keys", "--stage goes with a playbook"),
        ("apply saved.plan --stage keys --yes", "--stage goes with a playbook"),
        ("apply --digest 0123456789abcdef --stage keys --yes", "--stage goes with a playbook"),
        ("apply --yes", "give a plan file, a playbook or --digest"),
        ("apply three.yaml --digest 0123 --yes", "the plan made now has the digest"),
    ],
)
def test_what_goes_wrong_is_told(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = desk.run(line)
    assert done.code in (64, 8)
    assert told in done.err
    assert desk.run("journal list -o ndjson").out.strip() == ""
