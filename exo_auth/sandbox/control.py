"""The management door of a running sandbox: clock, faults, DNS records (sandbox).

Plain http on 127.0.0.1. A request whose Host is another name is refused, so that no web page can reach it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from exo_auth.sandbox.clock import read_span
from exo_auth.sandbox.faults import Fault, Faults
from exo_auth.sandbox.http_message import Request, Response, json_response


class Controlled(Protocol):
    """What the door needs of the sandbox."""

    faults: Faults

    def advance(self, by: timedelta) -> str: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102
    def publish_cnames(self, domain: str) -> None: ...  # noqa: D102
    def publish_cname(self, owner: str, target: str) -> None: ...  # noqa: D102
    def remove_record(self, owner: str, rdtype: str) -> None: ...  # noqa: D102
    def publish_txt(self, owner: str, text: str) -> None: ...  # noqa: D102
    def host_policy(self, domain: str, text: str) -> None: ...  # noqa: D102
    def questions_document(self) -> list[dict[str, str]]: ...  # noqa: D102
    def requests_document(self) -> list[dict[str, Any]]: ...  # noqa: D102


class ControlDoor:
    """Answers the management requests."""

    def __init__(self, box: Controlled) -> None:
        self._box = box
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "/advance": self._advance,
            "/reset": self._reset,
            "/faults": self._fault,
            "/faults/clear": self._clear,
            "/publish": self._publish,
            "/cname": self._cname,
            "/txt": self._txt,
            "/policy": self._policy,
            "/remove": self._remove,
        }

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None for a path it does not know."""
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in ("127.0.0.1", "localhost") or "origin" in request.headers:
            return json_response(403, {"error": "only this machine may manage the sandbox"})
        if request.method == "GET" and request.path == "/requests":
            return json_response(200, {"requests": self._box.requests_document()})
        if request.method == "GET" and request.path == "/questions":
            return json_response(200, {"questions": self._box.questions_document()})
        action = self._actions.get(request.path)
        if action is None or request.method != "POST":
            return None
        try:
            body = json.loads(request.body or b"{}")
            return json_response(200, action(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return json_response(400, {"error": f"{type(error).__name__}: {error}"})

    def _advance(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"now": self._box.advance(read_span(str(body["by"])))}

    def _reset(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._box.reset()
        return {}

    def _fault(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.faults.add(Fault(**body))
        return {}

    def _clear(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._box.faults.clear()
        return {}

    def _publish(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.publish_cnames(str(body["domain"]))
        return {}

    def _cname(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.publish_cname(str(body["owner"]), str(body["target"]))
        return {}

    def _txt(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.publish_txt(str(body["owner"]), str(body["text"]))
        return {}

    def _policy(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.host_policy(str(body["domain"]), str(body["text"]))
        return {}

    def _remove(self, body: dict[str, Any]) -> dict[str, Any]:
        self._box.remove_record(str(body["owner"]), str(body.get("type", "CNAME")))
        return {}
