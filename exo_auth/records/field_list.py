"""The `name=value;` fields that MTA-STS and TLS-RPT share (records, pure). RFC 8461 §3.1, RFC 8460 §3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError

WHITE = " \t"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_BAD_VALUE = re.compile(
    r"[^\x21-\x3a\x3c\x3e-\x7e]", re.ASCII
)  # no semicolon, no equals sign, no white space


@dataclass(frozen=True)
class Field:
    """One field and where its name and its value stand in the record."""

    name: str
    value: str
    at: int
    value_at: int


def fields_of(text: str, start: int, *, may_hold_equals: frozenset[str] = frozenset()) -> Iterator[Field]:
    """Give the fields from `start` on; raises RecordSyntaxError at the first that is none.

    A value holds no equals sign, but for the fields named in `may_hold_equals`, which hold URIs.
    """
    at = start
    parts = text[start:].split(";")
    for number, part in enumerate(parts):
        stripped = part.strip(WHITE)
        if stripped:
            yield _field(stripped, at + part.index(stripped[0]), may_hold_equals)
        elif number < len(parts) - 1:
            raise RecordSyntaxError("an empty field", position=at, expected="one semicolon between fields")
        at += len(part) + 1


def _field(text: str, at: int, may_hold_equals: frozenset[str]) -> Field:
    name, equals, value = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        raise RecordSyntaxError(f"“{text[:40]}” is no field", position=at, expected="name=value")
    value_at = at + len(name) + 1
    if not value:
        raise RecordSyntaxError(f"{name} without a value", position=value_at, expected="a value")
    for bad in _BAD_VALUE.finditer(value):
        if bad.group() == "=" and name in may_hold_equals:
            continue
        raise RecordSyntaxError(
            f"{bad.group()!r} in the value of {name}",
            position=value_at + bad.start(),
            expected="printable ASCII without spaces",
        )
    return Field(name, value, at, value_at)
