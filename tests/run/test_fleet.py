"""A command over many tenants: at once, stopped, killed and resumed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from terminal import Done, in_process

from exo_auth.errors import InputError
from exo_auth.plan.fleet import FleetRun, Shard, TenantEnd
from exo_auth.run.fleet import FleetRecord, Pace, last_run, run_fleet, tenant_process

FLEET = tuple(f"t{number:04}" for number in range(3000))
NEVER: Callable[[], bool] = lambda: False  # noqa: E731
NOBODY = lambda _end: None  # noqa: E731


def run_of(*tenants: str) -> FleetRun:
    return FleetRun("2026-r", ("version",), tenants)


def ending_with(code: int) -> Callable[[str], TenantEnd]:
    return lambda tenant: TenantEnd(tenant, code, 0.0)


def test_every_tenant_gets_its_turn_once_and_as_many_at_once_as_was_said() -> None:
    lock, under_way, most, seen = threading.Lock(), 0, 0, []
    together = threading.Barrier(8)

    def one(tenant: str) -> TenantEnd:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            seen.append(tenant)
        if len(seen) <= 8:
            together.wait(30)  # eight are there at the same time, or this fails
        with lock:
            under_way -= 1
        return TenantEnd(tenant, 0, 0.0)

    done = run_fleet(run_of(*FLEET), FLEET, one, Pace(8), keep=NOBODY, asked_to_stop=NEVER)
    assert sorted(seen) == list(FLEET)
    assert most == 8
    assert done.not_started == ()


def test_what_fails_everywhere_is_not_tried_everywhere() -> None:
    done = run_fleet(
        run_of(*FLEET), FLEET, ending_with(10), Pace(1, max_failures=20), keep=NOBODY, asked_to_stop=NEVER
    )
    assert (len(done.known), done.exit_code) == (20, 10)
    every = run_fleet(
        run_of(*FLEET), FLEET, ending_with(10), Pace(1, max_failures=0), keep=NOBODY, asked_to_stop=NEVER
    )
    assert len(every.known) == 3000
    found = run_fleet(run_of(*FLEET), FLEET, ending_with(3), Pace(2), keep=NOBODY, asked_to_stop=NEVER)
    assert len(found.known) == 3000, "findings are no failures"


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    record, kept = FleetRecord(tmp_path, "2026-r"), []

    def keep(end: TenantEnd) -> None:
        record.add(end)
        kept.append(end)

    record.begin(run_of(*FLEET[:100]))
    run_fleet(
        run_of(*FLEET[:100]),
        FLEET[:100],
        ending_with(0),
        Pace(1),
        keep=keep,
        asked_to_stop=lambda: len(kept) >= 40,
    )
    known = FleetRecord(tmp_path, "2026-r").read()
    assert (len(known.known), known.exit_code) == (40, 9)
    assert known.to_resume == FLEET[40:100]
    done = run_fleet(known, known.to_resume, ending_with(4), Pace(3), keep=record.add, asked_to_stop=NEVER)
    assert (done.not_started, done.exit_code) == ((), 4)
    assert record.read() == done
    assert last_run(tmp_path) == "2026-r"


def test_a_line_that_a_crash_cut_off_does_not_count(tmp_path: Path) -> None:
    record = FleetRecord(tmp_path, "2026-r")
    record.begin(FleetRun("2026-r", ("version",), ("a", "b"), Shard(1, 2)))
    record.add(TenantEnd("a", 0, 1.0, "Grüße"))
    with record.path.open("a") as file:
        file.write('{"tenant": "b", "exit_c')
    run = record.read()
    assert (run.shard, run.to_resume, run.known[0].last_words) == (Shard(1, 2), ("b",), "Grüße")
    assert record.path.stat().st_mode & 0o777 == 0o600


def test_records_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no fleet has run here"):
        last_run(tmp_path)
    with pytest.raises(InputError, match="there is no run 2026-x"):
        FleetRecord(tmp_path, "2026-x").read()
    for text in (
        "nonsense\n",
        "{}\n",
        "[]\n",
        '{"command": ["version"], "tenants": ["a"], "shard": "8/8"}\n',
        '{"command": ["version"], "tenants": ["a"], "shard": "0/1"}\n{"tenant": "a", "ended": 0}\n',
    ):
        (tmp_path / "2026-y.jsonl").write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            FleetRecord(tmp_path, "2026-y").read()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        FleetRecord(tmp_path / "file", "2026-z").begin(run_of("a"))


def test_a_tenant_that_takes_too_long_is_ended() -> None:
    run = FleetRun("2026-r", ("sandbox", "start"), ("a",))
    one = tenant_process(run, {"PATH": os.defpath}, timedelta(0), stop_signal=lambda: 0)
    end = one("a")
    assert (end.exit_code, end.last_words) == (1, "ended after 0 s, its time limit")


class Office:
    """Who looks after three tenants."""

    def __init__(self, folder: Path) -> None:
        file = folder / "exo-auth.yaml"
        file.write_text(
            "version: 1\ntenants:\n"
            "  a: {initial_domain: a.onmicrosoft.com}\n"
            "  b: {initial_domain: b.onmicrosoft.com}\n"
            "  c: {initial_domain: c.onmicrosoft.com}\n"
        )
        file.chmod(0o600)
        self.environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "EXO_AUTH_CONFIG": str(file),
            "EXO_AUTH_STATE_DIR": str(folder / "state"),
        }

    def run(self, line: str) -> Done:
        return in_process(*line.split(), environment=self.environment)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_each_tenant_is_itself_in_its_process(office: Office) -> None:
    done = office.run("fleet run --tenants [ac] -o json -- exo-auth tenant show -o csv")
    assert done.code == 0, done
    document = json.loads(done.out)
    assert [end["tenant"] for end in document["ends"]] == ["a", "c"]
    assert "a: 0" in done.err
    assert json.loads(office.run("fleet status -o json").out) == document
    assert office.run("fleet resume").out.strip() == "2 tenants: 2 ended with 0"


def test_a_tenant_that_fails_holds_up_no_other_and_is_told(office: Office) -> None:
    office.environment["EXO_AUTH_SHARD"] = "0/1"
    done = office.run("fleet run --at-once 3 -- explain XYZZY")
    assert done.code == 64, done
    lines = done.out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["a", "64"], ["b", "64"], ["c", "64"]]
    assert all("error: there is no finding" in line for line in lines[1:4]), "and not the hint below it"
    assert lines[-1] == "3 tenants: 3 ended with 64"


MISTAKES = [
    ("fleet run --tenants x* -- version", "no tenant is called “x*”"),
    ("fleet run --shard 3 -- version", "“3” is no part of a fleet"),
    ("fleet run -- dkim status -t a", "-t means one tenant"),
    ("fleet run --tenant-timeout soon -- version", "soon"),
    ("fleet resume nothing", "there is no run nothing"),
    ("fleet status", "no fleet has run here"),
    ("fleet run", "Missing argument"),
]


@pytest.mark.parametrize(("line", "part"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes(office: Office, line: str, part: str) -> None:
    done = office.run(line)
    assert (done.code, part in done.err) == (64, True), done
    assert not list((Path(office.environment["EXO_AUTH_STATE_DIR"])).glob("fleet/*"))
