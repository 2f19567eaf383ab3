"""Plans and runs as reports: the ticket's own line applies the plan it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest
from bench import Bench
from terminal import Done, in_process


@pytest.fixture
def desk(bench: Bench) -> dict[str, str]:
    return {**bench.environment, "PATH": os.defpath, "HOME": str(bench.state)}


def run(desk: dict[str, str], line: str) -> Done:
    return in_process(*shlex.split(line), environment=desk)


@pytest.mark.parametrize(
    "choice",
    [
        "rotate-dkim",
        "rotate-dkim --max-key-age 150d -d due-a.example",
        "--for rotate -d 'due-*'",
        "",
        "enforce-tls --var partners=good.partner.example --var mode=Audit",
    ],
)
def test_the_line_of_a_ticket_applies_the_plan_of_the_ticket(
    desk: dict[str, str], bench: Bench, tmp_path: Path, choice: str
) -> None:
    ticket = tmp_path / "ticket.md"
    planned = run(desk, f"plan {choice} --report {ticket} -o json")
    document = json.loads(planned.out)
    text = ticket.read_text()
    assert all(change["domain"] in text for change in document["changes"])
    line = re.search(r"`exo-auth (apply .*)` applies exactly this plan", text)
    if not document["changes"]:
        assert line is None
        return
    assert line is not None
    done = run(desk, f"{line[1]} -o json")
    assert {one["result"] for one in json.loads(done.out)["outcomes"]} == {"applied"}, done
    again = run(desk, line[1])
    assert again.code == 8, "the tenant has moved since"
    assert "error: the plan made now has the digest" in again.err


def test_a_dry_run_as_a_ticket_says_how_to_apply_exactly_that(
    desk: dict[str, str], bench: Bench, tmp_path: Path
) -> None:
    shown = run(desk, f"dkim rotate -d 'due-*' --dry-run -o md --report {tmp_path}/ticket.md")
    assert shown.out == (tmp_path / "ticket.md").read_text()
    words = re.search(r"The same command with `(--digest \w{16} --yes)` applies exactly this plan", shown.out)
    assert words is not None
    assert run(desk, f"dkim rotate -d 'fresh*' {words[1]}").code == 8, "another plan"
    assert run(desk, f"dkim rotate -d 'due-*' {words[1]}").code == 0
    assert sum(bench.rotations().values()) == 2


def test_a_run_is_told_in_every_form(desk: dict[str, str], tmp_path: Path) -> None:
    files = {suffix: tmp_path / f"run.{suffix}" for suffix in ("md", "json", "txt")}
    words = " ".join(f"--report {file}" for file in files.values())
    done = run(desk, f"dkim rotate -d 'due-*' --yes -o md {words}")
    assert done.code == 0, done
    assert done.out == files["md"].read_text()
    assert done.out.startswith("# Run 2")
    assert "| `due-a.example` | rotate | done |" in done.out
    assert json.loads(files["json"].read_text())["schema"] == "exo-auth/run-report/1"
    assert "due-b.example  rotate: done" in files["txt"].read_text()
    nothing = run(desk, f"dkim rotate -d 'due-*' --yes --report {files['txt']}")
    assert nothing.out == files["txt"].read_text(), "a run that found nothing to do is told, too"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plan -o csv", "a plan is not written as csv"),
        ("dkim rotate --yes -o html", "this command does not write html"),
        ("plan --report x.doc", "a plan is not written as x.doc"),
        ("dkim rotate --yes --report nowhere/x.md", "there is no folder for the report"),
        ("onboard new.example --yes --report x.md", "onboarding goes through several plans"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_asked(
    desk: dict[str, str], bench: Bench, line: str, told: str
) -> None:
    before = len(bench.box.requests)
    done = run(desk, line)
    assert (done.code, done.out) == (64, "")
    assert told in done.err
    assert len(bench.box.requests) == before


def test_a_report_that_cannot_be_written_hides_nothing_of_the_run(
    desk: dict[str, str], bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "taken.md").mkdir()
    done = run(desk, f"dkim rotate -d due-a.example --yes --report {tmp_path}/taken.md")
    assert done.code == 1
    assert "due-a.example  rotate: done" in done.out
    assert "warning: the report was not written" in done.err
    assert bench.rotations()["due-a.example"] == 1
