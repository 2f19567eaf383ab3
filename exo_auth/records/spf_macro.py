"""Macro strings of SPF: `%{d}`, `%{ir}.%{v}._spf.%{d2}` (records, pure). RFC 7208 §7."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from exo_auth.errors import RecordSyntaxError

MOST_PARTS = 128  # a name has no more labels
LETTERS = "slodipvh"
EXP_LETTERS = "crt"  # in explanations only, RFC 7208 §7.2

_MACRO = re.compile(
    r"%\{(?P<letter>[a-zA-Z])(?P<digits>[0-9]*)(?P<reverse>[rR]?)(?P<delimiters>[.+,/_=-]*)\}"
)
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}
_TOP_LABEL = re.compile(r"[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Macro:
    """One `%{…}`: letter in lower case, how many right-hand parts to keep (0: all), reversed, split at what."""

    letter: str
    keep: int
    reverse: bool
    delimiters: str
    is_escaped: bool  # a capital letter asks for URL escaping

    def expand(self, values: Mapping[str, str]) -> str:
        """Put the value in, transformed (RFC 7208 §7.3)."""
        value = values[self.letter]
        if self.keep or self.reverse or self.delimiters != ".":
            parts = re.split("[" + re.escape(self.delimiters) + "]", value)
            if self.reverse:
                parts.reverse()
            value = ".".join(parts[-self.keep :] if self.keep else parts)
        return quote(value, safe="-._~") if self.is_escaped else value


@dataclass(frozen=True, slots=True)
class MacroString:
    """Literal texts and macros in their order; `text` is how it was written."""

    text: str
    parts: tuple[str | Macro, ...]

    def expand(self, values: Mapping[str, str]) -> str:
        """Give the text with all macros put in."""
        return "".join(part if isinstance(part, str) else part.expand(values) for part in self.parts)

    def letters(self) -> frozenset[str]:
        """Name the macros it uses, in lower case."""
        return frozenset(part.letter for part in self.parts if isinstance(part, Macro))


def parse_macro_string(text: str, position: int, *, in_explanation: bool = False) -> MacroString:
    """Read a macro string that begins at `position` of its record; raises RecordSyntaxError."""
    parts: list[str | Macro] = []
    at = 0
    while at < len(text):
        next_percent = text.find("%", at)
        if next_percent < 0:
            parts.append(text[at:])
            break
        if next_percent > at:
            parts.append(text[at:next_percent])
        escape = text[next_percent : next_percent + 2]
        if escape in _ESCAPES:
            parts.append(_ESCAPES[escape])
            at = next_percent + 2
            continue
        match = _MACRO.match(text, next_percent)
        if match is None:
            raise RecordSyntaxError(
                "a macro that is none", position=position + next_percent, expected="%{letter}, %%, %_ or %-"
            )
        parts.append(_macro(match, position, in_explanation))
        at = match.end()
    return MacroString(text, tuple(parts))


def parse_domain_spec(text: str, position: int) -> MacroString:
    """Read a domain-spec: a macro string that ends in a top label or a macro; raises RecordSyntaxError."""
    for offset, char in enumerate(text):
        if not "!" <= char <= "~":
            raise RecordSyntaxError(
                f"{char!r} in a domain", position=position + offset, expected="printable ASCII"
            )
    spec = parse_macro_string(text, position)
    if not spec.parts:
        raise RecordSyntaxError("no domain", position=position, expected="a domain name or a macro")
    if isinstance(spec.parts[-1], Macro):
        return spec
    head, _, last = text.removesuffix(".").rpartition(".")
    if not _TOP_LABEL.fullmatch(last) or not (head or len(spec.parts) > 1):  # RFC 7208 §7.1 domain-end
        raise RecordSyntaxError(
            f"“{last}” cannot end a domain",
            position=position + len(head) + (1 if head else 0),
            expected="a dot and a top label, or a macro",
        )
    return spec


def _macro(match: re.Match[str], position: int, in_explanation: bool) -> Macro:
    letter, digits = match["letter"], match["digits"]
    at = position + match.start()
    allowed = LETTERS + (EXP_LETTERS if in_explanation else "")
    if letter.lower() not in allowed:
        raise RecordSyntaxError(
            f"the macro letter “{letter}”", position=at, expected=f"one of {', '.join(allowed)}"
        )
    if digits and not digits.strip("0"):
        raise RecordSyntaxError("a macro that keeps no part", position=at, expected="a number above 0")
    return Macro(
        letter.lower(),
        _parts_kept(digits),
        bool(match["reverse"]),
        match["delimiters"] or ".",
        letter.isupper(),
    )


def _parts_kept(digits: str) -> int:
    if not digits:
        return 0
    significant = digits.lstrip("0")
    return min(int(significant), MOST_PARTS) if len(significant) <= 3 else MOST_PARTS
