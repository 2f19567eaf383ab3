"""The policies that are served: read from files, judged before they are served, kept while a new file is void
(policy_server; I/O).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, RecordSyntaxError
from exo_auth.facts.served import EventKind
from exo_auth.records import mta_sts_policy

MOST_OCTETS = 64 * 1024  # RFC 8461 §3.3: what senders read at most
FILE_NAME = "mta-sts.txt"

Say = Callable[[EventKind, str, str], None]  # kind, subject, detail
Signature = tuple[int, ...]


@dataclass(frozen=True)
class ServedPolicy:
    """A valid policy with CRLF line ends; `etag` is its strong entity tag (RFC 9110 §8.8.3)."""

    body: bytes
    etag: str


def served_form(raw: bytes) -> ServedPolicy:
    """Judge a policy and give it the form it is served in; raises RecordSyntaxError."""
    if len(raw) > MOST_OCTETS:
        raise RecordSyntaxError(
            "more text than senders read", position=MOST_OCTETS, expected=f"{MOST_OCTETS} octets at most"
        )
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise RecordSyntaxError(
            f"the octet 0x{raw[error.start]:02x}", position=error.start, expected="ASCII, without a BOM"
        ) from None
    mta_sts_policy.parse(text)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    body = "".join(f"{line}\r\n" for line in lines if line.strip(" \t")).encode("ascii")  # RFC 8461 §3.2
    return ServedPolicy(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@dataclass
class _Kept:
    """What is known of one domain. `policy` is the last valid one, `refusal` why a newer file is not served."""

    signature: Signature | None
    policy: ServedPolicy | None
    refusal: str = ""


class PolicyShelf:
    """Policies by domain. A file is looked at again whenever its policy is asked for: one `stat`, no waiting."""

    def __init__(self, folder: Path | None, written: Mapping[DomainName, bytes], say: Say) -> None:
        self._say = say
        self._kept: dict[DomainName, _Kept] = {}
        self.take(folder, written)

    def take(self, folder: Path | None, written: Mapping[DomainName, bytes]) -> None:
        """Name the folder, and the policies of the configuration; raises RecordSyntaxError and changes nothing."""
        self._written = {domain: served_form(raw) for domain, raw in written.items()}
        self._folder = folder

    def read_all(self) -> None:
        """Read every file of the folder; raises InputError when the folder cannot be listed."""
        for domain in {*self._names(), *self._kept}:
            self._refresh(domain)

    def find(self, domain: DomainName) -> ServedPolicy | None:
        """Give the policy of a domain as its file stands now, or the last valid one."""
        self._refresh(domain)
        kept = self._kept.get(domain)
        return kept.policy if kept is not None and kept.policy is not None else self._written.get(domain)

    @property
    def domains(self) -> tuple[DomainName, ...]:
        """The domains that have a policy to serve."""
        on_file = {domain for domain, kept in self._kept.items() if kept.policy is not None}
        return tuple(sorted(on_file | set(self._written)))

    @property
    def refusals(self) -> dict[str, str]:
        """Why a file is not served, by domain."""
        return {domain.ascii: kept.refusal for domain, kept in sorted(self._kept.items()) if kept.refusal}

    def _names(self) -> Iterator[DomainName]:
        if self._folder is None:
            return
        try:
            entries = sorted(self._folder.iterdir())
        except OSError as error:
            raise InputError(
                f"{self._folder}: cannot be listed: {error.strerror}",
                hint="name a folder of DOMAIN.txt files",
            ) from None
        for entry in entries:
            if entry.name.startswith(".") or not (entry.suffix == ".txt" or (entry / FILE_NAME).is_file()):
                continue
            name = entry.name.removesuffix(".txt") if entry.is_file() else entry.name
            try:
                yield DomainName.parse(name)
            except InputError as error:
                self._say(EventKind.POLICY_REFUSED, str(entry), error.message)

    def _refresh(self, domain: DomainName) -> None:
        kept = self._kept.get(domain)
        path, signature = self._file_of(domain)
        if path is None or signature is None:
            if kept is not None:
                del self._kept[domain]
                self._say(EventKind.POLICY_GONE, domain.ascii, "its file is not there any more")
            return
        if kept is not None and kept.signature == signature:
            return
        old = kept.policy if kept is not None else None
        try:
            policy = served_form(_read(path))
        except (OSError, InputError) as error:
            reason = f"{path}: {error.message if isinstance(error, InputError) else error.strerror}"
            self._kept[domain] = _Kept(signature, old, reason)
            kept_on = "; the policy before it is served still" if old is not None else "; nothing is served"
            self._say(EventKind.POLICY_REFUSED, domain.ascii, reason + kept_on)
            return
        self._kept[domain] = _Kept(signature, policy)
        if old is None:
            self._say(EventKind.POLICY_LOADED, domain.ascii, str(path))
        elif old != policy:
            self._say(EventKind.POLICY_CHANGED, domain.ascii, f"{path}: publish a new id now")

    def _file_of(self, domain: DomainName) -> tuple[Path | None, Signature | None]:
        if self._folder is None:
            return None, None
        for path in (self._folder / f"{domain.ascii}.txt", self._folder / domain.ascii / FILE_NAME):
            try:
                return path, signature_of(path)
            except OSError:
                continue
        return None, None


def signature_of(path: Path) -> Signature:
    """Give what changes when a file does; raises OSError where there is none."""
    seen = path.stat()
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe must not hold the server
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError("is no file")
        return file.read(MOST_OCTETS + 1)
