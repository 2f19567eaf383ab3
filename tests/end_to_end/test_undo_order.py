"""An undo takes nothing away that mail needs now: keys that sign, and the senders of a domain whose policy acts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from desk import NEW, WISH, Desk
from terminal import Done

from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

PLAYBOOK = """version: 1
domains: [new.example]
stages:
  - {name: records, do: publish, with: {rua: mailto:d@new.example}}
  - {name: keys, do: enable}
"""
DAY = timedelta(days=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "new.yaml").write_text(PLAYBOOK)
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        yield Desk(box, tmp_path)


def run_of(done: Done) -> str:
    found = re.search(r"^run (\S+)", done.out, re.MULTILINE)
    assert found, done
    return found[1]


def records(desk: Desk, rdtype: str) -> set[str]:
    return {one["owner"] for one in desk.box.zones.to_state() if one["type"] == rdtype}


def signed_up(desk: Desk, tmp_path: Path) -> tuple[str, str]:
    """Publish all, and switch signing on; give the runs that published the CNAMEs and that switched."""
    line = f"apply {tmp_path / 'new.yaml'} --yes"
    for _ in range(2):  # records, then keys
        desk.run(line)
    cnames = run_of(desk.run(line))
    desk.box.advance(DAY)
    return cnames, run_of(desk.run(line))


CNAMES = {f"selector{n}._domainkey.new.example" for n in (1, 2)}


def test_the_keys_stay_while_the_tenant_signs_with_them(desk: Desk, tmp_path: Path) -> None:
    cnames, switched = signed_up(desk, tmp_path)
    held = desk.run(f"undo {cnames} --yes")
    assert held.code == 3, held
    assert held.out.count("Exchange Online signs for new.example, and receivers find its keys there") == 2
    assert records(desk, "CNAME") >= CNAMES
    assert desk.run(f"undo {switched} --yes").code == 0
    done = desk.run(f"undo {cnames} --yes")
    assert done.code == 0, done
    assert not records(desk, "CNAME") & CNAMES


def test_a_plan_of_before_takes_no_key_of_now(desk: Desk, tmp_path: Path) -> None:
    line = f"apply {tmp_path / 'new.yaml'} --yes"
    for _ in range(2):
        desk.run(line)
    cnames = run_of(desk.run(line))
    saved = desk.run(f"undo {cnames} --out {tmp_path / 'back.plan'}")
    assert saved.code == 0, saved
    desk.box.advance(DAY / 2)
    desk.run(line)
    done = desk.run(f"apply {tmp_path / 'back.plan'} --yes -o json")
    assert {one["result"] for one in json.loads(done.out)["outcomes"]} == {"blocked"}
    assert done.code == 3
    assert records(desk, "CNAME") >= CNAMES


def test_without_a_sign_in_nobody_knows_whether_the_tenant_signs(desk: Desk, tmp_path: Path) -> None:
    desk.run("dkim enable -d new.example --yes")
    published = run_of(desk.run(f"dns apply {WISH} --yes"))
    assert records(desk, "CNAME") >= CNAMES
    stranger = Desk(desk.box, tmp_path)
    stranger.environment = {
        key: value for key, value in desk.environment.items() if "CLIENT" not in key and "TENANT" not in key
    }
    unknown = stranger.run(f"undo {published} --dry-run")
    assert unknown.code == 6, unknown
    assert unknown.out.count("is not known without a sign-in") == 2
    assert desk.run(f"undo {published} --dry-run").code == 0, "nobody signs yet"
    desk.box.advance(DAY)
    desk.run("dkim enable -d new.example --yes")
    assert desk.run(f"undo {published} --dry-run").code == 3


def test_senders_stay_while_a_policy_acts(desk: Desk, tmp_path: Path) -> None:
    published = run_of(desk.run(f"apply {tmp_path / 'new.yaml'} --yes"))
    only = f"undo {published} --only publish:new.example:TXT:new.example"
    desk.box.remove_record("_dmarc.new.example", "TXT")
    desk.box.publish_txt("_dmarc.new.example", "v=DMARC1; p=reject")
    held = desk.run(f"{only} --yes")
    assert held.code == 3, held
    assert "its DMARC policy is reject, and without an SPF record senders would lose mail" in held.out
    desk.box.faults.add(Fault("dns-servfail", domain="_dmarc.new.example", count=0))
    assert desk.run(f"{only} --yes").code == 6, "a look-up that failed is no missing policy"
    desk.box.faults.clear()
    desk.box.remove_record("_dmarc.new.example", "TXT")
    desk.box.publish_txt("_dmarc.new.example", "v=DMARC1; p=none")
    assert desk.run(f"{only} --yes").code == 0, "a policy that only watches harms nobody"
