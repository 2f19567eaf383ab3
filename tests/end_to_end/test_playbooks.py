"""Playbooks of stages on the sandbox: every one that ships is validated, planned and applied, on both transports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from stand_in_pwsh import write_stand_in
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DAY = timedelta(days=1)
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec("due.example", age=200 * DAY, dmarc="none"),
    DomainSpec("new.example", listed=False, cnames="none", spf="", dmarc=""),
    DomainSpec("parked.example", listed=False, cnames="none", spf="", dmarc=""),
    DomainSpec("dane.example", signed=True, dmarc="reject"),
    DomainSpec("signed.example", signed=True, dmarc="reject", policy="enforce"),
)
RUA = "--var rua=mailto:d@due.example --var tls_rua=mailto:t@due.example"


class Desk:
    """One administrator before one sandbox whose zones octoDNS may write."""

    def __init__(self, box: Sandbox, state: Path, transport: str = "rest") -> None:
        self.box = box
        where = box.description
        self.environment = {
            **where.environment,
            "EXO_AUTH_STATE_DIR": str(state / "state"),
            "EXO_AUTH_NO_JITTER": "1",
            "EXO_AUTH_CONNECT_TIMEOUT": "2s",
            "HOME": str(state),
            "PATH": "/usr/bin:/bin",
        }
        if transport == "powershell":
            folder = write_stand_in(state / "bin")
            self.environment |= {"EXO_AUTH_TRANSPORT": "powershell", "PATH": f"{folder}:/usr/bin:/bin"}

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def fails(self, domain: str) -> set[str]:
        document = json.loads(self.run(f"check {domain} -o json").out)
        return {one["code"] for one in document["findings"] if one["severity"] == "fail"}


@pytest.fixture(params=["rest", "powershell"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield Desk(box, tmp_path, request.param)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(DOMAINS, publishes=True)) as box:
        yield Desk(box, tmp_path)


SHIPPED = [  # name, variables, verbs that its first run applies
    ("rotate-dkim", "-d due.example", {"rotate"}),
    ("enable-dkim", "-d new.example", {"create"}),
    ("enforce-tls", "--var partners=good.partner.example --var mode=Enforce", {"create"}),
    ("advance-dmarc", "-d due.example --var goal=quarantine --var observe=0d", {"publish"}),
    ("enable-dane", "-d dane.example", {"publish"}),
    ("disable-dane", "-d dane.example", set()),
    ("park-domain", "--var domains=parked.example", {"publish"}),
    ("publish-mta-sts", "-d signed.example --var mode=enforce", set()),
    ("onboard-tenant", f"-d new.example {RUA}", {"publish"}),
]


def test_none_that_ships_is_left_out() -> None:
    shipped = {path.stem for path in (Path(__file__).parents[2] / "playbooks").glob("*.yaml")}
    assert {row[0] for row in SHIPPED} == shipped


def verbs(done: Done, key: str = "outcomes") -> set[str]:
    document: dict[str, Any] = json.loads(done.out)
    return {one["verb"] for one in document.get(key, document.get("changes", []))}


@pytest.mark.parametrize(("name", "line", "applied"), SHIPPED, ids=[row[0] for row in SHIPPED])
def test_every_playbook_that_ships(desk: Desk, name: str, line: str, applied: set[str]) -> None:
    words = " ".join(
        word for word in line.split() if (word != "-d" and not word.endswith(".example")) or "=" in word
    )
    assert desk.run(f"playbook validate {name} {words}").code == 0
    planned = desk.run(f"plan {name} {line} -o json")
    assert planned.code in (0, 4), planned
    assert verbs(planned, "changes") == applied
    done = desk.run(f"apply {name} {line} --yes -o json")
    assert done.code in (0, 4), done
    assert verbs(done) == applied


def test_onboarding_goes_on_from_day_to_day(plain: Desk) -> None:
    line = f"apply onboard-tenant -d new.example {RUA} --yes -o json"
    assert plain.fails("new.example") == {"SPF-MISSING", "DKIM-NOT-CREATED", "DMARC-MISSING"}
    seen = []
    for _ in range(8):
        done = plain.run(line)
        seen.append(sorted(verbs(done)))
        plain.box.advance(16 * DAY)
    assert plain.fails("new.example") == set(), seen
    assert seen[0] == ["publish"]
    assert ["create"] in seen
    assert ["enable"] in seen
    assert seen[-1] == [], seen
    text = plain.run("dmarc show new.example").out
    assert "p=quarantine" in text


def test_a_policy_is_observed_before_it_gets_stricter(plain: Desk) -> None:
    unknown = plain.run("apply advance-dmarc -d due.example --yes")
    assert unknown.code == 4, unknown
    assert "nobody here knows since when" in unknown.out
    assert plain.run("apply advance-dmarc -d due.example --var observe=0d --yes").code == 0
    held = plain.run("plan advance-dmarc -d due.example")
    assert held.code == 4, held
    assert "is observed for 30d" in held.out
    plain.box.advance(31 * DAY)
    assert "p becomes reject" in plain.run("plan advance-dmarc -d due.example").out


def test_a_playbook_that_excepts_a_domain(plain: Desk, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("version: 1\nexcept: [due.*, dane.*, signed.*]\nstages: [{do: rotate}]\n")
    document = json.loads(plain.run(f"plan {file} -o json").out)
    assert document["changes"] == []


GROUPS = """version: 1
tags: {{parked: [parked.example]}}
domains: [new.example, parked.example, due.example]
stages:
  - {{name: park, do: park, domains: ["@parked"]}}
  - {{name: records, do: publish, except: ["@parked"], with: {{rua: mailto:d@due.example}}}}
  - {{name: keys, do: rotate, domains: [due.*]{gate}}}
