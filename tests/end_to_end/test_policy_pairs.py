"""A policy file and the id that announces it: one rule for both, and whichever changes alone is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

DOMAIN = "new.example"
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec(DOMAIN, cnames="none"),
)


class Desk:
    """Commands in this process; `build` writes and hosts a policy as a user would."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.box = box
        self.folder = folder
        self.environment = {
            **box.description.environment,
            "EXO_AUTH_STATE_DIR": str(folder),
            "HOME": str(folder),
        }
        box.publish_txt(f"_smtp._tls.{DOMAIN}", f"v=TLSRPTv1; rua=mailto:t@{DOMAIN}")

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)

    def build(self, options: str = "") -> str:
        """Build and host the policy; give the record that `build` wants published."""
        out = self.folder / "bundle"
        done = self.run(f"mta-sts build -d {DOMAIN} --for serve --out {out} {options} -o json")
        assert done.code == 0, done
        assert self.run(f"sandbox policy {DOMAIN} {out}/policies/{DOMAIN}.txt").code == 0
        (built,) = json.loads(done.out)["domains"]
        return str(built["record"]["value"])

    def generate(self, options: str = "") -> tuple[int, list[str]]:
        """Give the exit code of `generate`, and the record it wants."""
        done = self.run(f"mta-sts generate {DOMAIN} {options} -o json")
        (change,) = json.loads(done.out)["changes"]
        return done.code, change["after"]

    def publish(self, record: str) -> None:
        self.box.publish_txt(f"_mta-sts.{DOMAIN}", record)

    def found(self, options: str = "") -> set[str]:
        done = self.run(f"check {DOMAIN} --only mta-sts {options} -o json")
        return {one["code"] for one in json.loads(done.out)["findings"]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(DOMAINS)) as box:
        yield Desk(box, tmp_path)


def test_what_is_built_again_keeps_the_mode_in_force(desk: Desk) -> None:
    desk.publish(desk.build("--mode enforce --max-age 1209600"))
    again = desk.run(f"mta-sts build -d {DOMAIN} --for nginx --out {desk.folder}/again -o json")
    (built,) = json.loads(again.out)["domains"]
    assert (built["mode"], built["max_age"]) == ("enforce", 1209600)
    weaker = desk.run(
        f"mta-sts build -d {DOMAIN} --mode testing --for nginx --out {desk.folder}/again -o json"
    )
    assert json.loads(weaker.out)["domains"][0]["mode"] == "testing", "where somebody says so"
    assert desk.run(f"sandbox fault policy-status --value 403 -d {DOMAIN}").code == 0
    dark = desk.run(f"mta-sts build -d {DOMAIN} --for nginx --out {desk.folder}/again")
    assert (dark.code, "name the mode with --mode" in dark.err) == (6, True), dark


def test_build_and_generate_make_the_same_id(desk: Desk) -> None:
    record = desk.build()
    file = (desk.folder / "bundle" / "policies" / f"{DOMAIN}.txt").read_bytes()
    assert f"id=sha256{hashlib.sha256(file).hexdigest()[:20]};" in record, "as sha256sum prints it"
    assert desk.generate() == (0, [record])
    desk.publish(record)
    assert desk.generate() == (0, [record])
    assert "done" in desk.run(f"mta-sts generate {DOMAIN}").err
    assert not desk.found() & {"STS-ID-STALE", "STS-ID-ALONE"}


def test_the_file_changed_and_the_id_did_not(desk: Desk) -> None:
    old = desk.build()
    desk.publish(old)
    new = desk.build("--max-age 90000")
    assert "STS-ID-STALE" in desk.found()
    assert desk.generate() == (0, [new]), "the file is there: announce it"
    assert new != old


def test_the_id_changed_and_the_file_did_not(desk: Desk) -> None:
    old = desk.build()
    new = desk.build("--max-age 90000")
    assert desk.build() == old, "the same policy is announced by the same id again"
    desk.publish(new)
    assert "STS-ID-STALE" in desk.found()
    assert desk.generate() == (0, [old])


def test_ids_of_others_are_compared_with_a_baseline(desk: Desk) -> None:
    desk.build()
    desk.publish("v=STSv1; id=20260101000000;")
    assert desk.run(f"snapshot save {desk.folder}/base.json {DOMAIN}").code == 0
    assert desk.generate() == (0, ["v=STSv1; id=20260101000000;"]), "a valid record of others is left alone"
    desk.publish("v=STSv1; id=20260202000000;")
    assert "STS-ID-ALONE" in desk.found(f"--baseline {desk.folder}/base.json")
    desk.publish("v=STSv1; id=20260101000000;")
    desk.build("--max-age 90000")
    assert "STS-ID-STALE" in desk.found(f"--baseline {desk.folder}/base.json")


def test_the_id_is_refused_before_its_file(desk: Desk) -> None:
    desk.build()
    code, _ = desk.generate("--max-age 90000")
    assert code == 4
    assert "the id comes after the file" in desk.run(f"mta-sts generate {DOMAIN} --max-age 90000").out
