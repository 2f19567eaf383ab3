"""Jobs: read with line and column, told when they run next, written for nine schedulers and checked by their own rules."""

from __future__ import annotations

import http.server
import json
import plistlib
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import check_jsonschema
import jsonschema
import kubernetes_validate
import pytest
import yaml
from terminal import as_cron

from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.job import Event, Job, events_of
from exo_auth.render.job_list_text import jobs_text
from exo_auth.render.job_text import PLATFORMS, job_files
from exo_auth.render.schema import schema_text
from exo_auth.run.job import next_runs, parse_job, read_job, run_job
from exo_auth.run.notify import message, wanted

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


def test_only_what_was_asked_for_is_told() -> None:
    events = events_of(6, changed=True)
    assert wanted(JOB, events) == (Event.FAILURE, Event.CHANGE)
    title, body = message(JOB, wanted(JOB, events), 6, "one\n\ntwo\n")
    assert title == "exo-auth nightly: failed, changed something"
    assert body.endswith("one\ntwo")


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


# Runs


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    got: list[dict[str, str]] = []  # noqa: RUF012 - of this test alone

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.got.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def job_file(tmp_path: Path, run: str, events: str) -> Path:
    file = tmp_path / "job.yaml"
    file.write_text(
        f"version: 1\nname: test\nrun: {run}\nschedule: '1 2 * * *'\nnotify: {{on: [{events}]}}\n"
    )
    return file


def test_a_run_ends_as_its_command_does_and_tells(tmp_path: Path, hook: str) -> None:
    file = job_file(tmp_path, "[explain, XYZZY]", "failure")
    environment = {"HOME": str(tmp_path), "EXO_AUTH_NOTIFY_URLS": hook}
    done = as_cron("job", "run", str(file), environment=environment)
    assert done.code == 64, done
    (told,) = Hook.got
    assert told["title"] == "exo-auth test: failed"
    assert "explain XYZZY ended with 64" in told["message"]


def test_nobody_is_told_of_what_nobody_asked_for(tmp_path: Path, hook: str) -> None:
    file = job_file(tmp_path, "version", "failure")
    environment = {"HOME": str(tmp_path), "EXO_AUTH_NOTIFY_URLS": hook}
    assert as_cron("job", "run", str(file), environment=environment).code == 0
    assert Hook.got == []


def test_a_notification_that_fails_hides_nothing(tmp_path: Path) -> None:
    file = job_file(tmp_path, "version", "heartbeat")
    environment = {"HOME": str(tmp_path), "EXO_AUTH_NOTIFY_URLS": "json://127.0.0.1:9"}
    done = as_cron("job", "run", str(file), environment=environment)
    assert done.code == 0
    assert "could not be delivered" in done.err
    bad = as_cron("notify", "test", environment={**environment, "EXO_AUTH_NOTIFY_URLS": "nonsense"})
    assert bad.code == 64
    assert "nonsense" not in bad.err


def test_a_run_has_a_time_limit() -> None:
    late = run_job(
        Job("a", ("sandbox", "start"), "1 2 * * *", timeout_seconds=3),
        {"PATH": "/usr/bin:/bin"},
        lambda _text: None,
    )
    assert late.exit_code == 1
    assert "time limit" in late.output


def test_a_missing_secret_is_told() -> None:
    with pytest.raises(InputError, match="EXO_AUTH_CLIENT_SECRET"):
        run_job(JOB, {}, lambda _text: None)


def test_the_commands(tmp_path: Path, hook: str) -> None:
    environment = {"HOME": str(tmp_path), "EXO_AUTH_NOTIFY_URLS": hook}
    example = str(EXAMPLES[0])
    listed = as_cron("job", "list", str(EXAMPLES[0].parent), environment=environment)
    assert "nightly-rotation" in listed.out
    assert len(as_cron("job", "next", example, "--count", "2", environment=environment).out.splitlines()) == 3
    shown = as_cron("job", "install", "cron", example, "--print", environment=environment)
    assert "exo-auth job run" in shown.out
    written = as_cron(
        "job", "install", "systemd", example, "--to", str(tmp_path / "units"), environment=environment
    )
    assert written.code == 0, written
    assert len(list((tmp_path / "units").iterdir())) == 2
    again = as_cron(
        "job", "install", "systemd", example, "--to", str(tmp_path / "units"), environment=environment
    )
    assert again.code == 64
    assert as_cron("notify", "test", environment=environment).out == "sent to 1\n"
    assert sys.executable
