"""`exo-auth mta-sts serve` as a process, and a client that can be as rude as it likes."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATH = "/.well-known/mta-sts.txt"
PATIENCE = 30  # seconds, after which a test fails


class ServerProcess:
    """Runs the command with --output json; `wait_for` gives the next line of the log of that kind."""

    def __init__(
        self, *arguments: str, environment: Mapping[str, str] | None = None, ready: bool = True
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "exo_auth", "mta-sts", "serve", *arguments, "--output", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.defpath, "HOME": "/nonexistent", **(environment or {})},
        )
        assert self._process.stdout is not None
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._reader.join()
            raise AssertionError(f"it did not start: {self.log}")
        self.ready: dict[str, Any] = json.loads(line)
        self.port = int(self.ready["listen"][0].rpartition(":")[2])

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.put(json.loads(line) if line.startswith("{") else {"what": "text", "text": line})
        self._lines.put(None)

    def wait_for(self, what: str) -> dict[str, Any]:
        """Give the next line of that kind; lines before it are kept in `log`."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            assert line is not None, f"no {what} in {self.log}"
            self.log.append(line)
            if line["what"] == what:
                return line

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> int:
        """Stop it with SIGTERM; give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        code = self._process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        while not self._lines.empty():
            line = self._lines.get_nowait()
            self.log += [line] if line is not None else []
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def tls_to(port: int, name: str | None, ca_file: Path, **choices: Any) -> ssl.SSLSocket:
    """Shake hands for a name; None sends no SNI and believes any name."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.check_hostname = name is not None
    for key, value in choices.items():
        setattr(context, key, value)
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


class Client(http.client.HTTPSConnection):
    """A connection to 127.0.0.1 that shakes hands for `name`; its answers come whole."""

    def __init__(self, port: int, name: str, ca_file: Path) -> None:
        super().__init__(name, port, timeout=PATIENCE)
        self._ca_file = ca_file

    def connect(self) -> None:
        self.sock = tls_to(self.port, self.host, self._ca_file)

    def get(self, path: str = PATH, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.request(method, path, headers=named)
        answer = self.getresponse()
        return (
            answer.status,
            {key.lower(): value for key, value in answer.getheaders()},
            answer.read(),
        )

    @property
    def shown(self) -> tuple[str, ...]:
        """The names in the certificate that the server showed."""
        assert isinstance(self.sock, ssl.SSLSocket)
        certificate: Any = self.sock.getpeercert()
        return tuple(value for _, value in certificate["subjectAltName"])


def said(secured: ssl.SSLSocket, request: bytes) -> bytes:
    """Send octets, and give everything that comes back until the server closes."""
    with secured:
        secured.sendall(request)
        answer = b""
        while data := secured.recv(65536):
            answer += data
        return answer
