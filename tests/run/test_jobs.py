"""Jobs: read with line and column, told when they run next, written for nine schedulers and checked by their own rules."""

from __future__ import annotations

import json
import plistlib
import shutil
import subprocess
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import check_jsonschema
import jsonschema
import kubernetes_validate
import pytest
import yaml

from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.job import Event, Job, events_of
from exo_auth.render.job_list_text import jobs_text
from exo_auth.render.job_text import PLATFORMS, job_files
from exo_auth.render.schema import schema_text
from exo_auth.run.job import next_runs, parse_job, read_job

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "scripts" / "jobs").glob("*.yaml"))
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SCHEMAS = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
JOB = Job("nightly", ("dkim", "rotate", "--yes"), "17 3 * * 1-5", 1800, "Europe/Berlin", {"EXO_AUTH_TENANT": "a.example"},
          ("EXO_AUTH_CLIENT_SECRET",), frozenset({Event.FAILURE, Event.CHANGE}))  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_right_on_every_platform(path: Path) -> None:
    job = read_job(path)
    assert len(next_runs(job, NOW, 3)) == 3
    for platform in PLATFORMS:
        for name, text in job_files(platform, job, "/etc/exo-auth/job.yaml").items():
            assert name
            assert text.strip()


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


# What each scheduler says of its files


def one(platform: str) -> str:
    (text,) = job_files(platform, JOB, "/etc/exo-auth/job.yaml").values()
    return text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    files = job_files("systemd", JOB, "/etc/exo-auth/job.yaml")
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("/usr/local/bin/exo-auth", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in files)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "exo-auth" in line]
    assert not ours, done.stderr
    calendar = next(
        line for line in files["exo-auth-nightly.timer"].splitlines() if line.startswith("OnCalendar=")
    )
    told = subprocess.run(
        ["systemd-analyze", "calendar", calendar.partition("=")[2]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "Mon..Fri *-*-* 03:17:00 Europe/Berlin" in told.stdout


@pytest.mark.parametrize(
    ("platform", "schema"), [("github-actions", "github-workflows"), ("azure-pipelines", "azure-pipelines")]
)
def test_pipelines_follow_their_schema(platform: str, schema: str) -> None:
    document = yaml.safe_load(one(platform).replace("\non:\n", '\n"on":\n'))
    if platform == "azure-pipelines":
        document = as_texts(document)
    validator = jsonschema.Draft7Validator(
        json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
    )
    assert [error.message for error in validator.iter_errors(document)] == []


def as_texts(value: object) -> object:
    """Give numbers and truths as texts: the schema of Azure pipelines is written for YAML of texts alone."""
    if isinstance(value, dict):
        return {key: as_texts(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_texts(part) for part in value]
    return str(value).lower() if isinstance(value, bool | int) else value


def test_kubernetes_takes_the_cron_job() -> None:
    kubernetes_validate.validate(yaml.safe_load(one("kubernetes")), "1.27", strict=True)


def test_the_property_list_and_the_task_are_read_back() -> None:
    document = plistlib.loads(one("launchd").encode())
    assert document["StartCalendarInterval"] == [
        {"Minute": 17, "Hour": 3, "Weekday": day} for day in range(1, 6)
    ]
    root = ET.fromstring(one("windows-task").replace('encoding="UTF-16"', 'encoding="UTF-8"'))
    assert root.find(".//{*}MultipleInstancesPolicy").text == "IgnoreNew"  # type: ignore[union-attr]


def test_the_runbook_is_python_and_the_cron_line_is_bash() -> None:
    compile(one("azure-automation"), "runbook", "exec")
    line = next(text for text in one("cron").splitlines() if text.startswith("17 3"))
    command = line.split(" root ", 1)[1].replace("\\%", "%")
    assert subprocess.run(["/bin/bash", "-n", "-c", command], check=False).returncode == 0
    assert yaml.safe_load(one("container-apps"))["properties"]["configuration"]["replicaRetryLimit"] == 0


def test_an_unknown_scheduler_and_a_schedule_it_cannot_say() -> None:
    with pytest.raises(InputError, match="no scheduler"):
        job_files("at", JOB, "x")
    words = Job("a", ("x",), "0 0 * JAN *")
    with pytest.raises(InputError, match="cannot be written"):
        job_files("launchd", words, "x")
