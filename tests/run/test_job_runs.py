"""Jobs run as their schedule would: one at a time, within a limit, told to those who want to hear, hiding nothing."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from terminal import Done, in_process

from exo_auth.plan.job import Event, Job
from exo_auth.run.job_run import LARGEST_LOG, How, Log, job_settings, run_job, wait_for_its_turn
from exo_auth.run.lock import tenant_lock
from exo_auth.run.service_clock import utc_now
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

SECRET = "hunter2-hunter2"
DAY = timedelta(days=1)
ONE_DUE = (DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
           DomainSpec("due.example", age=200 * DAY))  # fmt: skip
PLAIN = {"PATH": os.environ["PATH"]}


class Web(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted, and which paths are asked for."""

    told: list[dict[str, str]] = []  # noqa: RUF012 - of these tests alone
    beats: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._done()

    def do_GET(self) -> None:
        self.beats.append(self.path)
        self._done()

    def _done(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    Web.told.clear()
    Web.beats.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Place:
    """A folder with a job, and an environment that has nothing but it and a web server to tell."""

    def __init__(self, folder: Path, web: str) -> None:
        self.folder = folder
        self.environment = {
            **PLAIN,
            "HOME": str(folder),
            "EXO_AUTH_STATE_DIR": str(folder / "state"),
            "EXO_AUTH_NOTIFY_URLS": f"json://{web}",
        }

    def job(self, run: str, *lines: str) -> str:
        file = self.folder / "job.yaml"
        file.write_text(
            "\n".join(["version: 1", "name: test", f"run: {run}", "schedule: '1 2 * * *'", *lines])
        )
        return str(file)

    def run(self, run: str, *lines: str, options: tuple[str, ...] = ()) -> Done:
        return in_process("job", "run", self.job(run, *lines), *options, environment=self.environment)


@pytest.fixture
def place(tmp_path: Path, web: str) -> Place:
    return Place(tmp_path, web)


def test_a_run_ends_as_its_command_does_and_tells(place: Place, web: str) -> None:
    place.environment["EXO_AUTH_HEARTBEAT_URL"] = f"http://{web}/ping"
    done = place.run("[explain, XYZZY]", "notify: {on: [failure]}")
    assert done.code == 64, done
    (told,) = Web.told
    assert told["title"] == "exo-auth test: failed"
    assert "explain XYZZY ended with 64" in told["message"]
    assert "there is no finding" in told["message"]
    assert Web.beats == ["/ping/start", "/ping/64"]


def test_nobody_is_told_of_what_nobody_asked_for(place: Place) -> None:
    assert place.run("version", "notify: {on: [failure]}").code == 0
    assert Web.told == []


def test_a_notification_that_fails_hides_nothing(place: Place) -> None:
    place.environment["EXO_AUTH_NOTIFY_URLS"] = "json://127.0.0.1:9"
    place.environment["EXO_AUTH_HEARTBEAT_URL"] = "http://127.0.0.1:9/x"
    done = place.run("version", "notify: {on: [heartbeat]}")
    assert done.code == 0
    assert "warning: the notification could not be delivered" in done.err
    assert "warning: the heartbeat of EXO_AUTH_HEARTBEAT_URL was not taken" in done.err
    del place.environment["EXO_AUTH_NOTIFY_URLS"]
    assert "nobody is told" in place.run("version", "notify: {on: [heartbeat]}").err


def test_a_writing_command_is_told_by_its_account_once_and_also_when_its_output_is_json(
    place: Place, web: str
) -> None:
    with Sandbox(SandboxOptions(ONE_DUE)) as box:
        place.environment |= {**box.description.environment, "EXO_AUTH_NOTIFY_ON": "heartbeat"}
        done = place.run("[dkim, rotate, --yes, --output, json]", "notify: {on: [change]}")
        assert done.code == 0, done
        assert json.loads(done.out)["counts"] == {"applied": 1}
        assert place.run("[dkim, rotate, --yes]", "notify: {on: [change]}").code == 0
    (told,) = Web.told  # the job tells, the command inside it does not, and the second run changed nothing
    assert told["title"] == "exo-auth test: changed something"
    assert "- due.example rotate: applied" in told["message"]
    assert "exo-auth dkim rotate on contoso.onmicrosoft.com ended with 0" in told["message"]


def test_a_run_without_a_job_tells_by_its_configuration(place: Place) -> None:
    with Sandbox(SandboxOptions(ONE_DUE)) as box:
        place.environment |= {**box.description.environment, "EXO_AUTH_NOTIFY_ON": "change failure"}
        assert in_process("dkim", "rotate", "--dry-run", environment=place.environment).code == 0
        assert Web.told == []
        assert in_process("dkim", "rotate", "--yes", environment=place.environment).code == 0
        box.reset()
        place.environment["EXO_AUTH_MAX_SHARE"] = "1%"
        refused = in_process("dns", "apply", "due.example", "--yes", environment=place.environment)
        assert refused.code != 0
    assert [told["title"] for told in Web.told] == [
        "exo-auth dkim rotate: changed something",
        "exo-auth dns apply: failed",
    ]


def test_a_broken_configuration_is_told_too(place: Place) -> None:
    (place.folder / "bad.yaml").write_text("version: 1\nnonsense: 1\n")
    place.environment["EXO_AUTH_CONFIG"] = str(place.folder / "bad.yaml")
    done = place.run("[dkim, status]")  # failures are told where neither job nor configuration says of what
    assert done.code == 64
    assert "there is no setting “nonsense”" in Web.told[0]["message"]


def test_a_missing_secret_is_told_before_anything_starts(place: Place) -> None:
    done = place.run("version", "secrets: [SOME_TOKEN]")
    assert done.code == 64
    assert "the job needs SOME_TOKEN in its environment" in done.out
    assert "SOME_TOKEN" in Web.told[0]["message"]


def test_secrets_are_blotted_out_of_what_is_said_logged_and_told(place: Place) -> None:
    (place.folder / "kept").write_text(f"{SECRET}-2\n")
    place.environment |= {"ONE_TOKEN": SECRET, "TWO_TOKEN_FILE": str(place.folder / "kept")}
    log = place.folder / "logs" / "job.log"
    done = place.run(
        f"[explain, 'x{SECRET}', {SECRET}-2]", "secrets: [ONE_TOKEN, TWO_TOKEN]", options=("--log", str(log))
    )
    assert done.code == 64
    assert Web.told
    everything = done.out + done.err + log.read_text() + json.dumps(Web.told)
    assert SECRET not in everything.replace(f"explain x{SECRET} {SECRET}-2", "")  # the job’s own command line
    assert log.stat().st_mode & 0o777 == 0o600


def test_quiet_says_nothing_of_a_run_that_is_well_and_all_of_one_that_failed(place: Place) -> None:
    assert place.run("version", options=("--quiet",)) == Done(0, "", "")
    failed = place.run("[explain, XYZZY]", options=("--quiet",))
    assert "there is no finding" in failed.out


def test_one_run_at_a_time(place: Place) -> None:
    with tenant_lock(place.folder / "state" / "jobs" / "test", command="exo-auth job run test"):
        done = place.run("version")
    assert done.code == 7
    assert "another run works on the job test: exo-auth job run test, process" in done.err
    assert "ended with 7" in Web.told[0]["message"]
    assert place.run("version").code == 0


@pytest.mark.parametrize(
    ("options", "code"), [((), 4), (("--waiting-is-success",), 0)], ids=["as it is", "as success"]
)
def test_waiting_can_be_success(place: Place, options: tuple[str, ...], code: int) -> None:
    specs = (*ONE_DUE[:1], DomainSpec("new.example", listed=False, cnames="none"))
    with Sandbox(SandboxOptions(specs)) as box:
        place.environment |= box.description.environment
        done = place.run("[dkim, enable, new.example, --yes]", "notify: {on: [waiting]}", options=options)
        assert done.code == code, done
    assert [told["title"] for told in Web.told] == ["exo-auth test: waits, and goes on by itself"]


@pytest.mark.parametrize(("on", "told"), [("finding", 1), ("failure", 0), ("heartbeat", 1)])
def test_what_needs_a_person_is_told_to_those_who_want_findings(place: Place, on: str, told: int) -> None:
    specs = (*ONE_DUE[:1], DomainSpec("bare.example", listed=False, cnames="none", dmarc=""))
    with Sandbox(SandboxOptions(specs)) as box:
        place.environment |= box.description.environment
        assert place.run("[check, bare.example]", f"notify: {{on: [{on}]}}").code == 3
    assert len(Web.told) == told
    if on == "finding":
        assert Web.told[0]["title"] == "exo-auth test: found something that needs a person"
        assert "DMARC-MISSING" in Web.told[0]["message"]


def test_plan_only_saves_a_plan_and_changes_nothing(place: Place) -> None:
    with Sandbox(SandboxOptions(ONE_DUE)) as box:
        place.environment |= box.description.environment
        run, out = "[dkim, rotate, --yes]", place.folder / "plan.json"
        done = place.run(run, "notify: {on: [change]}", options=("--plan-only", "--out", str(out)))
        assert done.code == 2, done
        assert [change["domain"] for change in json.loads(out.read_text())["changes"]] == ["due.example"]
        assert place.run(run, options=("--plan-only",)).code == 2
    assert Web.told == []
    assert not list((place.folder / "state").rglob("journal.jsonl"))


def test_the_next_job_applies_that_plan_and_no_other(place: Place) -> None:
    with Sandbox(SandboxOptions(ONE_DUE)) as box:
        place.environment |= box.description.environment
        run, out = "[dkim, rotate, --yes]", place.folder / "plan.json"
        place.run(run, options=("--plan-only", "--out", str(out)))
        place.environment["EXO_AUTH_DIGEST"] = "0123456789abcdef"
        stale = place.run(run)
        assert (stale.code, "not 0123456789abcdef" in stale.out) == (8, True), stale
        place.environment["EXO_AUTH_DIGEST"] = json.loads(out.read_text())["digest"]
        assert place.run(run).code == 0
        again = place.run(run)  # done already: that plan is not there any more
        assert again.code == 8, again


def test_sigterm_is_handed_on_and_the_end_is_told(place: Place) -> None:
    os.mkfifo(place.folder / "started")
    hook = f"/bin/sh -c 'echo up > {place.folder}/started; exec sleep 60'"
    file = place.job("[dkim, rotate, --yes]", "environment: {EXO_AUTH_TENANT: contoso.example}")
    environment = {**place.environment, "EXO_AUTH_BEFORE_PLAN": hook}
    line = [sys.executable, "-m", "exo_auth", "job", "run", file]
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert (place.folder / "started").read_text() == "up\n"
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)
    assert child.returncode == 143
    assert "ended with 143" in Web.told[0]["message"]


