import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from full_disk import disk_that_ends_at
from scenes import NOW, TENANT, accepted, config, rotated, scene

from exo_auth.errors import JournalError, LockHeld
from exo_auth.facts.tenant import TenantFacts
from exo_auth.plan.dkim import plan_rotation
from exo_auth.plan.plan_file import change_document
from exo_auth.run.jitter import jitter
from exo_auth.run.journal import FIRST, Journal, Verdict, read, verify
from exo_auth.run.lock import tenant_lock
from exo_auth.run.recover import SETTLING_TIME, open_changes, recover
from exo_auth.run.service_clock import ServiceClock

CHANGE = change_document(plan_rotation(scene(config())).changes[0])


def write(journal: Journal, event: str, body: dict[str, object], at: datetime = NOW) -> int:
    return journal.append(event, run_id="run-1", at=at, service_time=at, body=body).number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tenant" / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Journal:
    return Journal.open(path)


def test_lines_come_back_in_order_and_the_file_is_private(journal: Journal, path: Path) -> None:
    write(journal, "intent", {"change": CHANGE})
    write(journal, "result", {"intent": 1, "result": "applied"})
    lines = list(read(path))
    assert [(line.number, line.event) for line in lines] == [(1, "intent"), (2, "result")]
    assert (lines[0].previous, lines[1].previous) == (FIRST, lines[0].hash)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Journal.open(path).lines == tuple(lines)


def test_an_absent_journal_is_an_empty_one(path: Path) -> None:
    assert list(read(path)) == []
    assert verify(path).lines == 0


TAMPERING = [  # what somebody does to the lines, reason
    (lambda lines: [lines[0].replace("contoso.com", "evil.example"), *lines[1:]], "a word was changed"),
    (lambda lines: lines[1:], "the first line was removed"),
    (lambda lines: [lines[0], lines[2]], "a line in the middle was removed"),
    (lambda lines: [lines[0], lines[0], *lines[1:]], "a line was put in"),
    (lambda lines: [lines[1], lines[0], lines[2]], "lines were swapped"),
    (lambda lines: [lines[0], "not json", *lines[1:]], "rubbish was put in"),
    (lambda lines: [lines[0], "{}", *lines[1:]], "an empty object was put in"),
]


@pytest.mark.parametrize(("tamper", "reason"), TAMPERING, ids=[row[1] for row in TAMPERING])
def test_tampering_is_seen(journal: Journal, path: Path, tamper: object, reason: str) -> None:
    for number in range(3):
        write(journal, "intent", {"change": CHANGE, "number": number})
    lines = path.read_text().splitlines()
    path.write_text("\n".join(tamper(lines)) + "\n")  # type: ignore[operator]
    assert verify(path).error is not None, reason
    with pytest.raises(JournalError):
        Journal.open(path)


def test_a_line_cut_off_by_a_kill_is_set_aside_and_the_rest_goes_on(journal: Journal, path: Path) -> None:
    write(journal, "intent", {"change": CHANGE})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 2, "at": "2026-')
    assert verify(path).torn == 21
    again = Journal.open(path)
    assert len(again.lines) == 1
    write(again, "result", {"intent": 1, "result": "applied"})
    assert verify(path).error is None
    (aside,) = path.parent.glob("*.torn-at-*")
    assert aside.read_bytes() == b'{"n": 2, "at": "2026-'


def test_a_place_that_cannot_be_written_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(tmp_path / "file" / "journal.jsonl")


def test_a_journal_that_becomes_unwritable_stops_everything(journal: Journal, path: Path) -> None:
    path.mkdir()
    with pytest.raises(JournalError, match="cannot be written"):
        write(journal, "intent", {"change": CHANGE})


def test_a_journal_cut_at_any_octet_goes_on_and_loses_no_whole_line(journal: Journal, path: Path) -> None:
    for event, body in (("intent", {"change": CHANGE}), ("result", {"intent": 1, "error": "über"})):
        write(journal, event, body)
    whole, cut = path.read_bytes(), path.with_name("cut.jsonl")
    for length in reversed(range(len(whole))):
        os.truncate(path, length)
        lines = whole[:length].count(b"\n")
        assert verify(path) == Verdict(lines, torn=length - (whole[:length].rfind(b"\n") + 1))
        if length % 25:  # what follows waits for the disk
            continue
        cut.write_bytes(whole[:length])
        again = Journal.open(cut)
        assert len(again.lines) == lines
        write(again, "intent", {"change": CHANGE})
        assert verify(cut) == Verdict(lines + 1)


def test_a_disk_that_fills_up_in_the_middle_of_a_line_leaves_the_chain_whole(
    journal: Journal, path: Path
) -> None:
    write(journal, "intent", {"change": CHANGE})
    before = path.read_bytes()
    for room in (0, 1, 7, 100, 200):
        with disk_that_ends_at(len(before) + room), pytest.raises(JournalError, match="cannot be written"):
            write(journal, "result", {"intent": 1, "result": "applied"})
        assert path.read_bytes() == before
    write(journal, "result", {"intent": 1, "result": "applied"})
    assert verify(path) == Verdict(2)


