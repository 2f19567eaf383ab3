"""The process is killed (SIGKILL) at each step of a change; the next run finds out what became of it."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench

from exo_auth.run.journal import FILE_NAME, verify

DOMAIN = "due-a.example"
ROTATE = "Rotate-DkimSigningConfig"

# Runs one rotation as the command line does, with a journal that kills the process at a chosen line.
SCRIPT = """
import os, signal, sys
from bench import Bench
from exo_auth.plan.dkim import plan_rotation
from exo_auth.run.carry_out import carry_out, make_plan
from exo_auth.run.config import load
from exo_auth.run.journal import Journal
from exo_auth.run.session import WritingSession

event, moment = sys.argv[1:]

class Fatal(Journal):
    def append(self, kind, **rest):
        if (kind, moment) == (event, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        if (kind, moment) == (event, "torn"):
            with self.path.open("ab") as file:
                file.write(b'{"n":')
            os.kill(os.getpid(), signal.SIGKILL)
        line = super().append(kind, **rest)
        if (kind, moment) == (event, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return line

settings = load({}, environment=os.environ)
with WritingSession(settings, os.environ, warn=print) as session:
    prepared = make_plan(session, ["due-a.example"], plan_rotation, lambda text: None)
    carry_out(session, prepared, reason="", say=lambda text: None, open_journal=Fatal.open)
"""

STEPS = [  # event, moment, rotations at the kill, what the next run says, reason
    ("intent", "before", 0, "", "nothing was announced, nothing was sent"),
    ("intent", "torn", 0, "", "the announcement was cut short, nothing was sent"),
    ("intent", "after", 0, "", "announced, not sent"),
    ("result", "before", 1, "it took effect", "sent and done, the end was not written"),
    ("result", "torn", 1, "it took effect", "sent and done, the end was cut short"),
    ("result", "after", 1, "", "all was written"),
]


def environment(bench: Bench) -> dict[str, str]:
    path = os.pathsep.join(part for part in sys.path if part)
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(bench.state), **bench.environment}


@pytest.mark.parametrize(("event", "moment", "done", "says", "reason"), STEPS, ids=[row[4] for row in STEPS])
def test_killed_at_a_step_of_the_journal(
    bench: Bench, event: str, moment: str, done: int, says: str, reason: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, event, moment], env=environment(bench), capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert bench.box.tenant.rotations(DOMAIN) == done, reason
    _next_runs(bench, says)


@pytest.mark.parametrize(
    ("kind", "done"),
    [("slow", 1), ("timeout-after", 1), ("reset-before", 0)],
    ids=["answer under way", "answer late", "unsent"],
)
def test_killed_while_the_request_is_under_way(bench: Bench, kind: str, done: int) -> None:
    """The kill comes when the sandbox has the request and the client waits, or looks, for what became of it."""
    bench.fault(kind, cmdlet=ROTATE, value="30")
    client = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", "dkim", "rotate", DOMAIN, "--yes"],
        env=environment(bench),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    arrived = threading.Event()
    while not arrived.wait(0.02):
        if any(request.cmdlet == ROTATE for request in bench.box.requests):
            arrived.set()
        assert client.poll() is None, "the client ended by itself"
    client.kill()
    assert client.wait() == -signal.SIGKILL
    assert bench.box.tenant.rotations(DOMAIN) == done
    bench.box.faults.clear()
    _next_runs(bench, "it took effect" if done else "")


def _next_runs(bench: Bench, says: str) -> None:
    done = bench.box.tenant.rotations(DOMAIN)
    at_once = bench.run(DOMAIN)
    assert says in " ".join(at_once.notes)
    assert bench.box.tenant.rotations(DOMAIN) <= 1, "done twice"
    bench.box.advance(timedelta(hours=1))
    later = bench.run(DOMAIN)
    assert bench.box.tenant.rotations(DOMAIN) == 1, "lost"
    assert later.exit_code == 0
    assert done in (0, 1)
    verdict = verify(_journal(bench))
    assert verdict.error is None
    assert verdict.torn == 0


def _journal(bench: Bench) -> Path:
    return bench.state / "tenants" / bench.box.tenant.tenant_id / FILE_NAME


def test_ctrl_c_finishes_the_change_under_way_and_begins_no_other(bench: Bench) -> None:
    bench.fault("slow", cmdlet=ROTATE, value="1")
    client = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", "dkim", "rotate", "due-*", "--yes"],
        env=environment(bench),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    arrived = threading.Event()
    while not arrived.wait(0.02):
        if any(request.cmdlet == ROTATE for request in bench.box.requests):
            arrived.set()
        assert client.poll() is None, client.communicate()
    client.send_signal(signal.SIGINT)
    told, _ = client.communicate()
    assert client.returncode == 130
    assert "due-a.example  rotate: done" in told
    assert "due-b.example  rotate: skipped" in told
    assert (bench.box.tenant.rotations("due-a.example"), bench.box.tenant.rotations("due-b.example")) == (
        1,
        0,
    )


def test_sigterm_ends_with_143(bench: Bench) -> None:
    bench.fault("slow", cmdlet=ROTATE, value="1")
    client = subprocess.Popen(
        [sys.executable, "-m", "exo_auth", "dkim", "rotate", DOMAIN, "--yes"],
        env=environment(bench),
        stdout=subprocess.DEVNULL,
    )
    arrived = threading.Event()
    while not arrived.wait(0.02):
        if any(request.cmdlet == ROTATE for request in bench.box.requests):
            arrived.set()
        assert client.poll() is None
    client.terminate()
    assert client.wait() == 143
    assert bench.box.tenant.rotations(DOMAIN) == 1
