"""A token endpoint of our own on loopback: scripted answers, every request kept."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TENANT = "11111111-2222-3333-4444-555555555555"
DOMAIN = "contoso.onmicrosoft.com"
APP = "aaaaaaaa-0000-4000-8000-000000000001"
PERSON = "admin@contoso.com"
RESOURCE = "https://outlook.office365.com"
SCOPE = f"{RESOURCE}/AdminApi.AccessAsUser.All {RESOURCE}/.default"  # Entra adds what was asked for


def jwt_of(**claims: Any) -> str:
    """A token with these claims; nobody here checks its signature."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts] + ["c2ln"])


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class TokenServer:
    """Answers discovery, tokens, device codes and metadata; `script` holds answers for the next tokens."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Reply] = deque()
        self.claims: dict[str, Any] = {}
        self.life = 3900
        self.discovery: Reply | None = None
        self.device: dict[str, Any] = {}
        self.nonce = ""  # of the browser's last question
        self._issued = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                server.answer(self, self.rfile.read(length))

            do_GET = do_POST = answer  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = False
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def reset(self) -> None:
        self.asked.clear()
        self.script.clear()
        self.claims, self.device, self.life, self.discovery, self.nonce = {}, {}, 3900, None, ""

    def tokens_asked(self) -> list[Asked]:
        return [one for one in self.asked if one.path.endswith("/token")]

    def fresh_token(self, **claims: Any) -> str:
        self._issued += 1
        now = int(time.time())
        base = {"tid": TENANT, "iat": now, "nbf": now, "exp": now + self.life, "uti": self._issued}
        return jwt_of(**{**base, "idtyp": "app", "roles": ["Exchange.ManageAsApp"], **self.claims, **claims})

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        parts = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        form = dict(parse_qsl(body.decode("latin-1")))
        asked = Asked(str(handler.command), parts.path, dict(parse_qsl(parts.query)), headers, form, body)
        self.asked.append(asked)
        reply = self._reply(asked)
        content = reply.document if isinstance(reply.document, bytes) else json.dumps(reply.document).encode()
        handler.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(content))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def _reply(self, asked: Asked) -> Reply:
        if asked.path.endswith("openid-configuration"):
            return self.discovery or self._discovered(asked.path.split("/")[1])
        if asked.path.endswith("/devicecode"):
            return self.script.popleft() if self.script else Reply(200, self._device_code())
        if self.script:
            return self.script.popleft()
        if asked.method == "GET":  # the metadata service; App Service wants expires_on
            ends = str(int(time.time()) + self.life)
            document = {"expires_in": str(self.life), "expires_on": ends, "token_type": "Bearer"}
            return Reply(200, document | {"access_token": self.fresh_token()})
        if asked.form.get("grant_type") == "client_credentials":
            return Reply(200, self._answer(self.fresh_token()))
        return Reply(200, self.person_answer(asked.form))

    def _answer(self, token: str) -> dict[str, Any]:
        return {"token_type": "Bearer", "expires_in": self.life, "access_token": token}

    def person_answer(self, form: dict[str, str], name: str = PERSON) -> dict[str, Any]:
        now = int(time.time())
        who = {"sub": name, "tid": TENANT, "preferred_username": name, "oid": name}
        info = base64.urlsafe_b64encode(json.dumps({"uid": name, "utid": TENANT}).encode()).decode()
        token = self.fresh_token(idtyp="user", upn=name, scp="Exchange.Manage", roles=[])
        who |= {"nonce": self.nonce} if self.nonce else {}
        id_token = jwt_of(
            aud=form["client_id"], iss=f"{self.url}/{TENANT}/v2.0", iat=now, exp=now + 3600, **who
        )
        more = {"refresh_token": f"refresh-of-{name}", "id_token": id_token, "client_info": info}
        return self._answer(token) | more | {"scope": SCOPE}

    def _device_code(self) -> dict[str, Any]:
        about = {"user_code": "ABCD1234", "device_code": "device-code", "interval": 5, "expires_in": 900}
        return about | {"message": "open the page and enter ABCD1234"} | self.device

    def _discovered(self, tenant: str) -> Reply:
        if tenant not in (TENANT, DOMAIN, "organizations"):
            return Reply(400, entra_error(90002, "invalid_tenant"))
        base = f"{self.url}/{'organizations' if tenant == 'organizations' else TENANT}"
        names = ("token", "authorize", "devicecode")
        token, authorize, device = (f"{base}/oauth2/v2.0/{name}" for name in names)
        endpoints = {"token_endpoint": token, "authorization_endpoint": authorize}
        more = {"device_authorization_endpoint": device, "issuer": f"{base}/v2.0"}
        return Reply(200, endpoints | more)


def entra_error(code: int, word: str = "invalid_client", text: str = "No.") -> dict[str, Any]:
    """An error document in Entra's form."""
    correlation = "99999999-8888-7777-6666-555555555555"
    description = (
        f"AADSTS{code}: {text} Trace ID: t Correlation ID: {correlation} Timestamp: 2026-11-23 10:00:00Z"
    )
    answer = {"error": word, "error_description": description, "error_codes": [code]}
    return answer | {"correlation_id": correlation, "trace_id": "t"}


@dataclass
class FakeTime:
    """Time that passes only by sleeping."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now
