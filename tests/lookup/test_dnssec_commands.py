"""`--validate-dnssec` as its users give it, and the settings behind it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from signed_zones import SignedWorld, needs_knot
from terminal import Done, as_cron

pytestmark = needs_knot


def run(signed: SignedWorld, *line: str, **settings: str) -> Done:
    host, port = signed.address
    environment = {
        "PATH": os.defpath,
        "HOME": str(signed.folder),
        "EXO_AUTH_NAMESERVER": f"{host}:{port}",
        "EXO_AUTH_TRUST_ANCHORS": str(signed.anchors),
        "EXO_AUTH_CONNECT_TIMEOUT": "1s",
        **settings,
    }
    return as_cron(*line, environment=environment)


def findings(done: Done) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in json.loads(done.out)["findings"]}


def test_our_own_verdict_counts_not_the_resolvers(signed: SignedWorld) -> None:
    """The server sets no AD bit: without the option nothing is known to be signed."""
    line = ("check", "--only", "dns,mx,dane", "-o", "json")
    insecure = findings(run(signed, *line, "signed.test"))["DNSSEC-INSECURE"]
    assert insecure["message"] == "the resolver did not validate the zone with DNSSEC"
    assert insecure["seen"] == "answers come without the AD flag"
    assert "DNSSEC-INSECURE" not in findings(run(signed, *line, "--validate-dnssec", "signed.test"))
    ours = findings(run(signed, *line, "--validate-dnssec", "insecure.test"))["DNSSEC-INSECURE"]
    assert ours["message"] == "no chain of signatures leads to the zone"
    assert ours["seen"].startswith("validated here: test has no DS record for insecure.test")


def test_a_snapshot_remembers_who_validated(signed: SignedWorld, tmp_path: Path) -> None:
    file = str(tmp_path / "now.json")
    saved = run(signed, "snapshot", "save", file, "insecure.test", "signed.test", "--validate-dnssec")
    assert saved.code == 0, saved
    line = ("check", "--from", file, "--only", "dns", "-o", "json")
    then = findings(run(signed, *line, "insecure.test"))["DNSSEC-INSECURE"]
    assert then["seen"].startswith("validated here: test has no DS record for insecure.test")
    assert "DNSSEC-INSECURE" not in findings(run(signed, *line, "signed.test"))


def test_a_bogus_zone_is_told_with_its_reason(signed: SignedWorld) -> None:
    found = findings(
        run(signed, "check", "--only", "mx", "-o", "json", "expired.test", EXO_AUTH_VALIDATE_DNSSEC="true")
    )
    assert "has expired" in found["DNSSEC-BOGUS"]["seen"]
    assert "MX-MISSING" not in found  # what does not validate is never an absent record


def test_readiness_for_dane_needs_no_validating_resolver(signed: SignedWorld) -> None:
    done = run(signed, "dane", "readiness", "signed.test", "--validate-dnssec")
    assert "DNSSEC-INSECURE" not in done.out, done
    assert "validated here, from the trust anchor down" in done.out
    unsigned = run(signed, "dane", "readiness", "insecure.test", "--validate-dnssec")
    assert "test has no DS record for insecure.test" in " ".join(unsigned.out.split())
    assert "resolver" not in unsigned.out


def test_anchors_that_cannot_be_read_are_told(signed: SignedWorld, tmp_path: Path) -> None:
    done = run(
        signed, "check", "signed.test", "--validate-dnssec", EXO_AUTH_TRUST_ANCHORS=str(tmp_path / "none")
    )
    assert done.code == 64
    assert "trust anchors" in done.err
