"""A tenant of a thousand domains: what a plan costs the client, and how close apply comes to its writes alone.

The sandbox is a process of its own. What the client did is told from the sandbox's log of writes, not by the client.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROTATE = "Rotate-DkimSigningConfig"
LISTING = "Get-DkimSigningConfig"
LATENCY = "150-300"  # milliseconds, of every call
PROGRAM = (sys.executable, "-m", "exo_auth")


@dataclass(frozen=True)
class Desk:
    """An administrator's shell before a running sandbox."""

    environment: Mapping[str, str]
    control: str
    folder: Path

    def run(self, *line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *line], env=dict(self.environment), capture_output=True, text=True, cwd=self.folder
        )

    def fault(self, kind: str, **choices: object) -> None:
        requests.post(f"{self.control}/faults", json={"kind": kind, **choices}, timeout=10).raise_for_status()

    def log(self) -> list[dict[str, Any]]:
        found = requests.get(f"{self.control}/requests", timeout=60).json()["requests"]
        return [entry for entry in found if isinstance(entry, dict)]


@contextmanager
def sandbox(due: int) -> Iterator[Desk]:
    """Start a tenant whose `due` domains are all due for a rotation."""
    line = [*PROGRAM, "sandbox", "start", "--scenario", f"due:{due}", "--output", "json"]
    with tempfile.TemporaryDirectory() as home:
        base = {"PATH": os.environ["PATH"], "HOME": home, "EXO_AUTH_NO_JITTER": "1"}
        server = subprocess.Popen(line, env=base, stdout=subprocess.PIPE, text=True)
        try:
            told = json.loads(server.stdout.readline()) if server.stdout else {}
            environment = {
                **base,
                "EXO_AUTH_STATE_DIR": f"{home}/state",
                "EXO_AUTH_TENANT": told["initial_domain"],
                "EXO_AUTH_TENANT_ID": told["tenant_id"],
                "EXO_AUTH_CLIENT_ID": told["client_id"],
                "EXO_AUTH_CLIENT_SECRET": told["client_secret"],
                "EXO_AUTH_AUTHORITY": told["authority"],
                "EXO_AUTH_EXCHANGE_URL": told["exchange_url"],
                "EXO_AUTH_CA_FILE": told["ca_file"],
                "EXO_AUTH_NAMESERVER": told["nameserver"],
                "EXO_AUTH_MAX_CHANGES": str(due),
                "EXO_AUTH_MAX_SHARE": "100%",
            }
            yield Desk(environment, told["control"], Path(home))
        finally:
            server.terminate()
            server.wait()


@dataclass(frozen=True)
class Applied:
    """One apply: its whole duration, what the server's log says, and how often each domain was rotated."""

    seconds: float
    write_seconds: float
    writes: int
    reads: int
    rotations: Counter[str]
    code: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.write_seconds


def cpu_of_plan(due: int, *line: str) -> float:
    """Plan for `due` domains without delay; give the client's CPU seconds."""
    with sandbox(due) as desk:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = desk.run(*line)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(line)} ended with {done.returncode}: {done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def apply_saved(due: int, faults: tuple[dict[str, object], ...] = ()) -> Applied:
    """Save a plan for `due` rotations and apply it, every call taking its time; `faults` beside that."""
    with sandbox(due) as desk:
        desk.run("plan", "rotate-dkim", "--out", "all.plan")
        planned = len(desk.log())
        for fault in faults:
            desk.fault(**fault)  # type: ignore[arg-type]
        desk.fault("latency", value=LATENCY, count=0)
        start = time.perf_counter()
        done = desk.run("apply", "all.plan", "--yes", "--output", "json")
        seconds = time.perf_counter() - start
        log = desk.log()[planned:]
        writes = [entry for entry in log if entry["cmdlet"] == ROTATE]
        return Applied(
            seconds,
            sum(entry["seconds"] for entry in writes),
            len(writes),
            len(log) - len(writes),
            Counter(entry["identity"] for entry in writes if entry["status"] == 200),
            done.returncode,
        )


if __name__ == "__main__":
    for n in map(int, sys.argv[1:]):
        print(n, apply_saved(n))
