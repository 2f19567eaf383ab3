"""A change beside a baseline counts when two servers agree: here only one of them has it, then both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from broken_domains import BROKEN, Broken
from broken_zone import environment_for, zone_lines
from policy_host import PolicyHost
from terminal import Done, in_process
from zone_server import ZoneServer

NAMES = {case.label: case for case in BROKEN}
BEFORE, AFTER = NAMES["healthy"], replace(NAMES["spf-plusall"], label="healthy")
Servers = tuple[ZoneServer, ...]


@contextmanager
def serving(*cases: Broken) -> Iterator[Servers]:
    servers = tuple(ZoneServer(zone_lines([case])) for case in cases)
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


def check(servers: Servers, policy_host: PolicyHost, *words: str) -> Done:
    environment = environment_for(servers[0].address, policy_host)
    environment["EXO_AUTH_NAMESERVER"] = ",".join(f"{s.address[0]}:{s.address[1]}" for s in servers)
    return in_process("check", "healthy.test", "--only", "spf", *words, "-o", "json", environment=environment)


def told(done: Done) -> tuple[set[str], set[str]]:
    document = json.loads(done.out)
    return {one["code"] for one in document["findings"]}, {one["code"] for one in document["gone"]}


ROUNDS = [  # baseline, what the two servers have today, new findings, gone findings, exit code, reason
    (BEFORE, (BEFORE, BEFORE), set(), set(), 0, "nothing changed"),
    (BEFORE, (AFTER, BEFORE), set(), set(), 0, "the first server alone has a fault"),
    (BEFORE, (BEFORE, AFTER), set(), set(), 0, "the second server alone has it"),
    (BEFORE, (AFTER, AFTER), {"SPF-PLUSALL"}, set(), 3, "both have it"),
    (AFTER, (AFTER, AFTER), set(), set(), 0, "what was known is not told again"),
    (AFTER, (BEFORE, AFTER), set(), set(), 0, "mended at one server alone"),
    (AFTER, (BEFORE, BEFORE), set(), {"SPF-PLUSALL"}, 0, "mended at both"),
]


@pytest.mark.parametrize(
    ("before", "today", "new", "gone", "code", "reason"), ROUNDS, ids=[row[5] for row in ROUNDS]
)
def test_a_change_is_told_when_both_servers_have_it(
    before: Broken,
    today: tuple[Broken, Broken],
    new: set[str],
    gone: set[str],
    code: int,
    reason: str,
    policy_host: PolicyHost,
    tmp_path: Path,
) -> None:
    baseline = tmp_path / "baseline.json"
    with serving(before, before) as servers:
        check(servers, policy_host, "--report", str(baseline))
    with serving(*today) as servers:
        done = check(servers, policy_host, "--baseline", str(baseline))
    assert (told(done), done.code) == ((new, gone), code), reason


def test_silence_of_a_server_neither_takes_findings_away_nor_confirms_new_ones(
    policy_host: PolicyHost, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    with serving(AFTER, AFTER) as servers:
        check(servers, policy_host, "--report", str(baseline))
    for server in servers:  # closed: nobody answers there now
        assert server.address
    done = check(servers, policy_host, "--baseline", str(baseline))
    found, gone = told(done)
    assert (done.code, gone) == (6, set())
    assert "TRANSIENT" in found
    assert "SPF-MISSING" not in found