"""


def test_stages_for_groups_of_domains(plain: Desk, tmp_path: Path) -> None:
    file = tmp_path / "groups.yaml"
    file.write_text(GROUPS.format(gate=""))
    wanted = {
        ("park", "parked.example"),
        ("records", "new.example"),
        ("records", "due.example"),
    }
    document = json.loads(plain.run(f"plan {file} -o json").out)
    assert {(one["stage"], one["domain"]) for one in document["changes"]} == wanted
    told = {one["domain"]: one["reason"] for one in document["deferrals"]}
    assert told == {"due.example": "then keys, when “records” is through"}, "nothing follows for the others"
    only = json.loads(plain.run(f"plan {file} -d tag:parked -o json").out)
    assert {one["domain"] for one in only["changes"]} == {"parked.example"}


def test_a_gate_holds_the_changes_of_a_stage(plain: Desk, tmp_path: Path) -> None:
    file = tmp_path / "gated.yaml"
    file.write_text(GROUPS.format(gate=", gate: mta-sts-enforce"))
    assert plain.run(f"apply {file} -d due.example --yes").code == 0
    done = plain.run(f"plan {file} -d due.example -o json")
    assert done.code == 3, done
    document = json.loads(done.out)
    assert document["changes"] == []
    (held,) = document["blockages"]
    assert held["stage"] == "keys"
    assert held["reason"].startswith("the gate mta-sts-enforce is closed: ")
    file.write_text(GROUPS.format(gate=", gate: [spf, dkim-rotate]"))
    assert verbs(plain.run(f"plan {file} -d due.example -o json"), "changes") == {"rotate"}


TIMED = """version: 1
domains: [new.example, due.example]
stages:
  - {name: records, do: publish, domains: [new.*], with: {rua: mailto:d@due.example}}
  - {name: keys, do: all, after: 14d}
