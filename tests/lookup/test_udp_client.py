"""Many questions over few sockets: who is believed, what is sent again, and when a socket ends."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import dns.flags
import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing
from exo_auth.lookup.exchange_messages import query_about
from exo_auth.lookup.udp_client import SOCKETS, Query, UdpClient
from exo_auth.lookup.wire import MalformedMessage, Message

NAME = DomainName.parse_lookup("selector1._domainkey.a.example")
LONG, SHORT = 30.0, 0.2  # seconds; nothing here waits for the long one


def good(q: Any) -> Any:
    return q.reply(f'{q.name}. 60 IN TXT "x"')


def query(name: DomainName = NAME) -> Query:
    return query_about(name, "TXT")


async def ask(client: UdpClient, server: Any, name: DomainName = NAME, seconds: float = LONG) -> Message:
    until = asyncio.get_running_loop().time() + seconds
    return await client.exchange(server.address, query(name), until)


def answer_to(server: Any, seconds: float = LONG) -> Message:
    return asyncio.run(ask(UdpClient(), server, seconds=seconds))


# Who is believed


def renumbered(message: Any) -> Any:
    message.id ^= 0x0101
    return message


def about_another_name(q: Any) -> Any:
    return good(q).to_wire().replace(b"\x01a\x07example", b"\x01b\x07example", 1)


def about_another_type(q: Any) -> Any:
    return good(q).to_wire().replace(b"\x07example\0\0\x10", b"\x07example\0\0\x05", 1)


FORGED = {
    "another id": lambda q: renumbered(q.reply(f'{q.name}. 60 IN TXT "forged"')),
    "another name": about_another_name,
    "another type": about_another_type,
    "the question itself": lambda q: q.octets,
    "an answer of another opcode": lambda q: q.octets[:2] + b"\xa0\0" + q.reply().to_wire()[4:],
    "no question, and yet no error": lambda q: q.octets[:2] + b"\x81\x80" + bytes(8),
    "one octet": lambda q: b"x",
    "nothing": lambda q: b"",
    "rubbish": lambda q: b"rubbish",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_does_not_fit_is_passed_over(dns_lab: SimpleNamespace, forge: Callable[[Any], Any]) -> None:
    server = dns_lab.serve(lambda q: [forge(q), forge(q), good(q)])
    assert answer_to(server).answers[0].data == (b"x",)


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_was_passed_over_is_told_when_time_is_up(
    dns_lab: SimpleNamespace, forge: Callable[[Any], Any]
) -> None:
    server = dns_lab.serve(lambda q: [forge(q), forge(q)])
    with pytest.raises(TimeoutError, match="2 datagrams were ignored, the last was"):
        answer_to(server, SHORT)


def test_an_answer_from_elsewhere_is_not_heard(dns_lab: SimpleNamespace) -> None:
    stranger = dns_lab.serve(lambda q: None)

    def script(q: Any) -> Any:
        stranger.send(q.reply(f'{q.name}. 60 IN TXT "forged"').to_wire(), server.clients[-1])
        return good(q)

    server = dns_lab.serve(script)
    assert answer_to(server).answers[0].data == (b"x",)


def test_an_answer_from_another_address_is_not_heard(dns_lab: SimpleNamespace) -> None:
    """Who does not stand on the way can send everything right but the address: here even the port, and before ours."""

    def script(q: Any) -> Any:
        forged = q.reply(f'{q.name}. 60 IN TXT "forged"').to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", server.address[1]))
            stranger.sendto(forged, server.clients[-1])
        return good(q)

    server = dns_lab.serve(script)
    for _ in range(5):
        assert answer_to(server).answers[0].data == (b"x",)


@pytest.mark.parametrize("over_tcp", [None, b"", b"rubbish"], ids=["closed", "empty", "rubbish"])
def test_what_a_truncated_answer_holds_is_never_taken(
    dns_lab: SimpleNamespace, over_tcp: bytes | None
) -> None:
    """RFC 2181 §9: neither its records, nor that there are none."""

    def script(q: Any) -> Any:
        if q.over == "tcp":
            return over_tcp
        message = q.reply(f'{q.name}. 60 IN TXT "a part"')
        message.flags |= dns.flags.TC
        return message

    resolver = dns_lab.resolver(dns_lab.serve(script), attempts=1)
    assert isinstance(asyncio.run(resolver.txt(NAME)), LookupFailed)


def test_the_case_of_the_question_may_differ(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: good(q).to_wire().replace(b"selector1", b"SELECTOR1"))
    assert answer_to(server).answers[0].owner == NAME.ascii


def test_an_answer_that_is_no_message_is_told_at_once(dns_lab: SimpleNamespace) -> None:
    with pytest.raises(MalformedMessage):
        answer_to(dns_lab.serve(lambda q: q.octets[:2] + b"\x81\x80 rubbish"))


def test_a_truncated_answer_is_given_as_such_and_completed_over_tcp(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(
        lambda q: good(q) if q.over == "tcp" else q.octets[:2] + b"\x83\x80" + q.octets[4:]
    )
    assert answer_to(server).truncated
    resolver = dns_lab.resolver(server)
    assert isinstance(asyncio.run(resolver.txt(NAME)), Found)
    assert [asked.over for asked in server.asked] == ["udp", "udp", "tcp"]


# What is lost


def test_a_lost_datagram_is_sent_again_as_it_was(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: None if len(server.asked) == 1 else good(q))
    resolver = dns_lab.resolver(server, timeout=LONG, attempts=1)
    assert isinstance(asyncio.run(resolver.txt(NAME)), Found)
    assert (resolver.questions, resolver.retransmissions) == (1, 1)
    first, second = server.asked
    assert first.octets == second.octets
    assert len(set(server.clients)) == 1


def test_a_server_known_to_be_near_is_asked_again_soon(dns_lab: SimpleNamespace) -> None:
    """The first guess would not fit into the time given."""
    dropped: list[str] = []

    def script(q: Any) -> Any:
        if q.name.startswith("lost") and q.name not in dropped:
            return dropped.append(q.name)
        return good(q)

    server = dns_lab.serve(script)

    async def go() -> Message:
        client = UdpClient()
        for number in range(12):
            await ask(client, server, NAME.child(f"n{number}"))
        return await ask(client, server, NAME.child("lost"), 0.39)

    assert asyncio.run(go()).answers


def test_what_stays_lost_is_never_called_missing(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: None if q.name.startswith("lost") else q.reply(rcode="NXDOMAIN"))

    async def go() -> Any:
        resolver = dns_lab.resolver(server, timeout=SHORT, attempts=1)
        return await asyncio.gather(*(resolver.txt(NAME.child(label)) for label in ("lost", "none")))

    lost, none = asyncio.run(go())
    assert isinstance(lost, LookupFailed)
    assert (lost.reason, lost.temporary) == (FailureReason.TIMEOUT, True)
    assert isinstance(none, Missing)


def test_a_closed_port_is_told_at_once(dns_lab: SimpleNamespace) -> None:
    closed = dns_lab.serve(good)
    closed.close()
    with pytest.raises(ConnectionRefusedError):
        answer_to(closed)


def test_an_address_that_is_none_is_a_network_failure() -> None:
    with pytest.raises(socket.gaierror):
        answer_to(SimpleNamespace(address=("resolver.invalid", 53)))


# Sockets


def test_the_port_is_drawn_again_and_again(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> None:
        client = UdpClient(questions_per_socket=5)
        for number in range(200):
            await ask(client, server, NAME.child(f"n{number}"))
            assert len(client.channels) <= SOCKETS
        assert client.questions == 200

    asyncio.run(go())
    ports = [port for _host, port in server.clients]
    assert len(set(ports)) >= 200 / 5 * 0.9  # the system may give the same port twice
    assert max(ports.count(port) for port in set(ports)) <= 10


def test_a_worn_socket_still_hears_what_it_asked_for(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> Any:
        client = UdpClient(questions_per_socket=1)
        return await asyncio.gather(*(ask(client, server, NAME.child(f"n{n}")) for n in range(60)))

    assert [message.answers[0].owner.partition(".")[0] for message in asyncio.run(go())] == [
        f"n{n}" for n in range(60)
    ]
    assert len(set(server.clients)) > 40


def test_ids_and_ports_are_not_in_sequence(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> Any:
        client = UdpClient()
        return [(await ask(client, server, NAME.child(f"n{n}"))).id for n in range(64)]

    ids = asyncio.run(go())
    assert len(set(ids)) > 60
    assert ids not in (sorted(ids), sorted(ids, reverse=True))
    assert len(set(server.clients)) == SOCKETS


def test_more_questions_than_may_be_under_way_are_all_answered(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> Any:
        resolver = dns_lab.resolver(server, concurrency=2000, timeout=LONG)
        return await asyncio.gather(*(resolver.txt(NAME.child(f"n{n}")) for n in range(400)))

    assert {type(answer) for answer in asyncio.run(go())} == {Found}


async def closed(_client: UdpClient) -> None:
    _client.close()


async def left(_client: UdpClient) -> None:
    return None


@pytest.mark.parametrize("ending", [closed, left])
def test_no_socket_outlives_its_event_loop(
    dns_lab: SimpleNamespace, ending: Callable[[UdpClient], Awaitable[None]]
) -> None:
    client, server = UdpClient(), dns_lab.serve(good)

    async def go() -> None:
        await ask(client, server)
        assert client.channels
        await ending(client)

    for _ in range(2):  # another event loop opens new ones
        asyncio.run(go())
        assert not client.channels


def test_an_event_loop_that_just_stops_leaves_nothing_open(
    dns_lab: SimpleNamespace, recwarn: pytest.WarningsRecorder
) -> None:
    server = dns_lab.serve(good)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it tells of the task it dropped
    loop.run_until_complete(ask(UdpClient(), server))
    loop.close()
    del loop
    gc.collect()
    assert [str(w.message) for w in recwarn if issubclass(w.category, ResourceWarning)] == []


def test_closing_ends_what_waits(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(lambda q: None)

    async def go() -> Any:
        async with dns_lab.resolver(server, attempts=1, timeout=LONG) as resolver:
            waiting = asyncio.ensure_future(resolver.txt(NAME))
            while not resolver.questions:
                await asyncio.sleep(0)
        return await waiting

    failed = asyncio.run(go())
    assert failed.reason is FailureReason.NETWORK
    assert "closed" in failed.detail


class WithoutReaders(asyncio.SelectorEventLoop):
    """Like the event loop of Windows: it has datagram endpoints only."""

    def add_reader(self, *_: Any) -> None:
        raise NotImplementedError


def test_an_event_loop_without_readers_will_do(dns_lab: SimpleNamespace) -> None:
    gone, server = dns_lab.serve(good), dns_lab.serve(good)
    gone.close()

    async def go() -> Any:
        async with dns_lab.resolver(gone, server, timeout=LONG) as resolver:
            return await asyncio.gather(*(resolver.txt(NAME.child(f"n{n}")) for n in range(40)))

    with asyncio.Runner(loop_factory=WithoutReaders) as runner:
        assert {type(answer) for answer in runner.run(go())} == {Found}


# Together


def test_the_same_question_is_asked_once(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> Any:
        resolver = dns_lab.resolver(server)
        await asyncio.gather(*(resolver.txt(NAME) for _ in range(50)))
        await resolver.txt(NAME)
        return resolver.questions

    assert asyncio.run(go()) == 1
    assert len(server.asked) == 1


def test_waiting_for_ones_turn_is_no_lost_time(dns_lab: SimpleNamespace) -> None:
    server = dns_lab.serve(good)

    async def go() -> Any:
        resolver = dns_lab.resolver(server, rate=150.0, timeout=SHORT, attempts=1)
        return await asyncio.gather(*(resolver.txt(NAME.child(f"n{n}")) for n in range(75)))

    assert {type(answer) for answer in asyncio.run(go())} == {Found}


def test_a_label_too_long_to_ask_for_is_a_value(dns_lab: SimpleNamespace) -> None:
    failed = asyncio.run(dns_lab.resolver(dns_lab.serve(good)).txt(DomainName("a" * 64 + ".example")))
    assert (failed.reason, failed.temporary) == (FailureReason.MALFORMED, False)
    assert "more than 63" in failed.detail
