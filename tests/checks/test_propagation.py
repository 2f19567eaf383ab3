"""What follows from who serves which version: the rules of RFC 1982, RFC 2308 and the order of asking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exo_auth.checks.propagation import PropagationVerdict, Spread, is_newer, judge_propagation
from exo_auth.domain_name import DomainName
from exo_auth.facts.propagation import AuthorityView, Delegation, Propagation, ResolverView

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ZONE = DomainName("contoso.com")
NAME = DomainName("selector1._domainkey.contoso.com")
OLD, NEW = frozenset({"CNAME old."}), frozenset({"CNAME new."})
NONE: frozenset[str] = frozenset()
HOUR = timedelta(hours=1)


def delegation(parent: frozenset[str] | None = None) -> Delegation:
    return Delegation(ZONE, frozenset({"ns1.contoso.com", "ns2.contoso.com"}), parent, HOUR, HOUR * 2)


def view(
    number: int,
    values: frozenset[str] = NEW,
    serial: int | None = 7,
    failure: str = "",
    *,
    no_route: bool = False,
) -> AuthorityView:
    address = f"2001:db8::{number}" if no_route else f"192.0.2.{number}"
    return AuthorityView(f"ns{number}.contoso.com", address, values, serial, HOUR, failure, no_route)


def judged(
    *authorities: AuthorityView,
    resolvers: tuple[ResolverView, ...] = (),
    expected: frozenset[str] | None = None,
) -> PropagationVerdict:
    seen = Propagation(NAME, "CNAME", delegation(), authorities, resolvers)
    return judge_propagation(seen, NOW, expected=expected)


CASES: list[tuple[PropagationVerdict, Spread, timedelta | None, str]] = [
    (judged(view(1), view(2)), Spread.EVERYWHERE, None, "all agree"),
    (
        judged(view(1), view(2, OLD, 6)),
        Spread.LAGGING,
        None,
        "an old serial lags, until somebody notifies it",
    ),
    (judged(view(1, OLD, 2**32 - 1), view(2, NEW, 0)), Spread.LAGGING, None, "serials go round"),
    (judged(view(1, NONE), view(2, NONE)), Spread.ABSENT, None, "nobody has published anything"),
    (judged(view(1, NONE), view(2, failure="timeout")), Spread.UNKNOWN, None, "or only who answers has not"),
    (judged(view(1, NONE), view(2, NONE), expected=NONE), Spread.EVERYWHERE, None, "it is gone, as expected"),
    (judged(view(1, NONE), view(2, OLD, 6), expected=NONE), Spread.LAGGING, None, "gone on one"),
    (judged(view(1, OLD), view(2, OLD), expected=NONE), Spread.LAGGING, None, "not taken away yet"),
    (
        judged(view(1, NONE), resolvers=(ResolverView("a", OLD, HOUR),), expected=NONE),
        Spread.CACHED,
        HOUR * 1.1,
        "a resolver remembers what is gone",
    ),
    (
        judged(view(1, NEW | OLD), resolvers=(ResolverView("a", NEW, HOUR),), expected=NEW),
        Spread.EVERYWHERE,
        None,
        "a resolver holds what is expected, whatever else has changed",
    ),
    (judged(view(1), view(2, failure="timeout")), Spread.UNKNOWN, None, "silence is no agreement"),
    (judged(view(1, failure="a"), view(2, failure="b")), Spread.UNKNOWN, None, "nobody answers"),
    (judged(view(1), view(1, failure="no route", no_route=True)), Spread.EVERYWHERE, None, "no IPv6 here"),
    (judged(view(1, failure="no route", no_route=True)), Spread.UNKNOWN, None, "reachable nowhere"),
    (judged(view(1), view(2), expected=NEW), Spread.EVERYWHERE, None, "as expected"),
    (judged(view(1, OLD), view(2, OLD), expected=NEW), Spread.LAGGING, None, "published nowhere"),
    (judged(view(1, NEW), view(2, OLD), expected=NEW), Spread.LAGGING, None, "published on one"),
    (
        judged(view(1), view(2), resolvers=(ResolverView("a", NEW, HOUR), ResolverView("b", OLD, HOUR))),
        Spread.CACHED,
        HOUR * 1.1,
        "the old TTL, and slack",
    ),
    (
        judged(view(1), resolvers=(ResolverView("a", frozenset(), None),)),
        Spread.CACHED,
        HOUR * 1.1,
        "absence is remembered for the negative TTL",
    ),
    (
        judged(view(1), resolvers=(ResolverView("a", failure="SERVFAIL"),)),
        Spread.UNKNOWN,
        timedelta(minutes=5),
        "failures are remembered too",
    ),
    (
        judged(view(1), resolvers=(ResolverView("a", NEW, HOUR), ResolverView("b", failure="timeout"))),
        Spread.EVERYWHERE,
        None,
        "one resolver out of reach does not matter",
    ),
]


@pytest.mark.parametrize(("verdict", "spread", "wait", "reason"), CASES, ids=[case[3] for case in CASES])
def test_verdict(verdict: PropagationVerdict, spread: Spread, wait: timedelta | None, reason: str) -> None:
    assert verdict.spread is spread, reason
    assert verdict.not_before == (None if wait is None else NOW + wait), reason


def test_laggards_are_named() -> None:
    verdict = judged(view(1), view(2, OLD, 6))
    assert verdict.lagging == ("ns2.contoso.com (192.0.2.2)",)
    assert verdict.values == NEW


def test_zone_that_is_not_found() -> None:
    verdict = judge_propagation(Propagation(NAME, "TXT", None, failure="no zone holds it"), NOW)
    assert (verdict.spread, verdict.detail) == (Spread.UNKNOWN, "no zone holds it")


def test_delegation_that_differs() -> None:
    above = delegation(frozenset({"ns1.contoso.com", "ns9.contoso.com"}))
    verdict = judge_propagation(Propagation(NAME, "CNAME", above, (view(1), view(2))), NOW)
    assert verdict.delegation_differs == (
        "only the zone above names ns9.contoso.com; only the zone itself names ns2.contoso.com"
    )


@pytest.mark.parametrize(
    ("serial", "other", "newer", "reason"),
    [
        (2, 1, True, "counts up"),
        (1, 1, False, "the same"),
        (0, 2**32 - 1, True, "goes round, RFC 1982 §3.2"),
        (2**31, 0, False, "undefined at half the circle"),
    ],
)
def test_serials(serial: int, other: int, newer: bool, reason: str) -> None:
    assert is_newer(serial, other) is newer, reason
