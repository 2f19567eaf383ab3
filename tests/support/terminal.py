"""Runs the command line as a process: with nothing around it, as cron does, or on a terminal of its own."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str = ""


def as_cron(*arguments: str, environment: Mapping[str, str], stdin: str | None = None) -> Done:
    """Run without a terminal and with only this environment."""
    done = subprocess.run(
        [sys.executable, "-m", "exo_auth", *arguments],
        env=dict(environment),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def in_process(*arguments: str, environment: Mapping[str, str]) -> Done:
    """Run the command line inside this process, with only this environment."""
    from exo_auth.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(list(arguments))
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(code, out.getvalue(), err.getvalue())


def on_terminal(
    *arguments: str, environment: Mapping[str, str], answers: Mapping[str, str] | None = None
) -> Done:
    """Run on a pseudo-terminal; type each answer when its question appears."""
    waiting = dict(answers or {})
    child, master = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "exo_auth", *arguments], dict(environment))
    seen = ""
    while True:
        ready, _, _ = select.select([master], [], [], 60)
        try:
            data = os.read(master, 65536) if ready else b""
        except OSError:  # Linux ends a terminal whose last writer went away so
            data = b""
        if not data:
            break
        seen += data.decode(errors="replace")
        for question, answer in list(waiting.items()):
            if question in seen:
                os.write(master, answer.encode() + b"\n")
                del waiting[question]
    _, status = os.waitpid(child, 0)
    os.close(master)
    return Done(os.waitstatus_to_exitcode(status), seen.replace("\r\n", "\n"))
