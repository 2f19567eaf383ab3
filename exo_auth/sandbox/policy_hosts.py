"""The hosts of MTA-STS policies: one HTTPS server for all, a certificate for each name, faults on request (sandbox)."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.sandbox.certificates import HostCertificate, PolicyIssuer
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.policy_faults import OTHER_SITE, PAGE, faulty_answer, faulty_certificate
from exo_auth.sandbox.web import WebServer

POLICY_PATH = "/.well-known/mta-sts.txt"
_OTHER = HostCertificate(name="www.other.example")


class PolicyHosts:
    """Serves `policies` (text by domain) on 127.0.0.1 until closed; on ::1, where there is one, another site answers."""

    def __init__(self, issuer_file: Path, faults: Faults, port: int = 0) -> None:
        self.policies: dict[str, str] = {}
        self._issuer = PolicyIssuer(issuer_file)
        self._faults = faults
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, HostCertificate], ssl.SSLContext] = {}
        self._server = WebServer((self._policy,), port, context_for=self._context)
        self._others: list[WebServer] = []
        with suppress(InputError):
            other = WebServer((_other_site,), self.port, address=OTHER_SITE, context_for=self._other_context)
            self._others.append(other)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    def close(self) -> None:
        """Stop serving."""
        for server in (self._server, *self._others):
            server.close()

    def _policy(self, request: Request) -> Response:
        host = request.headers.get("host", "").partition(":")[0].lower()
        text = self.policies.get(host.removeprefix("mta-sts."))
        if request.path != POLICY_PATH or text is None or not host.startswith("mta-sts."):
            return Response(404, {"Content-Type": "text/plain"}, b"no policy")
        right = Response(200, {"Content-Type": "text/plain"}, text.encode())
        return faulty_answer(self._faults, host, POLICY_PATH, right)

    def _context(self, host: str) -> ssl.SSLContext:
        return self._made(host, faulty_certificate(self._faults, host))

    def _other_context(self, _host: str) -> ssl.SSLContext:
        return self._made("www.other.example", _OTHER)

    def _made(self, host: str, wanted: HostCertificate) -> ssl.SSLContext:
        with self._lock:
            if (host, wanted) not in self._contexts:
                self._contexts[host, wanted] = self._issuer.context(host, wanted)
            return self._contexts[host, wanted]


def _other_site(_request: Request) -> Response:
    return Response(200, {"Content-Type": "text/html"}, PAGE)
