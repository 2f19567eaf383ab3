"""Runs one command for many tenants, each in a process of its own, and remembers how far it came (run)."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from exo_auth.errors import InputError
from exo_auth.plan.fleet import FleetRun, Shard, TenantEnd
from exo_auth.run.child import run_child
from exo_auth.run.job_run import EXIT_LATE, GRACE
from exo_auth.run.listeners import JOB, RECORD

LAST_WORDS = 300  # characters

RunOne = Callable[[str], TenantEnd]


class FleetRecord:
    """The file of one run: its head, then a line for each tenant that has ended. A kill loses no line."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.path = folder / f"{run_id}.jsonl"
        self._lock = threading.Lock()

    def begin(self, run: FleetRun) -> None:
        """Write the head; raises InputError."""
        head = {"command": run.command, "tenants": run.tenants, "shard": str(run.shard)}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._append(head, os.O_EXCL | os.O_CREAT)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written: {error.strerror}",
                hint="give a writable place with --state-dir",
            ) from None

    def add(self, end: TenantEnd) -> None:
        """Keep how a tenant's run ended."""
        with self._lock:
            self._append(asdict(end), 0)

    def read(self) -> FleetRun:
        """Give the run as far as it came; a last line that a crash cut off does not count. Raises InputError."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
            head = json.loads(lines[0])
            ends = [TenantEnd(**json.loads(line)) for line in lines[1:]]
            command, tenants = tuple(head["command"]), tuple(head["tenants"])
            shard = Shard.parse(str(head["shard"]))
        except FileNotFoundError:
            raise InputError(
                f"there is no run {self.path.stem} of a fleet here",
                hint="exo-auth fleet status names the last",
            ) from None
        except (OSError, ValueError, LookupError, TypeError, InputError) as error:
            raise InputError(f"{self.path} cannot be read: {error}", hint="begin a new run") from None
        return FleetRun(self.path.stem, command, tenants, shard, {end.tenant: end for end in ends})

    def _append(self, document: Mapping[str, Any], flags: int) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | flags, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


def last_run(folder: Path) -> str:
    """Name the latest run; raises InputError when there is none."""
    found = sorted(path.stem for path in folder.glob("*.jsonl"))
    if not found:
        raise InputError("no fleet has run here yet", hint="exo-auth fleet run -- dkim rotate --yes")
    return found[-1]


@dataclass(frozen=True)
class Pace:
    """How many tenants at once, and after how many failures no more of them are begun; 0 for no such limit."""

    at_once: int
    max_failures: int = 0


def run_fleet(
    run: FleetRun,
    todo: Sequence[str],
    run_one: RunOne,
    pace: Pace,
    *,
    keep: Callable[[TenantEnd], None],
    asked_to_stop: Callable[[], bool],
) -> FleetRun:
    """Run the command for each tenant of `todo`, and give the run as it stands then.

    A tenant that fails holds up no other. Where too many fail, or when asked to stop, those under way are waited for
    and no other is begun.
    """
    ends = dict(run.ends or {})
    lock = threading.Lock()
    waiting = iter(todo)
    failures = 0

    def next_one() -> str | None:
        too_many = pace.max_failures and failures >= pace.max_failures
        return None if asked_to_stop() or too_many else next(waiting, None)

    def work() -> None:
        nonlocal failures
        while True:
            with lock:
                tenant = next_one()
            if tenant is None:
                return
            end = run_one(tenant)
            with lock:
                ends[tenant] = end
                failures += end.failed
            keep(end)

    with ThreadPoolExecutor(pace.at_once) as pool:
        for worker in [pool.submit(work) for _ in range(pace.at_once)]:
            worker.result()
    return replace(run, ends=ends)


def tenant_process(
    run: FleetRun,
    environment: Mapping[str, str],
    limit: timedelta,
    *,
    stop_signal: Callable[[], int],
    clock: Callable[[], float] = time.monotonic,
) -> RunOne:
    """Give what runs the command for one tenant as a process of its own, so that no tenant sees another's secrets.

    People are told by the job around the fleet: by the tenants' runs there would be thousands of words.
    """

    def run_one(tenant: str) -> TenantEnd:
        began = clock()
        mine = {name: value for name, value in environment.items() if name != RECORD}
        ended = run_child(
            [sys.executable, "-m", "exo_auth", *run.command],
            environment={
                **mine,
                "EXO_AUTH_TENANT": tenant,
                "EXO_AUTH_NO_INPUT": "1",
                "EXO_AUTH_NO_JITTER": "1",
                JOB: environment.get(JOB) or f"fleet {run.run_id}",
            },
            limit=limit,
            grace=GRACE,
            stop_signal=stop_signal,
        )
        said = [line.strip() for line in ended.output.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("error: ")]
        code, words = ended.exit_code, (errors or said or [""])[-1]
        if ended.timed_out:
            code, words = EXIT_LATE, f"ended after {limit.total_seconds():g} s, its time limit"
        elif code < 0:
            code = 128 - code
        return TenantEnd(tenant, code, round(clock() - began, 1), words[:LAST_WORDS])

    return run_one
