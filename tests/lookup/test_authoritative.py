"""Waiting for a gate: the zone's own servers are asked, and no resolver hears of a name before it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
from encrypted_server import encrypted_server
from private_ca import PrivateCa
from zone_server import SOA, ZoneServer

from exo_auth.checks.gates import Gate
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing, Txt
from exo_auth.facts.domain import Subject
from exo_auth.lookup.authoritative import AuthoritativeResolver
from exo_auth.lookup.authorities import Authorities
from exo_auth.lookup.resolver import StubResolver
from exo_auth.run.check import CheckRequest, report_on
from exo_auth.run.config import load
from exo_auth.run.gate_look import GateLooker
from exo_auth.run.settings import Settings
from exo_auth.run.wait import wait_for_gate

NAME = DomainName("contoso.test")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ZONE = [
    "contoso.test. 3600 IN SOA ns1.contoso.test. h.contoso.test. 7 7200 600 86400 300",
    "contoso.test. 3600 IN NS ns1.contoso.test.",
    "contoso.test. 3600 IN NS ns2.contoso.test.",
    "ns1.contoso.test. 3600 IN A 127.0.0.2",
    "ns2.contoso.test. 3600 IN A 127.0.0.3",
    "alias.contoso.test. 3600 IN CNAME end.other.test.",
]
RECORD = '_smtp._tls.contoso.test. 3600 IN TXT "v=TLSRPTv1; rua=mailto:t@contoso.test"'
ELSEWHERE = ["end.other.test. 3600 IN TXT there"]


class World:
    """A resolver on 127.0.0.1 and two authoritative servers that other tests may let differ."""

    authority_port = 0  # another than they listen at

    def __init__(self, first: list[str], second: list[str], recursive: list[str]) -> None:
        while True:
            self.resolver = ZoneServer(recursive)
            self.port = self.resolver.address[1]
            try:
                self.one = ZoneServer(first, "127.0.0.2", self.port)
                self.two = ZoneServer(second, "127.0.0.3", self.port)
            except OSError:
                self.resolver.close()
                continue
            return

    def close(self) -> None:
        for server in (self.resolver, self.one, self.two):
            server.close()

    def settings(self, **also: str) -> Settings:
        """Give the settings of somebody who asks this world."""
        environment = {
            "EXO_AUTH_NAMESERVER": f"127.0.0.1:{self.port}",
            "EXO_AUTH_AUTHORITY_PORT": str(self.authority_port or self.port),
            "EXO_AUTH_PUBLIC_RESOLVERS": f"127.0.0.1:{self.port}",
            "EXO_AUTH_DNS_TIMEOUT": "1s",
            **also,
        }
        return load({}, environment=environment)

    def ask(self, name: str) -> Answer[Txt]:
        async def run() -> Answer[Txt]:
            inner = StubResolver((("127.0.0.1", self.port),), timeout=1)
            authorities = Authorities(inner, self.port, 1)
            return await AuthoritativeResolver(inner, authorities, (NAME,)).txt(DomainName(name))

        return asyncio.run(run())


@pytest.fixture
def world() -> Iterator[World]:
    with closing(World([*ZONE, RECORD], [*ZONE, RECORD], [*ZONE, *ELSEWHERE])) as made:
        yield made


def test_the_servers_are_asked_and_not_the_resolver(world: World) -> None:
    answer = world.ask("_smtp._tls.contoso.test")
    assert isinstance(answer, Found)  # the resolver does not have it
    assert answer.values[0].text.startswith("v=TLSRPTv1")


def test_absence_and_aliases(world: World) -> None:
    assert isinstance(world.ask("nothing.contoso.test"), Missing)
    answer = world.ask("alias.contoso.test")
    assert isinstance(answer, Found)
    assert [hop.target.ascii for hop in answer.via] == ["end.other.test"]


def test_servers_that_disagree_are_no_verdict() -> None:
    with closing(World([*ZONE, RECORD], ZONE, ZONE)) as world:
        answer = world.ask("_smtp._tls.contoso.test")
    assert isinstance(answer, LookupFailed)
    assert answer.temporary
    assert "disagree" in answer.detail


def looker_for(settings: Settings, *, everywhere: bool = False) -> GateLooker:
    request = CheckRequest(subjects=frozenset({Subject.TLS_RPT}), gate=Gate.TLS_RPT)
    return GateLooker(settings, request, partial(report_on, request=request, now=NOW), everywhere=everywhere)


def waited(world: World, limit: timedelta) -> tuple[list[ReadinessState], list[str], list[float]]:
    looker = looker_for(world.settings())
    said: list[str] = []
    rests: list[float] = []
    end = {"at": 3}

    def rest(seconds: float) -> None:
        rests.append(seconds)
        end["at"] -= 1
        if not end["at"]:
            raise InterruptedError

    states = []
    with suppress(InterruptedError):
        reports = wait_for_gate(looker, [NAME], limit, say=said.append, rest=rest)
        states = [one.gate.state for one in reports if one.gate is not None]
    return states, said, rests


def test_a_gate_that_is_open_ends_the_wait() -> None:
    with closing(World([*ZONE, RECORD], [*ZONE, RECORD], [*ZONE, RECORD])) as world:
        assert waited(world, timedelta(hours=1)) == ([ReadinessState.READY], [], [])


def test_resolvers_come_after_the_servers(world: World) -> None:
    verdicts, said, rests = waited(world, timedelta(hours=1))
    assert verdicts == []
    assert said[0].startswith("1 waiting of tls-rpt, contoso.test")
    assert rests[0] >= 5


def test_servers_that_lag_only_need_time() -> None:
    with closing(World([*ZONE, RECORD], ZONE, ZONE)) as world:
        asked = world.resolver.questions
        assert waited(world, timedelta(0))[0] == [ReadinessState.WAITING]
        assert world.resolver.questions - asked <= 12


def test_the_wait_ends_with_its_limit() -> None:
    with closing(World(ZONE, ZONE, ZONE)) as world:
        asked = world.resolver.questions
        verdicts, said, _ = waited(world, timedelta(0))
        assert verdicts == [ReadinessState.BLOCKED]
        assert said == []
        assert world.resolver.questions - asked <= 12  # about the zone and its servers, never about the name


def test_where_no_other_server_may_be_asked_the_resolver_is() -> None:
    with closing(World([*ZONE, RECORD], [*ZONE, RECORD], [*ZONE, RECORD])) as world:
        world.authority_port = 1  # nobody listens there
        assert waited(world, timedelta(0))[0] == [ReadinessState.READY]


PRIVATE = [(True, ReadinessState.WAITING), (False, ReadinessState.READY)]


@pytest.mark.parametrize(("trusted", "state"), PRIVATE, ids=["its root is known", "nobody vouches for it"])
def test_a_public_resolver_over_tls_is_heard_where_our_own_root_vouches_for_it(
    tmp_path: Path, trusted: bool, state: ReadinessState
) -> None:
    """It still lacks the record: who hears it waits, and whom nobody vouches for gives no verdict."""
    ca = PrivateCa(tmp_path)
    certificate = ca.write(tmp_path / "server.pem", "dns.example")
    full = [*ZONE, RECORD]
    with (
        closing(World(full, full, full)) as world,
        encrypted_server("tls", certificate, lacking) as public,
    ):
        settings = world.settings(
            EXO_AUTH_DNS_TIMEOUT="20s",
            EXO_AUTH_PUBLIC_RESOLVERS=f"tls://127.0.0.1:{public.port}#dns.example",
            **({"EXO_AUTH_CA_FILE": str(ca.ca_file)} if trusted else {}),
        )
        report = asyncio.run(looker_for(settings, everywhere=True).look(NAME))
    assert report.gate is not None
    assert report.gate.state is state


def lacking(query: dns.message.Message) -> bytes:
    """Answer as a resolver that has looked before the record was there."""
    answer = dns.message.make_response(query)
    if query.question[0].name.labels[0].startswith(b"_"):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    answer.authority.append(dns.rrset.from_text(*SOA.split(" ", 4)))
    return answer.to_wire()
