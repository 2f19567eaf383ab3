"""`--validate-dnssec` as its users give it, and the settings behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from knot_primary import KNOT
from signed_zones import KEYMGR, SignedWorld, signed_world
from terminal import Done, as_cron

pytestmark = pytest.mark.skipif(KNOT is None or KEYMGR is None, reason="Knot is not installed")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedWorld]:
    with signed_world(tmp_path_factory.mktemp("signed")) as made:
        yield made


def run(world: SignedWorld, *line: str, **settings: str) -> Done:
    host, port = world.address
    environment = {
        "PATH": os.defpath,
        "HOME": str(world.folder),
        "EXO_AUTH_NAMESERVER": f"{host}:{port}",
        "EXO_AUTH_TRUST_ANCHORS": str(world.anchors),
        "EXO_AUTH_CONNECT_TIMEOUT": "1s",
        **settings,
    }
    return as_cron(*line, environment=environment)


def findings(done: Done) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in json.loads(done.out)["findings"]}


def test_our_own_verdict_counts_not_the_resolvers(world: SignedWorld) -> None:
    """The server sets no AD bit: without the option nothing is known to be signed."""
    line = ("check", "--only", "dns,mx,dane", "-o", "json")
    assert "DNSSEC-INSECURE" in findings(run(world, *line, "signed.test"))
    assert "DNSSEC-INSECURE" not in findings(run(world, *line, "--validate-dnssec", "signed.test"))
    assert "DNSSEC-INSECURE" in findings(run(world, *line, "--validate-dnssec", "insecure.test"))


def test_a_bogus_zone_is_told_with_its_reason(world: SignedWorld) -> None:
    found = findings(
        run(world, "check", "--only", "mx", "-o", "json", "expired.test", EXO_AUTH_VALIDATE_DNSSEC="true")
    )
    assert "has expired" in found["DNSSEC-BOGUS"]["seen"]
    assert "MX-MISSING" not in found  # what does not validate is never an absent record


def test_readiness_for_dane_needs_no_validating_resolver(world: SignedWorld) -> None:
    done = run(world, "dane", "readiness", "signed.test", "--validate-dnssec")
    assert "DNSSEC-INSECURE" not in done.out, done


def test_anchors_that_cannot_be_read_are_told(world: SignedWorld, tmp_path: Path) -> None:
    done = run(
        world, "check", "signed.test", "--validate-dnssec", EXO_AUTH_TRUST_ANCHORS=str(tmp_path / "none")
    )
    assert done.code == 64
    assert "trust anchors" in done.err
