"""An HTTPS server for the MTA-STS policies of many domains, each with a behaviour of its own."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Behaviour(Protocol):
    body: str
    status: int
    media_type: str
    location: str
    certificate: str  # own, other-name, expired, self-signed, ends-soon


class PolicyHost:
    """Serves on 127.0.0.1; `behaviour_of` gives what the host of that name does, None for a name it does not know."""

    def __init__(self, folder: Path, behaviour_of: Callable[[str], Behaviour | None]) -> None:
        self._folder = folder
        self._behaviour_of = behaviour_of
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = _certificate(
            "policy test root", None, self._key, self._key, timedelta(days=30), "policy test root"
        )
        self.ca_file = folder / "root.pem"
        self.ca_file.write_bytes(self._root.public_bytes(Encoding.PEM))
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.host = self
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def behaviour(self, name: str) -> Behaviour | None:
        return self._behaviour_of(name)

    def context_for(self, name: str) -> ssl.SSLContext:
        """Give the context with the certificate that the host shows for that name."""
        with self._lock:
            if name not in self._contexts:
                behaviour = self._behaviour_of(name)
                kind = behaviour.certificate if behaviour else "other-name"
                self._contexts[name] = self._make_context(name, kind)
            return self._contexts[name]

    def _make_context(self, name: str, kind: str) -> ssl.SSLContext:
        shown = "www.other.test" if kind == "other-name" else name
        life = {"expired": timedelta(days=-1), "ends-soon": timedelta(days=5)}.get(kind, timedelta(days=90))
        key = ec.generate_private_key(ec.SECP256R1())
        signer, issuer = (key, shown) if kind == "self-signed" else (self._key, "policy test root")
        certificate = _certificate(shown, shown, key, signer, life, issuer)
        file = self._folder / f"{len(self._contexts)}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(
    name: str,
    dns_name: str | None,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    life: timedelta,
    issuer: str,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=dns_name is None, path_length=None), critical=True)
    )
    if dns_name is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns_name)]), critical=False)
    return builder.sign(signer, hashes.SHA256())


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        host = self.server.host  # type: ignore[attr-defined]
        asked: list[str] = []

        def choose(connection: ssl.SSLSocket, name: str | None, _context: ssl.SSLContext) -> None:
            asked.append(name or "")
            connection.context = host.context_for(name or "")

        outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        outer.sni_callback = choose
        with suppress(OSError), outer.wrap_socket(self.request, server_side=True) as secured:
            request = secured.recv(65536).decode("latin-1")
            behaviour = host.behaviour(asked[0]) if asked else None
            secured.sendall(_response(request, behaviour))


def _response(request: str, behaviour: Behaviour | None) -> bytes:
    if behaviour is None or not request.startswith("GET /.well-known/mta-sts.txt "):
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    body = behaviour.body.encode()
    lines = [
        f"HTTP/1.1 {behaviour.status} So",
        f"Content-Type: {behaviour.media_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if behaviour.location:
        lines.append(f"Location: {behaviour.location}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256
    host: PolicyHost