"""


def test_a_stage_waits_for_time(plain: Desk, tmp_path: Path) -> None:
    file = tmp_path / "timed.yaml"
    file.write_text(TIMED)

    def waiting() -> dict[str, str]:
        document = json.loads(plain.run(f"plan {file} -o json").out)
        return {one["domain"]: one["not_before"][:10] for one in document["deferrals"] if one["is_waiting"]}

    first = plain.run(f"apply {file} --yes")
    assert first.code == 4, first
    began = waiting()
    plain.box.advance(10 * DAY)
    assert plain.run(f"apply {file} --yes").code == 4
    assert waiting() == began, "counted from the change, and from the first look where nothing was to be done"
    assert "waits before stage keys" in plain.run("journal show").out
    plain.box.advance(4 * DAY + timedelta(minutes=1))  # the service tells whole seconds
    planned = json.loads(plain.run(f"plan {file} -o json").out)
    assert {(one["domain"], one["verb"]) for one in planned["changes"]} == {
        ("new.example", "create"),
        ("due.example", "rotate"),
    }
    assert plain.run("journal verify").code == 0


def test_tags_of_the_configuration(plain: Desk, tmp_path: Path) -> None:
    plain.environment["EXO_AUTH_TAGS"] = "busy=due.example,new.*"
    assert {one["domain"] for one in json.loads(plain.run("plan -d @busy -o json").out)["changes"]} == {
        "due.example",
        "new.example",
    }
    wrong = plain.run("plan -d @bsy")
    assert (wrong.code, "did you mean @busy?" in wrong.err) == (64, True), wrong
    file = tmp_path / "tagged.yaml"
    file.write_text("version: 1\ndo: rotate\nexcept: ['@bussy']\n")
    for verb in ("playbook validate", "plan"):
        wrong = plain.run(f"{verb} {file}")
        assert (wrong.code, f"{file}:3:10: there is no tag" in wrong.err) == (64, True), wrong


def test_what_stands_is_not_weakened(plain: Desk) -> None:
    line = "apply enforce-tls --var partners=good.partner.example"
    made = plain.run(f"{line} --yes")
    assert "a must (encryption alone is asked for, and a rule can audit first)" in made.out
    rule = "good.partner.example --except-header X-Class:public"
    assert plain.run(f"tls rule set {rule} --enforce --yes").code == 0

    def stands() -> tuple[str, bool]:
        (one,) = json.loads(plain.run("tls rule list -o json").out)["rules"]
        return one["mode"], bool(one["exceptions"])

    assert json.loads(plain.run(f"{line} --yes -o json").out)["changes"] == []
    kept = json.loads(plain.run(f"{line} --var mode=Audit --yes -o json").out)
    assert (kept["changes"], "stays so: weaken=allowed" in kept["deferrals"][0]["reason"]) == ([], True)
    assert stands() == ("Enforce", True)
    assert plain.run(f"{line} --var mode=Audit --var weaken=allowed --yes").code == 0
    assert stands() == ("Audit", True)


def test_drift_is_told(plain: Desk) -> None:
    assert plain.run("apply enforce-tls --var partners=good.partner.example --yes").code == 0
    assert plain.run("drift --detailed-exitcode").code == 0
    plain.box.tenant.mail_flow.run(
        "Disable-TransportRule", {"Identity": "exo-auth: TLS to good.partner.example", "Confirm": False}
    )
    done = plain.run("drift --detailed-exitcode")
    assert done.code == 2, done
    assert "enabled is false, not true" in done.out


MISTAKES = [
    ("plan onboard-tenant", "has no value", "a variable without a value"),
    ("plan onboard-tenant --var goal", "is no value of a variable", "no equals sign"),
    ("plan nothing-here", "there is no playbook", "a name that is none"),
    ("playbook show nothing-here", "there is no playbook", "a name that is none"),
]


@pytest.mark.parametrize(("line", "part", "reason"), MISTAKES, ids=[f"{row[2]}-{row[0]}" for row in MISTAKES])
def test_mistakes(plain: Desk, line: str, part: str, reason: str) -> None:
    done = plain.run(line)
    assert done.code == 64, (done, reason)
    assert part in done.err


def test_schema_and_texts(plain: Desk) -> None:
    assert json.loads(plain.run("playbook schema").out)["$id"] == "exo-auth/playbook/1"
    assert plain.run("playbook show enable-dane").out.startswith("# enable-dane: ")
    assert "onboard-tenant" in plain.run("playbook list").out
