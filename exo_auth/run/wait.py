"""Wait for a gate: the authoritative servers first, resolvers after, for as long as time alone is missing (run)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from exo_auth.checks.gates import GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.run.check import CheckRequest, Judge, sources_for
from exo_auth.run.durations import render_duration
from exo_auth.run.settings import Settings

SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)  # between two looks


def wait_for_gate(
    settings: Settings,
    names: Sequence[DomainName],
    request: CheckRequest,
    judge: Judge,
    limit: timedelta,
    *,
    say: Callable[[str], None],
    rest: Callable[[float], None] = time.sleep,
) -> tuple[GateVerdict, ...]:
    """Look at the zones' own servers until every gate is open there, then at resolvers, or `limit` is over.

    Gives the last verdicts. Resolvers are not asked before: each question would make them remember an absence.
    """
    until = datetime.now(UTC) + limit
    for direct in (True, False):
        pause = SHORTEST_REST
        while True:
            verdicts = asyncio.run(_look(settings, names, request, judge, direct=direct))
            closed = [one for one in verdicts if one.state is not ReadinessState.READY]
            left = until - datetime.now(UTC)
            if not closed:
                break
            if left <= timedelta(0):
                return verdicts
            pause = min(_pause(closed, pause), left)
            say(f"{_told(closed, direct=direct)}; again in {render_duration(pause)}")
            rest(max(1.0, pause.total_seconds()))
            pause = min(pause * 2, LONGEST_REST)
    return verdicts


def _pause(closed: Sequence[GateVerdict], pause: timedelta) -> timedelta:
    """Rest no shorter than until the first moment that can show something new, where one is known."""
    now = datetime.now(UTC)
    known = [one.not_before - now for one in closed if one.not_before is not None and one.not_before > now]
    return max(pause, min(known, default=pause)) if len(known) == len(closed) else pause


def _told(closed: Sequence[GateVerdict], *, direct: bool) -> str:
    first = closed[0]
    why = first.holding[0].message if first.holding else first.state.value
    where = "the zone's servers" if direct else "resolvers"
    return f"{len(closed)} closed at {where}, {first.domain.unicode}: {why}"


async def _look(
    settings: Settings, names: Sequence[DomainName], request: CheckRequest, judge: Judge, *, direct: bool
) -> tuple[GateVerdict, ...]:
    from exo_auth.lookup.authoritative import AuthoritativeResolver
    from exo_auth.lookup.authorities import Authorities
    from exo_auth.lookup.domain_facts import gather_domain_facts

    live = sources_for(settings, request)
    authorities = Authorities(live.resolver, settings.authority_port, settings.timeouts.dns.total_seconds())
    own = AuthoritativeResolver(live.resolver, authorities, tuple(names))
    sources = replace(live, resolver=own) if direct else live
    found = await asyncio.gather(*(gather_domain_facts(sources, name) for name in names))
    return tuple(verdict for verdict in (judge(facts).gate for facts in found) if verdict is not None)
