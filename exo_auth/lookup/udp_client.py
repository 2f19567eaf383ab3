"""Many questions at once over few UDP sockets: matching, repeating and giving up (lookup; async I/O)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias

from exo_auth.lookup.wire import NOERROR, NXDOMAIN, MalformedMessage, Message, Question, parse_message

Server: TypeAlias = tuple[str, int]  # host, port

SOCKETS = 4  # to each server; an answer must come to the port that asked (RFC 5452 §9.2)
QUESTIONS_PER_SOCKET, SOCKET_AGE = 500, 10.0  # then another port is drawn; the age in seconds
FIRST_WINDOW, OUTSTANDING = 128, 1000  # questions under way at each server: at first, and at most
FIRST_TIMER, SHORTEST_TIMER = 0.4, 0.06  # seconds until a question is sent again
SWEEP, IDLE = 0.01, 1.0  # seconds between looks at what is overdue; sockets that rest so long are closed

_RECEIVE_BUFFER = 4 << 20  # octets; a burst of answers must fit
_LONGEST_ANSWER = 4096  # octets, more than is ever offered to take over UDP
_DATAGRAMS_AT_ONCE = 64
_RESPONSE_AND_OPCODE = 0xF800


Outcome: TypeAlias = Message | OSError | MalformedMessage
Tell: TypeAlias = Callable[["Query", Outcome], None]


class Query:
    """A question to a server, and the octets to send after the message id.

    `section` is the question as it stands in those octets, which servers repeat. The rest is how the question
    stands while it is under way, which it is once at a time; times are of the event loop's clock, in seconds.
    """

    __slots__ = (
        *("octets", "question", "section"),
        *("channel", "due", "ignored", "number", "peer", "sent", "tell", "timer", "until", "wire"),
    )
    peer: _Peer | None  # while it waits or is under way
    channel: _Channel | None  # once it was sent
    number: bytes  # its message id
    wire: bytes
    tell: Tell
    sent: float
    timer: float  # seconds until it is sent again
    due: float  # when that is
    until: float
    ignored: int  # datagrams on its socket before it was asked

    def __init__(self, question: Question, octets: bytes, section: bytes) -> None:
        self.question = question
        self.octets = octets
        self.section = section
        self.peer = self.channel = None

    def start(self, channel: _Channel, number: bytes, now: float, timer: float, ignored: int) -> None:
        """Note that it goes over this channel under this message id now."""
        self.channel = channel
        self.number = number
        self.wire = number + self.octets
        self.sent = now
        self.timer = timer
        self.due = now + timer
        self.ignored = ignored

    def is_answered_by(self, message: Message) -> bool:
        """Is this an answer, to this question? The message id is for the caller to compare."""
        if message.flags & _RESPONSE_AND_OPCODE != 0x8000:
            return False
        if message.question is None:  # servers that could not read the question leave it out
            return message.rcode not in (NOERROR, NXDOMAIN)
        return message.question == self.question


class UdpClient:
    """Asks any number of servers; belongs to one event loop at a time.

    `questions` counts what was asked and `retransmissions` what was sent again; `on_repeat` hears of the latter.
    Sockets are closed when they rest, when the event loop ends, or by `close`; asking again opens new ones.
    """

    def __init__(
        self,
        *,
        on_repeat: Callable[[Server], object] = lambda _server: None,
        questions_per_socket: int = QUESTIONS_PER_SOCKET,
    ) -> None:
        self.questions = 0
        self.retransmissions = 0
        self.questions_per_socket = questions_per_socket
        self.on_repeat = on_repeat
        self.drawn = _random_draws().__next__
        self._loop: asyncio.AbstractEventLoop | None = None
        self._peers: dict[Server, _Peer] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._sockets: set[socket.socket] = set()
        self.channels: set[_Channel] = set()
        weakref.finalize(self, _close_all, self._sockets)

    async def exchange(self, server: Server, query: Query, until: float) -> Message:
        """Ask until an answer comes; raises TimeoutError, OSError or MalformedMessage.

        `until` is a time of the event loop's clock, in seconds. The answer may be truncated.
        """
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.begin(server, query, until, partial(_deliver, answer))
        try:
            return await answer
        finally:
            if query.peer is not None:
                query.peer.forget(query)

    def begin(self, server: Server, query: Query, until: float, tell: Tell) -> None:
        """Ask without a coroutine; `tell` is called with the query and its outcome, which may be truncated."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        if self._sweeper is None:
            self._sweeper = loop.create_task(self._sweep(loop))
        peer = self._peers.get(server)
        if peer is None:
            peer = self._peers[server] = _Peer(self, server, loop)
        self.questions += 1
        peer.ask(query, until, tell)

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave another event loop, whose questions nobody waits for any more."""
        for channel in tuple(self.channels):
            self.discard(channel)
        self._peers.clear()
        self._sweeper = None
        self._loop = loop

    def close(self) -> None:
        """Close all sockets; whoever waits for an answer is told ConnectionAbortedError."""
        ended = [query for peer in self._peers.values() for query in peer.take_all()]
        for channel in tuple(self.channels):
            self.discard(channel)
        if self._sweeper is not None and not self._sweeper.get_loop().is_closed():
            self._sweeper.cancel()
        self._sweeper = None
        for query in ended:
            query.tell(query, ConnectionAbortedError(None, "the socket was closed"))

    def open(self, peer: _Peer) -> _Channel:
        """Open one more socket; raises OSError."""
        channel = _Channel(self, peer, peer.loop)
        self.channels.add(channel)
        self._sockets.add(channel.socket)
        channel.listen()
        return channel

    def discard(self, channel: _Channel) -> None:
        """Close one socket."""
        channel.close()
        self.channels.discard(channel)
        self._sockets.discard(channel.socket)
        channel.leave_peer()

    async def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send again what is overdue and end what had its time, until nothing was asked for a while."""
        try:
            busy = loop.time()
            while True:
                await asyncio.sleep(SWEEP)
                now = loop.time()
                for channel in tuple(self.channels):
                    if channel.pending:
                        busy = now
                        channel.sweep(now)
                for peer in tuple(self._peers.values()):
                    peer.sweep(now)
                if now - busy > IDLE:
                    return
        finally:  # also when the event loop ends, which cancels its tasks
            if self._sweeper is None or self._sweeper is asyncio.current_task(loop):
                self._sweeper = None
                self.close()


