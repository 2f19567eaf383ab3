"""`Request` and `Response`: one HTTP exchange as data, so that every door of the sandbox is a plain function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """What a client sent. Header names are lower case; `path` is decoded, without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def form(self) -> dict[str, str]:
        """Read an application/x-www-form-urlencoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", errors="replace"), keep_blank_values=True))


@dataclass(frozen=True)
class Response:
    """What goes back. `hang_up` says that the connection is cut: before a byte, or in the middle of the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_seconds: float = 0.0  # wait before the first byte
    byte_delay_seconds: float = 0.0  # wait between bytes of the body
    hang_up: bool = False


def json_response(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Make a response with a JSON body."""
    return Response(
        status,
        {"Content-Type": "application/json; charset=utf-8", **(headers or {})},
        json.dumps(document, ensure_ascii=False).encode(),
    )
