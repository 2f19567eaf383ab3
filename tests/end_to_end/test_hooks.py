"""Hooks around the one engine: real programs, with facts and without secrets, ended with their children at the limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from terminal import as_cron, in_process

from exo_auth.plan.run_account import Moment
from exo_auth.render.schema import schema_text
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox, SandboxOptions

SECRET = "hunter2-hunter2"
ONE = (DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
       DomainSpec("new.example", listed=False, cnames="none", spf="", dmarc=""))  # fmt: skip
RECORD = 'cat > "$1/$EXO_AUTH_HOOK_NAME.json"; env > "$1/$EXO_AUTH_HOOK_NAME.env"; echo "$EXO_AUTH_HOOK_NAME" >> "$1/order"'


class Stage:
    """A sandbox, a configuration with hooks, and what they wrote down."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.folder = folder
        (folder / "record.sh").write_text(RECORD)
        self.record = f"[/bin/sh, {folder}/record.sh, {folder}]"
        self.environment = {
            **box.description.environment,
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "EXO_AUTH_STATE_DIR": str(folder / "state"),
            "EXO_AUTH_CONFIG": str(folder / "config.yaml"),
            "EXO_AUTH_NOTIFY_URLS": f"json://user:{SECRET}@127.0.0.1:9",
            "EXO_AUTH_NOTIFY_ON": "heartbeat",
            "SOME_TOKEN": SECRET,
            "WANTED": "yes",
        }
        self.environment["EXO_AUTH_CLIENT_SECRET"] = box.description.client_secret

    def configure(self, **hooks: str) -> None:
        lines = [f"  {name}: {line}" for name, line in hooks.items()]
        (self.folder / "config.yaml").write_text("\n".join(["version: 1", "hooks:", *lines]) + "\n")

    def configure_all(self, **others: str) -> None:
        self.configure(**{moment.value: self.record for moment in Moment}, **others)

    @property
    def order(self) -> list[str]:
        file = self.folder / "order"
        return file.read_text().split() if file.exists() else []

    def document(self, moment: Moment) -> dict[str, object]:
        document: dict[str, object] = json.loads((self.folder / f"{moment}.json").read_text())
        jsonschema.validate(document, json.loads(schema_text("run-account")))
        return document

    def variables(self, moment: Moment) -> dict[str, str]:
        lines = (self.folder / f"{moment}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def stage(box: Sandbox, tmp_path: Path) -> Stage:
    return Stage(box, tmp_path)


def test_a_run_calls_each_hook_once_in_order_with_facts_and_without_secrets(stage: Stage) -> None:
    stage.configure_all(keep="[WANTED, EXO_AUTH_CLIENT_SECRET]")
    done = as_cron("dkim", "rotate", "-d", "due-a.example", "--yes", environment=stage.environment)
    assert done.code == 0, done
    assert stage.order == ["before_plan", "before_apply", "after_change", "after_run"]

    planned = stage.document(Moment.BEFORE_APPLY)
    assert planned["plan"]["changes"][0]["cmdlet"] == "Rotate-DkimSigningConfig"  # type: ignore[index]
    assert (planned["exit_code"], planned["run"]) == (None, "")
    sent = stage.document(Moment.AFTER_CHANGE)
    assert (sent["change"]["domain"], sent["change"]["result"]) == ("due-a.example", "applied")  # type: ignore[index]
    ended = stage.document(Moment.AFTER_RUN)
    assert (ended["exit_code"], ended["outcomes"][0]["result"]) == (0, "applied")  # type: ignore[index]
    assert ended["run"] == sent["run"] != ""

    facts = stage.variables(Moment.AFTER_CHANGE)
    wanted = {"NAME": "after_change", "COMMAND": "dkim rotate", "DOMAIN": "due-a.example", "VERB": "rotate",
              "RESULT": "applied", "DRY_RUN": "false", "EXIT_CODE": "", "CMDLET": "Rotate-DkimSigningConfig"}  # fmt: skip
    assert {name: facts[f"EXO_AUTH_HOOK_{name}"] for name in wanted} == wanted
    assert stage.variables(Moment.AFTER_RUN)["EXO_AUTH_HOOK_APPLIED"] == "1"

    own = {name for name in facts if name.startswith("EXO_AUTH_") and not name.startswith("EXO_AUTH_HOOK_")}
    assert own == set()
    assert facts["WANTED"] == "yes"  # hooks.keep names it
    secrets = (SECRET, stage.environment["EXO_AUTH_CLIENT_SECRET"])
    for moment in ("before_plan", "before_apply", "after_change", "after_run"):
        told = (stage.folder / f"{moment}.json").read_text() + (stage.folder / f"{moment}.env").read_text()
        assert not [secret for secret in secrets if secret in told]


def test_a_dry_run_says_so_and_sends_nothing_to_tell_of(stage: Stage) -> None:
    stage.configure_all()
    done = in_process("dkim", "rotate", "--dry-run", environment=stage.environment)
    assert done.code == 0, done
    assert stage.order == ["before_plan", "after_run"]
    assert stage.document(Moment.AFTER_RUN)["dry_run"] is True


REFUSING = [  # hook, program, part of the message, reason
    ("before_plan", "[/bin/sh, -c, 'echo frozen until Monday; exit 3']", "ended with 3: frozen until Monday", "it says no"),
    ("before_apply", "[/bin/sh, -c, 'exit 1']", "ended with 1", "it fails without a word"),
    ("before_apply", "[/nowhere/at-all]", "cannot be started", "it is not there"),
    ("before_plan", "[/bin/sh, -c, 'kill -9 $$']", "ended with -9", "it is killed"),
]  # fmt: skip


@pytest.mark.parametrize(("hook", "program", "part", "reason"), REFUSING, ids=[row[3] for row in REFUSING])
def test_a_failing_hook_before_refuses_the_run(
    stage: Stage, hook: str, program: str, part: str, reason: str
) -> None:
    stage.configure(**{hook: program, "after_run": stage.record, "on_failure": stage.record})
    done = in_process("dkim", "rotate", "-d", "due-a.example", "--yes", environment=stage.environment)
    assert done.code == 9, reason
    assert f"the hook {hook}" in done.err
    assert part in done.err
    assert stage.order == ["on_failure", "after_run"]
    assert stage.document(Moment.AFTER_RUN)["exit_code"] == 9
    assert not list((stage.folder / "state").rglob("journal.jsonl"))  # nothing was sent


def test_failing_hooks_afterwards_are_told_and_hide_nothing(stage: Stage) -> None:
    bad = "[/bin/sh, -c, 'echo no space; exit 7']"
    stage.configure(after_change=bad, after_run="[/nowhere/at-all]")
    done = in_process("dkim", "rotate", "-d", "due-a.example", "--yes", environment=stage.environment)
    assert done.code == 0
    assert "rotate: done" in done.out
    assert "warning: the hook after_change (/bin/sh) ended with 7: no space" in done.err
    assert "warning: the hook after_run failed: /nowhere/at-all cannot be started" in done.err

    stage.configure(on_failure=bad)
    failed = in_process(
        "dkim", "rotate", "--yes", environment={**stage.environment, "EXO_AUTH_TENANT": "other.example"}
    )
    assert failed.code == 10, failed
    assert "the hook on_failure" in failed.err


def test_a_hook_is_ended_with_its_children_at_its_limit(stage: Stage, tmp_path: Path) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    # The grandchild holds the writing end open as long as it lives: reading to the end waits for its death.
    (tmp_path / "slow.sh").write_text(f'exec 3<> "{fifo}"\nsleep 600 &\nsleep 600\n')
    stage.configure(before_plan=f"[/bin/sh, {tmp_path}/slow.sh]", timeout="1s")
    done = in_process("dkim", "rotate", "--yes", environment=stage.environment)
    assert done.code == 9
    assert "was ended after 1 s, its time limit" in done.err
    descriptor = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert (
            os.read(descriptor, 1) == b""
        )  # the end: BlockingIOError would mean that somebody holds it open
    finally:
        os.close(descriptor)


def test_a_hook_that_leaves_a_child_behind_or_reads_nothing_holds_up_nobody(stage: Stage) -> None:
    stage.configure(before_apply="[/bin/sh, -c, 'sleep 30 & echo started']", timeout="25s")
    done = in_process("dkim", "rotate", "-d", "due-a.example", "--yes", environment=stage.environment)
    assert done.code == 0, done


def test_records_published_through_octodns_call_the_same_hooks(tmp_path: Path) -> None:
    with Sandbox(SandboxOptions(ONE, publishes=True)) as box:
        stage = Stage(box, tmp_path)
        stage.configure_all()
        done = in_process("dns", "apply", "new.example", "--yes", environment=stage.environment)
    assert "applied" in {one["result"] for one in stage.document(Moment.AFTER_RUN)["outcomes"]}, done  # type: ignore[attr-defined]
    assert stage.order[:2] == ["before_plan", "before_apply"]
    assert {"after_change", "after_run"} <= set(stage.order)
    assert stage.document(Moment.AFTER_CHANGE)["change"]["cmdlet"] == "octodns"  # type: ignore[index]


def test_sigterm_before_anything_is_sent_ends_the_run_and_is_told(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "started")
    wait = f"[/bin/sh, -c, 'echo up > {tmp_path}/started; exec sleep 30']"
    stage.configure(before_plan=wait, on_failure=stage.record)
    line = [sys.executable, "-m", "exo_auth", "dkim", "rotate", "--yes"]
    child = subprocess.Popen(
        line, env=stage.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    assert (tmp_path / "started").read_text() == "up\n"  # waits for the hook to run
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=60) == 143
    assert stage.document(Moment.ON_FAILURE)["exit_code"] == 143


def test_a_hook_can_be_a_variable(stage: Stage) -> None:
    environment = {
        **stage.environment,
        "EXO_AUTH_AFTER_RUN": f"/bin/sh {stage.folder}/record.sh {stage.folder}",
    }
    del environment["EXO_AUTH_CONFIG"]
    assert in_process("dkim", "rotate", "--dry-run", environment=environment).code == 0
    assert stage.order == ["after_run"]
