"""Look at all servers of a record set, once or until they agree (run)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exo_auth.checks.propagation import PropagationVerdict, Spread, judge_propagation
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.propagation import Propagation
from exo_auth.run.durations import render_duration
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=2)  # between two looks


@dataclass(frozen=True)
class Asked:
    """A name, a type, and what it should have: None where anything will do, none where nothing is to be left."""

    name: DomainName
    rdtype: str
    expected: frozenset[str] | None = None


@dataclass(frozen=True)
class PropagationLook:
    """What was seen, what follows, and when."""

    seen: Propagation
    verdict: PropagationVerdict
    at: datetime


def asked_for(name: str, rdtype: str, expected: list[str]) -> Asked:
    """Read what the user wants looked at; raises InputError for a name or type that is none."""
    from exo_auth.lookup.presentation import as_written
    from exo_auth.lookup.wire import TYPES

    kind = rdtype.upper()
    if kind not in TYPES:
        raise InputError(f"there is no record type “{rdtype}” here", hint=f"one of {', '.join(TYPES)}")
    if len({bool(value.strip()) for value in expected}) > 1:
        raise InputError(
            "--expect '' waits until there is no record, and another --expect for one",
            hint="give either '' or values",
        )
    values = frozenset(as_written(kind, value) for value in expected if value.strip())
    return Asked(DomainName.parse_lookup(name), kind, values if expected else None)


def look_once(settings: Settings, asked: Asked) -> PropagationLook:
    """Ask all servers once."""
    from exo_auth.lookup.authorities import Authorities, look_everywhere
    from exo_auth.lookup.resolver import StubResolver, parse_nameserver

    timeout = settings.timeouts.dns.total_seconds()

    async def ask() -> Propagation:
        own = resolver_for(settings)
        others = {
            text: StubResolver((parse_nameserver(text),), timeout=timeout, ca_file=settings.cloud.ca_file)
            for text in settings.public_resolvers
            if text not in settings.nameservers
        }
        authorities = Authorities(own, settings.authority_port, timeout)
        resolvers = {"own resolver": resolver_for(settings), **others}
        return await look_everywhere(authorities, asked.name, asked.rdtype, resolvers, asked.expected)

    seen = asyncio.run(ask())
    now = datetime.now(UTC).replace(microsecond=0)
    return PropagationLook(seen, judge_propagation(seen, now, expected=asked.expected), now)


def watch(
    settings: Settings,
    asked: Asked,
    limit: timedelta,
    *,
    say: Callable[[str], None],
    rest: Callable[[float], None] = time.sleep,
) -> PropagationLook:
    """Look again until the record set is the same everywhere or `limit` is over; gives the last look."""
    until = datetime.now(UTC) + limit
    pause = SHORTEST_REST
    while True:
        looked = look_once(settings, asked)
        left = until - datetime.now(UTC)
        if looked.verdict.spread is Spread.EVERYWHERE or left <= timedelta(0):
            return looked
        pause = min(pause, left)
        say(f"{looked.verdict.detail}; looking again in {render_duration(pause)}")
        rest(pause.total_seconds())
        pause = min(pause * 2, LONGEST_REST)
