"""A change beside a baseline counts when two servers agree: two resolvers, or a resolver and the zone's own servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from broken_domains import BROKEN, Broken
from broken_zone import environment_for, zone_lines
from knot_primary import KNOT, knot_primary
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
            with suppress(OSError):  # a test may have closed it
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


ZONE = [
    "healthy.test. 3600 IN SOA ns1.healthy.test. h.healthy.test. 7 7200 600 86400 300",
    "healthy.test. 3600 IN NS ns1.healthy.test.",
    "ns1.healthy.test. 3600 IN A 127.0.0.1",
]
OWN_ROUNDS = [  # baseline, what the resolver has, what the zone's server has, new, gone, exit code, reason
    (BEFORE, BEFORE, AFTER, set(), set(), 0, "the resolver remembers what was"),
    (BEFORE, AFTER, BEFORE, set(), set(), 0, "the resolver alone has it"),
    (BEFORE, AFTER, AFTER, {"SPF-PLUSALL"}, set(), 3, "the zone has it"),
    (AFTER, BEFORE, AFTER, set(), set(), 0, "mended in a cache alone"),
    (AFTER, BEFORE, BEFORE, set(), {"SPF-PLUSALL"}, 0, "mended in the zone"),
]


def check_by_one(
    recursive: Broken, authority_port: int, policy_host: PolicyHost, *words: str, verb: str = "check"
) -> Done:
    """Check with one resolver; the zone's servers listen at that port."""
    with closing(ZoneServer([*zone_lines([recursive]), *ZONE])) as server:
        environment = environment_for(server.address, policy_host)
        environment["EXO_AUTH_AUTHORITY_PORT"] = str(authority_port)
        only = ("--only", "spf") if verb == "check" else ()
        return in_process(*verb.split(), "healthy.test", *only, *words, "-o", "json", environment=environment)


@pytest.mark.skipif(KNOT is None, reason="Knot is not installed")
@pytest.mark.parametrize(
    ("before", "cached", "published", "new", "gone", "code", "reason"),
    OWN_ROUNDS,
    ids=[row[6] for row in OWN_ROUNDS],
)
def test_beside_one_resolver_the_zones_own_servers_are_asked(
    before: Broken,
    cached: Broken,
    published: Broken,
    new: set[str],
    gone: set[str],
    code: int,
    reason: str,
    policy_host: PolicyHost,
    tmp_path: Path,
) -> None:
    baseline = tmp_path / "baseline.json"
    check_by_one(before, 1, policy_host, "--report", str(baseline))
    own = [line for line in published.lines() if line.split()[0].endswith("healthy.test.")]
    with knot_primary(tmp_path / "knot", "healthy.test", own) as knot:
        done = check_by_one(cached, knot.address[1], policy_host, "--baseline", str(baseline))
    assert (told(done), done.code) == ((new, gone), code), reason


def test_a_change_that_nobody_else_can_confirm_is_told_as_such(
    policy_host: PolicyHost, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    check_by_one(BEFORE, 1, policy_host, "--report", str(baseline))
    done = check_by_one(AFTER, 1, policy_host, "--baseline", str(baseline))  # nobody listens at that port
    assert (told(done), done.code) == (({"SPF-PLUSALL", "CHANGE-UNCONFIRMED"}, set()), 3)
    unchanged = check_by_one(BEFORE, 1, policy_host, "--baseline", str(baseline))
    assert (told(unchanged), unchanged.code) == ((set(), set()), 0)


@pytest.mark.parametrize("dead", [0, 1], ids=["the first", "the second"])
def test_one_of_two_resolvers_out_of_order_confirms_nothing(
    policy_host: PolicyHost, tmp_path: Path, dead: int
) -> None:
    """The other one answers both looks, so that they are no two."""
    baseline = tmp_path / "baseline.json"
    with serving(BEFORE, BEFORE) as servers:
        check(servers, policy_host, "--report", str(baseline))
    with serving(AFTER, AFTER) as servers:
        servers[dead].close()
        done = check(servers, policy_host, "--baseline", str(baseline))
    assert (told(done), done.code) == (({"SPF-PLUSALL", "CHANGE-UNCONFIRMED"}, set()), 3)


def test_an_audit_tells_it_too(policy_host: PolicyHost, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    earlier = check_by_one(BEFORE, 1, policy_host, verb="audit run")
    baseline.write_text(earlier.out, encoding="utf-8")
    done = check_by_one(AFTER, 1, policy_host, "--baseline", str(baseline), verb="audit run")
    assert "what changed at healthy.test was confirmed by no second server" in done.err
    assert json.loads(done.out)["rules"]
