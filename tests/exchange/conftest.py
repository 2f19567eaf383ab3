"""A real HTTPS server with scripted answers, a CONNECT proxy before it, and a transport between them."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exo_auth.cloud import WORLDWIDE, custom_cloud
from exo_auth.exchange.rest import RestTransport
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.secrets import Secret

TENANT = "11111111-2222-3333-4444-555555555555"
DATE = "Tue, 03 Nov 2026 10:00:00 GMT"
NOW = datetime(2026, 11, 3, 10, 0, 0, tzinfo=UTC)
ADMIN_ROLE = "29232cdf-9323-42fd-ade2-1d097af3e4de"
HANG_UP = "hang up"  # an answer that is none
HOLD = "hold"  # none either, but the connection stays


@dataclass
class Reply:
    """One scripted answer; `short` bytes of the body are kept back before the connection closes."""

    status: int = 200
    body: bytes | dict[str, Any] | list[Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    short: int = 0
    length: bool = True  # state Content-Length; else the end of the connection is the end of the body

    def encode(self) -> tuple[bytes, bool]:
        """Give the bytes and whether the connection stays open."""
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"Date": DATE, "request-id": "r-1", "X-BEServer": "BE1", **self.headers}
        if self.length:
            headers["Content-Length"] = str(len(body))
        head = f"HTTP/1.1 {self.status} Scripted\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        return f"{head}\r\n".encode() + body[: len(body) - self.short], self.length and not self.short


@dataclass
class Recorded:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # which connection of the server it came over

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Listener:
    """Accepts on an ephemeral loopback port, one thread a connection; closes everything at the end."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.connections = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(client)
            self.connections += 1
            thread = threading.Thread(target=self._guarded, args=(client, self.connections))
            self._threads.append(thread)
            thread.start()

    def _guarded(self, client: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.serve(client, number)
        client.close()

    def serve(self, client: socket.socket, number: int) -> None:
        raise AssertionError("each listener serves in its own way")

    def close(self) -> None:
        for open_socket in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        for thread in self._threads:
            thread.join(timeout=10)


class Server(Listener):
    """Answers each request with the next reply of `script`; the last one again and again."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.script: list[Reply | str] = [Reply(body={"value": []})]
        self.requests: list[Recorded] = []
        super().__init__()

    def answers(self, *script: Reply | str) -> None:
        self.script = list(script)

    def serve(self, client: socket.socket, number: int) -> None:
        with self._context.wrap_socket(client, server_side=True) as tls, tls.makefile("rb") as stream:
            self._open.append(tls)
            while request := self._read(stream, number):
                self.requests.append(request)
                reply = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if reply == HOLD:
                    stream.read(1)  # until the client or the fixture closes
                if isinstance(reply, str):
                    return
                data, stays = reply.encode()
                tls.sendall(data)
                if not stays:
                    return

    def _read(self, stream: Any, number: int) -> Recorded | None:
        first = stream.readline().decode()
        if not first:
            return None
        method, path, _ = first.split(" ", 2)
        headers = {}
        while (line := stream.readline().decode().rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name] = value.strip()
        body = stream.read(int(headers.get("Content-Length", "0")))
        return Recorded(method, path, headers, body, number)


class Proxy(Listener):
    """Takes CONNECT to any name and leads it to one port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.asked: list[str] = []
        super().__init__()

    def serve(self, client: socket.socket, number: int) -> None:
        with client.makefile("rb") as stream:
            self.asked.append(stream.readline().decode().split()[1])
            while stream.readline() not in (b"\r\n", b""):
                pass
        server = socket.create_connection(("127.0.0.1", self._target))
        self._open.append(server)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=self._pump, args=(server, client))
        self._threads.append(back)
        back.start()
        self._pump(client, server)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


class PlainPeer(Listener):
    """Speaks, but not TLS."""

    def serve(self, client: socket.socket, number: int) -> None:
        client.sendall(b"220 mail.contoso.com ESMTP\r\n")
        client.recv(65536)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.reading = 1000.0
        self.slept: list[float] = []
        self.step = 0.0  # what every look costs

    def __call__(self) -> float:
        self.reading += self.step
        return self.reading

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.reading += seconds


class Tokens:
    """Gives a fixed token and a second one when asked to renew; remembers the questions."""

    def __init__(self, **claims: Any) -> None:
        app = {"tid": TENANT, "idtyp": "app", "roles": ["Exchange.ManageAsApp"], "wids": [ADMIN_ROLE]}
        self.claims = {**app, **claims}
        self.renewals: list[str | None] = []

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        if renew:
            self.renewals.append(claims_challenge)
        text = f"token-{len(self.renewals) + 1}"
        return AccessToken(Secret(text), NOW + timedelta(hours=1), self.claims)


@dataclass
class Bench:
    """A transport and what stands around it."""

    transport: RestTransport
    server: Server
    clock: Clock
    tokens: Tokens


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exo-auth tests")])
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.DNSName("outlook.test"),
            x509.DNSName("*.outlook.test"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(pem)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem"


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    running = Server(context)
    yield running
    running.close()


@pytest.fixture
def bench(server: Server, certificate: Path) -> Iterator[Callable[..., Bench]]:
    """Make a transport to the server; options go to RestTransport, `url`, `ca_file` and claims aside."""
    made: list[RestTransport] = []

    def make(
        *, url: str = "", ca_file: str | None = str(certificate), tokens: Tokens | None = None, **options: Any
    ) -> Bench:
        clock = Clock()
        tokens = tokens or Tokens()
        numbers = iter(range(1, 1000))
        base = url or f"https://127.0.0.1:{server.port}"
        transport = RestTransport(
            custom_cloud(WORLDWIDE, authority=None, exchange_url=base, ca_file=ca_file),
            options.pop("tenant_id", TENANT),
            tokens,
            user_agent="exo-auth/test",
            sleep=clock.sleep,
            clock=clock,
            chance=lambda: 0.5,
            now=lambda: NOW,
            new_id=lambda: f"id-{next(numbers)}",
            **options,
        )
        made.append(transport)
        return Bench(transport, server, clock, tokens)

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    running = Proxy(server.port)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
    yield running
    running.close()


@pytest.fixture
def plain_peer() -> Iterator[PlainPeer]:
    running = PlainPeer()
    yield running
    running.close()


@pytest.fixture
def wire() -> SimpleNamespace:
    """The names tests need from here: this folder is no package to import from."""
    return SimpleNamespace(
        Reply=Reply,
        Tokens=Tokens,
        TENANT=TENANT,
        NOW=NOW,
        DATE=DATE,
        HANG_UP=HANG_UP,
        HOLD=HOLD,
        ADMIN_ROLE=ADMIN_ROLE,
    )
