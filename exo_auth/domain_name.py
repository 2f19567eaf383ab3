"""`DomainName`: the only road from typed text to a domain (ground).

A name enters at three doors (command line, file, wire row), is compared by value ever after, and gets its
trailing dot in `lookup/` and in `sandbox/nameserver.py` only. Files store ASCII; people see Unicode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

from exo_auth.errors import InputError

MAX_NAME = 253  # octets in text form without the final dot, RFC 1035 §2.3.4
MAX_LABEL = 63  # octets, RFC 1035 §2.3.4

_LDH = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)  # RFC 1123 §2.1
_LOOKUP_LABEL = re.compile(r"[a-z0-9_*]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)  # RFC 8552: underscored names
_PLAIN_LABEL = r"(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(rf"{_PLAIN_LABEL}(?:\.{_PLAIN_LABEL})*", re.ASCII)  # what neither door can object to
_DOTS = re.compile("[.\u3002\uff0e\uff61]")  # the four dots of UTS #46


@dataclass(frozen=True, order=True, slots=True)
class DomainName:
    """A fully qualified domain name, lower case, A-labels, without the trailing dot.

    `DomainName.parse` reads a mail domain (letters, digits, hyphens); `DomainName.parse_lookup` also takes
    the underscores and the leading asterisk that occur in DNS but never in a mail domain.
    """

    ascii: str

    @classmethod
    def parse(cls, text: str) -> DomainName:
        """Read a mail domain as typed; raises InputError with the position of the bad character."""
        return cls(_checked(text, _LDH, "a letter, digit or hyphen"))

    @classmethod
    def parse_lookup(cls, text: str) -> DomainName:
        """Read any name that may be asked in DNS, underscores included; raises InputError."""
        return cls(_checked(text, _LOOKUP_LABEL, "a letter, digit, hyphen or underscore"))

    @property
    def unicode(self) -> str:
        """The name as people read it; labels that do not decode stay as they are."""
        if "xn--" not in self.ascii:
            return self.ascii
        return ".".join(_u_label(label) for label in self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, leftmost first."""
        return tuple(self.ascii.split("."))

    @property
    def parent(self) -> DomainName | None:
        """The name without its leftmost label, None for a single label."""
        rest = self.ascii.partition(".")[2]
        return DomainName(rest) if rest else None

    def child(self, prefix: str) -> DomainName:
        """The name below this one, such as `_dmarc` or `selector1._domainkey`."""
        return DomainName.parse_lookup(f"{prefix}.{self.ascii}")

    def is_within(self, other: DomainName) -> bool:
        """Is this name `other` or below it?"""
        return self == other or self.ascii.endswith(f".{other.ascii}")

    def __str__(self) -> str:
        return self.ascii


def _checked(text: str, pattern: re.Pattern[str], allowed: str) -> str:
    if len(text) <= MAX_NAME and _PLAIN.fullmatch(text):
        return text
    stripped = text.strip()
    if not stripped:
        raise InputError("the domain name is empty", position=0, hint="write it like contoso.com")
    offset = text.index(stripped[0])
    body = stripped[:-1] if stripped[-1] in ".\u3002" and len(stripped) > 1 else stripped
    labels = []
    for raw in _DOTS.split(body):
        labels.append(_a_label(raw, offset, text, pattern, allowed))
        offset += len(raw) + 1
    name = ".".join(labels)
    if len(name) > MAX_NAME:
        raise InputError(
            f"“{text}” is {len(name)} characters long in DNS form; a domain name holds at most {MAX_NAME}",
            position=MAX_NAME,
        )
    return name


def _a_label(raw: str, offset: int, text: str, pattern: re.Pattern[str], allowed: str) -> str:
    if not raw:
        raise InputError(
            f"“{text}” has an empty label at character {offset + 1}",
            position=offset,
            hint="two dots follow each other, or the name begins with a dot",
        )
    label = raw.lower() if raw.isascii() else _encode(raw, offset, text)
    if len(label) > MAX_LABEL:
        raise InputError(
            f"the label “{raw}” is {len(label)} characters long in DNS form; a label holds at most {MAX_LABEL}",
            position=offset,
        )
    if not pattern.fullmatch(label):
        bad = _first_bad(raw, pattern)
        raise InputError(
            f"“{text}” is not a domain name: “{raw[bad]}” at character {offset + bad + 1} is not {allowed}"
            if raw[bad] != "-"
            else f"“{text}” is not a domain name: the label “{raw}” begins or ends with a hyphen",
            position=offset + bad,
        )
    if label.startswith("xn--") and raw.isascii():
        _check_a_label(label, offset, text)
    return label


def _encode(raw: str, offset: int, text: str) -> str:
    try:
        return idna.encode(raw, uts46=True, transitional=False).decode("ascii")  # RFC 5891, UTS #46 mapping
    except idna.IDNAError as error:
        bad = next((i for i, char in enumerate(raw) if not char.isascii()), 0)
        raise InputError(f"“{text}” is not a domain name: {error}", position=offset + bad) from None


def _check_a_label(label: str, offset: int, text: str) -> None:
    try:
        idna.ulabel(label)
    except idna.IDNAError as error:
        raise InputError(f"“{text}” is not a domain name: {error}", position=offset) from None


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label


def _first_bad(raw: str, pattern: re.Pattern[str]) -> int:
    for i, char in enumerate(raw.lower()):
        if not pattern.fullmatch(char) and char != "-":
            return i
    return 0 if raw.startswith("-") else len(raw) - 1
