"""Questions over TLS (RFC 7858) and over HTTPS (RFC 8484), through dnspython (lookup; async I/O).

Each server gets a few connections, which serve one question after another and are closed when they rest, and when the
event loop ends.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Protocol

from exo_auth.lookup.servers import EncryptedServer, HttpsServer, TlsServer
from exo_auth.lookup.udp_client import Query
from exo_auth.lookup.wire import MalformedMessage, Message, parse_message

CONNECTIONS = 8  # to each server
IDLE = 1.0  # seconds; connections that rest so long are closed

_DOH_ABSENT = "questions over HTTPS need the packages of `pip install 'exo-auth[doh]'`"


@dataclass
class _Job:
    """A question, until when it is worth asking (event loop's clock, seconds), and where its answer goes."""

    query: Query
    until: float
    answer: asyncio.Future[Message]


@dataclass
class _Pool:
    """The questions to one server, and those who ask them."""

    loop: asyncio.AbstractEventLoop
    jobs: asyncio.Queue[_Job] = field(default_factory=asyncio.Queue)
    workers: set[asyncio.Task[None]] = field(default_factory=set)
    resting: int = 0


class EncryptedClient:
    """Asks servers over TLS and HTTPS, whose certificates the system's roots or those in `ca_file` (PEM) vouch for.

    `questions` counts what was asked.
    """

    def __init__(self, ca_file: str | None = None) -> None:
        self.questions = 0
        self._ca_file = ca_file
        self._pools: dict[EncryptedServer, _Pool] = {}

    async def exchange(self, server: EncryptedServer, query: Query, until: float) -> Message:
        """Ask until `until` (event loop's clock, seconds); raises TimeoutError, OSError or MalformedMessage."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(server)
        if pool is None or pool.loop is not loop:
            pool = self._pools[server] = _Pool(loop)
        self.questions += 1
        job = _Job(query, until, loop.create_future())
        pool.jobs.put_nowait(job)
        if pool.jobs.qsize() > pool.resting and len(pool.workers) < CONNECTIONS:
            worker = loop.create_task(self._work(server, pool))
            pool.workers.add(worker)
            worker.add_done_callback(pool.workers.discard)
        async with asyncio.timeout_at(until):
            return await job.answer

    async def close(self) -> None:
        """Close all connections."""
        pools = [pool for pool in self._pools.values() if pool.loop is asyncio.get_running_loop()]
        self._pools.clear()
        workers = [worker for pool in pools for worker in pool.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, server: EncryptedServer, pool: _Pool) -> None:
        connection: _Connection | None = None
        try:
            while True:
                pool.resting += 1
                try:
                    async with asyncio.timeout(IDLE):
                        job = await pool.jobs.get()
                except TimeoutError:
                    return
                finally:
                    pool.resting -= 1
                if not job.answer.done():  # else nobody waits for it any more
                    held, connection = connection, None
                    connection = await self._serve(server, held, job)
        finally:
            if connection is not None:
                await connection.close()

    async def _serve(
        self, server: EncryptedServer, connection: _Connection | None, job: _Job
    ) -> _Connection | None:
        """Answer one question; gives the connection for the next one, None when it did not survive."""
        was_open = connection is not None
        try:
            if connection is None:
                connection = await self._open(server, job.until)
            message = await _ask(connection, job)
        except BaseException as error:
            if connection is not None:
                await connection.close()
            if not isinstance(error, OSError | MalformedMessage):  # the resolver is closed
                raise
            if was_open and not isinstance(error, TimeoutError | MalformedMessage):
                return await self._serve(server, None, job)  # the server may have closed it while it rested
            if not job.answer.done():
                job.answer.set_exception(error)
            return None
        if not job.answer.done():
            job.answer.set_result(message)
        return connection

    async def _open(self, server: EncryptedServer, until: float) -> _Connection:
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(self._ca_file)
        async with asyncio.timeout_at(until):
            if isinstance(server, TlsServer):
                return await _OverTls.open(server, context)
            return _OverHttps(server, context)


class _Connection(Protocol):
    """A way to one server; `ask` takes and gives dnspython's messages."""

    async def ask(self, message: Any, seconds: float) -> Any: ...

    async def close(self) -> None: ...


class _OverTls:
    def __init__(self, server: TlsServer, stream: Any) -> None:
        self._server, self._stream = server, stream

    @classmethod
    async def open(cls, server: TlsServer, context: ssl.SSLContext) -> _OverTls:
        """Connect; raises OSError."""
        import dns.asyncbackend

        found = await asyncio.get_running_loop().getaddrinfo(
            server.host, server.port, type=socket.SOCK_STREAM
        )
        family, kind, _, _, address = found[0]
        backend: Any = dns.asyncbackend.get_backend("asyncio")
        try:
            stream = await backend.make_socket(family, kind, 0, None, address[:2], None, context, server.name)
        except ssl.CertificateError as error:  # a ValueError too, which would be taken for a bad question
            raise OSError(None, f"certificate verify failed: {error.verify_message}") from None
        return cls(server, stream)

    async def ask(self, message: Any, seconds: float) -> Any:
        import dns.asyncquery

        return await dns.asyncquery.tls(message, self._server.host, seconds, sock=self._stream)

    async def close(self) -> None:
        self._stream.writer.transport.abort()  # a server may never answer the goodbye of TLS
        await asyncio.sleep(0)  # the event loop closes the socket in its next round


class _OverHttps:
    def __init__(self, server: HttpsServer, context: ssl.SSLContext) -> None:
        try:
            import h2  # noqa: F401 - httpx2 speaks HTTP/2 through it
            import httpx2
        except ImportError:
            raise OSError(None, _DOH_ABSENT) from None
        self._url = server.url
        self._client = httpx2.AsyncClient(http2=True, verify=context, follow_redirects=False)

    async def ask(self, message: Any, seconds: float) -> Any:
        import dns.asyncquery
        import httpx2

        try:
            return await dns.asyncquery.https(message, self._url, seconds, client=self._client)
        except httpx2.HTTPError as error:
            raise OSError(None, str(error) or type(error).__name__) from None

    async def close(self) -> None:
        await self._client.aclose()
        await asyncio.sleep(0)  # the event loop closes the socket in its next round


async def _ask(connection: _Connection, job: _Job) -> Message:
    """Ask over a connection, and read what dnspython took for the answer with our own eyes."""
    import dns.exception
    import dns.message

    seconds = job.until - asyncio.get_running_loop().time()
    if seconds <= 0:
        raise TimeoutError
    message = dns.message.from_wire(b"\0\0" + job.query.octets)  # RFC 8484 §4.1: id 0 suits caches
    try:
        octets = (await connection.ask(message, seconds)).to_wire(max_size=65535)
    except dns.exception.Timeout:
        raise TimeoutError from None
    except EOFError:
        raise OSError(None, "the connection ended") from None
    except (dns.exception.DNSException, ValueError) as error:
        raise MalformedMessage((str(error) or type(error).__name__).partition("\n")[0]) from None
    answer = parse_message(octets, job.query)
    if not job.query.is_answered_by(answer) or answer.truncated:
        raise MalformedMessage("the answer belongs to another question, or is cut off")
    return answer
