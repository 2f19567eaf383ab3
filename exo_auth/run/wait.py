"""Wait for a gate: look again for as long as it is closed, and no longer than told (run)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.gates import GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.run.durations import render_duration
from exo_auth.run.gate_look import GateLooker

SHORTEST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)  # between two looks


def wait_for_gate(
    looker: GateLooker,
    names: Sequence[DomainName],
    limit: timedelta,
    *,
    say: Callable[[str], None],
    rest: Callable[[float], None] = time.sleep,
) -> tuple[DomainReport, ...]:
    """Look until the gate of every domain is open, or `limit` is over; gives the last reports, in the order of names."""
    until = datetime.now(UTC) + limit
    reports: dict[DomainName, DomainReport] = {}
    open_ones: set[DomainName] = set()
    pause = SHORTEST_REST
    while True:
        left_over = [name for name in names if name not in open_ones]
        for report in asyncio.run(_look(looker, left_over)):
            reports[report.domain] = report
        closed = [
            one.gate
            for one in reports.values()
            if one.gate is not None and one.gate.state is not ReadinessState.READY
        ]
        open_ones = set(reports) - {one.domain for one in closed}
        left = until - datetime.now(UTC)
        if not closed or left <= timedelta(0):
            return tuple(reports[name] for name in names)
        resting = min(_pause(closed, pause), left)
        say(f"{_told(closed)}; again in {render_duration(resting)}")
        rest(max(1.0, resting.total_seconds()))
        pause = min(pause * 2, LONGEST_REST)


def _pause(closed: Sequence[GateVerdict], pause: timedelta) -> timedelta:
    """Rest no shorter than until the first moment that can show something new, where one is known for all."""
    now = datetime.now(UTC)
    known = [one.not_before - now for one in closed if one.state is ReadinessState.WAITING and one.not_before]
    if len(known) < len(closed):
        return pause
    return min(max(pause, min(known)), LONGEST_REST)


def _told(closed: Sequence[GateVerdict]) -> str:
    first = closed[0]
    why = first.holding[0].message if first.holding else first.state.value
    when = f", not before {first.not_before:%H:%M:%SZ}" if first.not_before is not None else ""
    return f"{len(closed)} {first.state} of {first.gate}, {first.domain.unicode}: {why}{when}"


async def _look(looker: GateLooker, names: Sequence[DomainName]) -> list[DomainReport]:
    return list(await asyncio.gather(*map(looker.look, names)))
