"""Runs that published records without a tenant: in the one view of the journals, and taken back by the one `undo`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import NEW, WISH, Desk

from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.zones import ZoneRecord


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


FOREIGN = [  # a value of somebody else in the shared set, and what is to be thought of it
    ("caf\xc3\xa9", False, "octets outside ASCII"),
    ("back\\slash", False, "a backslash, which providers escape or not"),
    ("semi;colon", True, "octoDNS' own escape"),
    ("quo\"te 'single' two  blanks", True, "quotes and blanks"),
    ("x" * 600, True, "longer than one character-string"),
]


@pytest.mark.parametrize(("value", "is_written", "reason"), FOREIGN, ids=[row[2] for row in FOREIGN])
def test_a_foreign_value_is_kept_octet_by_octet(
    desk: Desk, value: str, is_written: bool, reason: str
) -> None:
    chunks = tuple(value[at : at + 255] for at in range(0, len(value), 255))
    desk.box.zones.add(ZoneRecord("new.example", "TXT", chunks))
    before = set(desk.box.zones.find_all("new.example", "TXT"))
    done = desk.run(f"dns apply {WISH} --yes")
    after = set(desk.box.zones.find_all("new.example", "TXT"))
    assert before <= after
    assert done.code == (0 if is_written else 3), done
    assert len(after) == (2 if is_written else 1)
    if not is_written:
        assert "may not keep it octet by octet" in done.out


def test_octets_outside_ascii_are_never_written_as_text(desk: Desk) -> None:
    desk.box.zones.add(ZoneRecord("new.example", "TXT", ("caf\xc3\xa9",)))
    exported = desk.run(f"dns export {WISH} --as azure")
    assert exported.code == 3, exported
    assert "octets outside ASCII" in exported.err
    assert "include:spf" not in exported.out
