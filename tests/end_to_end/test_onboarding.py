"""A tenant is brought from nothing to mail that is authenticated, watched and encrypted, on a name server of its own.

The tenant is empty, its zones are held by a real Knot, and by a real BIND, and written through octoDNS over RFC 2136 with TSIG; the sandbox asks
that server as Microsoft's resolvers would. The weeks pass on the movable clock.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bind_primary import BIND, bind_primary
from knot_primary import KNOT, Primary, knot_primary, octodns_file
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

SHOP, PARKED, BROKEN = "shop.example", "parked.example", "broken.example"
SENDER = "sender.example"  # somebody who mails for the shop
EMPTY = {"listed": False, "cnames": "none", "spf": "", "dmarc": ""}
TENANT = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    *(DomainSpec(name, **EMPTY) for name in (SHOP, PARKED, BROKEN)),  # type: ignore[arg-type]
)
SHOP_LINES = [
    f'{SHOP}. 3600 IN TXT "MS=ms12345678"',
    f'{SHOP}. 3600 IN TXT "v=spf1 include:_spf.{SENDER} ~all"',
]
PARKED_LINES = [f'{PARKED}. 3600 IN TXT "MS=ms87654321"']
SENDER_LINES = [
    f'_spf.{SENDER}. 3600 IN TXT "v=spf1 ip4:198.51.100.0/24 -all"',
    f"policies.{SENDER}. 3600 IN A 127.0.0.1",
]
LINE = (
    f"apply onboard-tenant --var rua=mailto:dmarc@{SHOP} --var tls_rua=mailto:tls@{SHOP} --var parked={PARKED} "
    f"--var policy_host=policies.{SENDER} --var mta_sts=enforce --var goal=reject --yes -o json"
)
DAY = timedelta(days=1, minutes=1)


@dataclass(frozen=True)
class World:
    """A tenant, the name server of its zones, and what an administrator types."""

    box: Sandbox
    primary: Primary
    environment: dict[str, str]

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def fails(self, domain: str, options: str = "") -> set[str]:
        document = json.loads(self.run(f"check {domain} {options} -o json").out)
        return {one["code"] for one in document["findings"] if one["severity"] == "fail"}

    def rows(self) -> dict[str, dict[str, Any]]:
        rows = json.loads(self.run("dkim status -o json").out)["domains"]
        return {row["domain"]: row for row in rows}


SERVERS = [
    pytest.param(knot_primary, id="knot", marks=pytest.mark.skipif(KNOT is None, reason="no knotd here")),
    pytest.param(bind_primary, id="bind", marks=pytest.mark.skipif(BIND is None, reason="no named here")),
]


@pytest.fixture(params=SERVERS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with request.param(
        tmp_path / "primary", SHOP, SHOP_LINES, {SENDER: SENDER_LINES}, {PARKED: PARKED_LINES}
    ) as primary:
        # The broken zone is delegated to a server that knows nothing of it, as after a move that was forgotten.
        octodns = octodns_file(primary.octodns.parent, primary.address, primary.secret, SHOP, PARKED, BROKEN)
        delegated = dict.fromkeys((SHOP, PARKED, BROKEN, SENDER), primary.address)
        with Sandbox(SandboxOptions(TENANT, delegated=delegated)) as box:
            environment = {
                **box.description.environment,
                "EXO_AUTH_OCTODNS": str(octodns),
                "EXO_AUTH_STATE_DIR": str(tmp_path / "state"),
                "EXO_AUTH_NO_JITTER": "1",
                "EXO_AUTH_CONNECT_TIMEOUT": "2s",
                "EXO_AUTH_MAX_KEY_AGE": "730d",  # so that the stage renewal has nothing to do in these months
                "HOME": str(tmp_path),
                "PATH": "/usr/bin:/bin",
            }
            yield World(box, primary, environment)


def host_what_it_asks_for(world: World, done: Done, hosted: list[str]) -> None:
    """Do the part of whoever hosts policies: what the plan says prints the file."""
    for wait in json.loads(done.out).get("deferrals", ()):
        if "host this file" in wait["reason"]:
            command = wait["reason"].split("`")[1].removeprefix("exo-auth ")
            (one,) = json.loads(world.run(f"{command} -o json").out)["files"].values()
            world.box.host_policy(wait["domain"], one)
            hosted.append(one)


def outcomes(done: Done) -> list[tuple[str, str, str]]:
    """Domain, verb and end of each change."""
    document = json.loads(done.out)
    return [(one["domain"], one["verb"], one["result"]) for one in document.get("outcomes", ())]


STAGES = [  # what each run does to the shop, and how long it is until the next
    ({"publish": 3}, "MX, autodiscover and SPF"),
    ({"create": 1}, "keys"),
    ({"publish": 2}, "their CNAMEs"),
    ({"enable": 1}, "signing"),
    ({"publish": 1}, "DMARC"),
    ({"publish": 2}, "TLS-RPT and the alias of the policy host"),
    ({}, "a person hosts the policy"),
    ({"publish": 1}, "MTA-STS in testing is announced"),
    ({}, "testing was observed: a person enforces it in the file"),
    ({"publish": 1}, "MTA-STS in enforce is announced"),
    ({"publish": 1}, "DMARC quarantine"),
    ({}, "it is observed"),
    ({"publish": 1}, "DMARC reject"),
    ({}, "nothing is left to do"),
]


def test_from_an_empty_tenant_to_one_that_is_enforced_and_back(world: World) -> None:
    before = {zone: world.primary.records(zone) for zone in (SHOP, PARKED)}
    runs: list[Done] = []
    hosted: list[str] = []
    for wanted, reason in STAGES:
        done = world.run(LINE)
        runs.append(done)
        assert done.code == 6, (
            done,
            reason,
        )  # of the broken domain there is no verdict, and it is told each time
        held = json.loads(done.out).get("plan", json.loads(done.out))["blockages"]
        assert [(one["domain"], one["stage"], one["is_unknown"]) for one in held] == [
            (BROKEN, "inventory", True)
        ], (reason, held)
        found = Counter(
            verb for domain, verb, result in outcomes(done) if (domain, result) == (SHOP, "applied")
        )
        assert found == wanted, (reason, done)
        host_what_it_asks_for(world, done, hosted)
        world.box.advance(16 * DAY)

    shop, parked = world.primary.records(SHOP), world.primary.records(PARKED)
    assert f'_dmarc.{SHOP}. 3600 TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{SHOP}"' in shop
    assert f'{SHOP}. 3600 TXT "v=spf1 include:_spf.{SENDER} include:spf.protection.outlook.com ~all"' in shop
    assert f'_smtp._tls.{SHOP}. 3600 TXT "v=TLSRPTv1; rua=mailto:tls@{SHOP}"' in shop
    assert f'{SHOP}. 3600 TXT "MS=ms12345678"' in shop  # what others put there
    assert f'{PARKED}. 3600 TXT "v=spf1 -all"' in parked
    assert f"{PARKED}. 3600 MX 0 ." in parked
    assert any("p=reject" in record for record in parked)
    assert "mode: enforce" in world.run(f"mta-sts show {SHOP}").out
    assert world.rows()[SHOP]["phase"] == "steady"
    assert world.fails(SHOP) == set()
    assert world.fails(PARKED, "--rules parked --no-sign-in") == set()

    again = json.loads(world.run(LINE).out)
    assert again["changes"] == []
    assert again["steady"] == [PARKED, SHOP]

    enforced = runs[[reason for _, reason in STAGES].index("MTA-STS in enforce is announced")]
    early = world.run(f"undo {json.loads(enforced.out)['run']} --yes")
    assert (early.code, "the id comes after the file" in early.out) == (3, True), early
    world.box.host_policy(SHOP, hosted[0])
    for done in reversed(runs):
        if any(domain == SHOP for domain, _, _ in outcomes(done)):
            undone = world.run(f"undo {json.loads(done.out)['run']} --only {SHOP} --yes -o json")
            world.box.advance(2 * DAY)  # until no sender holds the policy of before
            is_keys = [verb for domain, verb, _ in outcomes(done) if domain == SHOP] == ["create"]
            assert undone.code == (3 if is_keys else 0), (undone, done)  # keys that are off need no way back
    agreed = f'{PARKED}._report._dmarc.{SHOP}. 3600 TXT "v=DMARC1;"'  # to take reports about the other domain
    assert world.primary.records(SHOP) == before[SHOP] | {agreed}
    assert world.primary.records(PARKED) == parked
    assert not world.rows()[SHOP]["enabled"]
