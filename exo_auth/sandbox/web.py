"""HTTP servers whose doors are plain functions, over TLS or without; every fault of the wire happens here (sandbox)."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from exo_auth.errors import InputError
from exo_auth.sandbox.http_message import Request, Response

Door = Callable[[Request], Response | None]

LONGEST_BODY = 16 * 1024 * 1024  # octets
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with time zero: close sends RST


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        server: Any = self.server
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LONGEST_BODY:
            self.close_connection = True
            self._send(Response(413))
            return
        split = urlsplit(self.path)
        request = Request(
            self.command,
            unquote(split.path),
            dict(parse_qsl(split.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(int(length)),
        )
        for door in server.doors:
            response = door(request)
            if response is not None:
                self._send(response)
                return
        self._send(Response(404))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names http.server looks for

    def _send(self, response: Response) -> None:
        server: Any = self.server
        if response.delay_seconds and server.wait(response.delay_seconds):
            self.close_connection = True
            return
        if response.hang_up:
            self._hang_up()
            return
        self.send_response_only(response.status)
        headers = {
            "Date": self.date_time_string(),
            **response.headers,
            "Content-Length": str(len(response.body)),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        with suppress(OSError):
            self.end_headers()
            self._send_body(response)

    def _send_body(self, response: Response) -> None:
        if not response.byte_delay_seconds:
            self.wfile.write(response.body)
            return
        server: Any = self.server
        for index in range(len(response.body)):
            self.wfile.write(response.body[index : index + 1])
            self.wfile.flush()
            if server.wait(response.byte_delay_seconds):
                return

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name http.server calls
        """Say nothing: the request log of the admin API is what tests and people read."""


class WebServer(ThreadingHTTPServer):
    """Serves doors on one address until closed; the first door that knows the path answers.

    Over TLS with the certificate of `server_file`, or with the context that `context_for` gives for the name a client asks
    for, "" for none.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        doors: tuple[Door, ...],
        port: int = 0,
        server_file: Path | None = None,
        *,
        address: str = "127.0.0.1",
        context_for: Callable[[str], ssl.SSLContext] | None = None,
    ) -> None:
        self.doors = doors
        self._stopping = threading.Event()
        self._context = _context(server_file, context_for)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            raise InputError(
                f"the port {port} cannot be had: {error.strerror}",
                hint="choose another --port, or 0; ports below 1024 need rights",
            ) from None
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that one slow client holds up nobody."""
        if self._context is None:
            super().finish_request(request, client_address)
            return
        try:
            request.settimeout(30)
            wrapped = self._context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        try:
            super().finish_request(wrapped, client_address)
        finally:
            with suppress(OSError):
                wrapped.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""

    def wait(self, seconds: float) -> bool:
        """Sleep, unless the server stops; then True."""
        return self._stopping.wait(seconds)

    def close(self) -> None:
        """Stop serving."""
        self._stopping.set()
        self.shutdown()
        self.server_close()


def _context(
    server_file: Path | None, context_for: Callable[[str], ssl.SSLContext] | None
) -> ssl.SSLContext | None:
    if server_file is None and context_for is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if server_file is not None:
        context.load_cert_chain(server_file)
    if context_for is not None:
        chosen = context_for

        def choose(secured: ssl.SSLObject, name: str | None, _first: ssl.SSLContext) -> None:
            secured.context = chosen(name or "")

        context.sni_callback = choose
    return context
