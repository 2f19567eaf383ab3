"""Mail hosts of partners, each with a fault of its own in STARTTLS or before it (sandbox).

They listen on one port of 127.0.0.11 and the addresses after it; a machine that has no such addresses goes without.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from exo_auth.sandbox.certificates import HostCertificate

PARTNER_ZONE = "partner.example"
FIRST_ADDRESS = 11  # 127.0.0.11; macOS has 127.0.0.1 alone unless told otherwise
PATIENCE = 30.0  # seconds for a client to say the next word
LONGEST_LINE = 4096  # octets
TRIES = 20  # to find a port that is free at all addresses
_COUNTS = HostCertificate()


@dataclass(frozen=True)
class MailHost:
    """One host. `greeting` and `starttls` are what it answers; an empty one is a connection that is cut."""

    label: str  # below partner.example
    what: str
    certificate: HostCertificate = _COUNTS
    greeting: str = "220 {name} ESMTP"
    offers: tuple[str, ...] = ("STARTTLS", "8BITMIME")
    starttls: str = "220 2.0.0 go ahead"
    tls: str = "modern"  # modern, old (TLS 1.0 alone) or broken (no TLS where it should begin)
    answers: bool = True  # or does it say nothing at all?

    @property
    def domain(self) -> str:
        """The partner's mail domain."""
        return f"{self.label}.{PARTNER_ZONE}"

    @property
    def name(self) -> str:
        """The name of the exchanger."""
        return f"mx.{self.domain}"


MAIL_HOSTS = (
    MailHost("good", "STARTTLS with a certificate that counts"),
    MailHost("wrong-name", "a certificate for another host", HostCertificate(name="mail.other.example")),
    MailHost("expired", "a certificate that has run out", HostCertificate(life=timedelta(days=-3))),
    MailHost("ends-soon", "a certificate that runs out in days", HostCertificate(life=timedelta(days=5))),
    MailHost("self-signed", "a certificate of nobody", HostCertificate(self_signed=True)),
    MailHost("plain", "no STARTTLS", offers=("8BITMIME",)),
    MailHost("old-tls", "TLS 1.0 alone", tls="old"),
    MailHost("broken-tls", "STARTTLS offered, and no TLS behind it", tls="broken"),
    MailHost("no-starttls-now", "STARTTLS offered, and refused", starttls="454 4.7.0 TLS not available"),
    MailHost("busy", "a banner that puts off", greeting="421 4.3.2 {name} too busy, try again later"),
    MailHost("rejecting", "a banner that refuses", greeting="554 5.7.1 {name} no service for you"),
    MailHost("silent", "accepts, and says nothing", answers=False),
    MailHost("hanging-up", "accepts, and cuts the connection", greeting=""),
)


def wanted_certificates() -> dict[str, HostCertificate]:
    """Tell which certificate each host shows, by host name."""
    return {host.name: host.certificate for host in MAIL_HOSTS}


class MailHosts:
    """Serves all hosts until closed. `addresses` are theirs, by host name; `port` is the same for all."""

    def __init__(self, files: Mapping[str, Path], port: int = 0) -> None:
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._contexts = {host.name: _context(host, files[host.name]) for host in MAIL_HOSTS}
        bound = _bound(port)
        self.addresses = {host.name: sock.getsockname()[0] for host, sock in bound}
        self.port = int(bound[0][1].getsockname()[1]) if bound else 0
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)
        for host, sock in bound:
            self._selector.register(sock, selectors.EVENT_READ, host)
        self._sockets = [sock for _, sock in bound]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and cut what is open."""
        self._stopping.set()
        self._wake.send(b"x")
        self._thread.join()
        with self._lock:
            remaining = list(self._open)
        for sock in remaining:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._selector.close()
        for sock in (*self._sockets, self._wake, self._woken):
            sock.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select():
                if key.data is None:
                    continue
                listening: socket.socket = key.fileobj  # type: ignore[assignment]  # only sockets are registered
                with suppress(OSError):
                    client, _ = listening.accept()
                    threading.Thread(target=self._serve, args=(key.data, client), daemon=True).start()

    def _serve(self, host: MailHost, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            client.settimeout(PATIENCE)
            with suppress(OSError, ssl.SSLError):
                _converse(host, client, self._contexts[host.name])
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()


def _converse(host: MailHost, client: socket.socket, context: ssl.SSLContext) -> None:
    """Speak as much SMTP as a probe asks for (RFC 5321), and STARTTLS (RFC 3207)."""
    if not host.answers:
        client.recv(1)  # until the client, or the sandbox, gives up
        return
    if not host.greeting:
        return
    reader = _Lines(client.recv)
    _say(client, host.greeting.format(name=host.name))
    while (line := reader.line()) is not None:
        verb = line.strip().upper().partition(" ")[0]
        if verb == "STARTTLS" and "STARTTLS" in host.offers and host.greeting.startswith("2"):
            _say(client, host.starttls)
            if host.starttls.startswith("2"):
                _secured(host, client, context)
                return
        elif verb == "QUIT":
            _say(client, "221 2.0.0 bye")
            return
        else:
            _say(client, *_reply(host, verb))


def _reply(host: MailHost, verb: str) -> tuple[str, ...]:
    if not host.greeting.startswith("2"):
        return ("503 5.5.1 bad sequence of commands",)
    if verb == "EHLO":
        lines = (host.name, *host.offers)
        return tuple(f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines)
    return ("250 2.0.0 ok",) if verb in ("HELO", "NOOP", "RSET") else ("502 5.5.2 not here",)


def _secured(host: MailHost, client: socket.socket, context: ssl.SSLContext) -> None:
    if host.tls == "broken":
        client.recv(4096)  # the client's first word in TLS
        _say(client, "500 this is no TLS")
        return
    with context.wrap_socket(client.dup(), server_side=True) as secured:
        reader = _Lines(secured.recv)
        while (line := reader.line()) is not None:
            if line.strip().upper() == "QUIT":
                _say(secured, "221 2.0.0 bye")
                return
            _say(secured, "250 2.0.0 ok")


class _Lines:
    """Reads lines from a socket; ends with None."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._rest = b""

    def line(self) -> str | None:
        while b"\n" not in self._rest and len(self._rest) < LONGEST_LINE:
            data = self._receive(1024)
            if not data:
                return None
            self._rest += data
        found, _, self._rest = self._rest.partition(b"\n")
        return found.decode("ascii", errors="replace")


def _say(sock: socket.socket, *lines: str) -> None:
    sock.sendall("".join(f"{line}\r\n" for line in lines).encode("ascii"))


def _context(host: MailHost, file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if host.tls == "old":
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 3 speaks TLS 1.0 at no higher level
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(file)
    return context


def _bound(port: int) -> list[tuple[MailHost, socket.socket]]:
    """Listen for each host; with port 0 at one that is free everywhere. Gives what could be had."""
    for _ in range(TRIES):
        bound: list[tuple[MailHost, socket.socket]] = []
        taken = port
        for number, host in enumerate(MAIL_HOSTS, start=FIRST_ADDRESS):
            try:
                sock = socket.create_server((f"127.0.0.{number}", taken))
            except OSError:  # the address is not of this machine, or the port is taken there
                continue
            taken = int(sock.getsockname()[1])
            bound.append((host, sock))
        if len(bound) in (0, len(MAIL_HOSTS)) or port:
            return bound
        for _, sock in bound:
            sock.close()
    return []
