"""A name server over TLS (RFC 7858) and HTTPS (RFC 8484), whose every answer is scripted."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.message

Answer = Callable[[dns.message.Message], bytes | None]  # None: hang up without an answer


class EncryptedServer(socketserver.ThreadingTCPServer):
    """Speaks TLS with each connection in its own thread."""

    daemon_threads = True
    request_queue_size = 64
    answer: Answer
    context: ssl.SSLContext
    connections = 0
    hangs_up = False  # after each answer

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError), self.context.wrap_socket(request, server_side=True) as tls:
            self.connections += 1
            self.RequestHandlerClass(tls, client_address, self)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _OverTls(socketserver.StreamRequestHandler):
    server: EncryptedServer

    def handle(self) -> None:
        while size := int.from_bytes(self.rfile.read(2)):
            answer = self.server.answer(dns.message.from_wire(self.rfile.read(size)))
            if answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2) + answer)
            if self.server.hangs_up:
                return


class _OverHttps(http.server.BaseHTTPRequestHandler):
    server: EncryptedServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        query = dns.message.from_wire(self.rfile.read(int(self.headers["content-length"])))
        answer = self.server.answer(query)
        if answer is None:
            self.send_error(500)
            return
        self.send_response(200)
        self.send_header("content-type", "application/dns-message")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = self.server.hangs_up

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


KINDS = {"tls": _OverTls, "https": _OverHttps}


@contextlib.contextmanager
def encrypted_server(kind: str, certificate: Path, answer: Answer) -> Iterator[EncryptedServer]:
    """Serve on a free port of 127.0.0.1 until the end of the block; `kind` is one of KINDS, `certificate` a PEM file."""
    server = EncryptedServer(("127.0.0.1", 0), KINDS[kind])
    server.answer = answer
    server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.context.load_cert_chain(certificate)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
