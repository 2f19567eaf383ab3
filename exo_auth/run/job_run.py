"""A job run now: one at a time, after its jitter, with a time limit, and told to those who want to hear (run)."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exo_auth.errors import ExoAuthError, InputError
from exo_auth.plan.job import Event, Job, events_of
from exo_auth.plan.run_account import applied
from exo_auth.run.child import run_child
from exo_auth.run.config import load
from exo_auth.run.config_schema import BY_KEY
from exo_auth.run.jitter import jitter
from exo_auth.run.listeners import JOB, RECORD
from exo_auth.run.notify import without_secrets
from exo_auth.run.settings import Settings

GRACE = timedelta(seconds=90)  # for the change under way; schedulers give 120 s (render/schedulers)
EXIT_WRONG = 64
EXIT_LATE = 1
NEEDED_BY_THE_JOB = ("notify.urls", "notify.on", "notify.heartbeat_url", "notify.timeout", "state_dir")
LARGEST_LOG = 10 * 1024 * 1024  # octets; a larger one is set aside once


@dataclass(frozen=True)
class JobRun:
    """How a run ended: `account` is what a writing command tells of itself, None for any other."""

    exit_code: int
    output: str
    account: Mapping[str, Any] | None
    events: frozenset[Event]


@dataclass(frozen=True)
class How:
    """How a job is run: `plan_to` is a file for the plan of a run that stops there; "" plans without a file."""

    plan_to: str | None = None  # None: the job does what it does
    no_jitter: bool = False

    @property
    def plans_only(self) -> bool:
        """Does the run stop after its plan?"""
        return self.plan_to is not None


def job_settings(job: Job, flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Give the settings that the job itself needs, also where the configuration is wrong: somebody must be told."""
    whole = {**environment, **job.environment}
    try:
        return load(flags, environment=whole)
    except ExoAuthError:
        rows = [BY_KEY[key] for key in NEEDED_BY_THE_JOB]
        names = {name for row in rows for name in (row.env, row.env_file) if name}
        kept = {name: text for name, text in whole.items() if name in names}
        return load({}, environment=kept, config_file=Path(tempfile.gettempdir(), "no-such-configuration"))


def wait_for_its_turn(job: Job, settings: Settings, how: How, say: Callable[[str], None]) -> timedelta:
    """Give how long a job that nobody watches waits; the same job waits the same time all day, another on each machine."""
    if how.no_jitter:
        return timedelta(0)
    name = f"{settings.tenant}/{job.name}|{socket.gethostname()}"
    wait = jitter(name, datetime.now(UTC).date(), timedelta(seconds=job.jitter_seconds))
    if wait:
        say(f"waiting {int(wait.total_seconds())} s, so that jobs do not all start at once (--no-jitter)")
    return wait


def run_job(
    job: Job,
    environment: Mapping[str, str],
    *,
    echo: Callable[[str], None],
    how: How,
    stop_signal: Callable[[], int] = lambda: 0,
    grace: timedelta = GRACE,
) -> JobRun:
    """Run the command in a process of its own, which finishes the change under way when it has to stop."""
    whole = {**environment, **job.environment}
    missing = [name for name in job.secrets if not whole.get(name) and not whole.get(f"{name}_FILE")]
    if missing:
        text = f"error: the job needs {', '.join(missing)} in its environment; the platform keeps secrets"
        echo(text)
        return JobRun(EXIT_WRONG, text, None, events_of(EXIT_WRONG, changed=False))
    secrets = tuple(_secrets(job, whole))
    with tempfile.TemporaryDirectory(prefix="exo-auth-", ignore_cleanup_errors=True) as folder:
        record = Path(folder, "account.json")
        ended = run_child(
            [sys.executable, "-m", "exo_auth", *_arguments(job, how)],
            environment={**whole, **_told_by_us(job, how), RECORD: str(record)},
            limit=timedelta(seconds=job.timeout_seconds),
            grace=grace,
            echo=lambda text: echo(without_secrets(text, secrets)),
            stop_signal=stop_signal,
        )
        account = _read(record)
    output = without_secrets(ended.output, secrets)
    code = ended.exit_code if ended.exit_code >= 0 else 128 - ended.exit_code  # as a shell tells of a signal
    if ended.timed_out:
        text = f"ended after {job.timeout_seconds} s, the time limit of the job {job.name}"
        echo(text)
        code, output = EXIT_LATE, f"{output.rstrip()}\n{text}"
    changed = account is not None and bool(applied(account))
    return JobRun(code, output, account, events_of(code, changed=changed))


def _arguments(job: Job, how: How) -> tuple[str, ...]:
    if not how.plans_only:
        return job.arguments
    return tuple(word for word in job.arguments if word not in ("--yes", "-y"))


def _told_by_us(job: Job, how: How) -> dict[str, str]:
    """Give what the command has to know of the job it belongs to."""
    told = {"EXO_AUTH_NO_INPUT": "1", JOB: job.name}
    if how.no_jitter or job.jitter_seconds:
        told["EXO_AUTH_NO_JITTER"] = "1"  # the job has waited, or its scheduler has
    if how.plans_only:
        told |= {"EXO_AUTH_OUT": how.plan_to} if how.plan_to else {"EXO_AUTH_DRY_RUN": "1"}
        told["EXO_AUTH_DETAILED_EXITCODE"] = "1"
    return told


def _secrets(job: Job, environment: Mapping[str, str]) -> list[str]:
    """Give every text that must not be repeated: the job's secrets, and addresses that may hold one."""
    notify = [row for key in ("notify.urls", "notify.heartbeat_url") if (row := BY_KEY[key])]
    found = [environment.get(row.env, "") for row in notify]
    for name in job.secrets:
        found.append(environment.get(name, ""))
        if file := environment.get(f"{name}_FILE"):
            try:
                found.append(Path(file).read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError):
                continue  # the command itself says that it cannot be read
    return [word for text in found for word in text.split()]


def _read(record: Path) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a command that does not write leaves none, nor does one that was killed
        return None
    return found


class Log:
    """The log of a job's runs, private to its owner; a large one is set aside once, as NAME.1."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now

    def write(self, text: str) -> None:
        """Append lines, each with the time; raises InputError."""
        at = self._now().isoformat(timespec="seconds")
        lines = "".join(f"{at} {line}\n" for line in text.splitlines())
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._path.exists() and self._path.stat().st_size > LARGEST_LOG:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            raise InputError(
                f"the log {self._path} cannot be written: {error.strerror}",
                hint="give another place with --log",
            ) from None
