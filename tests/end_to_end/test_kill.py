"""The process is killed (SIGKILL) at each step of a change; the next run finds out what became of it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench

from exo_auth.run.journal import FILE_NAME, read, verify
from exo_auth.run.recover import open_changes
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

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

event, moment, number, pattern = sys.argv[1:]
left = int(number)

class Fatal(Journal):
    def append(self, kind, **rest):
        global left
        left -= kind == event
        if kind != event or left:
            return super().append(kind, **rest)
        if moment == "torn":
            with self.path.open("ab") as file:
                file.write(b'{"n":')
        if moment == "after":
            super().append(kind, **rest)
        os.kill(os.getpid(), signal.SIGKILL)

settings = load({}, environment=os.environ)
with WritingSession(settings, os.environ, warn=print) as session:
    prepared = make_plan(session, [pattern], plan_rotation, lambda text: None)
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


def killed_at(bench: Bench, event: str, moment: str, number: int, pattern: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, event, moment, str(number), pattern],
        env=environment(bench),
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


@pytest.mark.parametrize(("event", "moment", "done", "says", "reason"), STEPS, ids=[row[4] for row in STEPS])
def test_killed_at_a_step_of_the_journal(
    bench: Bench, event: str, moment: str, done: int, says: str, reason: str
) -> None:
    killed_at(bench, event, moment, 1, DOMAIN)
    assert bench.box.tenant.rotations(DOMAIN) == done, reason
    _next_runs(bench, says)


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Bench]:
    """A tenant with seven due domains, in which every call takes its time: changes are read back beside the next."""
    initial = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True)
    due = tuple(DomainSpec(f"d{number}.example") for number in range(7))
    with Sandbox(SandboxOptions((initial, *due))) as box:
        box.faults.add(Fault("latency", value="10-40", count=0))
        bench = Bench(box, tmp_path / "state")
        bench.environment["EXO_AUTH_MAX_SHARE"] = "100%"
        yield bench


LINES = [  # event, moment, its number, reason
    ("intent", "after", 2, "the second is announced, the first not yet read back"),
    ("result", "before", 1, "the first is read back while another is under way"),
    ("result", "torn", 2, "the end of the second is cut short"),
    ("result", "after", 3, "three are read back and written down"),
    ("intent", "before", 6, "several are sent and not read back"),
    ("result", "before", 7, "all are sent"),
]


@pytest.mark.parametrize(("event", "moment", "number", "reason"), LINES, ids=[row[3] for row in LINES])
def test_killed_with_several_changes_under_way(
    busy: Bench, event: str, moment: str, number: int, reason: str
) -> None:
    killed_at(busy, event, moment, number, "*")
    lines = tuple(read(_journal(busy)))
    left_open = open_changes(lines)
    assert left_open, reason
    busy.box.faults.clear()
    at_once = busy.run("*")
    rotated = {domain for domain, count in busy.rotations().items() if count}
    found = " ".join(at_once.notes)
    left_alone = {deferral.target for deferral in at_once.plan.deferrals}
    for opened in left_open:  # each is told to be done, or it may still happen and is left alone
        target = opened.change.target
        assert target.ascii in rotated if f"rotate of {target}" in found else target in left_alone
    assert max(busy.rotations().values()) == 1, "done twice"
    busy.box.advance(timedelta(hours=1))
    assert busy.run("*").exit_code == 0
    assert set(busy.rotations().values()) == {1}, "lost, or done twice"
    assert verify(_journal(busy)).error is None


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
