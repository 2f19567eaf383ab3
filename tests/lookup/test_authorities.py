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
from exo_auth.errors import InputError
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
    assert [view.server for view in found.seen.resolvers] == ["own resolver"]  # the public one is the same
    assert found.seen.delegation is not None
    assert found.seen.delegation.parent == {"ns1.contoso.test", "ns2.contoso.test"}
    assert found.seen.delegation.negative_ttl == timedelta(seconds=300)


def test_a_secondary_lags_and_no_resolver_is_asked(world: World) -> None:
    found = looked(world(zone(7), zone(6, None)))
    assert found.verdict.spread is Spread.LAGGING
    assert found.verdict.lagging == ("ns2.contoso.test (127.0.0.3)",)
    assert found.seen.resolvers == ()
    assert found.verdict.not_before is None  # it may be notified at any moment
    text = propagation_text(found.seen, found.verdict, "table")
    assert "lags: ns2.contoso.test" in text
    assert "every 7200 s, and sooner when they are notified" in text
    assert "remember the old one for up to 300 s after that" in text  # what it says is absent


def test_an_absent_name_is_never_asked_of_a_resolver(world: World) -> None:
    found = looked(world(zone(7, None), zone(7, None)), "new")
    assert found.seen.resolvers == ()
    assert found.verdict.detail == "no server of contoso.test has what is expected"


def test_nobody_hears_of_a_name_before_what_is_expected_is_there(world: World) -> None:
    """A resolver that had not asked yet would remember the old version from now on."""
    found = looked(world(zone(7, "old"), zone(7, "old")), "new")
    assert (found.verdict.spread, found.seen.resolvers) == (Spread.LAGGING, ())


def test_a_name_that_nobody_has_is_not_everywhere(world: World) -> None:
    found = looked(world(zone(7, None), zone(7, None)))
    assert (found.verdict.spread, found.seen.resolvers) == (Spread.ABSENT, ())
    assert found.verdict.detail == "2 of 2 servers of contoso.test have no such record"


def test_what_was_taken_away_is_watched_until_nobody_remembers_it(world: World) -> None:
    gone = looked(world(zone(8, None), zone(8, None)), "")
    assert (gone.verdict.spread, len(gone.seen.resolvers)) == (Spread.EVERYWHERE, 1)
    kept = looked(world(zone(8, None), zone(8, None), [*PARENT, *zone(7, "old")]), "")
    assert kept.verdict.spread is Spread.CACHED
    assert looked(world(zone(7, "old"), zone(7, "old")), "").verdict.detail == (
        "every server of contoso.test still has it"
    )


EXPECTED = [  # type, as people write it, as servers are compared
    ("TXT", "v=spf1 -all", "v=spf1 -all"),
    ("TXT", '"v=spf1 -all"', "v=spf1 -all"),
    ("TXT", '"v=DKIM1; " "p=abc"', "v=DKIM1; p=abc"),
    ("TXT", r'"say \"no\""', 'say "no"'),
    ("CNAME", "Host.Example", "host.example."),
    ("CNAME", "host.example.", "host.example."),
    ("MX", "0 Mail.Contoso.com", "0 mail.contoso.com."),
    ("MX", "0 .", "0 ."),
    ("A", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
    ("TLSA", "3 1 1 AB CD", "3 1 1 abcd"),
    ("CAA", '0 issue "pki.goog"', '0 issue "pki.goog"'),
]


@pytest.mark.parametrize(("rdtype", "text", "written"), EXPECTED, ids=[f"{a} {b}" for a, b, _ in EXPECTED])
def test_what_is_expected_is_read_as_people_write_it(rdtype: str, text: str, written: str) -> None:
    assert asked_for("x.contoso.test", rdtype, [text]).expected == {written}


@pytest.mark.parametrize(
    ("rdtype", "text"), [("MX", "mail.contoso.com"), ("A", "here"), ("CNAME", "a..b"), ("TLSA", "3 1 1 xy")]
)
def test_what_can_be_no_such_value_is_refused(rdtype: str, text: str) -> None:
    with pytest.raises(InputError, match="no value of type"):
        asked_for("x.contoso.test", rdtype, [text])


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


def test_servers_that_only_the_zone_above_names_are_asked(world: World) -> None:
    """Resolvers go where the zone above sends them, whatever the zone itself says."""
    found = looked(
        world(zone(7), zone(7, "new", "ns1", "ns2", "ns3"))
    )  # the second one serves the zone above
    assert found.verdict.delegation_differs == "only the zone above names ns3.contoso.test"
    assert found.verdict.spread is Spread.UNKNOWN
    assert found.verdict.detail == "1 of 3 servers of contoso.test does not answer"
    assert "ns3.contoso.test (127.0.0.4)" in found.verdict.unreachable[0]


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
