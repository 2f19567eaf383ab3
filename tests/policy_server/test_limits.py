"""What one client may take of the server: time, connections, octets."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from private_ca import PrivateCa
from serving import Client, said, tls_to

from exo_auth.domain_name import DomainName
from exo_auth.facts.served import EventKind, ServerEvent
from exo_auth.policy_server.options import Address, CertificateFiles, Limits, ServerOptions
from exo_auth.policy_server.server import PolicyServer

POLICY = b"version: STSv1\r\nmode: testing\r\nmx: mail.contoso.example\r\nmax_age: 86400\r\n"
NAME = "mta-sts.contoso.example"
HEAD = b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.contoso.example\r\n"


class Running:
    """A server in a thread of its own."""

    def __init__(self, ca: PrivateCa, folder: Path, limits: Limits) -> None:
        self.ca = ca
        self.events: list[ServerEvent] = []
        certificate = CertificateFiles(ca.write(folder / "contoso.pem", NAME))
        options = ServerOptions(
            (Address("127.0.0.1", 0),),
            (certificate,),
            written={DomainName("contoso.example"): POLICY},
            limits=limits,
        )
        self.server = PolicyServer(options, lambda _served: None, self.events.append)
        self.server.read()
        self.server.listen()
        self.port = self.server.addresses[0].port

    def connect(self) -> socket.socket:
        return tls_to(self.port, NAME, self.ca.ca_file)


def rest_of(plain: socket.socket) -> bytes:
    """Read until the server closes; a reset is an end, too."""
    answer = b""
    try:
        while data := plain.recv(4096):
            answer += data
    except ConnectionResetError:
        pass
    return answer


@contextmanager
def running(folder: Path, limits: Limits) -> Iterator[Running]:
    one = Running(PrivateCa(folder), folder, limits)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(one.server.run(),))
    thread.start()
    try:
        yield one
    finally:
        loop.call_soon_threadsafe(one.server.stop)
        thread.join()
        loop.close()
    assert not [event for event in one.events if event.kind is EventKind.TROUBLE]


def test_who_dawdles_is_told_and_let_go(tmp_path: Path) -> None:
    with running(tmp_path, Limits(request=0.2)) as server:
        answer = said(tls_to(server.port, NAME, server.ca.ca_file), HEAD)
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    with running(tmp_path, Limits(idle=0.1)) as server:
        assert said(tls_to(server.port, NAME, server.ca.ca_file), b"") == b""
        answer = said(tls_to(server.port, NAME, server.ca.ca_file), HEAD + b"\r\n")
        assert answer.endswith(POLICY)


def test_who_does_not_shake_hands_is_let_go(tmp_path: Path) -> None:
    with (
        running(tmp_path, Limits(handshake=0.2)) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
    ):
        assert plain.recv(100) == b""


def test_who_speaks_plain_http_is_let_go(tmp_path: Path) -> None:
    with (
        running(tmp_path, Limits()) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain,
    ):
        plain.sendall(HEAD + b"\r\n")
        assert rest_of(plain) == b""


def test_one_address_cannot_take_all_connections(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections_per_address=2)) as server, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(server.connect())
        with pytest.raises(OSError):  # noqa: PT011 - closed or reset, whichever comes first
            server.connect()


def test_a_full_server_serves_the_next_one_when_somebody_leaves(tmp_path: Path) -> None:
    with running(tmp_path, Limits(connections=2)) as server, ExitStack() as stack:
        first = stack.enter_context(server.connect())
        stack.enter_context(server.connect())
        waiting = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
        first.close()
        waiting.sendall(b"no handshake")
        assert rest_of(waiting) == b""
        with closing(Client(server.port, NAME, server.ca.ca_file)) as client:
            assert client.get()[0] == 200


def test_the_end_does_not_wait_for_ever(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with running(tmp_path, Limits(grace=0.1)) as server:
            secured = stack.enter_context(server.connect())
            secured.sendall(HEAD)
        assert secured.recv(100) == b""
