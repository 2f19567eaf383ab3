"""Is a record set the same everywhere, who lags, and until when is there nothing to be seen? (checks, pure)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from exo_auth.facts.propagation import AuthorityView, Delegation, Propagation, ResolverView, is_there

SLACK = 1.1  # resolvers round and stretch TTLs
LONGEST_FAILURE = timedelta(minutes=5)  # how long resolvers remember a failure, RFC 9520 §3.2


class Spread(StrEnum):
    """How far a record set has come."""

    EVERYWHERE = "everywhere"
    LAGGING = "lagging"  # authoritative servers disagree, or lack what is expected
    ABSENT = "absent"  # they agree that there is nothing, and nothing else was expected
    CACHED = "cached"  # authoritative servers agree; a resolver still tells something older
    UNKNOWN = "unknown"  # a server that counts gave no answer


@dataclass(frozen=True)
class PropagationVerdict:
    """What follows from one look. `values` is what the newest version of the zone has."""

    spread: Spread
    detail: str
    values: frozenset[str] = frozenset()
    lagging: tuple[str, ...] = ()  # servers by name and address
    unreachable: tuple[str, ...] = ()
    not_before: datetime | None = None  # before this, looking again shows nothing new
    delegation_differs: str = ""  # how the zone above and the zone itself disagree about the servers


def judge_propagation(
    seen: Propagation, now: datetime, *, expected: frozenset[str] | None = None
) -> PropagationVerdict:
    """Compare all servers; with `expected` the set must hold these values, else all must hold the same."""
    if seen.delegation is None:
        return PropagationVerdict(Spread.UNKNOWN, seen.failure)
    counted = counting(seen.authorities)
    answered = [view for view in counted if not view.failure]
    silent = tuple(f"{view.server} ({view.address}): {view.failure}" for view in counted if view.failure)
    differs = _delegation_difference(seen.delegation)
    if not answered:
        detail = f"no server of {seen.delegation.zone} answers"
        return PropagationVerdict(Spread.UNKNOWN, detail, unreachable=silent, delegation_differs=differs)
    values = newest_values(answered)
    lagging = tuple(
        f"{view.server} ({view.address})"
        for view in answered
        if (view.values != values if expected is None else not is_there(view.values, expected))
    )
    if len(lagging) == len(answered):
        zone = seen.delegation.zone
        detail = (
            f"no server of {zone} has what is expected"
            if expected
            else f"every server of {zone} still has it"
        )
        return PropagationVerdict(Spread.LAGGING, detail, values, lagging, silent, None, differs)
    if lagging:
        # A secondary may be notified any moment (RFC 1996): nothing says before when it is no use to look.
        detail = f"{len(lagging)} of {len(counted)} servers of {seen.delegation.zone} {'lags' if len(lagging) == 1 else 'lag'}"
        return PropagationVerdict(Spread.LAGGING, detail, values, lagging, silent, None, differs)
    if silent:
        does = "does" if len(silent) == 1 else "do"
        detail = f"{len(silent)} of {len(counted)} servers of {seen.delegation.zone} {does} not answer"
        return PropagationVerdict(Spread.UNKNOWN, detail, values, (), silent, None, differs)
    if not values and expected is None:
        detail = f"{len(answered)} of {len(answered)} servers of {seen.delegation.zone} have no such record"
        return PropagationVerdict(Spread.ABSENT, detail, delegation_differs=differs)
    stale = [view for view in seen.resolvers if not view.failure and not _is_current(view, values, expected)]
    return _judge_resolvers(seen, seen.delegation, now, stale, values, differs)


def counting(views: Iterable[AuthorityView]) -> tuple[AuthorityView, ...]:
    """Leave out addresses this machine has no route to, where the same server can be reached at another."""
    every = tuple(views)
    reached = {view.server for view in every if not view.has_no_route}
    return tuple(view for view in every if not view.has_no_route or view.server not in reached)


def newest_values(views: Iterable[AuthorityView]) -> frozenset[str]:
    """Give the records of the newest serial; among equals what most servers say."""
    every = list(views)
    newest: int | None = None
    for view in every:
        if view.serial is not None and (newest is None or is_newer(view.serial, newest)):
            newest = view.serial
    chosen = [view.values for view in every if view.serial == newest] or [view.values for view in every]
    return max(Counter(chosen).items(), key=lambda item: (item[1], sorted(item[0])))[0]


def is_newer(serial: int, other: int) -> bool:
    """Compare serial numbers, which go round. RFC 1982 §3.2."""
    return 0 < (serial - other) % 2**32 < 2**31


def _judge_resolvers(
    seen: Propagation,
    delegation: Delegation,
    now: datetime,
    stale: Sequence[ResolverView],
    values: frozenset[str],
    differs: str,
) -> PropagationVerdict:
    failing = [view for view in seen.resolvers if view.failure]
    if stale:
        waits = [view.ttl if view.ttl is not None else delegation.negative_ttl for view in stale]
        names = tuple(view.server for view in stale)
        tell = "tells" if len(stale) == 1 else "tell"
        detail = f"{len(stale)} of {len(seen.resolvers)} resolvers still {tell} something older"
        until = now + max(waits) * SLACK
        return PropagationVerdict(Spread.CACHED, detail, values, names, (), until, differs)
    if failing:
        told = tuple(f"{view.server}: {view.failure}" for view in failing)
        give = "gives" if len(failing) == 1 else "give"
        detail = f"{len(failing)} of {len(seen.resolvers)} resolvers {give} no answer"
        if len(failing) == len(seen.resolvers):
            return PropagationVerdict(
                Spread.UNKNOWN, detail, values, (), told, now + LONGEST_FAILURE, differs
            )
        return PropagationVerdict(Spread.EVERYWHERE, detail, values, (), told, None, differs)
    what = "say the same" if values else "have no such record"
    detail = f"{len(seen.authorities)} of {len(seen.authorities)} servers of {delegation.zone} {what}"
    if seen.resolvers:
        detail += (
            ", and so does the resolver"
            if len(seen.resolvers) == 1
            else f", and all {len(seen.resolvers)} resolvers"
        )
    return PropagationVerdict(Spread.EVERYWHERE, detail, values, delegation_differs=differs)


def _is_current(view: ResolverView, values: frozenset[str], expected: frozenset[str] | None) -> bool:
    return view.values == values if expected is None else is_there(view.values, expected)


def _delegation_difference(delegation: Delegation) -> str:
    parent, child = delegation.parent, delegation.child
    if parent is None or parent == child or not child:
        return ""
    only_above, only_here = sorted(parent - child), sorted(child - parent)
    told = []
    if only_above:
        told.append(f"only the zone above names {', '.join(only_above)}")
    if only_here:
        told.append(f"only the zone itself names {', '.join(only_here)}")
    return "; ".join(told)
