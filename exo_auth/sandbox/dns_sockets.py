"""UDP and TCP servers that hand DNS messages to a function (sandbox)."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from exo_auth.errors import InputError

Answer = Callable[
    [bytes, str, bool], list[bytes]
]  # a query, the face it came to, over UDP? → messages that go back

PRIMARY, SECONDARY = "127.0.0.1", "127.0.0.2"  # macOS has the first alone unless told otherwise
PATIENCE = 60  # seconds for a client to give up
TRIES = 50  # to find a port that is free for UDP and TCP


@dataclass(frozen=True)
class Doors:
    """What the servers ask: `answer` for messages, `tcp_is_closed` before any over TCP."""

    answer: Answer
    tcp_is_closed: Callable[[], bool]


class DnsSockets:
    """Listens at one port of 127.0.0.1, and of 127.0.0.2 where this machine has it, until closed."""

    def __init__(self, doors: Doors, port: int = 0) -> None:
        self._servers = _bound(doors, port)
        self.addresses = tuple(dict.fromkeys(str(one.server_address[0]) for one in self._servers))
        self.port = int(self._servers[0].server_address[1])
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server:
    """What the handlers know of their server."""

    allow_reuse_address = True
    daemon_threads = True
    doors: Doors
    face: str


class _UdpServer(_Server, socketserver.ThreadingUDPServer):
    max_packet_size = 65535


class _TcpServer(_Server, socketserver.ThreadingTCPServer):
    request_queue_size = 128


class _Udp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        server: Any = self.server
        for message in server.doors.answer(data, server.face, True):
            with suppress(OSError):
                sock.sendto(message, self.client_address)


class _Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server: Any = self.server
        if server.doors.tcp_is_closed():
            return
        with suppress(OSError):
            self.request.settimeout(5)
            length = _exactly(self.request, 2)
            data = _exactly(self.request, int.from_bytes(length))
            messages = server.doors.answer(data, server.face, False)
            for message in messages:
                self.request.sendall(len(message).to_bytes(2) + message)
            if not messages:  # an answer that got lost leaves the connection as it is
                self.request.settimeout(PATIENCE)
                self.request.recv(1)


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = sock.recv(count - len(data))
        if not chunk:
            raise ConnectionError("the client went away")
        data += chunk
    return data


def _bound(doors: Doors, port: int) -> list[_UdpServer | _TcpServer]:
    """Bind UDP and TCP of each address to one port; with port 0, one that is free everywhere."""
    faces = (PRIMARY, SECONDARY) if _is_ours(SECONDARY) else (PRIMARY,)
    for _ in range(TRIES):
        bound: list[_UdpServer | _TcpServer] = []
        at = port
        try:
            for face in faces:
                bound.append(_TcpServer((face, at), _Tcp))
                at = int(bound[0].server_address[1])
                bound.append(_UdpServer((face, at), _Udp))
        except OSError as error:
            for server in bound:
                server.server_close()
            if port:
                raise InputError(
                    f"the DNS port {port} cannot be had: {error.strerror}",
                    hint="choose another --dns-port, or 0",
                ) from None
            time.sleep(0.01)  # another process took the port between two binds
            continue
        for server in bound:
            server.doors, server.face = doors, str(server.server_address[0])
        return bound
    raise InputError("no port is free for both UDP and TCP", hint="give one with --dns-port")


def _is_ours(address: str) -> bool:
    try:
        socket.create_server((address, 0)).close()
    except OSError:
        return False
    return True
