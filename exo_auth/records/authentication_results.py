"""`AuthenticationResults`: what a border server said about a message (records, pure). RFC 8601 §2.2.

Exchange Online writes fields without the name of the server (authserv-id), which RFC 8601 requires; they are read with
an empty name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError

_TOKEN = re.compile(r'[^\x00-\x20()<>@,;:\\"/\[\]?=\x7f]+')  # RFC 2045 §5.1
_METHOD = re.compile(r"(?P<method>[A-Za-z0-9-]+)(?:\s*/\s*(?P<version>\d+))?\s*=\s*(?P<result>[A-Za-z0-9-]+)")
_PROPERTY = re.compile(
    r'(?P<name>[A-Za-z0-9-]+(?:\.[A-Za-z0-9_-]+)?)\s*=\s*(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;"]*))'
)
_DEEPEST = 20  # comments within comments


@dataclass(frozen=True)
class MethodResult:
    """One `method=result` with its properties, such as `header.d`; `reason` is the server's own word."""

    method: str  # lower case
    result: str  # lower case
    properties: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str:
        """Give a property, "" where it is absent."""
        return next((value for key, value in self.properties if key == name), "")


@dataclass(frozen=True)
class AuthenticationResults:
    """One field: who speaks, and what was found."""

    server: str  # authserv-id, lower case; "" where there is none
    results: tuple[MethodResult, ...]

    def of(self, method: str) -> tuple[MethodResult, ...]:
        """Give the results of one method: a message may have many signatures."""
        return tuple(one for one in self.results if one.method == method)


def parse(text: str) -> AuthenticationResults:
    """Read the field's body, folded or not; raises RecordSyntaxError with the position of the first fault."""
    plain = without_comments(text)
    parts = _split(plain)
    at, first = parts[0]
    server = ""
    if "=" not in first or not _METHOD.match(first.strip()):
        server = _server(first, at)
        parts = parts[1:]
    results = [
        _result(part, start) for start, part in parts if part.strip() and part.strip().lower() != "none"
    ]
    return AuthenticationResults(server, tuple(results))


def render(field: AuthenticationResults) -> str:
    """Write the field in one line, values quoted where they must be."""
    parts = [field.server] if field.server else []
    parts += [
        " ".join(
            [f"{one.method}={one.result}", *(f"{name}={_quoted(value)}" for name, value in one.properties)]
        )
        for one in field.results
    ]
    return "; ".join(parts if field.results else [*parts, "none"])


def without_comments(text: str) -> str:
    """Put blanks in place of comments, so that every place stays where it was; raises RecordSyntaxError.

    RFC 5322 §3.2.2: comments nest, and a backslash quotes one character.
    """
    depth, in_quotes, at, opened = 0, False, 0, 0
    out = []
    while at < len(text):
        char = text[at]
        if char == "\\" and (depth or in_quotes) and at + 1 < len(text):
            out.append("  " if depth else text[at : at + 2])
            at += 2
            continue
        if char == '"' and not depth:
            in_quotes = not in_quotes
        elif char == "(" and not in_quotes:
            opened = opened if depth else at
            depth += 1
            if depth > _DEEPEST:
                raise RecordSyntaxError("comments within comments", position=at, expected="fewer of them")
        closes = char == ")" and depth and not in_quotes
        out.append(" " if depth or char in "\r\n\t" else char)
        depth -= bool(closes)
        at += 1
    if depth:
        raise RecordSyntaxError(
            "a comment that does not end", position=opened, expected="a closing parenthesis"
        )
    if in_quotes:
        raise RecordSyntaxError(
            "a quoted text that does not end", position=len(text), expected="a quotation mark"
        )
    return "".join(out)


def _split(text: str) -> list[tuple[int, str]]:
    parts, start, in_quotes = [], 0, False
    for at, char in enumerate(text):
        if char == '"':
            in_quotes = not in_quotes
        elif char == ";" and not in_quotes:
            parts.append((start, text[start:at]))
            start = at + 1
    parts.append((start, text[start:]))
    return parts


def _server(text: str, at: int) -> str:
    words = text.split()
    if not words:
        return ""
    # RFC 8601 §2.2: a version may follow the name
    if (
        not _TOKEN.fullmatch(words[0].strip('"'))
        or len(words) > 2
        or (len(words) == 2 and not words[1].isdecimal())
    ):
        raise RecordSyntaxError(f"“{text.strip()[:40]}” is no server", position=at, expected="a name")
    return words[0].strip('"').lower()


def _result(text: str, at: int) -> MethodResult:
    start = len(text) - len(text.lstrip())
    found = _METHOD.match(text, start)
    if found is None:
        raise RecordSyntaxError(
            f"“{text.strip()[:40]}” is no result", position=at + start, expected="method=result"
        )
    properties = tuple(
        (one["name"].lower(), one["quoted"] if one["quoted"] is not None else one["plain"])
        for one in _PROPERTY.finditer(text, found.end())
    )
    return MethodResult(found["method"].lower(), found["result"].lower(), properties)


def _quoted(value: str) -> str:
    return value if value and not re.search(r'[\s;"()]', value) else f'"{value}"'