# Without a process of its own


def test_a_run_has_a_time_limit_and_is_killed_when_it_does_not_end_by_itself() -> None:
    job = Job("a", ("sandbox", "start"), "1 2 * * *", timeout_seconds=2)
    said: list[str] = []
    late = run_job(job, PLAIN, echo=said.append, how=How(), grace=timedelta(0))
    assert late.exit_code == 1
    assert "ended after 2 s, the time limit of the job a" in late.output
    assert said[-1].startswith("ended after 2 s")
    assert Event.FAILURE in late.events


def test_a_job_waits_its_turn_the_same_all_day_unless_its_scheduler_did(tmp_path: Path) -> None:
    job = Job("a", ("version",), "1 2 * * *", jitter_seconds=1800)
    settings = job_settings(job, {}, {"EXO_AUTH_TENANT": "contoso.example", "HOME": str(tmp_path)})
    said: list[str] = []
    waits = {wait_for_its_turn(job, settings, How(), said.append) for _ in range(3)}
    assert len(waits) == 1
    assert timedelta(0) < waits.pop() <= timedelta(minutes=30)
    assert "so that jobs do not all start at once" in said[0]
    assert wait_for_its_turn(job, settings, How(no_jitter=True), said.append) == timedelta(0)


def test_a_large_log_is_set_aside_and_one_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    with path.open("w") as file:
        file.truncate(LARGEST_LOG + 1)
    log = Log(path, utc_now)
    log.write("a\nb")
    assert len(path.read_text().splitlines()) == 2
    assert (tmp_path / "job.log.1").stat().st_size > LARGEST_LOG
    done = in_process("job", "run", str(tmp_path / "none.yaml"), environment={"HOME": str(tmp_path)})
    assert done.code == 64
