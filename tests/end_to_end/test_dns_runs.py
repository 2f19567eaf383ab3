"""Runs that published records without a tenant: in the one view of the journals, and taken back by the one `undo`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import NEW, WISH, Desk

from exo_auth.sandbox.serve import Sandbox, SandboxOptions


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox(SandboxOptions(NEW, publishes=True)) as box:
        yield Desk(box, tmp_path)


def runs(desk: Desk) -> list[tuple[str, int, dict[str, int]]]:
    listed = json.loads(desk.run("journal list -o json").out)["runs"]
    return [(one["journal"], one["changes"], one["results"]) for one in listed]


def test_one_view_of_both_journals(desk: Desk) -> None:
    assert runs(desk) == []
    assert desk.run("dkim enable -d new.example --yes").code == 4
    published = desk.run(f"dns apply {WISH} --yes -o json")
    run = json.loads(published.out)["run"]
    seen = runs(desk)
    assert [journal for journal, _, _ in seen] == [desk.box.tenant.tenant_id, "dns"]
    changes = len(json.loads(published.out)["outcomes"])
    assert seen[-1][1:] == (changes, {"applied": changes})
    shown = json.loads(desk.run(f"journal show {run} -o json").out)["lines"]
    assert {line["journal"] for line in shown} == {"dns"}
    assert [line["event"] for line in shown] == ["intent", "result"] * changes
    verdict = json.loads(desk.run("journal verify -o json").out)
    assert verdict["whole"]
    assert any(one["file"].endswith("dns/journal.jsonl") for one in verdict["journals"])


def test_a_line_that_was_changed_is_found_in_either_journal(desk: Desk, tmp_path: Path) -> None:
    assert desk.run(f"dns apply {WISH} --yes").code == 0
    file = tmp_path / "dns" / "journal.jsonl"
    file.write_text(file.read_text().replace("p=none", "p=reject", 1))
    done = desk.run("journal verify")
    assert done.code == 1, done
    assert "the hash chain is broken" in done.out


def test_undo_takes_a_run_of_dns(desk: Desk) -> None:
    before = desk.box.zones.of_zone("new.example")
    run = json.loads(desk.run(f"dns apply {WISH} --yes -o json").out)["run"]
    one = desk.run(f"undo {run} --only publish:new.example:TXT:_smtp._tls.new.example --yes")
    assert one.code == 0, one
    owners = {record.owner for record in desk.box.zones.of_zone("new.example")}
    assert "_smtp._tls.new.example" not in owners
    assert "_dmarc.new.example" in owners
    rest = desk.run(f"undo {run} --yes")
    assert rest.code == 0, rest
    assert desk.box.zones.of_zone("new.example") == before
    again = desk.run(f"undo {run} --yes")
    assert again.code == 0, again
    assert "1 steady" in again.out
    assert desk.run("undo 2026-01-01T00-00-00Z-0000 --yes").code == 64
