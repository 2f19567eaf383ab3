"""Every authoritative server asked by itself, on real sockets: 127.0.0.2 and 127.0.0.3 serve, 127.0.0.1 resolves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest
from zone_server import ZoneServer

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.propagation import Spread
from exo_auth.domain_name import DomainName
from exo_auth.render.propagation_text import propagation_text
from exo_auth.run.check import CheckRequest, check_names
from exo_auth.run.config import load
from exo_auth.run.propagation import PropagationLook, asked_for, look_once, watch
from exo_auth.run.settings import Settings

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PARENT = [
    "test. 3600 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 900",
    "test. 3600 IN NS ns.test.",
    "ns.test. 3600 IN A 127.0.0.3",
]


def zone(serial: int, text: str | None = "new", *servers: str) -> list[str]:
    names = servers or ("ns1", "ns2")
    return [
        f"contoso.test. 3600 IN SOA ns1.contoso.test. h.contoso.test. {serial} 7200 600 86400 300",
        *(f"contoso.test. 3600 IN NS {name}.contoso.test." for name in names),
        "ns1.contoso.test. 3600 IN A 127.0.0.2",
        "ns2.contoso.test. 3600 IN A 127.0.0.3",
        "ns3.contoso.test. 3600 IN A 127.0.0.4",
        "contoso.test. 3600 IN MX 0 mail.contoso.test.",
        *([f"x.contoso.test. 3600 IN TXT {text}"] if text else []),
    ]


World = Callable[..., Settings]


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:

        def start(
            first: list[str],
            second: list[str],
            resolver: list[str] | None = None,
            *,
            lame: bool = False,
            cuts: tuple[str, ...] = (),
        ) -> Settings:
            for _ in range(50):
                recursive = ZoneServer(resolver or [*PARENT, *first])
                port = recursive.address[1]
                try:
                    one = ZoneServer(first, "127.0.0.2", port, cuts=cuts)
                    two = ZoneServer([*PARENT, *second], "127.0.0.3", port, lame=lame)
                except OSError:
                    recursive.close()
                    continue
                for server in (recursive, one, two):
                    stack.enter_context(closing(server))
                where = f"127.0.0.1:{port}"
                environment = {
                    "EXO_AUTH_NAMESERVER": where,
                    "EXO_AUTH_PUBLIC_RESOLVERS": where,
                    "EXO_AUTH_AUTHORITY_PORT": str(port),
                    "EXO_AUTH_DNS_TIMEOUT": "1s",
                }
                return load({}, environment=environment)
            raise AssertionError("no port is free on three addresses")

        yield start


def looked(settings: Settings, *expected: str) -> PropagationLook:
    return look_once(settings, asked_for("x.contoso.test", "txt", list(expected)))


def test_all_agree(world: World) -> None:
    found = looked(world(zone(7), zone(7)))
    assert found.verdict.spread is Spread.EVERYWHERE
    assert [(v.server, v.address, v.serial) for v in found.seen.authorities] == [
        ("ns1.contoso.test", "127.0.0.2", 7),
        ("ns2.contoso.test", "127.0.0.3", 7),
    ]
    assert found.verdict.values == {"new"}
    assert len(found.seen.resolvers) == 2
    assert found.seen.delegation is not None
    assert found.seen.delegation.parent == {"ns1.contoso.test", "ns2.contoso.test"}
    assert found.seen.delegation.negative_ttl == timedelta(seconds=300)


def test_a_secondary_lags_and_no_resolver_is_asked(world: World) -> None:
    found = looked(world(zone(7), zone(6, None)))
    assert found.verdict.spread is Spread.LAGGING
    assert found.verdict.lagging == ("ns2.contoso.test (127.0.0.3)",)
    assert found.seen.resolvers == ()
    assert found.verdict.not_before == found.at + timedelta(seconds=7200)
    assert "lags: ns2.contoso.test" in propagation_text(found.seen, found.verdict, "table")


def test_an_absent_name_is_never_asked_of_a_resolver(world: World) -> None:
    found = looked(world(zone(7, None), zone(7, None)), "new")
    assert found.seen.resolvers == ()
    assert found.verdict.detail == "no server of contoso.test has what is expected"


def test_a_resolver_that_remembers(world: World) -> None:
    found = looked(world(zone(7), zone(7), [*PARENT, *zone(6, "old")]))
    assert found.verdict.spread is Spread.CACHED
    assert found.verdict.not_before is not None
    assert found.verdict.not_before > found.at


def test_a_lame_server(world: World) -> None:
    found = looked(world(zone(7), zone(7), lame=True))
    assert found.verdict.spread is Spread.UNKNOWN
    assert "without authority" in found.verdict.unreachable[0]


def test_a_server_that_nobody_runs(world: World) -> None:
    lines = zone(7, "new", "ns1", "ns3", "ns4")
    found = looked(world(lines, lines))
    failures = {view.server: view.failure for view in found.seen.authorities}
    assert failures["ns1.contoso.test"] == ""
    assert "cannot be reached" in failures["ns3.contoso.test"]
    assert failures["ns4.contoso.test"] == "its name has no address"


def test_zone_below_a_cut(world: World) -> None:
    below = [
        "sub.contoso.test. 3600 IN SOA ns2.contoso.test. h.contoso.test. 3 7200 600 86400 300",
        "sub.contoso.test. 3600 IN NS ns2.contoso.test.",
        "a.sub.contoso.test. 3600 IN TXT deep",
    ]
    settings = world([*zone(7), *below], [*zone(7), *below], cuts=("sub.contoso.test",))
    found = look_once(settings, asked_for("a.sub.contoso.test", "TXT", []))
    assert found.seen.delegation is not None
    assert found.seen.delegation.zone == DomainName("sub.contoso.test")
    assert [(v.server, v.serial) for v in found.seen.authorities] == [("ns2.contoso.test", 3)]
    assert found.verdict.values == {"deep"}


def test_watch_ends_when_all_agree(world: World) -> None:
    said: list[str] = []
    settings = world(zone(7), zone(7))
    found = watch(settings, asked_for("x.contoso.test", "TXT", []), timedelta(hours=1), say=said.append)
    assert found.verdict.spread is Spread.EVERYWHERE
    assert said == []


def test_watch_gives_up(world: World) -> None:
    rests: list[float] = []
    settings = world(zone(7), zone(6, None))
    asked = asked_for("x.contoso.test", "TXT", [])
    found = watch(settings, asked, timedelta(0), say=lambda _text: None, rest=rests.append)
    assert found.verdict.spread is Spread.LAGGING
    assert rests == []


def test_document(world: World) -> None:
    found = looked(world(zone(7), zone(7)))
    document = json.loads(propagation_text(found.seen, found.verdict, "json"))
    assert document["state"] == "everywhere"
    assert document["zone"] == "contoso.test"
    assert "127.0.0.3" in propagation_text(found.seen, found.verdict, "csv")


def servers_of(settings: Settings) -> list[str]:
    reports: list[DomainReport] = []
    check_names(
        settings,
        [DomainName("contoso.test")],
        CheckRequest(authoritative=True),
        reports.append,
        now=NOW,
        warn=lambda _text: None,
    )
    return [one.code for one in reports[0].findings if one.code.startswith("NS-")]


def test_check_tells_lame_and_divergent_servers(world: World) -> None:
    assert servers_of(world(zone(7), zone(7))) == []
    assert servers_of(world(zone(7), zone(7), lame=True)) == ["NS-LAME"]
    assert servers_of(world(zone(7), zone(6))) == ["NS-DIVERGE"]
