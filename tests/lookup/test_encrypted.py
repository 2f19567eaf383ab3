"""Questions over TLS and HTTPS, with servers of our own and a private CA: whom we trust, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset
import pytest
from encrypted_server import KINDS, Answer, EncryptedServer, encrypted_server
from private_ca import PrivateCa

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, Found, LookupFailed
from exo_auth.lookup.encrypted import CONNECTIONS
from exo_auth.lookup.resolver import StubResolver
from exo_auth.lookup.servers import AnyServer, parse_nameserver

NAME = DomainName.parse_lookup("selector1._domainkey.a.example")


def good(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", '"x"'))
    return response.to_wire()


def about_another_name(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("b.example", "TXT", id=query.id)
    return good(other)


def rubbish(_query: dns.message.Message) -> bytes:
    return b"rubbish"


class Lab:
    """A private CA and the servers that it vouches for."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.ca = PrivateCa(folder)
        self.file = self.ca.write(folder / "server.pem", "localhost", "dns.example")
        self.stack = stack

    def serve(self, kind: str, answer: Answer = good) -> EncryptedServer:
        return self.stack.enter_context(encrypted_server(kind, self.file, answer))

    def ask(self, server: AnyServer, *names: DomainName, trusts: bool = True, **how: Any) -> list[Any]:
        """Ask one resolver for the names one after the other."""

        async def go() -> list[Any]:
            ca_file = str(self.ca.ca_file) if trusts else None
            options: dict[str, Any] = {"timeout": 10.0, "attempts": 1} | how
            async with StubResolver((server,), ca_file=ca_file, **options) as resolver:
                return [await resolver.txt(name) for name in names or (NAME,)]

        return asyncio.run(go())


def where(kind: str, server: EncryptedServer) -> AnyServer:
    if kind == "tls":
        return parse_nameserver(f"tls://127.0.0.1:{server.port}#dns.example")
    return parse_nameserver(f"https://localhost:{server.port}/dns-query")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with contextlib.ExitStack() as stack:
        yield Lab(tmp_path, stack)


both = pytest.mark.parametrize("kind", KINDS)


@both
def test_an_answer_comes_over_the_connection_that_is_open_already(lab: Lab, kind: str) -> None:
    server = lab.serve(kind)
    names = [NAME.child(f"n{number}") for number in range(5)]
    answers = lab.ask(where(kind, server), *names)
    assert [answer.values[0].text for answer in answers] == ["x"] * 5
    assert str(server.port) in answers[0].server
    assert server.connections == 1


@both
def test_many_questions_share_a_few_connections(lab: Lab, kind: str) -> None:
    server = lab.serve(kind)

    async def go() -> Any:
        async with StubResolver(
            (where(kind, server),), timeout=20.0, ca_file=str(lab.ca.ca_file)
        ) as resolver:
            questions = [(NAME.child(f"n{number}"), "TXT") for number in range(40)]
            return await resolver.resolve_all(questions), resolver.questions

    answers, count = asyncio.run(go())
    assert {type(answer) for answer in answers} == {Found}
    assert count == 40
    assert server.connections <= CONNECTIONS


@both
def test_a_connection_that_was_closed_while_it_rested_is_opened_again(lab: Lab, kind: str) -> None:
    server = lab.serve(kind)
    server.hangs_up = True
    answers = lab.ask(where(kind, server), NAME, NAME.child("b"), NAME.child("c"))
    assert {type(answer) for answer in answers} == {Found}
    assert server.connections == 3


@both
def test_a_root_that_nobody_trusts_vouches_for_nothing(lab: Lab, kind: str) -> None:
    server = lab.serve(kind)
    (failed,) = lab.ask(where(kind, server), trusts=False)
    assert (failed.reason, failed.temporary) == (FailureReason.NETWORK, True)
    assert "certificate verify failed" in failed.detail
    assert server.connections == 0


@pytest.mark.parametrize(
    "url", ["tls://127.0.0.1:{}#other.example", "tls://127.0.0.1:{}", "https://127.0.0.1:{}"]
)
def test_the_certificate_must_be_for_the_server_that_was_named(lab: Lab, url: str) -> None:
    server = lab.serve(url.partition(":")[0])
    (failed,) = lab.ask(parse_nameserver(url.format(server.port)))
    assert failed.reason is FailureReason.NETWORK
    assert "certificate" in failed.detail


FAULTS = [  # kind, answer, reason of the failure, what is told
    ("tls", about_another_name, FailureReason.MALFORMED, "no valid answer"),
    ("https", about_another_name, FailureReason.MALFORMED, "no valid answer"),
    ("tls", rubbish, FailureReason.MALFORMED, "no valid answer"),
    ("https", rubbish, FailureReason.MALFORMED, "no valid answer"),
    ("https", lambda _: None, FailureReason.MALFORMED, "status code 500"),
    ("tls", lambda _: None, FailureReason.NETWORK, "the connection ended"),
]


@pytest.mark.parametrize(("kind", "answer", "reason", "told"), FAULTS)
def test_faults_are_values(lab: Lab, kind: str, answer: Answer, reason: FailureReason, told: str) -> None:
    (failed,) = lab.ask(where(kind, lab.serve(kind, answer)))
    assert isinstance(failed, LookupFailed)
    assert failed.reason is reason
    assert told in failed.detail
    assert "\n" not in failed.detail


@both
def test_silence_ends_in_a_timeout(lab: Lab, kind: str, recwarn: pytest.WarningsRecorder) -> None:
    over = threading.Event()
    lab.stack.callback(over.set)
    server = lab.serve(kind, lambda _: over.wait(30) and None)
    (failed,) = lab.ask(where(kind, server), timeout=0.3)
    assert failed.reason is FailureReason.TIMEOUT
    gc.collect()
    if kind == "tls":  # as below, where the machine is so busy that the handshake takes that long
        assert leaked(recwarn) == []


@both
def test_a_handshake_that_never_ends_leaves_nothing_open(
    lab: Lab, kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        url = {"tls": f"tls://127.0.0.1:{port}#dns.example", "https": f"https://localhost:{port}/"}[kind]
        (failed,) = lab.ask(parse_nameserver(url), timeout=0.3)
    assert failed.reason is FailureReason.TIMEOUT
    gc.collect()
    if kind == "tls":  # httpcore2 leaves the socket of a cancelled handshake to the garbage collector
        assert leaked(recwarn) == []


def leaked(recwarn: pytest.WarningsRecorder) -> list[str]:
    return [str(one.message) for one in recwarn if issubclass(one.category, ResourceWarning)]


@both
def test_a_closed_port_leaves_the_question_to_the_next_server(lab: Lab, kind: str, dns_lab: Any) -> None:
    closed = lab.serve(kind)
    closed.shutdown()
    closed.server_close()
    plain = dns_lab.serve(lambda q: q.reply(f'{q.name}. 60 IN TXT "plain"'))

    async def go() -> Any:
        async with StubResolver((where(kind, closed), plain.address), timeout=10.0) as resolver:
            return await resolver.txt(NAME)

    assert asyncio.run(go()).values[0].text == "plain"


@both
def test_an_event_loop_that_ends_closes_the_connections(
    lab: Lab, kind: str, recwarn: pytest.WarningsRecorder
) -> None:
    server = lab.serve(kind)
    resolver = StubResolver((where(kind, server),), timeout=10.0, ca_file=str(lab.ca.ca_file))
    for label in ("a", "b"):  # another event loop opens new ones
        assert isinstance(asyncio.run(resolver.txt(NAME.child(label))), Found)
    assert server.connections == 2
    gc.collect()
    assert leaked(recwarn) == []
