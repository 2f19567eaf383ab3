"""Run the policy server as a process: signals, log files, and a word to systemd when it is ready (run)."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from exo_auth.errors import ConfigError, ExoAuthError
from exo_auth.facts.served import BAD_EVENTS, EventKind, ServedRequest, ServerEvent
from exo_auth.policy_server.server import PolicyServer
from exo_auth.run.policy_server_config import ServeRequest, setup_of

Write = Callable[[str], None]
OnReady = Callable[[Sequence[str], str | None, Mapping[str, Any]], None]  # addresses, health, state


class AccessLog:
    """Appends lines to a file, or passes them to `otherwise`. `reopen` follows a file that was moved away."""

    def __init__(self, path: Path | None, otherwise: Write) -> None:
        self._path = path
        self._otherwise = otherwise
        self._file: TextIO | None = None
        self.reopen()

    def write(self, line: str) -> None:
        """Write one line, at once; a full disk does not end the server."""
        if self._file is None:
            self._otherwise(line)
            return
        try:
            self._file.write(f"{line}\n")
        except OSError as error:
            self._otherwise(f"{self._path}: cannot be written: {error.strerror}")

    def reopen(self) -> None:
        """Open the file anew; raises ConfigError where it cannot be."""
        if self._path is None:
            return
        try:
            opened = self._path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise ConfigError(f"cannot be written: {error.strerror}", file=str(self._path)) from None
        self.close()
        self._file = opened

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def judge(request: ServeRequest) -> tuple[dict[str, Any], tuple[ServerEvent, ...]]:
    """Read all files and listen nowhere; give what would be served, and what is wrong. Raises InputError."""
    events: list[ServerEvent] = []
    server = PolicyServer(setup_of(request).options, lambda _served: None, events.append)
    server.read()
    return server.state(), tuple(event for event in events if event.kind in BAD_EVENTS)


def serve(
    request: ServeRequest,
    environment: Mapping[str, str],
    write_request: Callable[[ServedRequest], str],
    write_event: Callable[[ServerEvent], str],
    stderr: Write,
    on_ready: OnReady,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reads everything again. Raises InputError before it listens."""
    setup = setup_of(request)
    log = AccessLog(setup.access_log, stderr)
    server = PolicyServer(
        setup.options,
        lambda served: log.write(write_request(served)),
        lambda event: stderr(write_event(event)),
    )
    server.read()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, _reload, server, log, request)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, server, environment)
        server.listen()
        health = str(server.health_address) if server.health_address is not None else None
        on_ready([str(address) for address in server.addresses], health, server.state())
        notify(environment, "READY=1")
        await server.run()

    try:
        asyncio.run(run())
    finally:
        log.close()


def notify(environment: Mapping[str, str], state: str) -> None:
    """Tell systemd, if it asked to be told (sd_notify(3))."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.sendto(state.encode(), name)


def _stop(server: PolicyServer, environment: Mapping[str, str]) -> None:
    notify(environment, "STOPPING=1")
    server.stop()


def _reload(server: PolicyServer, log: AccessLog, request: ServeRequest) -> None:
    try:
        log.reopen()
        server.reload(setup_of(request).options)
    except ExoAuthError as error:
        server.say(EventKind.RELOAD_REFUSED, "server", error.message)
