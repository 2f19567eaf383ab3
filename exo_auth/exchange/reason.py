"""`Reason`: what an error document says went wrong, dug out of its many shapes (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_TEXT = 1500  # characters of a message that people are shown
_DEPTH = 3  # errors proxied from server to server to server

_ID = re.compile(r"[A-Za-z0-9_]{0,40}")
_TYPE = re.compile(r"[A-Za-z_][\w.+`]*")
_NESTED = re.compile(r"(?P<id>Ex[0-9A-F]{4,10})?\|(?P<type>[A-Za-z_][\w.+`]*)\|(?P<text>[^\"]*)")
_PROXY_HEAD = re.compile(r"Error on proxy command '.*?' to server (\S+?):\s+", re.DOTALL)


@dataclass(frozen=True)
class Reason:
    """Why a cmdlet failed: the service's id, such as Ex6F9304, the .NET type, and a text for people."""

    text: str
    exception_type: str = ""
    identifier: str = ""

    @property
    def simple_type(self) -> str:
        """The type without its name space, such as ValidationException."""
        return re.split(r"[.+]", self.exception_type)[-1]


def field_of(document: Any, *names: str) -> Any:
    """Give the first field of that name, in any case; None when there is none or it is no object."""
    if not isinstance(document, Mapping):
        return None
    for name in names:
        for key, value in document.items():
            if str(key).lower() == name.lower():
                return value
    return None


def reason_of(document: Any, depth: int = 0) -> Reason | None:
    """Find the reason in an error document; None when it holds no error."""
    error = field_of(document, "error", "odata.error", "@odata.error")
    if isinstance(error, str):
        return reason_in_text(error, depth) if error.strip() else None
    if not isinstance(error, Mapping):
        return None
    candidates = list(_candidates(error, depth))
    if not candidates:
        return Reason(_plain(field_of(error, "code")) or "the service gave no reason")
    return next((reason for reason in candidates if reason.exception_type), candidates[0])


def _candidates(error: Mapping[str, Any], depth: int) -> Iterator[Reason]:
    details = field_of(error, "details")
    for detail in details if isinstance(details, list) else [details]:
        if text := _plain(field_of(detail, "message")):
            yield reason_in_text(text, depth)
    inner = field_of(error, "innererror")
    internal = field_of(inner, "internalexception")
    if text := _plain(field_of(internal, "message")):
        found = reason_in_text(text, depth)
        yield found if found.exception_type else Reason(found.text, _plain(field_of(internal, "type")))
    if text := _plain(field_of(error, "message")):
        yield reason_in_text(text, depth)
    if text := _plain(field_of(inner, "message")):
        yield reason_in_text(text, depth)


def reason_in_text(text: str, depth: int = 0) -> Reason:
    """Read `id|type|text`, a JSON detail, a proxied error, or plain text; the text may hold bars itself."""
    text = text.strip()
    if text.startswith("{") and (found := _json_detail(text, depth)):
        return found
    parts = text.split("|", 2)
    if len(parts) == 3 and _ID.fullmatch(parts[0].strip()) and _TYPE.fullmatch(parts[1].strip()):
        reason = Reason(tidy(parts[2]), parts[1].strip(), parts[0].strip())
    else:
        reason = Reason(tidy(text))
    if depth < _DEPTH and (reason.simple_type == "CmdletProxyException" or _PROXY_HEAD.search(text)):
        return _proxied(text, depth) or reason
    return reason


def _json_detail(text: str, depth: int) -> Reason | None:
    """A detail that is itself JSON: `localizedString.stringId`, `ClassName`, `Message`, or an error."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if depth < _DEPTH and (found := reason_of(document, depth + 1)):
        return found
    message = _plain(field_of(document, "Message"))
    if not message:
        return None
    identifier = _plain(field_of(field_of(document, "localizedString"), "stringId"))
    return Reason(tidy(message), _plain(field_of(document, "ClassName")), identifier)


def _proxied(text: str, depth: int) -> Reason | None:
    """The error of the server behind the server; the command line is dropped, it holds the tenant's data."""
    start = text.find("{", _end_of_command(text))
    if start >= 0:
        try:
            document, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            document = None
        # The JSON is either the whole answer or only what stands under its "error".
        if found := reason_of(document, depth + 1) or reason_of({"error": document}, depth + 1):
            return found
    rest = text[_end_of_command(text) :]
    nested = _NESTED.search(rest)
    if nested and "CmdletProxyException" not in nested["type"]:
        return Reason(tidy(nested["text"]), nested["type"], nested["id"] or "")
    head = _PROXY_HEAD.search(text)
    if head:
        outer = reason_type(text)
        return Reason(tidy(f"the server {head[1]} failed: {text[head.end() :]}"), outer)
    return None


def reason_type(text: str) -> str:
    """Give the type of an `id|type|text`, "" for another text."""
    parts = text.split("|", 2)
    return parts[1].strip() if len(parts) == 3 and _TYPE.fullmatch(parts[1].strip()) else ""


def _end_of_command(text: str) -> int:
    head = _PROXY_HEAD.search(text)
    return head.end() if head else 0


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):  # OData v3 wraps a message: {"lang": …, "value": …}
        value = field_of(value, "value")
    return value.strip() if isinstance(value, str) else ""


def tidy(text: str) -> str:
    """Make a text of the service fit for one line: no control characters, no endless blanks, no end."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}…"
