"""One connection: requests in, answers out, within limits (policy_server; async I/O)."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus

import h11

from exo_auth.facts.served import ServedRequest
from exo_auth.policy_server.answers import Request, Response, plain
from exo_auth.policy_server.options import Limits

READ = 4096  # octets at a time

Answer = Callable[[Request], Response]
Log = Callable[[ServedRequest], None]


class Connection:
    """Serves one client until it leaves, asks for too much, or the server stops."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Answer,
        limits: Limits,
        log: Log,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._answer, self._limits, self._log = answer, limits, log
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_octets)
        self._began = 0.0
        self.is_idle = False  # between two requests: it may be closed without harm
        self.is_last = False  # set by the server: answer what is under way, then close

    async def serve(self) -> None:
        """Answer requests; whatever the client does wrong ends the connection, never the server."""
        for served in range(1, self._limits.requests_per_connection + 1):
            if not await self._has_data():
                return
            closes = served == self._limits.requests_per_connection
            try:
                async with asyncio.timeout(self._limits.request):
                    goes_on = await self._one(closes=closes)
            except TimeoutError:
                await self._refuse(HTTPStatus.REQUEST_TIMEOUT)
                return
            if not goes_on or self.is_last:
                return
            self._http.start_next_cycle()

    async def _has_data(self) -> bool:
        """Wait for the first octet of a request; False when none comes in time."""
        if self._http.trailing_data[0]:
            self._began = time.monotonic()
            return True
        self.is_idle = True
        try:
            async with asyncio.timeout(self._limits.idle):
                data = await self._reader.read(READ)
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if not self.is_last:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()  # the server asked it to leave: the client still gets a proper goodbye
            return False
        self.is_idle = False
        self._began = time.monotonic()
        self._http.receive_data(data)
        return bool(data)

    async def _one(self, *, closes: bool) -> bool:
        """Read one request and answer it; tell whether another may follow."""
        try:
            head = await self._event()
            if not isinstance(head, h11.Request):
                return False
            if _is_framed_twice(head):
                await self._refuse(HTTPStatus.BAD_REQUEST)
                return False
            if await self._body_is_too_large():
                await self._send(head, plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), closes=True)
                return False
        except h11.RemoteProtocolError as error:
            await self._refuse(HTTPStatus(error.error_status_hint))
            return False
        await self._send(head, self._answer(_request(head)), closes=closes)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._http.they_are_waiting_for_100_continue:
                await self._put(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self._reader.read(READ))

    async def _body_is_too_large(self) -> bool:
        """Read past the body, which nothing here needs."""
        size = 0
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                size += len(event.data)
                if size > self._limits.body_octets:
                    return True
            elif isinstance(event, h11.EndOfMessage):
                return False

    async def _refuse(self, status: HTTPStatus) -> None:
        """Answer what is no request, if an answer can still be understood."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send(None, plain(status), closes=True)

    async def _send(self, head: h11.Request | None, response: Response, *, closes: bool) -> None:
        body = response.body
        headers = [("Date", formatdate(usegmt=True)), *response.headers]
        if response.status is not HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Length", str(len(body))))
        if closes or self.is_last:
            headers.append(("Connection", "close"))
        if head is not None and head.method == b"HEAD":
            body = b""
        start = h11.Response(status_code=response.status, headers=headers, reason=response.status.phrase)
        await self._put(start, *([h11.Data(data=body)] if body else []), h11.EndOfMessage())
        self._log(self._served(head, response.status, len(body)))

    async def _put(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        await self._writer.drain()

    def _served(self, head: h11.Request | None, status: int, octets: int) -> ServedRequest:
        request = _request(head) if head is not None else Request("", "", {})
        secured: ssl.SSLObject | None = self._writer.get_extra_info("ssl_object")
        peer = self._writer.get_extra_info("peername")
        return ServedRequest(
            datetime.now(UTC),
            str(peer[0]) if peer else "",
            request.host or "",
            request.method,
            request.target,
            status,
            octets,
            time.monotonic() - self._began,
            (secured.version() or "") if secured is not None else "",
            request.headers.get("user-agent", ""),
        )


def _is_framed_twice(head: h11.Request) -> bool:
    """Does it name both a length and chunks, as smuggled requests do (RFC 9112 §6.1)?"""
    names = {name for name, _ in head.headers}
    return {b"content-length", b"transfer-encoding"} <= names


def _request(head: h11.Request) -> Request:
    headers: dict[str, str] = {}
    for name, value in head.headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Request(head.method.decode("latin-1"), head.target.decode("latin-1"), headers)
