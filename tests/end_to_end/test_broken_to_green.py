"""From a broken domain to a right one with nothing but the product: records through octoDNS into the sandbox's zones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from desk import NEW, WISH, Desk

from exo_auth.sandbox.serve import Sandbox, SandboxOptions


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        yield Desk(box, tmp_path)


def test_by_hand(desk: Desk) -> None:
    assert desk.codes() == {"SPF-MISSING", "DKIM-NOT-CREATED", "DMARC-MISSING"}
    assert desk.run("dkim enable -d new.example --yes").code == 4  # keys are made
    assert desk.run(f"dns apply {WISH} --yes").code == 0
    desk.box.advance(timedelta(hours=1))
    assert desk.run("dkim enable -d new.example --yes").code == 0
    assert desk.codes() == set()


def test_one_plan_run_by_a_scheduler_three_times(desk: Desk) -> None:
    ends = []
    for _ in range(4):
        ends.append(desk.run("dkim enable -d new.example --yes -o json"))
        desk.box.advance(timedelta(hours=1))
    assert [done.code for done in ends] == [4, 4, 0, 0], ends
    verbs = [[outcome["verb"] for outcome in json.loads(done.out).get("outcomes", [])] for done in ends]
    assert verbs == [["create"], ["publish", "publish"], ["enable"], []]
    rows = json.loads(desk.run("dkim status new.example -o json").out)["domains"]
    assert [row["domain"] for row in rows] == ["new.example"]


def test_the_whole_path_run_by_a_scheduler_three_times(desk: Desk) -> None:
    assert desk.codes() == {"SPF-MISSING", "DKIM-NOT-CREATED", "DMARC-MISSING"}
    ends = []
    for _ in range(3):
        ends.append(desk.run(f"onboard {WISH} --until tls-rpt --yes -o json"))
        desk.box.advance(timedelta(hours=1))
    assert [done.code for done in ends] == [4, 0, 0], (
        "the keys wait for Exchange Online, then there is nothing left"
    )
    runs = [json.loads(done.out)["runs"] for done in ends]
    assert [bool(any_run) for any_run in runs] == [True, True, False]
    assert desk.codes() == set()


def test_the_records_of_a_tenants_plan_are_taken_back(desk: Desk) -> None:
    desk.run("dkim enable -d new.example --yes")
    before = desk.box.zones.of_zone("new.example")
    published = desk.run("dkim enable -d new.example --yes -o json")
    assert len(desk.box.zones.of_zone("new.example")) == len(before) + 2
    run = json.loads(published.out)["run"]
    assert desk.run(f"dns undo {run} --yes").code == 0
    assert desk.box.zones.of_zone("new.example") == before


WRONG_ORDERS = [
    (
        "dmarc generate new.example --policy reject",
        "the gate dmarc-enforce is blocked",
        "enforcement before DKIM",
    ),
    (
        "dns plan new.example --policy reject --rua mailto:d@new.example",
        "dmarc-enforce",
        "the same in a plan",
    ),
    ("mta-sts generate new.example", "TLSRPT-MISSING", "MTA-STS before TLS-RPT"),
    (
        "spf generate new.example --add include:nobody.example",
        "has no SPF record",
        "an include without a record",
    ),
]


@pytest.mark.parametrize(("line", "part", "reason"), WRONG_ORDERS, ids=[row[2] for row in WRONG_ORDERS])
def test_a_wrong_order_is_refused(desk: Desk, line: str, part: str, reason: str) -> None:
    done = desk.run(line)
    assert done.code == 3, (done, reason)
    assert part in done.out + done.err, reason


def test_an_include_that_a_sender_needs_is_not_removed(desk: Desk) -> None:
    assert desk.run(f"dns apply {WISH} --yes").code == 0
    done = desk.run("spf generate new.example --remove include:spf.protection.outlook.com --no-microsoft")
    assert done.code == 3
    assert "pass today and would not any more" in done.out
    loose = desk.run(
        "spf generate new.example --remove include:spf.protection.outlook.com --no-microsoft --allow-loss"
    )
    assert loose.code == 0
    tried = desk.run("spf simulate new.example --record v=spf1?all")
    assert tried.code == 64, "no record"
    tried = desk.run("spf simulate new.example --remove include:spf.protection.outlook.com")
    assert tried.code == 3
    assert "note: 0 of 10 lookups" in tried.out
    assert "leave the verdict to DKIM and DMARC" in tried.out


def test_the_policy_file_comes_before_its_id(desk: Desk) -> None:
    assert desk.run(f"dns apply {WISH} --yes").code == 0
    done = desk.run("mta-sts generate new.example")
    assert done.code == 4, done
    assert "the id comes after the file" in done.out


def test_waiting_for_a_gate(desk: Desk) -> None:
    assert desk.run(f"dns apply {WISH} --yes").code == 0
    done = desk.run("check new.example --gate tls-rpt --wait 1m")
    assert done.code == 0, done
    assert desk.run("check new.example --wait 1m").code == 64
    assert desk.run("check new.example --gate mx --wait soon").code == 64
