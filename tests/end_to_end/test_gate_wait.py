"""`check --gate`: who is asked, in which order, and that no question makes the gate wait. On the sandbox's servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import NEW, Desk

from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

OWNER = "_smtp._tls.new.example"
RECORD = "v=TLSRPTv1; rua=mailto:t@new.example"
GATE = "check new.example --no-sign-in --gate tls-rpt -o json"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        box.faults.add(Fault("dns-cache"))
        yield Desk(box, tmp_path)


def asked(desk: Desk, name: str = OWNER) -> list[str]:
    """Name the servers that were asked about a name, in order, since the last time."""
    seen = [one["server"] for one in desk.box.questions_document() if one["name"] == name]
    desk.box._name_server.questions.clear()
    return seen


def verdict(desk: Desk) -> tuple[int, dict[str, Any]]:
    done = desk.run(GATE)
    (gate,) = json.loads(done.out)["gates"]
    return done.code, gate


def test_a_record_that_nobody_published_is_asked_of_no_resolver(desk: Desk) -> None:
    code, gate = verdict(desk)
    assert (code, gate["state"]) == (3, "blocked")
    assert set(asked(desk)) == {"ns1", "ns2"}
    desk.box.publish_txt(OWNER, RECORD)
    code, gate = verdict(desk)
    assert (code, gate["state"]) == (0, "ready"), "nobody remembers that it was absent"
    order = asked(desk)
    assert order.index("resolver") > max(order.index("ns1"), order.index("ns2"))


@pytest.mark.parametrize("rules", ["cisa", "parked"])
def test_rules_that_ask_for_no_record_open_no_gate(desk: Desk, rules: str) -> None:
    done = desk.run(f"{GATE} --rules {rules}")
    document = json.loads(done.out)
    assert (done.code, document["gates"][0]["held_by"]) == (3, ["TLSRPT-MISSING"])
    assert document["findings"] == [], "the rules themselves are silent"


def test_a_secondary_that_lags_is_time_alone(desk: Desk) -> None:
    desk.box.faults.add(Fault("dns-lag", value="2h"))
    desk.box.publish_txt(OWNER, RECORD)
    code, gate = verdict(desk)
    assert (code, gate["state"]) == (4, "waiting")
    assert datetime.fromisoformat(gate["not_before"]) > datetime.now(UTC)
    assert "resolver" not in asked(desk)
    desk.box.advance(timedelta(hours=3))
    assert verdict(desk)[0] == 0


def test_a_lame_secondary_holds_nobody_up(desk: Desk) -> None:
    desk.box.faults.add(Fault("dns-lame"))
    desk.box.publish_txt(OWNER, RECORD)
    assert verdict(desk)[0] == 0


def test_an_absence_that_somebody_else_made_a_resolver_remember_is_waited_for(desk: Desk) -> None:
    desk.run("tls-rpt show new.example")  # somebody looked too early
    desk.box.publish_txt(OWNER, RECORD)
    code, gate = verdict(desk)
    assert (code, gate["state"]) == (4, "waiting")
    left = datetime.fromisoformat(gate["not_before"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left < timedelta(minutes=17), "no later than the SOA's minimum lets it"
    desk.box.advance(timedelta(minutes=16))
    assert verdict(desk)[0] == 0


def test_an_old_value_is_waited_for(desk: Desk) -> None:
    desk.box.publish_txt(OWNER, "v=TLSRPTv1; rua=ftp:wrong")
    desk.run("tls-rpt show new.example")
    desk.box.publish_txt(OWNER, RECORD)
    code, gate = verdict(desk)
    assert (code, gate["state"]) == (4, "waiting")
    desk.box.advance(timedelta(hours=1, seconds=1))
    assert verdict(desk)[0] == 0


def test_waiting_goes_on_until_the_record_is_there(desk: Desk) -> None:
    """The record is published when the wait has begun; the clock of the sandbox lets nothing expire meanwhile."""
    waiting = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", *GATE.split(), "--wait", "5m", "-v"],
        env=desk.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    told = waiting.stderr.readline()
    assert "blocked of tls-rpt, new.example" in told
    assert "again in 5s" in told
    desk.box.publish_txt(OWNER, RECORD)
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert json.loads(out)["gates"][0]["state"] == "ready"
    order = asked(desk)
    assert order[-1] == "resolver"
    first = order.index("resolver")
    assert set(order[:first]) == {"ns1", "ns2"}
    assert set(order[first:]) == {"resolver"}, "resolvers are asked once, at the end"


def test_exchange_online_is_not_made_to_remember_an_absence(desk: Desk) -> None:
    """Switching on before both CNAMEs are seen would make Exchange remember: nothing is sent before."""
    assert desk.run("dkim enable -d new.example --yes").code == 4
    sent = [one for one in desk.box.requests if one.cmdlet == "Set-DkimSigningConfig"]
    assert sent == []
    assert desk.run("dkim enable -d new.example --yes").code == 4  # publishes
    assert desk.run("check new.example --gate dkim-enable").code in (0, 4)
    assert [one for one in desk.box.requests if one.cmdlet == "Set-DkimSigningConfig"] == []
