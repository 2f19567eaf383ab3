"""Listens, shakes hands, hands connections on, reloads, and stops without cutting anybody off (policy_server)."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from exo_auth.errors import ExoAuthError, InputError
from exo_auth.facts.served import EventKind, ServedRequest, ServerEvent
from exo_auth.policy_server.answers import (
    PREFIX,
    Request,
    Response,
    answer_for_health,
    answer_for_policy,
)
from exo_auth.policy_server.certificates import CertificateStore, ShownCertificate, harden
from exo_auth.policy_server.connection import Connection
from exo_auth.policy_server.options import EVERYWHERE, Address, ServerOptions
from exo_auth.policy_server.policies import PolicyShelf

BACKLOG = 512
TLS_GOODBYE = 3  # seconds that a client gets to answer our close_notify
REST = 0.2  # seconds before another try to accept when the system has no file handle left

OnRequest = Callable[[ServedRequest], None]
OnEvent = Callable[[ServerEvent], None]


class PolicyServer:
    """Serves policies over HTTPS. `on_request` and `on_event` are called from the loop that runs it."""

    def __init__(self, options: ServerOptions, on_request: OnRequest, on_event: OnEvent) -> None:
        self._options = options
        self._on_request, self._on_event = on_request, on_event
        self.shelf = PolicyShelf(options.policies, options.written, self.say)
        self.certificates = CertificateStore(options.certificates, options.certificate_folder, self.say)
        self._listeners: list[socket.socket] = []
        self._health: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._of_address: Counter[str] = Counter()
        self._slots = asyncio.Semaphore(options.limits.connections)
        self._counts: Counter[str] = Counter()
        self._stopping = asyncio.Event()

    def read(self) -> None:
        """Read policies and certificates; raises InputError when there is nothing that could be served."""
        self.shelf.read_all()
        self.certificates.read_all()
        if not self.shelf.domains:
            refused = next(iter(self.shelf.refusals.values()), "")
            raise InputError(
                "there is no policy to serve" + (f": {refused}" if refused else ""),
                hint="exo-auth mta-sts build --for serve writes them",
            )
        if not self.certificates.shown:
            refused = next((f"{file}: {why}" for file, why in self.certificates.refusals.items()), "")
            raise InputError(
                "there is no certificate to show" + (f": {refused}" if refused else ""),
                hint="give --certificate FILE and --key FILE, or --certificates DIR",
            )
        self._tell_uncovered()

    def listen(self) -> None:
        """Bind all sockets; raises InputError with the address that cannot be had."""
        for address in self._options.listen:
            try:
                self._listeners.append(_bound(address))
            except InputError as error:
                # Nobody asked for the second default; a machine without IPv6 cannot have it.
                if address is not EVERYWHERE[-1] or not self._listeners:
                    raise
                self.say(EventKind.TROUBLE, str(address), error.message)
        if self._options.health is not None:
            self._health = _bound(self._options.health)
        for listener in self._listeners:
            self.say(EventKind.LISTENING, str(_address_of(listener)), "https")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens for senders, with the ports that the system picked."""
        return tuple(_address_of(listener) for listener in self._listeners)

    @property
    def health_address(self) -> Address | None:
        """Where it listens for probes."""
        return _address_of(self._health) if self._health is not None else None

    async def run(self) -> None:
        """Serve until `stop`; then let requests under way end, for as long as the grace lasts."""
        outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        harden(outer)
        outer.sni_callback = self._choose
        asyncio.get_running_loop().set_exception_handler(self._trouble)
        accepting = [asyncio.create_task(self._accept(listener, outer)) for listener in self._listeners]
        probes = [asyncio.create_task(self._accept(self._health, None))] if self._health is not None else []
        try:
            await self._stopping.wait()
        finally:
            await _cancelled(accepting)
            for listener in self._listeners:
                listener.close()
            await self._drained()
            await _cancelled(probes)
            if self._health is not None:
                self._health.close()
            self.say(EventKind.STOPPED, "server", f"{self._counts['requests']} requests were answered")

    def stop(self) -> None:
        """End `run` gracefully; a second call changes nothing."""
        if not self._stopping.is_set():
            self.say(EventKind.STOPPING, "server", f"{len(self._connections)} connections are open")
            self._stopping.set()

    def reload(self, options: ServerOptions) -> None:
        """Read everything again. What is void is refused and told; what was served before is served on.

        Addresses and limits stay as they were at the start.
        """
        try:
            self.shelf.take(options.policies, options.written)
            self.certificates.take(options.certificates, options.certificate_folder)
            self.shelf.read_all()
            self.certificates.read_all()
        except InputError as error:
            self.say(EventKind.RELOAD_REFUSED, "server", error.message)
            return
        self._tell_uncovered()
        self.say(EventKind.RELOADED, "server", f"{len(self.shelf.domains)} policies")

    def say(self, kind: EventKind, subject: str, detail: str) -> None:
        """Tell of something that happened; a log that nobody reads any more does not end the server."""
        with suppress(OSError):
            self._on_event(ServerEvent(datetime.now(UTC), kind, subject, detail))

    def state(self) -> dict[str, Any]:
        """Describe how the server is, as the health port does."""
        refused = {**self.shelf.refusals, **self.certificates.refusals}
        status = "stopping" if self._stopping.is_set() else "degraded" if refused else "ok"
        return {
            "schema": "exo-auth/mta-sts-health/1",
            "status": status,
            "policies": [domain.ascii for domain in self.shelf.domains],
            "refused": [{"subject": subject, "reason": reason} for subject, reason in refused.items()],
            "certificates": [
                {"names": list(one.names), "not_after": f"{one.not_after:%Y-%m-%dT%H:%M:%SZ}"}
                for one in self.certificates.shown
            ],
            "connections": len(self._connections),
            "requests": self._counts["requests"],
            "failed_handshakes": self._counts["failed_handshakes"],
        }

    def _tell_uncovered(self) -> None:
        for domain in self.shelf.domains:
            if not self.certificates.covers(f"{PREFIX}{domain.ascii}"):
                why = f"no certificate names {PREFIX}{domain.ascii}: senders cannot fetch the policy"
                self.say(EventKind.POLICY_UNCOVERED, domain.ascii, why)

    def _trouble(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError):  # those are clients that left
            self.say(EventKind.TROUBLE, "server", f"{context['message']}: {context.get('exception')!r}")

    def _choose(self, secured: ssl.SSLObject, name: str | None, _outer: ssl.SSLContext) -> int | None:
        """Show the certificate for the name that the client asks for.

        For a strange name the handshake goes on with the first certificate (RFC 6066 §3 leaves the choice): the
        client then says “certificate for another name”, which asyncio, that sends no alert, would turn into
        “connection lost”.
        """
        try:
            shown = self.certificates.choose(name) or self.certificates.choose(None)
        except (ExoAuthError, OSError) as error:
            self.say(EventKind.TROUBLE, name or "", str(error))
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        if shown is not None:
            secured.context = shown
        return None

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()  # full: further clients wait in the backlog
            try:
                plain, peer = await loop.sock_accept(listener)
            except OSError as error:
                self._slots.release()
                self.say(EventKind.TROUBLE, str(_address_of(listener)), f"cannot accept: {error.strerror}")
                await asyncio.sleep(REST)
                continue
            except BaseException:
                self._slots.release()
                raise
            self._hand_on(plain, str(peer[0]), tls)

    def _hand_on(self, plain: socket.socket, client: str, tls: ssl.SSLContext | None) -> None:
        if self._of_address[client] >= self._options.limits.connections_per_address:
            self._counts["refused_connections"] += 1
            plain.close()
            self._slots.release()
            return
        self._of_address[client] += 1
        task = asyncio.create_task(self._one(plain, tls))
        self._connections[task] = None

        def ended(task: asyncio.Task[None]) -> None:
            del self._connections[task]
            self._slots.release()
            self._of_address[client] -= 1
            if not self._of_address[client]:
                del self._of_address[client]
            if not task.cancelled() and (bug := task.exception()) is not None:
                self.say(EventKind.TROUBLE, client, f"{type(bug).__name__}: {bug}")

        task.add_done_callback(ended)

    async def _one(self, plain: socket.socket, tls: ssl.SSLContext | None) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        timing = (
            {"ssl_handshake_timeout": self._options.limits.handshake, "ssl_shutdown_timeout": TLS_GOODBYE}
            if tls is not None
            else {}
        )
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, plain, ssl=tls, **timing)
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            self._counts["failed_handshakes"] += 1
            plain.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        answer = self._answer_on(writer) if tls is not None else self._answer_for_health
        connection = Connection(reader, writer, answer, self._options.limits, self._log)
        task = asyncio.current_task()
        if task is not None:
            self._connections[task] = connection
        connection.is_last = self._stopping.is_set()
        try:
            with suppress(OSError):  # the client left
                await connection.serve()
            writer.close()
        except BaseException:
            transport.abort()
            raise
        finally:
            with suppress(OSError, TimeoutError):
                await writer.wait_closed()

    def _answer_on(self, writer: asyncio.StreamWriter) -> Callable[[Request], Response]:
        context = writer.get_extra_info("ssl_object").context
        names = context.names if isinstance(context, ShownCertificate) else ()
        return lambda request: answer_for_policy(request, names, self.shelf.find)

    def _answer_for_health(self, request: Request) -> Response:
        state = self.state()
        bad = state["status"] == "stopping"
        status = HTTPStatus.SERVICE_UNAVAILABLE if bad else HTTPStatus.OK
        return answer_for_health(request, status, json.dumps(state))

    def _log(self, served: ServedRequest) -> None:
        if served.tls:  # probes of the health port are not logged
            self._counts["requests"] += 1
            with suppress(OSError):
                self._on_request(served)

    async def _drained(self) -> None:
        for task, connection in self._connections.items():
            if connection is not None:
                connection.is_last = True
                if connection.is_idle:
                    task.cancel()
        if self._connections:
            _, late = await asyncio.wait(set(self._connections), timeout=self._options.limits.grace)
            await _cancelled(list(late))


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _bound(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    except OSError as error:
        hint = "another program has that port: ss -ltnp shows which"
        if isinstance(error, PermissionError):
            hint = "ports below 1024 need CAP_NET_BIND_SERVICE: exo-auth mta-sts serve --print-unit"
        raise InputError(f"cannot listen on {address}: {error.strerror}", hint=hint) from None
    listener.setblocking(False)
    return listener


def _address_of(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return Address(str(host), int(port))
