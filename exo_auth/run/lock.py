"""One run at a time for each tenant (run)."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from exo_auth.errors import InputError, LockHeld
from exo_auth.run.durations import render_duration

TENANT = "this tenant"


@contextmanager
def tenant_lock(
    folder: Path,
    *,
    command: str,
    wait: timedelta = timedelta(0),
    held: str = TENANT,
    say: Callable[[str], None] = lambda _text: None,
) -> Iterator[None]:
    """Hold the lock of the tenant whose state lives in `folder`; raises LockHeld that names the holder.

    Whoever waits is told for whom. The operating system lets go of the lock when the process ends, however it ends: a
    killed run leaves none behind.
    """
    holder = folder / "lock.holder"
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _acquired_at_once(lock):
            if wait:
                longest = render_duration(wait)
                say(f"another run works on {held}: {_describe(holder)}; waiting for it, {longest} at most")
            lock.acquire(timeout=wait.total_seconds())
    except Timeout:
        way = ", or give --lock-timeout TIME to wait here" if held == TENANT else ""
        raise LockHeld(
            f"another run works on {held}: {_describe(holder)}", hint=f"wait for it{way}"
        ) from None
    except OSError as error:
        raise InputError(
            f"the state folder {folder} cannot be used: {error.strerror}",
            hint="give a writable place with --state-dir",
        ) from None
    try:
        with suppress(OSError):  # on a full disk the lock holds all the same; the journal tells of the disk
            holder.write_text(_who(command), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _who(command: str) -> str:
    who = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "user": _user(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
    }
    return json.dumps(who)


def _acquired_at_once(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _describe(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text(encoding="utf-8"))
        return (
            f"{who['command']}, process {who['pid']} of {who['user']} on {who['host']}, since {who['since']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said which"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no entry in the user database, as in some containers
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
