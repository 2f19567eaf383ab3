"""A program with a time limit, ended together with its children when the limit is over (run)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from exo_auth.errors import InputError

LOOK_EVERY = 0.1  # seconds between two looks at a child that runs
MOST_OUTPUT = 64 * 1024  # octets of its last words that are kept
AT_ONCE = timedelta(0)
NEW_PROCESS_GROUP = 0x00000200  # Windows: CREATE_NEW_PROCESS_GROUP


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (negative: the signal), its last words, and whether the limit ended it."""

    exit_code: int
    output: str
    timed_out: bool = False


def run_child(
    line: Sequence[str],
    *,
    environment: Mapping[str, str],
    limit: timedelta,
    grace: timedelta = AT_ONCE,
    stdin: str = "",
    echo: Callable[[str], None] = lambda _text: None,
    stop_signal: Callable[[], int] = lambda: 0,
) -> Ended:
    """Run a program and give its end; raises InputError when it cannot be started.

    What it says is handed to `echo` while it runs. At the limit, and when `stop_signal` gives the number of a signal,
    the program and its children are asked to end, and killed after `grace`. Standard input and output are files:
    a child left behind that holds them open cannot keep us waiting.
    """
    with tempfile.TemporaryDirectory(prefix="exo-auth-", ignore_cleanup_errors=True) as folder:
        given, told = Path(folder, "in"), Path(folder, "out")
        given.write_text(stdin, encoding="utf-8")
        with given.open("rb") as source, told.open("wb") as sink:
            child = _start(line, environment, source, sink)
        with told.open("rb") as words:
            reader = _Reader(words, echo)
            try:
                timed_out = _wait(child, reader, limit, grace, stop_signal)
            finally:
                if child.poll() is None:
                    _send(child, kill=True)
                    child.wait()
            reader.read()
            return Ended(child.returncode, reader.last_words(), timed_out)


def _start(
    line: Sequence[str], environment: Mapping[str, str], source: IO[bytes], sink: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start the program as the leader of a group: its children are ended with it, and Ctrl-C does not reach it."""
    try:
        return subprocess.Popen(
            list(line),
            env=dict(environment),
            stdin=source,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # means nothing on Windows
            creationflags=NEW_PROCESS_GROUP if os.name == "nt" else 0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{line[0]} cannot be started: {reason}") from None


def _wait(
    child: subprocess.Popen[bytes],
    reader: _Reader,
    limit: timedelta,
    grace: timedelta,
    stop_signal: Callable[[], int],
) -> bool:
    """Wait until the child has ended; say whether the limit did it."""
    ends_at = time.monotonic() + limit.total_seconds()
    dies_at = None
    timed_out = False
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=LOOK_EVERY)
            if dies_at is not None:
                _send(child, kill=True)  # those of its children that did not go with it
            return timed_out
        reader.read()
        now = time.monotonic()
        asked = stop_signal()
        if dies_at is None and (asked or now >= ends_at):
            timed_out = not asked
            dies_at = now + grace.total_seconds()
            if grace:
                _send(child, number=asked or signal.SIGTERM)
        if dies_at is not None and now >= dies_at:
            _send(child, kill=True)


class _Reader:
    """Reads a file that another process writes."""

    def __init__(self, file: IO[bytes], echo: Callable[[str], None]) -> None:
        self._file = file
        self._echo = echo
        self._rest = b""
        self._kept = b""

    def read(self) -> None:
        """Hand over the whole lines that are new."""
        while data := self._file.read(MOST_OUTPUT):
            self._kept = (self._kept + data)[-MOST_OUTPUT:]
            whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if newline:
                self._echo(whole.decode(errors="replace"))

    def last_words(self) -> str:
        """Give the end of the output, after what stands in an unfinished line was handed over."""
        if self._rest:
            self._echo(self._rest.decode(errors="replace"))
            self._rest = b""
        return self._kept.decode(errors="replace")


def _send(child: subprocess.Popen[bytes], *, number: int = 0, kill: bool = False) -> None:
    """Signal the child and all of its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name != "nt":
            os.killpg(child.pid, signal.SIGKILL if kill else number)
        elif kill:
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)
        else:
            child.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
