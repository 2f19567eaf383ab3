"""How long an answer is believed, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, LookupFailed
from exo_auth.lookup.name_servers import Reply
from exo_auth.lookup.verdict_cache import FAULT, LONGEST, SHORTEST, VerdictCache
from exo_auth.lookup.wire import TYPES, parse_message

NAME = DomainName("a.example")
KEY = ("a.example", TYPES["TXT"])


def reply(rcode: int, answers: tuple[int, ...], soa: tuple[int, int] | None = None) -> Reply:
    """An answer with TXT records of these times to live, and an SOA of this one and this minimum."""
    fixed = struct.Struct("!HHIH")
    octets = struct.pack("!HHHHHH", 1, 0x8180 | rcode, 0, len(answers), soa is not None, 0)
    octets += b"".join(b"\1a\0" + fixed.pack(16, 1, ttl, 2) + b"\1x" for ttl in answers)
    if soa:
        octets += b"\0" + fixed.pack(6, 1, soa[0], 22) + b"\0\0" + struct.pack("!IIIII", 1, 2, 3, 4, soa[1])
    return Reply(parse_message(octets), "192.0.2.1:53")


def found(*ttls: int) -> Reply:
    return reply(0, ttls)


def absent(ttl: int, minimum: int, *ttls: int) -> Reply:
    return reply(3, ttls, (ttl, minimum))


LIFETIMES = [
    (found(60), 60, "its time to live"),
    (found(300, 60, 90), 60, "the shortest of a chain"),
    (found(0), SHORTEST, "one short run sees one answer"),
    (found(86400), LONGEST, "a long-lived process sees changes"),
    (absent(600, 300), 300, "an absence, RFC 2308 §5"),
    (absent(120, 300), 120, "the SOA's own time to live is shorter"),
    (absent(600, 300, 30), 30, "an alias of what is absent may change sooner"),
    (reply(3, ()), SHORTEST, "an absence of which nobody says how long"),
    (LookupFailed(FailureReason.BOGUS, "", temporary=False), FAULT, "a fault of the zone"),
]


@pytest.mark.parametrize(("verdict", "seconds", "reason"), LIFETIMES, ids=[row[2] for row in LIFETIMES])
def test_lifetimes(verdict: Any, seconds: float, reason: str) -> None:
    now = 100.0
    cache = VerdictCache(lambda: now)
    cache.keep(KEY, verdict)
    now += seconds - 0.01
    assert cache.get(KEY) == verdict, reason
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
        cache.keep((name, TYPES["TXT"]), found(60))
    assert [name for name in "abcd" if cache.get((name, TYPES["TXT"]))] == ["a", "c", "d"]


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
