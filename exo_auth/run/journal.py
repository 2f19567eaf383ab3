"""The journal: what was sent to a tenant, before and after, in a file that tells when it was touched (run).

One JSON object a line, appended and fsynced; each line holds the SHA-256 of itself and of the line before, so that a
line that is changed, removed or put in later breaks the chain. The events:

    intent    written before a change is sent; without a `result` after it, the change was in flight
    result    how it ended
    resolved  what a later run found out about a change that was left in flight
    through   a domain came to a stage of a playbook that waits for time: that is counted from here

Secrets never get here: a line holds the plan's change (cmdlet, parameters, before, after) and texts of errors, and
neither tokens nor headers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exo_auth.errors import JournalError

FILE_NAME = "journal.jsonl"
FIRST = "0" * 64  # what the first line names as the hash before it
_BROKEN = (
    "compare with a backup (`exo-auth journal verify` shows how far the chain holds); "
    "where there is none, move the file aside: a new one begins, and undo and drift know nothing from before"
)


@dataclass(frozen=True)
class JournalLine:
    """One line. `at` is this machine's time, `service_time` the service's; both UTC."""

    number: int  # from 1
    at: datetime
    service_time: datetime
    run_id: str
    event: str  # intent, result, resolved, through
    body: Mapping[str, Any] = field(default_factory=dict)
    previous: str = FIRST
    hash: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the verification of a journal found; `error` is None when the chain holds."""

    lines: int
    error: str | None = None
    torn: int = 0  # octets of an unfinished last line, as a kill leaves them


class Journal:
    """Appends to one tenant's journal. The caller holds the tenant's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[JournalLine] = []

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open or create the journal; raises JournalError when it cannot be read or its chain is broken.

        An unfinished last line is moved to a file beside it: its write was cut short, so that what it announced
        was never sent.
        """
        journal = cls(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            torn = _torn_octets(path)
            if torn:
                _set_aside(path, torn)
            journal._lines = list(read(path))
        except OSError as error:
            raise JournalError(
                f"the journal {path} cannot be opened: {error.strerror}",
                hint="nothing is sent without a journal; give a writable place with --state-dir",
            ) from None
        return journal

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        """All lines, oldest first."""
        return tuple(self._lines)

    def append(
        self, event: str, *, run_id: str, at: datetime, service_time: datetime, body: Mapping[str, Any]
    ) -> JournalLine:
        """Write one line and wait until it is on the disk; raises JournalError."""
        line = _sealed(
            JournalLine(
                number=len(self._lines) + 1,
                at=at,
                service_time=service_time,
                run_id=run_id,
                event=event,
                body=body,
                previous=self._lines[-1].hash if self._lines else FIRST,
            )
        )
        try:
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                _append_whole(descriptor, (_to_text(line) + "\n").encode())
            finally:
                os.close(descriptor)
            if is_new:
                _sync_directory(self.path.parent)
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} cannot be written: {error.strerror}",
                hint="nothing is sent without a journal; make room or give another place with --state-dir",
            ) from None
        self._lines.append(line)
        return line


def read(path: Path) -> Iterator[JournalLine]:
    """Give the lines of a journal; raises JournalError at the first that breaks the chain, or when it cannot be read."""
    if not path.exists():
        return
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(
            f"the journal {path} cannot be read: {error.strerror}", hint="nothing is sent without a journal"
        ) from None
    previous = FIRST
    for number, raw in enumerate(data.split(b"\n")[:-1], start=1):
        line = _parse(raw, number, path)
        if line.number != number or line.previous != previous or _sealed(line).hash != line.hash:
            raise JournalError(
                f"{path}:{number}: the hash chain is broken: a line was changed, removed or put in",
                hint=_BROKEN,
            )
        previous = line.hash
        yield line


def verify(path: Path) -> Verdict:
    """Check the chain from the first line to the last."""
    count = 0
    try:
        for line in read(path):
            count = line.number
    except JournalError as error:
        return Verdict(count, error.message)
    return Verdict(count, torn=_torn_octets(path))


def _sealed(line: JournalLine) -> JournalLine:
    document = _document(line)
    del document["hash"]
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()
    return JournalLine(
        line.number, line.at, line.service_time, line.run_id, line.event, line.body, line.previous, digest
    )


def _document(line: JournalLine) -> dict[str, Any]:
    return {
        "n": line.number,
        "at": _time(line.at),
        "service_time": _time(line.service_time),
        "run": line.run_id,
        "event": line.event,
        "body": dict(line.body),
        "previous": line.previous,
        "hash": line.hash,
    }


def to_document(line: JournalLine) -> dict[str, Any]:
    """Give a line as plain JSON values."""
    return _document(line)


def _to_text(line: JournalLine) -> str:
    return json.dumps(_document(line), separators=(",", ":"), ensure_ascii=False)


def _parse(raw: bytes, number: int, path: Path) -> JournalLine:
    try:
        document = json.loads(raw)
        return JournalLine(
            number=int(document["n"]),
            at=datetime.fromisoformat(document["at"]),
            service_time=datetime.fromisoformat(document["service_time"]),
            run_id=str(document["run"]),
            event=str(document["event"]),
            body=dict(document["body"]),
            previous=str(document["previous"]),
            hash=str(document["hash"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path}:{number}: not a journal line: {type(error).__name__}: {error}",
            hint=_BROKEN,
        ) from None


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _append_whole(descriptor: int, data: bytes) -> None:
    """Append all of it and wait for the disk, or take back what was written: the next line must not stand behind a torn one."""
    before = os.fstat(descriptor).st_size
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, before)
        raise


def _torn_octets(path: Path) -> int:
    if not path.exists():
        return 0
    data = path.read_bytes()
    return len(data) - (data.rfind(b"\n") + 1)


def _set_aside(path: Path, torn: int) -> None:
    data = path.read_bytes()
    keep = len(data) - torn
    aside = path.with_name(f"{path.name}.torn-at-{keep}")
    aside.write_bytes(data[keep:])
    with path.open("r+b") as file:
        file.truncate(keep)
        os.fsync(file.fileno())


def _sync_directory(folder: Path) -> None:
    if os.name == "nt":  # Windows neither needs nor allows it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