def test_a_journal_that_cannot_be_read_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(JournalError, match="cannot be read"):
        tuple(read(path))


# Looking back


def facts(row: object, at: datetime = NOW) -> TenantFacts:
    return TenantFacts(TENANT, (accepted(),), (row,), service_clock=at)  # type: ignore[arg-type]


LATER = NOW + SETTLING_TIME
LOOKING_BACK = [  # what the tenant shows, when, sentence, is the domain left alone, reason
    (rotated(age=timedelta(0)), NOW, "it took effect", False, "the kill came after the write"),
    (config(), NOW, None, True, "it may still take effect"),
    (config(), LATER, "did not take effect", False, "now it is certain"),
    (config(enabled=False), NOW, "another state", False, "somebody was here"),
]


@pytest.mark.parametrize(
    ("row", "at", "part", "left_alone", "reason"), LOOKING_BACK, ids=[r[4] for r in LOOKING_BACK]
)
def test_what_became_of_a_change_in_flight(
    journal: Journal, row: object, at: datetime, part: str | None, left_alone: bool, reason: str
) -> None:
    write(journal, "intent", {"change": CHANGE})
    found = recover(journal.lines, facts(row), at)
    assert bool(found.in_flight) is left_alone, reason
    assert (found.notes == ()) if part is None else (part in found.notes[0]), reason


CLOSED = [
    ("applied", 0, "seen in effect"),
    ("refused", 0, "the service said no"),
    ("failed", 0, "never sent"),
    ("accepted", 1, "said yes, never seen: still open"),
    ("unknown", 1, "no answer: still open"),
]


@pytest.mark.parametrize(("result", "count", "reason"), CLOSED, ids=[row[2] for row in CLOSED])
def test_which_results_close_a_change(journal: Journal, result: str, count: int, reason: str) -> None:
    write(journal, "intent", {"change": CHANGE})
    write(journal, "result", {"intent": 1, "result": result})
    assert len(open_changes(journal.lines)) == count, reason


def test_a_resolution_closes_a_change(journal: Journal) -> None:
    write(journal, "intent", {"change": CHANGE})
    write(journal, "resolved", {"intent": 1, "effect": "done"})
    assert open_changes(journal.lines) == ()


def test_a_change_of_a_newer_version_is_not_guessed_at(journal: Journal) -> None:
    write(journal, "intent", {"change": {"verb": "teleport"}})
    with pytest.raises(JournalError, match="no change this version can read"):
        open_changes(journal.lines)


# Lock, jitter, clock


def test_one_run_at_a_time_and_the_holder_is_named(tmp_path: Path) -> None:
    with (
        tenant_lock(tmp_path, command="exo-auth dkim rotate"),
        pytest.raises(LockHeld) as caught,
        tenant_lock(tmp_path, command="another"),
    ):
        raise AssertionError("the lock was given twice")
    assert f"exo-auth dkim rotate, process {os.getpid()}" in str(caught.value)
    with tenant_lock(tmp_path, command="later"):
        assert json.loads((tmp_path / "lock.holder").read_text())["command"] == "later"


def test_a_holder_that_wrote_nonsense_does_not_hurt(tmp_path: Path) -> None:
    with tenant_lock(tmp_path, command="x"):
        (tmp_path / "lock.holder").write_text("{")
        with pytest.raises(LockHeld, match="it has not said which"), tenant_lock(tmp_path, command="y"):
            raise AssertionError("the lock was given twice")


def test_jitter_is_the_same_all_day_and_differs_between_tenants() -> None:
    day, longest = datetime(2026, 11, 23, tzinfo=UTC).date(), timedelta(minutes=8)
    waits = {jitter(f"tenant-{number}", day, longest) for number in range(50)}
    assert jitter("Contoso", day, longest) == jitter("contoso", day, longest)
    assert len(waits) > 30
    assert all(timedelta(0) <= wait <= longest for wait in waits)
    assert jitter("contoso", day, timedelta(0)) == timedelta(0)


def test_the_services_clock_counts_and_a_skew_is_told() -> None:
    ticks = iter([100.0, 130.0, 130.0, 130.0])
    clock = ServiceClock(local=lambda: NOW, monotonic=lambda: next(ticks))
    assert clock.now() == NOW
    clock.hear(None)
    clock.hear(NOW + timedelta(hours=2))
    assert clock.now() == NOW + timedelta(hours=2, seconds=30)
    assert clock.skew() == -timedelta(hours=2, seconds=30)
    assert "120 minutes behind the service" in (clock.skew_warning() or "")


def test_a_small_skew_is_no_news() -> None:
    clock = ServiceClock(local=lambda: NOW, monotonic=lambda: 1.0)
    clock.hear(NOW - timedelta(minutes=4))
    assert clock.skew_warning() is None
    clock.hear(NOW - timedelta(minutes=6))
    assert "6 minutes ahead of" in (clock.skew_warning() or "")
