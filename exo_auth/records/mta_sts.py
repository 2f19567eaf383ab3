"""MTA-STS records (records, pure): the TXT at `_mta-sts.<domain>`.

v=STSv1; id=20261123120000;        RFC 8461 §3.1
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.field_list import fields_of

VERSION = "v=STSv1;"

_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)


@dataclass(frozen=True)
class MtaStsRecord:
    """The record that announces a policy. A changed `id` tells senders to fetch the policy again."""

    id: str
    extensions: tuple[tuple[str, str], ...] = ()


def looks_like(text: str) -> bool:
    """Is this TXT counted? Records that do not begin with `v=STSv1;` are discarded (RFC 8461 §3.1)."""
    return text.startswith(VERSION)


def parse(text: str) -> MtaStsRecord:
    """Read a record; raises RecordSyntaxError. A field that occurs twice counts the first time (RFC 8461 §3.1)."""
    if not looks_like(text):
        raise RecordSyntaxError("no MTA-STS record", position=0, expected=f"{VERSION} at the beginning")
    found: dict[str, str] = {}
    for field in fields_of(text, len(VERSION)):
        if field.name == "id" and not _ID.fullmatch(field.value):
            raise RecordSyntaxError(
                f"the id “{field.value[:40]}”",
                position=field.value_at,
                expected="1 to 32 letters or digits",
            )
        found.setdefault(field.name, field.value)
    if "id" not in found:
        raise RecordSyntaxError("no id", position=len(text), expected="id= and 1 to 32 letters or digits")
    return MtaStsRecord(found.pop("id"), tuple(found.items()))


def render(record: MtaStsRecord) -> str:
    """Write a record."""
    return " ".join([VERSION, f"id={record.id};", *(f"{name}={value};" for name, value in record.extensions)])
