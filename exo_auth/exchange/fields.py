"""`Row`: one row of a cmdlet, read field by field with strict converters (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import Correlation, InputError, ProtocolError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POWERSHELL = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)  # milliseconds since 1970, UTC
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)


class Row:
    """Reads fields by name in any case; remembers which were read, so that the rest can be kept."""

    def __init__(
        self,
        cmdlet: str,
        number: int,
        fields: Mapping[str, Any],
        correlation: Correlation | None = None,
    ) -> None:
        self._cmdlet = cmdlet
        self._number = number
        self._correlation = correlation
        self._names = {name.lower(): name for name in fields}
        self._fields = fields
        self._read: set[str] = set()

    def has(self, name: str) -> bool:
        """Is there such a field with a value? Blank texts and null are none."""
        value = self._peek(name)
        return value is not None and not (isinstance(value, str) and not value.strip())

    def require(self, *names: str) -> None:
        """Raise ProtocolError unless all fields are in the row, be it with null."""
        for name in names:
            if name.lower() not in self._names:
                raise self.error(name, "is missing")

    def text(self, name: str, default: str | None = None) -> str:
        """Give a text without outer blanks; `default` for null and for a missing field."""
        value = self._take(name, default)
        if not isinstance(value, str):
            raise self.error(name, f"is {value!r}, not a text")
        return value.strip()

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """Give a truth value, which may come as a word."""
        value = self._take(name, default)
        word = value.strip().lower() if isinstance(value, str) else value
        if word is True or word == "true":
            return True
        if word is False or word == "false":
            return False
        raise self.error(name, f"is {value!r}, neither true nor false")

    def whole(self, name: str) -> int | None:
        """Give a whole number, which may come as a word or as 2048.0; None where there is none."""
        if not self.has(name):
            self._mark(name)
            return None
        value = self._take(name)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip(), re.ASCII):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self.error(name, f"is {value!r}, not a whole number")

    def number(self, name: str) -> int:
        """Give a whole number that must be there."""
        value = self.whole(name)
        if value is None:
            raise self.error(name, "is missing" if name.lower() not in self._names else "is null")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a list of texts, which may come as a single one; empty for null and for a missing field."""
        self._mark(name)
        value = self._peek(name)
        items = value if isinstance(value, list | tuple) else [] if value is None else [value]
        if not all(isinstance(item, str) for item in items):
            raise self.error(name, f"is {value!r}, not a list of texts")
        return tuple(text for item in items if (text := item.strip()))

    def any(self, name: str) -> Any:
        """Give a value as it came; None for a missing field."""
        self._mark(name)
        return self._peek(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields, as they came."""
        return tuple(self._fields)

    def moment(self, name: str) -> datetime | None:
        """Give a time in UTC; one without an offset is meant as UTC. None where there is none."""
        if not self.has(name):
            self._mark(name)
            return None
        value = self._take(name)
        try:
            return _moment(value)
        except (ValueError, OverflowError):
            raise self.error(name, f"is {value!r}, not a time") from None

    def name(self, name: str) -> DomainName:
        """Give a domain name that must be there."""
        text = self.text(name)
        try:
            return DomainName.parse_lookup(text)
        except InputError as error:
            raise self.error(name, f"is no domain name: {error.message}") from None

    def name_or_none(self, name: str) -> DomainName | None:
        """Give a domain name; None while the field is blank."""
        if not self.has(name):
            self._mark(name)
            return None
        return self.name(name)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """Give one of a few words, lower case."""
        word = self.text(name, "").lower()
        if word not in allowed:
            raise self.error(name, f"is {word!r}, not {' or '.join(map(repr, allowed))}")
        return word

    def rest(self) -> dict[str, Any]:
        """Give every field that was not read, as it came."""
        return {name: value for name, value in self._fields.items() if name.lower() not in self._read}

    def _peek(self, name: str) -> Any:
        return self._fields.get(self._names.get(name.lower(), ""))

    def _mark(self, name: str) -> None:
        self._read.add(name.lower())

    def _take(self, name: str, default: Any = None) -> Any:
        self._mark(name)
        value = self._peek(name)
        if value is not None:
            return value
        if default is None:
            raise self.error(name, "is missing" if name.lower() not in self._names else "is null")
        return default

    def error(self, name: str, what: str) -> ProtocolError:
        """Make the error about one field: which cmdlet, which row, what is wrong with it."""
        return ProtocolError(
            f"{self._cmdlet}, row {self._number}: the field {name} {what}",
            correlation=self._correlation,
            hint="Exchange Online changed its answer; nothing was changed. Look for a newer exo-auth",
        )


def _moment(value: object) -> datetime:
    text = value.strip() if isinstance(value, str) else ""
    if found := _POWERSHELL.fullmatch(text):
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    if not (found := _ISO.fullmatch(text)):
        raise ValueError(text)
    fraction = f"{(found[2] or '.')[:7]:0<7}"  # .NET counts in 100 ns, Python in µs
    offset = (found[3] or "Z").upper().replace("Z", "+00:00")
    return datetime.fromisoformat(f"{found[1]}{fraction}{offset}".upper()).astimezone(UTC)
