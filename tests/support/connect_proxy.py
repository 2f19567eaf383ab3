"""A CONNECT proxy on loopback: it lets clients that insist on port 443 reach servers of a test."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress


class ConnectProxy:
    """`port_of` gives the port on 127.0.0.1 that stands for a host; `asked` are the hosts in order."""

    def __init__(self, port_of: Callable[[str], int]) -> None:
        self.asked: list[str] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._port_of = port_of
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def open(self, host: str) -> socket.socket:
        self.asked.append(host)
        return socket.create_connection(("127.0.0.1", self._port_of(host)), timeout=30)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.request.recv(4096)
            if not data:
                return
            head += data
        host = head.split()[1].decode("ascii").partition(":")[0]
        with suppress(OSError), self.server.proxy.open(host) as far:  # type: ignore[attr-defined]
            self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(far, self.request), daemon=True)
            back.start()
            _pass_on(self.request, far)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    proxy: ConnectProxy
