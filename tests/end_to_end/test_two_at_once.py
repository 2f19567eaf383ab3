"""Two people apply at once: one waits or is refused, and nothing is half-done or done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from bench import Bench
from terminal import Done, in_process

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault
from exo_auth.sandbox.serve import Sandbox, SandboxOptions
from exo_auth.sandbox.switches import Switches

ROTATE = "Rotate-DkimSigningConfig"
DOMAINS = tuple(f"d{number}.example" for number in range(7))
LINE = "dkim rotate -d * --yes"


@pytest.fixture(scope="module")
def kept_box() -> Iterator[Sandbox]:
    """A service that rotates a second time when it is told to, so that nobody but the client forbids it."""
    initial = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True)
    switches = Switches(rotation_in_window="swaps")
    with Sandbox(SandboxOptions((initial, *map(DomainSpec, DOMAINS)), switches=switches)) as box:
        yield box


@pytest.fixture
def people(kept_box: Sandbox, tmp_path: Path) -> People:
    kept_box.reset()
    return People(kept_box, tmp_path)


class People:
    """Several before one tenant; each `place` is a state folder, as a machine has it."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.box = box
        self.folder = folder
        folder.mkdir(exist_ok=True)
        os.mkfifo(folder / "gate")
        config = f"version: 1\nhooks: {{before_apply: [/bin/sh, -c, 'read line < {folder}/gate; true']}}\n"
        (folder / "held.yaml").write_text(config)

    def environment(self, place: str, *, held: bool = False) -> dict[str, str]:
        bench = Bench(self.box, self.folder / place)
        return {
            **bench.environment,
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "EXO_AUTH_MAX_SHARE": "100%",
            "EXO_AUTH_NO_JITTER": "1",
            "EXO_AUTH_DNS_TIMEOUT": "30s",
            **({"EXO_AUTH_CONFIG": str(self.folder / "held.yaml")} if held else {}),
        }

    def run(self, line: str, place: str = "here") -> Done:
        return in_process(*line.split(), environment=self.environment(place))

    def start(self, line: str, place: str = "here", *, held: bool = False) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "exo_auth", *line.split()],
            env=self.environment(place, held=held),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def held_before_its_first_change(self, line: str, place: str) -> Iterator[subprocess.Popen[str]]:
        """Start a run that has made its plan, and goes on when the block ends."""
        run = self.start(line, place, held=True)
        gate = self.gate_of(run)
        try:
            yield run
        finally:
            os.close(gate)

    def gate_of(self, run: subprocess.Popen[str]) -> int:
        """Open the hook's pipe as soon as the hook has opened its end."""
        pause = threading.Event()
        while True:
            assert run.poll() is None, run.communicate()
            try:
                return os.open(self.folder / "gate", os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # ENXIO: nobody reads it yet
                pause.wait(0.02)

    def held_at_its_write(self, line: str, place: str, after: int = 0) -> subprocess.Popen[str]:
        """Start a run that waits for the answer to a rotation, which has taken effect."""
        self.box.faults.add(Fault("slow", cmdlet=ROTATE, value="30", after=after))
        run, pause = self.start(line, place), threading.Event()
        while len(self.writes) <= after:
            assert run.poll() is None, run.communicate()
            pause.wait(0.02)
        self.box.faults.clear()
        return run

    @property
    def writes(self) -> list[str]:
        return [request.identity for request in self.box.requests if request.cmdlet == ROTATE]

    @property
    def rotations(self) -> list[int]:
        return [self.box.tenant.rotations(domain) for domain in DOMAINS]


def ended(run: subprocess.Popen[str]) -> Done:
    out, err = run.communicate(timeout=60)
    return Done(run.returncode, out, err)


def kill(run: subprocess.Popen[str]) -> None:
    run.kill()
    assert ended(run).code == -signal.SIGKILL


def heard(stream: IO[str] | None, words: str) -> str:
    assert stream is not None
    line = next((line for line in stream if words in line), "")
    assert line, f"it never said “{words}”"
    return line


# On one machine, or one state folder: the lock


def test_the_second_is_refused_and_told_for_whom_it_may_wait(people: People) -> None:
    with people.held_before_its_first_change(LINE, "here") as first:
        refused = people.run(LINE)
        assert refused.code == 7, refused
        assert f"exo-auth dkim rotate, process {first.pid} of " in refused.err
        assert "--lock-timeout" in refused.err
        second = people.start(f"{LINE} --lock-timeout 1m")
        assert f"process {first.pid} of " in heard(second.stderr, "waiting for it, 1m at most")
        assert people.writes == []
    assert ended(first).code == 0
    done = ended(second)
    assert (done.code, "7 with nothing to do now" in done.out) == (0, True), done
    assert people.rotations == [1] * len(DOMAINS)
    assert len(people.writes) == len(DOMAINS)


def test_the_first_is_killed_before_it_changed_anything(people: People) -> None:
    with people.held_before_its_first_change(LINE, "here") as first:
        second = people.start(f"{LINE} --lock-timeout 1m")
        heard(second.stderr, "waiting for it")
        kill(first)
    assert ended(second).code == 0
    assert people.rotations == [1] * len(DOMAINS)


def test_the_first_is_killed_at_its_third_change(people: People) -> None:
    first = people.held_at_its_write(LINE, "here", after=2)
    second = people.start(f"{LINE} --lock-timeout 1m")
    heard(second.stderr, "waiting for it")
    kill(first)
    done = ended(second)
    assert done.code == 0, done
    assert "left in flight by run" in done.err
    assert "it took effect" in done.err
    assert people.rotations == [1] * len(DOMAINS)
    assert len(people.writes) == len(DOMAINS)


# On two machines, or two state folders: what is looked at before each change


def test_a_plan_that_another_machine_carried_out_meanwhile_sends_nothing(people: People) -> None:
    with people.held_before_its_first_change(LINE, "there") as late:
        assert people.run(LINE).code == 0
        sent = len(people.writes)
    done = ended(late)
    assert (done.code, len(people.writes)) == (8, sent), done
    assert "d0.example  rotate: was so already" in done.out
    said = "somebody else changes this tenant now: d0.example moved while this run was at work"
    assert done.out.count(said) == 1, "told for each of those that are skipped"
    assert done.out.count("rotate: skipped") == len(DOMAINS) - 1
    assert people.rotations == [1] * len(DOMAINS)


def test_a_plan_that_another_machine_is_carrying_out_sends_nothing(people: People) -> None:
    with people.held_before_its_first_change(LINE, "there") as late:
        first = people.held_at_its_write(LINE, "here", after=2)
        sent = len(people.writes)
    done = ended(late)
    assert (done.code, len(people.writes)) == (8, sent), done
    kill(first)
    assert people.run(LINE, "there").code == 0, "what the first left is done, whoever does it"
    assert people.rotations == [1] * len(DOMAINS)


@pytest.mark.parametrize("killed", [False, True], ids=["to its end", "killed at its third change"])
def test_one_saved_plan_is_applied_on_two_machines(people: People, *, killed: bool) -> None:
    plan = people.folder / "all.plan"
    assert people.run(f"plan rotate-dkim --out {plan}").code == 0
    apply = f"apply {plan} --yes -o json"
    if killed:
        kill(people.held_at_its_write(apply, "here", after=2))
    else:
        assert people.run(apply).code == 0
    done = sum(people.rotations)
    second = people.run(apply, "there")
    assert second.code == 0, second
    results = [one["result"] for one in json.loads(second.out)["outcomes"]]
    assert results == ["already_so"] * done + ["applied"] * (len(DOMAINS) - done)
    assert people.rotations == [1] * len(DOMAINS)


def test_a_digest_that_another_machine_has_applied_is_refused(people: People) -> None:
    plan = json.loads(people.run("plan rotate-dkim -o json").out)
    apply = f"apply --digest {plan['digest']} --for rotate --yes"
    assert people.run(apply).code == 0
    sent = len(people.writes)
    second = people.run(apply, "there")
    assert (second.code, len(people.writes)) == (8, sent), second


def test_two_machines_that_start_in_the_same_moment(people: People) -> None:
    """No client can tell a write of the same moment; the documented service refuses a second one for 96 hours."""
    documented = SandboxOptions(people.box.tenant.specs)
    with Sandbox(documented) as box:
        box.faults.add(Fault("latency", value="20-60", count=0))
        others = People(box, people.folder / "documented")
        both = [others.start(LINE, place) for place in ("here", "there")]
        codes = {ended(run).code for run in both}
        assert codes <= {0, 3, 8}, "3: a key was renewed between a look at the tenant and one at DNS"
        assert max(others.rotations) == 1
        box.faults.clear()
        assert others.run(LINE).code == 0
        assert others.rotations == [1] * len(DOMAINS)
