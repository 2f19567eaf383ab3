"""MTA-STS policies (records, pure): the file at `https://mta-sts.<domain>/.well-known/mta-sts.txt`. RFC 8461 §3.2.

version: STSv1
mode: enforce
mx: contoso-com.mail.protection.outlook.com
max_age: 604800
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from exo_auth.errors import RecordSyntaxError

LONGEST_MAX_AGE = 31557600  # seconds, RFC 8461 §3.2

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MX = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_MAX_AGE = re.compile(r"[0-9]{1,10}", re.ASCII)
_BAD_VALUE = re.compile(r"[^\x20-\x7e\t]")


class Mode(StrEnum):
    """What senders do when the connection or the certificate does not satisfy the policy."""

    ENFORCE = "enforce"  # do not deliver
    TESTING = "testing"  # deliver and report
    NONE = "none"  # as if there were no policy


_MODES = frozenset(mode.value for mode in Mode)


@dataclass(frozen=True)
class MtaStsPolicy:
    """A policy. `max_age` is in seconds; `mx` are host names or `*.` and a name, lower case."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int
    extensions: tuple[tuple[str, str], ...] = ()

    def allows(self, host: str) -> bool:
        """Does a pattern match that mail exchanger?"""
        return any(matches(pattern, host) for pattern in self.mx)


def matches(pattern: str, host: str) -> bool:
    """Does the pattern name the host? `*.` stands for exactly one label (RFC 8461 §4.1)."""
    wanted = host.lower().removesuffix(".")
    if pattern.startswith("*."):
        return wanted.partition(".")[2] == pattern[2:].lower() and "." in wanted
    return wanted == pattern.lower()


def looks_like(text: str) -> bool:
    """Is this the text of a policy, rather than a web page?"""
    return text.startswith("version")


def parse(text: str) -> MtaStsPolicy:
    """Read a policy; raises RecordSyntaxError with the position of the first fault.

    Unknown keys are kept, and a key that may occur once counts the first time (RFC 8461 §3.2).
    """
    found: dict[str, tuple[str, int]] = {}
    mx: list[str] = []
    at = 0
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        if line.strip(" \t"):
            key, value, value_at = _line(line, at)
            if key == "mx":
                mx.append(_mx(value, value_at))
            else:
                found.setdefault(key, (value, value_at))
        at += len(raw) + 1
    return _policy(found, tuple(mx), len(text))


def render(policy: MtaStsPolicy) -> str:
    """Write a policy with CRLF and a final line end."""
    lines = ["version: STSv1", f"mode: {policy.mode}"]
    lines += [f"mx: {host}" for host in policy.mx]
    lines += [f"max_age: {policy.max_age}"]
    lines += [f"{key}: {value}" for key, value in policy.extensions]
    return "".join(f"{line}\r\n" for line in lines)


def _line(line: str, at: int) -> tuple[str, str, int]:
    key, colon, rest = line.partition(":")
    if not colon or not _KEY.fullmatch(key):
        raise RecordSyntaxError(f"“{line[:40]}” is no line of a policy", position=at, expected="key: value")
    bad = _BAD_VALUE.search(rest)
    if bad:
        raise RecordSyntaxError(
            f"{bad.group()!r}", position=at + len(key) + 1 + bad.start(), expected="printable ASCII"
        )
    value = rest.strip(" \t")
    return key, value, at + len(line) - len(rest.lstrip(" \t"))


def _mx(value: str, at: int) -> str:
    if not _MX.fullmatch(value) or len(value) > 253:
        raise RecordSyntaxError(
            f"the mx “{value[:60]}”", position=at, expected="a host name, or *. and a domain"
        )
    return value.lower()


def _policy(found: dict[str, tuple[str, int]], mx: tuple[str, ...], end: int) -> MtaStsPolicy:
    version, at = _required(found, "version", end)
    if version != "STSv1":
        raise RecordSyntaxError(f"the version “{version[:20]}”", position=at, expected="STSv1")
    word, at = _required(found, "mode", end)
    if word not in _MODES:
        raise RecordSyntaxError(f"the mode “{word[:20]}”", position=at, expected="enforce, testing or none")
    age, at = _required(found, "max_age", end)
    if not _MAX_AGE.fullmatch(age) or int(age) > LONGEST_MAX_AGE:
        raise RecordSyntaxError(
            f"the max_age “{age[:20]}”", position=at, expected=f"0 to {LONGEST_MAX_AGE} seconds"
        )
    mode = Mode(word)
    if not mx and mode is not Mode.NONE:
        raise RecordSyntaxError("no mx", position=end, expected="at least one mx line")
    rest = tuple((key, value) for key, (value, _) in found.items())
    return MtaStsPolicy(mode, mx, int(age), rest)


def _required(found: dict[str, tuple[str, int]], key: str, end: int) -> tuple[str, int]:
    if key not in found:
        raise RecordSyntaxError(f"no {key}", position=end, expected=f"a line {key}:")
    return found.pop(key)
