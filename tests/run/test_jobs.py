"""Jobs: read with line and column, told when they run next, written for nine schedulers and checked by their own rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import check_jsonschema
import jsonschema
import pytest
from terminal import in_process

from exo_auth.errors import ConfigError
from exo_auth.plan.job import Event, Job, events_of
from exo_auth.render.job_list_text import jobs_text
from exo_auth.render.schema import schema_text
from exo_auth.run.job import next_runs, parse_job, read_job

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "scripts" / "jobs").glob("*.yaml"))
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
JOB = Job("nightly", ("dkim", "rotate", "--yes"), "17 3 * * 1-5", 1800, "Europe/Berlin", {"EXO_AUTH_TENANT": "a.example"},
          ("EXO_AUTH_CLIENT_SECRET",), frozenset({Event.FAILURE, Event.CHANGE}))  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_can_be_read_and_have_a_next_time(path: Path) -> None:
    assert len(next_runs(read_job(path), NOW, 3)) == 3


def test_next_times_are_in_the_jobs_zone() -> None:
    times = next_runs(JOB, NOW, 4)
    assert [f"{at:%a %H:%M %Z}" for at in times] == [
        "Wed 03:17 CET",
        "Thu 03:17 CET",
        "Fri 03:17 CET",
        "Mon 03:17 CET",
    ]
    document = json.loads(jobs_text([(JOB, times)], "json"))
    jsonschema.validate(document, json.loads(schema_text("jobs")))
    assert "dkim rotate" in jobs_text([(JOB, times)], "table")


WRONG = [  # text after the version and the name, part of the message, reason
    ("schedule: '1 2 3 4 5'", "“run” is missing", "nothing to run"),
    ("run: [x]\nschedule: soon", "is no schedule", "a word for a schedule"),
    ("run: [x]\nschedule: '0 1 2 3 4 5'", "five fields", "seconds"),
    ("run: [x]\nschedule: '1 2 * * *'\ntime_zone: Mars/Base", "no time zone", "a zone there is not"),
    ("run: [x]\nschedule: '1 2 * * *'\nnotify: {on: [party]}", "no event “party”", "an event there is not"),
    ("run: [x]\nschedule: '1 2 * * *'\nsecret: [X]", "“secret” is no key here", "a slip"),
    ("run: [x]\nschedule: '1 2 * * *'\nsecrets: X", "secrets must be a list", "one secret, not in a list"),
    (
        "run: [x]\nschedule: '1 2 * * *'\ntimeout: soon",
        "timeout: “soon” is not a duration",
        "a word for a time",
    ),
    ("run: [x]\nschedule: '1 2 * * *'\njitter: 5x", "jitter: “5x” is not a duration", "a unit there is not"),
    ("run: []\nschedule: '1 2 * * *'", "“run” is what comes after", "an empty command"),
    (
        "run: [x]\nschedule: '1 2 * * *'\nenvironment: {EXO_AUTH_CLIENT_SECRET: s}",
        "looks like a secret",
        "a secret in a file",
    ),
]


@pytest.mark.parametrize(("text", "part", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_mistakes_have_a_place(text: str, part: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_job(f"version: 1\nname: nightly\n{text}\n", "job.yaml")
    assert part in str(caught.value), reason
    assert str(caught.value).startswith("job.yaml:")


def test_names_are_plain() -> None:
    with pytest.raises(ConfigError, match="cannot name a job"):
        parse_job("version: 1\nname: ../x\nrun: [a]\nschedule: '1 2 * * *'\n", "p")


EVENTS = [(0, False, {"heartbeat"}), (0, True, {"heartbeat", "change"}), (2, False, {"heartbeat", "change"}),
          (3, False, {"heartbeat", "finding"}), (4, False, {"heartbeat", "waiting"}), (6, False, {"heartbeat", "failure"})]  # fmt: skip


@pytest.mark.parametrize(("code", "changed", "events"), EVENTS)
def test_what_happened_follows_from_the_exit_code(code: int, changed: bool, events: set[str]) -> None:
    assert {event.value for event in events_of(code, changed=changed)} == events


def test_the_commands(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    example = str(EXAMPLES[1])
    listed = in_process("job", "list", str(EXAMPLES[0].parent), environment=environment)
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == [
        "drift",
        "nightly-rotation",
        "onboarding",
    ]
    assert in_process("job", "list", str(tmp_path / "none"), environment=environment).code == 64
    told = in_process("job", "next", example, "--count", "2", environment=environment)
    assert len(told.out.splitlines()) == 3
    shown = in_process("job", "install", "cron", example, "--print", environment=environment)
    assert f"job run {example}" in shown.out
    install = ("job", "install", "systemd", example, "--to", str(tmp_path / "units"))
    written = in_process(*install, environment=environment)
    assert written.code == 0, written
    assert len(list((tmp_path / "units").iterdir())) == 3
    assert in_process(*install, environment=environment).code == 64  # they are there
    assert in_process(*install, "--force", environment=environment).code == 0
    assert in_process("job", "install", "at", example, environment=environment).code == 64
    assert in_process("job", "run", str(tmp_path / "none.yaml"), environment=environment).code == 64
