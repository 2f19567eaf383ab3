"""One plan of records and DKIM, killed in the middle of an update, and resumed by the same command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from desk import NEW, Desk

from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

ONBOARD = (
    "apply onboard-tenant -d new.example --yes --var rua=mailto:d@new.example --var tls_rua=mailto:t@new.example "
    "--var mta_sts=testing"
)
ENABLE = "dkim enable -d new.example --yes"
RECORDS = "dns apply new.example --rua mailto:d@new.example --tls-rua mailto:t@new.example --yes"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        yield Desk(box, tmp_path)


def killed_at_an_update(desk: Desk, line: str, kind: str, after: int) -> None:
    """Run a command, and kill it while it waits for the answer to an update of DNS."""
    desk.box.faults.add(Fault(kind, after=after))
    process = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", *line.split()],
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pause = threading.Event()
    while desk.box.faults.is_set(kind):  # it goes when it has fired
        assert process.poll() is None, "the command ended by itself"
        pause.wait(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL


def results(desk: Desk) -> list[dict[str, int]]:
    return [one["results"] for one in json.loads(desk.run("journal list -o json").out)["runs"]]


CASES = [  # command, fault, updates before it, what became of the change that was in flight
    (RECORDS, "update-unanswered", 2, "found done"),
    (RECORDS, "update-unseen", 1, "found not-done"),
]


@pytest.mark.parametrize(("line", "kind", "after", "found"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES])
def test_records_killed_in_the_middle(desk: Desk, line: str, kind: str, after: int, found: str) -> None:
    before = desk.box.zones.of_zone("new.example")
    killed_at_an_update(desk, line, kind, after)
    assert results(desk)[-1]["in flight"] == 1
    first = json.loads(desk.run("journal list -o json").out)["runs"][-1]["run"]
    done = desk.run(line)
    assert done.code == 0, done
    assert results(desk)[0] == {**({"applied": after} if after else {}), found: 1}
    assert "nothing" in desk.run(line).out or "steady" in desk.run(line).out
    second = json.loads(desk.run("journal list -o json").out)["runs"][-1]["run"]
    for run in (second, first):
        assert desk.run(f"undo {run} --yes").code == 0
    assert desk.box.zones.of_zone("new.example") == before


@pytest.mark.parametrize("kind", ["update-unanswered", "update-unseen"])
def test_dkim_and_its_records_in_one_plan(desk: Desk, kind: str) -> None:
    assert desk.run(ENABLE).code == 4  # makes the keys
    killed_at_an_update(desk, ENABLE, kind, after=1)
    ends = []
    for _ in range(3):
        ends.append(desk.run(ENABLE).code)
        desk.box.advance(timedelta(hours=1))
    assert ends[-1] == 0, ends
    assert desk.codes() == {"SPF-MISSING", "DMARC-MISSING"}
    created = [one.cmdlet for one in desk.box.requests if one.cmdlet.startswith(("New-", "Set-"))]
    assert created == ["New-DkimSigningConfig", "Set-DkimSigningConfig"], "nothing is sent twice"


POLICY = (
    "version: STSv1\r\nmode: testing\r\nmx: new-example.mail.protection.outlook.com\r\nmax_age: 86400\r\n"
)
KILLED_AT = ("new.example", "selector1._domainkey.new.example", "_mta-sts.new.example")
RECORDS_OF_ONE_PLAN = {  # what stands there in the end
    "new.example",
    "autodiscover.new.example",
    "selector1._domainkey.new.example",
    "selector2._domainkey.new.example",
    "_dmarc.new.example",
    "_smtp._tls.new.example",
    "_mta-sts.new.example",
}


def goes_on_until_it_publishes(desk: Desk, owner: str) -> None:
    """Run the plan as a schedule does, until a set of this owner comes next."""
    for _ in range(8):
        changes = json.loads(desk.run(ONBOARD.replace("apply", "plan").replace(" --yes", " -o json")).out)[
            "changes"
        ]
        if owner in {str(one["parameters"].get("name")) for one in changes}:
            return
        done = desk.run(ONBOARD)
        assert done.code in (0, 4), done
        desk.box.advance(timedelta(hours=2))
    raise AssertionError(f"it never came to {owner}")


def test_one_plan_of_all_records_killed_in_three_stages_comes_to_its_end(desk: Desk) -> None:
    """SPF, DMARC, TLS-RPT, MTA-STS, and DKIM from keys over CNAMEs to signing: one command, run by a schedule."""
    desk.box.host_policy("new.example", POLICY)
    for owner in KILLED_AT:
        goes_on_until_it_publishes(desk, owner)
        killed_at_an_update(desk, ONBOARD, "update-unanswered", after=0)
    for _ in range(3):
        done = desk.run(ONBOARD)
        assert done.code in (0, 4), done
        desk.box.advance(timedelta(hours=2))
    assert desk.codes() == set()
    assert {one.owner for one in desk.box.zones.of_zone("new.example")} >= RECORDS_OF_ONE_PLAN
    created = [one.cmdlet for one in desk.box.requests if one.cmdlet.startswith(("New-", "Set-"))]
    assert created == ["New-DkimSigningConfig", "Set-DkimSigningConfig"], "nothing is sent twice"
