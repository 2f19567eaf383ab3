"""Managed-identity endpoints of the sandbox: virtual machine, App Service, Azure Arc — plain http, as they are (sandbox)."""

from __future__ import annotations

import hmac
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from exo_auth.sandbox.entra import Entra
from exo_auth.sandbox.entra_tokens import object_id
from exo_auth.sandbox.http_message import Request, Response, json_response

ARC_VERSIONS = ("2019-11-01", "2020-06-01")  # the metadata service of a virtual machine is asked with others
_SELECTORS = ("client_id", "object_id", "msi_res_id", "mi_res_id")


@dataclass(frozen=True)
class UserAssigned:
    """An identity that stands alone in Azure and was given to the machine; `app_id` is known to Entra."""

    app_id: str
    object_id: str = ""
    resource_id: str = ""


class ManagedIdentityDoor:
    """Gives tokens to whoever asks the right way; `folder` holds Azure Arc's challenge files.

    `app_id` is the machine's own identity: it answers when none is named.
    """

    def __init__(
        self,
        entra: Entra,
        app_id: str,
        folder: Path,
        header_secret: str | None = None,
        *,
        user_assigned: tuple[UserAssigned, ...] = (),
    ) -> None:
        self._entra = entra
        self._own = UserAssigned(app_id, object_id(app_id))
        self._known = (self._own, *user_assigned)
        self._folder = folder
        self.header_secret = header_secret or secrets.token_hex(16)
        self._lock = threading.Lock()
        self._challenges: dict[str, Path] = {}  # what the file holds -> the file

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None when the path belongs to another door."""
        path = request.path.lower()
        if request.method != "GET":
            return None
        if path == "/metadata/identity/oauth2/token":
            if request.headers.get("metadata", "").lower() != "true":
                return _refused("Required metadata header not specified")
            if "api-version" not in request.query:
                return _refused("Required query variable 'api-version' is missing")
            return (
                self._arc(request) if request.query["api-version"] in ARC_VERSIONS else self._token(request)
            )
        if path == "/msi/token":
            return self._app_service(request)
        return None

    def _app_service(self, request: Request) -> Response:
        given = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(given.encode(), self.header_secret.encode()):
            return json_response(401, {"statusCode": 401, "message": "The identity header is wrong."})
        if request.query.get("api-version") != "2019-08-01":
            return json_response(400, {"statusCode": 400, "message": "Unsupported api-version."})
        answer = self._token(request)
        if answer.status == 200:
            return answer
        return json_response(400, {"statusCode": 400, "message": "No managed identity, or no resource."})

    def _arc(self, request: Request) -> Response:
        """Ask for what only a reader of a protected file knows; each challenge counts once."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            file, text = self._folder / f"{secrets.token_hex(8)}.key", secrets.token_hex(16)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                opened.write(text)
            with self._lock:
                self._challenges[text] = file
            return Response(401, {"WWW-Authenticate": f"Basic realm={file}"})
        with self._lock:
            answered = self._challenges.pop(given, None)
        if answered is None:
            return json_response(401, {"error": "unauthorized"})
        answered.unlink(missing_ok=True)
        return self._token(request)

    def _token(self, request: Request) -> Response:
        resource = request.query.get("resource", "")
        if not resource:
            return _refused("Required audience parameter not specified")
        identity = self._named(request)
        if identity is None:
            return _refused("Identity not found")
        life = self._entra.token_life
        named = {name: request.query[name] for name in _SELECTORS if name in request.query}
        return json_response(
            200,
            {
                "access_token": self._entra.issue(identity.app_id, audience=resource),
                "client_id": identity.app_id,
                **named,  # MSAL compares what comes back with what it asked for
                "expires_in": str(int(life.total_seconds())),
                "expires_on": str(int((self._entra.clock() + life).timestamp())),
                "resource": resource,
                "token_type": "Bearer",
            },
        )

    def _named(self, request: Request) -> UserAssigned | None:
        wanted = {name: request.query[name].lower() for name in _SELECTORS if name in request.query}
        if not wanted:
            return self._own
        for identity in self._known:
            ids = {
                "client_id": identity.app_id,
                "object_id": identity.object_id,
                "msi_res_id": identity.resource_id,
                "mi_res_id": identity.resource_id,
            }
            if all(value and ids[name].lower() == value for name, value in wanted.items()):
                return identity
        return None


def _refused(why: str) -> Response:
    return json_response(400, {"error": "invalid_request", "error_description": why})
