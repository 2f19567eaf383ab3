"""`onboard`: one domain from nothing to enforced policies, call after call, over simulated weeks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from desk import Desk
from terminal import as_cron, on_terminal

from exo_auth.render.schema import schema_text
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DAY = timedelta(days=1)
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("new.example", listed=False, cnames="none", spf="", dmarc=""),
    DomainSpec("served.example", signed=True, dmarc="reject", policy="enforce"),
)
WISH = "--rua mailto:d@new.example --tls-rua mailto:t@new.example"


class Onboarding(Desk):
    """Runs `onboard`, on a terminal too."""

    def __init__(self, box: Sandbox, state: Path) -> None:
        super().__init__(box, state)
        self.environment["PATH"] = os.defpath

    def steps(self, line: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        done = self.run(f"{line} -o json")
        document = json.loads(done.out)
        jsonschema.validate(document, json.loads(schema_text("onboard")))
        assert document["exit_code"] == done.code or "--detailed" in line
        return done.code, document, {step["name"]: step["state"] for step in document["steps"]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Onboarding]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield Onboarding(box, tmp_path)


def test_a_domain_goes_all_the_way(desk: Onboarding) -> None:
    line = f"onboard new.example {WISH} --yes"
    code, document, states = desk.steps(line)
    assert (code, states["spf"], states["keys"], states["dmarc"]) == (4, "done", "waiting", "later")
    assert len(document["runs"]) == 3, "records, keys, CNAMEs: a run each"
    assert document["not_before"] == document["steps"][3]["not_before"]

    assert desk.steps(line)[0] == 4, "Exchange remembers the absence; nothing is sent before that is over"
    desk.box.advance(timedelta(hours=1))
    code, document, states = desk.steps(line)
    assert (code, states["keys"], states["dmarc"], states["policy"]) == (4, "done", "done", "waiting")

    desk.box.advance(29 * DAY)
    assert desk.steps(line)[2]["policy"] == "waiting", "a day too early"
    desk.box.advance(2 * DAY)
    code, document, states = desk.steps(line)
    assert (code, set(states.values()), document["resume"]) == (0, {"done", "left-out"}, "")
    assert "p=quarantine" in desk.run("dmarc show new.example").out

    code, document, _ = desk.steps(line)
    assert (code, document["runs"]) == (0, []), "there is nothing left to do"


def test_one_policy_a_call_even_where_nothing_is_observed(desk: Onboarding) -> None:
    desk.steps(f"onboard new.example {WISH} --yes")
    desk.box.advance(timedelta(hours=1))
    line = f"onboard new.example {WISH} --var goal=reject --var observe=0d --yes"
    for policy in ("none", "quarantine", "reject"):
        desk.steps(line)
        assert f"p={policy}" in desk.run("dmarc show new.example").out


def test_until_and_dry_run(desk: Onboarding) -> None:
    code, document, states = desk.steps(f"onboard new.example {WISH} --dry-run --detailed-exitcode")
    assert (code, states["spf"], states["keys"]) == (2, "change", "later")
    assert document["resume"] == f"exo-auth onboard new.example {WISH} --detailed-exitcode -o json"
    code, _, states = desk.steps(f"onboard new.example {WISH} --until spf --yes")
    assert (code, states) == (0, {"inventory": "done", "park": "left-out", "spf": "done"})
    assert desk.run("dkim status -d new.example -o json").out.count('"off"') == 1, "keys come later"
    wrong = desk.run(f"onboard new.example {WISH} --until polcy --yes")
    assert (wrong.code, "did you mean policy?" in wrong.err) == (64, True), wrong


def test_a_broken_zone_goes_no_further(desk: Onboarding) -> None:
    assert desk.run("sandbox fault dns-servfail -d new.example --count 0").code == 0
    code, document, states = desk.steps(f"onboard new.example {WISH} --yes")
    assert (code, states["inventory"], states["spf"]) == (6, "unknown", "later"), document
    assert document["runs"] == []


def test_the_text_says_how_to_go_on(desk: Onboarding) -> None:
    line = f"onboard new.example {WISH} --yes"
    done = as_cron(*line.split(), environment=desk.environment)
    lines = done.out.splitlines()
    start = lines.index("new.example")
    assert lines[start + 3].split()[:3] == ["3", "spf", "done"]
    assert lines[start + 4].split()[:3] == ["4", "keys", "WAITING"]
    assert lines[start + 5].strip().startswith("not before ")
    assert lines[-1] == f"resume: exo-auth {line}"


def test_a_person_is_asked_before_every_round(desk: Onboarding) -> None:
    done = on_terminal(
        "onboard",
        "new.example",
        *WISH.split(),
        environment={**desk.environment, "TERM": "dumb"},
        answers={"Apply 2 changes": "n"},
    )
    assert done.code == 9, done
    assert "SPF-MISSING" in desk.run("check new.example").out


WRONG = [
    (f"onboard new.exampel {WISH} --yes", "did you mean new.example?", "a slip"),
    ("onboard new.example --yes", "the variable “rua” has no value", "no address for reports"),
    (f"onboard new.example {WISH} --out x.plan", "several plans", "a plan file for several plans"),
    (f"onboard new.example {WISH}", "--yes", "nobody to ask"),
]


@pytest.mark.parametrize(("line", "part", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_mistakes(desk: Onboarding, line: str, part: str, reason: str) -> None:
    done = desk.run(line)
    assert (done.code, part in done.err) == (64, True), (done, reason)
