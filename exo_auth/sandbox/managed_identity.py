"""Managed-identity endpoints of the sandbox: virtual machine, App Service, Azure Arc — plain http, as they are (sandbox)."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime
from pathlib import Path

from exo_auth.sandbox.entra import Entra
from exo_auth.sandbox.http_message import Request, Response, json_response


class ManagedIdentityDoor:
    """Gives tokens of one application to whoever asks the right way; `folder` holds Azure Arc's challenge files."""

    def __init__(self, entra: Entra, app_id: str, folder: Path, header_secret: str | None = None) -> None:
        self._entra = entra
        self._app_id = app_id
        self._folder = folder
        self.header_secret = header_secret or secrets.token_hex(16)
        self._challenges: dict[str, Path] = {}

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None when the path belongs to another door."""
        path = request.path.lower()
        if path == "/metadata/identity/oauth2/token":
            if (
                "himds" in request.query.get("api-version", "")
                or request.query.get("api-version") == "2020-06-01"
            ):
                return self._arc(request)
            return self._machine(request)
        if path == "/msi/token":
            return self._app_service(request)
        return None

    def _machine(self, request: Request) -> Response:
        if request.headers.get("metadata", "").lower() != "true":
            return json_response(
                400,
                {"error": "invalid_request", "error_description": "Required metadata header not specified"},
            )
        return self._token(request)

    def _app_service(self, request: Request) -> Response:
        if request.headers.get("x-identity-header") != self.header_secret:
            return json_response(401, {"statusCode": 401, "message": "The identity header is wrong."})
        return self._token(request)

    def _arc(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not given.startswith("Basic "):
            name = secrets.token_hex(8)
            file = self._folder / f"{name}.key"
            file.write_text(secrets.token_hex(16), encoding="ascii")
            self._challenges[name] = file
            return Response(401, {"WWW-Authenticate": f"Basic realm={file}"})
        known = {
            text
            for file in self._challenges.values()
            for text in (file.read_text(encoding="ascii"), base64.b64encode(file.read_bytes()).decode())
        }
        if given.removeprefix("Basic ") not in known:
            return json_response(401, {"error": "unauthorized"})
        return self._token(request)

    def _token(self, request: Request) -> Response:
        wanted = request.query.get("client_id")
        if wanted is not None and wanted.lower() != self._app_id.lower():
            return json_response(400, {"error": "invalid_request", "error_description": "Identity not found"})
        life = self._entra.token_life
        return json_response(
            200,
            {
                "access_token": self._entra.issue(self._app_id),
                "client_id": self._app_id,
                "expires_in": str(int(life.total_seconds())),
                "expires_on": str(int((datetime.now(UTC) + life).timestamp())),
                "resource": request.query.get("resource", ""),
                "token_type": "Bearer",
            },
        )
