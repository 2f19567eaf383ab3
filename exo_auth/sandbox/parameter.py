"""`Parameter`: one parameter of a cmdlet, and the PowerShell way to read its value (sandbox)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


class Unreadable(Exception):  # noqa: N818 - a value's “no”
    """A value cannot be converted to what the parameter takes."""


@dataclass(frozen=True)
class Parameter:
    """One parameter: `kind` is text, texts, bool, switch, integer, date or enum.

    `values` are those of an enum, or the numbers that an integer may be, as texts; empty for any whole number.
    `nullable` parameters take null, which clears the property.
    """

    kind: str
    mandatory: bool = False
    values: tuple[str, ...] = ()
    nullable: bool = False

    def read(self, raw: Any) -> Any:
        """Convert as PowerShell does; raises Unreadable when it cannot."""
        if raw is None:
            if self.nullable:
                return None
            raise Unreadable
        return _READERS[self.kind](self, raw)


TEXT = Parameter("text")
CLEARABLE_TEXT = Parameter("text", nullable=True)
CLEARABLE_TEXTS = Parameter("texts", nullable=True)
CLEARABLE_BOOL = Parameter("bool", nullable=True)
IDENTITY = Parameter("text", mandatory=True)
BOOL = Parameter("bool")
SWITCH = Parameter("switch")
EVERYWHERE = {"ErrorAction": TEXT, "Verbose": BOOL, "WarningAction": TEXT}
WRITING = {"Confirm": BOOL, "WhatIf": BOOL}
LISTING = {"Identity": TEXT, "ResultSize": TEXT}


def _bool(_parameter: Parameter, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if str(raw).lower() not in ("true", "false"):
        raise Unreadable
    return str(raw).lower() == "true"


def _integer(parameter: Parameter, raw: Any) -> int:
    text = str(raw)
    if isinstance(raw, bool) or not text.removeprefix("-").isdecimal():
        raise Unreadable
    if parameter.values and text not in parameter.values:
        raise Unreadable
    return int(text)


def _enum(parameter: Parameter, raw: Any) -> str:
    word = str(raw).lower()
    exact = [value for value in parameter.values if value.lower() == word]
    near = [value for value in parameter.values if value.lower().startswith(word) and word]
    if not exact and len(near) != 1:
        raise Unreadable
    return (exact or near)[0]  # unambiguous prefixes count, as in PowerShell


def _text(_parameter: Parameter, raw: Any) -> str:
    if not isinstance(raw, str | int | float) or isinstance(raw, bool):
        raise Unreadable
    return str(raw)


def _texts(parameter: Parameter, raw: Any) -> list[str]:
    items = raw if isinstance(raw, list) else [raw]  # PowerShell makes an array of a single text
    return [_text(parameter, item) for item in items]


def _date(_parameter: Parameter, raw: Any) -> str:
    try:
        moment = datetime.fromisoformat(str(raw).replace("Z", "+00:00"))
    except ValueError:
        raise Unreadable from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC).isoformat()


_READERS = {
    "bool": _bool,
    "switch": _bool,
    "integer": _integer,
    "enum": _enum,
    "text": _text,
    "texts": _texts,
    "date": _date,
}