class _Peer:
    """One server: its sockets, how long it takes, how much may be under way, and what waits for its turn."""

    def __init__(self, client: UdpClient, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.channels: list[_Channel | None] = [None] * SOCKETS
        self.timer = FIRST_TIMER
        self._client = client
        self._window = self._free = FIRST_WINDOW
        self._waiting: deque[Query] = deque()
        self._smoothed: float | None = None
        self._variation = 0.0

    def ask(self, query: Query, until: float, tell: Tell) -> None:
        """Send a question, or keep it until there is room for it."""
        query.peer, query.until, query.tell = self, until, tell
        query.sent = self.loop.time()
        if self._free > 0:
            self._send(query)
        else:
            self._waiting.append(query)

    def _send(self, query: Query) -> None:
        number, pick = self._client.drawn()
        now = query.sent
        channel = self.channels[pick]
        if channel is None or channel.is_worn(now):
            worn = channel
            try:
                channel = self.channels[pick] = self._client.open(self)
            except OSError as error:
                query.peer = None
                query.tell(query, error)
                return
            if worn is not None:
                worn.retire()
        self._free -= 1
        channel.send(number, query, now)

    def forget(self, query: Query) -> None:
        """Take a question from those under way, or from those that wait."""
        query.peer = None
        if query.channel is None:
            self._waiting.remove(query)
            return
        query.channel.drop(query)
        self._free += 1
        while self._waiting and self._free > 0:
            following = self._waiting.popleft()
            following.sent = self.loop.time()
            self._send(following)

    def take_all(self) -> list[Query]:
        """Forget all questions, and give them."""
        taken = [
            *self._waiting,
            *(q for one in self._client.channels if one.peer is self for q in one.pending.values()),
        ]
        self._waiting.clear()
        self._free = self._window
        for query in taken:
            query.peer = None
        return taken

    def sweep(self, now: float) -> None:
        """End what had its time before its turn came."""
        for query in [query for query in self._waiting if query.until <= now]:
            self.forget(query)
            query.tell(query, TimeoutError())

    def heard(self, seconds: float) -> None:
        """Learn from an answer that came so long after the question went."""
        if (
            self._window < OUTSTANDING
        ):  # like a TCP connection's slow start: each answer makes room for one more
            self._window += 1
            self._free += 1
        if self._smoothed is None:  # RFC 6298 §2.2
            self._smoothed, self._variation = seconds, seconds / 2
        else:  # RFC 6298 §2.3
            self._variation += (abs(self._smoothed - seconds) - self._variation) / 4
            self._smoothed += (seconds - self._smoothed) / 8
        self.timer = max(SHORTEST_TIMER, self._smoothed + 4 * self._variation)


class _Channel(asyncio.DatagramProtocol):
    """One socket connected to one server, so that the kernel drops what another address or port sends."""

    def __init__(self, client: UdpClient, peer: _Peer, loop: asyncio.AbstractEventLoop) -> None:
        self.socket = _connected(peer.server)
        self.pending: dict[bytes, Query] = {}  # by message id
        self._client, self.peer, self.loop = client, peer, loop
        self._opening: asyncio.Task[None] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._send: Callable[[bytes], object] = self.socket.send
        self._questions_left = client.questions_per_socket
        self._worn_at = loop.time() + SOCKET_AGE
        self._retired = False
        self._ignored, self._last_ignored = 0, ""

    def listen(self) -> None:
        try:
            self.loop.add_reader(self.socket, self._drain)
        except NotImplementedError:  # the event loop of Windows has datagram endpoints only
            self._send = lambda _octets: None
            self._opening = self.loop.create_task(self._open_endpoint())

    async def _open_endpoint(self) -> None:
        self._transport, _ = await self.loop.create_datagram_endpoint(lambda: self, sock=self.socket)
        self._send = self._transport.sendto
        for query in tuple(self.pending.values()):  # asked meanwhile
            self._transmit(query, query.sent)

    def is_worn(self, now: float) -> bool:
        return self._questions_left <= 0 or now > self._worn_at

    def retire(self) -> None:
        """Close the socket once nothing waits for an answer on it."""
        self._retired = True
        if not self.pending:
            self._client.discard(self)

    def leave_peer(self) -> None:
        channels = self.peer.channels
        channels[:] = [None if channel is self else channel for channel in channels]

    def close(self) -> None:
        if self.loop.is_closed():
            self.socket.close()
        elif self._transport is not None:
            self._transport.abort()
        elif self._opening is not None:
            self._opening.cancel()
            self.socket.close()
        elif self.socket.fileno() >= 0:
            self.loop.remove_reader(self.socket)
            self.socket.close()

    def send(self, number: bytes, query: Query, now: float) -> None:
        """Send a question under this message id, or another when that one is taken."""
        while number in self.pending:
            number, _ = self._client.drawn()
        query.start(self, number, now, self.peer.timer, self._ignored)
        self.pending[number] = query
        self._questions_left -= 1
        self._transmit(query, now)

    def drop(self, query: Query) -> None:
        del self.pending[query.number]
        if self._retired and not self.pending:
            self._client.discard(self)

    def sweep(self, now: float) -> None:
        for one in tuple(self.pending.values()):
            if one.until <= now:
                self._end(one, TimeoutError(self._told_of_ignored(one)))
            elif one.due <= now:
                one.timer *= 2  # RFC 6298 §5.5
                one.due = now + one.timer
                self._client.retransmissions += 1
                self._client.on_repeat(self.peer.server)
                self._transmit(one, now)

    def fail(self, error: OSError) -> None:
        """End all that waits on this socket: the kernel does not tell which datagram went wrong."""
        for one in tuple(self.pending.values()):
            self._end(one, type(error)(*error.args))

    def _end(self, one: Query, outcome: Outcome) -> None:
        if one.peer is not None:  # else another outcome ended it just now
            self.peer.forget(one)
            one.tell(one, outcome)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._read(data, self.loop.time())

    def error_received(self, exc: Exception) -> None:
        self.fail(exc if isinstance(exc, OSError) else OSError(None, str(exc)))

    def _transmit(self, one: Query, now: float) -> None:
        try:
            self._send(one.wire)
        except (BlockingIOError, InterruptedError):  # the kernel's buffer is full
            one.due = now
        except OSError as error:
            self.fail(error)

    def _drain(self) -> None:
        now = self.loop.time()
        receive, read = self.socket.recv, self._read
        for _ in range(_DATAGRAMS_AT_ONCE):
            try:
                data = receive(_LONGEST_ANSWER)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # such as ICMP's “port unreachable”
                self.fail(error)
                return
            read(data, now)

    def _read(self, data: bytes, now: float) -> None:
        """Match a datagram with its question; what does not fit is ignored, as a forgery would be."""
        one = self.pending.get(data[:2])
        try:
            message = parse_message(data, one)
        except MalformedMessage as error:
            if one is None:
                self._ignore("no DNS message")
            else:
                self._end(one, error)
            return
        if one is None or not one.is_answered_by(message):
            self._ignore("the answer to another question")
            return
        # After a repetition too the time counts from the first sending: too long at worst. Leaving it out would
        # never show that the server has become slower than the timer (RFC 6298 §3 has no such samples).
        self.peer.heard(now - one.sent)
        self.peer.forget(one)
        one.tell(one, message)

    def _ignore(self, what: str) -> None:
        self._ignored += 1
        self._last_ignored = what

    def _told_of_ignored(self, one: Query) -> str:
        count = self._ignored - one.ignored
        return f"; {count} datagrams were ignored, the last was {self._last_ignored}" if count else ""


def _deliver(answer: asyncio.Future[Message], _query: Query, outcome: Outcome) -> None:
    if answer.done():  # the one who waited has left
        return
    if isinstance(outcome, Message):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def _connected(server: Server) -> socket.socket:
    host, port = server
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    connected = socket.socket(family, kind, protocol)
    try:
        connected.setblocking(False)
        with contextlib.suppress(OSError):  # some systems refuse what others cut down
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected


def _close_all(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _random_draws() -> Iterator[tuple[bytes, int]]:
    """Message ids, and which of a server's sockets to use (RFC 5452 §9.2: neither can be guessed)."""
    while True:
        pool = os.urandom(3 * 1024)
        for at in range(0, len(pool), 3):
            yield pool[at : at + 2], pool[at + 2] % SOCKETS
