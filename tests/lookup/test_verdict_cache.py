"""How long an answer is believed, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, LookupFailed
from exo_auth.lookup.name_servers import Reply
from exo_auth.lookup.verdict_cache import FAULT, LONGEST, SHORTEST, VerdictCache
from exo_auth.lookup.wire import Message, Record, Soa

NAME = DomainName("a.example")
KEY = ("a.example", "TXT")


def found(*ttls: int) -> Reply:
    return Reply(
        Message(1, 0x8180, 0, answers=tuple(Record("a.example", 16, ttl, (b"x",)) for ttl in ttls)), ""
    )


def absent(ttl: int, minimum: int, *ttls: int) -> Reply:
    soa = Record("example", 6, ttl, Soa("ns.example", 1, minimum))
    return Reply(found(*ttls).message._replace(rcode=3, authority=(soa,)), "")


LIFETIMES = [
    (found(60), 60, "its time to live"),
    (found(300, 60, 90), 60, "the shortest of a chain"),
    (found(0), SHORTEST, "one short run sees one answer"),
    (found(86400), LONGEST, "a long-lived process sees changes"),
    (absent(600, 300), 300, "an absence, RFC 2308 §5"),
    (absent(120, 300), 120, "the SOA's own time to live is shorter"),
    (absent(600, 300, 30), 30, "an alias of what is absent may change sooner"),
    (Reply(Message(1, 0x8183, 3), ""), SHORTEST, "an absence of which nobody says how long"),
    (LookupFailed(FailureReason.BOGUS, "", temporary=False), FAULT, "a fault of the zone"),
]


@pytest.mark.parametrize(("verdict", "seconds", "reason"), LIFETIMES, ids=[row[2] for row in LIFETIMES])
def test_lifetimes(verdict: Any, seconds: float, reason: str) -> None:
    now = 100.0
    cache = VerdictCache(lambda: now)
    cache.keep(KEY, verdict)
    now += seconds - 0.01
    assert cache.get(KEY) is verdict, reason
    now += 0.02
    assert cache.get(KEY) is None, reason


def test_a_temporary_failure_is_not_kept_and_ends_what_was_known() -> None:
    cache = VerdictCache(lambda: 0.0)
    cache.keep(KEY, found(60))
    cache.keep(KEY, LookupFailed(FailureReason.TIMEOUT, "", temporary=True))
    assert cache.get(KEY) is None


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    cache = VerdictCache(lambda: 0.0, most=3)
    for name in ("a", "b", "a", "c", "d"):  # a is renewed
        cache.keep((name, "TXT"), found(60))
    assert [name for name in "abcd" if cache.get((name, "TXT"))] == ["a", "c", "d"]


def test_a_resolver_asks_again_when_the_time_is_over(dns_lab: SimpleNamespace) -> None:
    now = 0.0
    server = dns_lab.serve(lambda q: q.reply(f'{q.name}. 60 IN TXT "{len(server.asked)}"'))

    async def go() -> list[str]:
        nonlocal now
        seen = []
        async with dns_lab.resolver(server, clock=lambda: now) as resolver:
            for now in (0.0, 59.0, 61.0, 62.0, 200.0):  # noqa: B007 - the clock reads it
                seen.append((await resolver.txt(NAME)).values[0].text)
        return seen

    assert asyncio.run(go()) == ["1", "1", "2", "2", "3"]
