"""The time between stages: since when a domain is through the ones before, as the journal tells (run)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Deferral, Verb
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.run.durations import render_duration
from exo_auth.run.journal import FILE_NAME, JournalLine, read
from exo_auth.run.journal_place import journal_of_dns
from exo_auth.run.playbook import Stage
from exo_auth.run.session import ReadingSession

THROUGH = "through"  # the journal's event: an apply found a domain through all stages before this one


@dataclass(frozen=True)
class Arrival:
    """A domain came to a stage that waits, and the journal does not say when: counted from here on, once it is noted."""

    domain: DomainName
    stage: str


@dataclass(frozen=True)
class Published:
    """When a record set was published last by us, by the service's clock, and its values."""

    at: datetime
    values: tuple[str, ...]


def last_published(session: ReadingSession) -> dict[tuple[str, str], Published]:
    """Give what was published last at each owner and type, from the journals of the tenant and of DNS."""
    found: dict[tuple[str, str], Published] = {}
    for path in (session.state / FILE_NAME, journal_of_dns(session.settings)):
        intents: dict[int, Mapping[str, Any]] = {}
        for line in read(path):
            change = line.body.get("change", {})
            if line.event == "intent" and change.get("cmdlet") == OCTODNS:
                intents[line.number] = change
            elif line.event == "result" and line.body.get("result") == Result.APPLIED.value:
                done = intents.get(int(line.body.get("intent", 0)))
                if done is None:
                    continue
                key = str(done["parameters"]["name"]), str(done["parameters"]["type"])
                if key not in found or found[key].at <= line.service_time:
                    found[key] = Published(line.service_time, tuple(map(str, done["after"]["values"])))
    return found


def hold_for_time(
    plan: Plan, stage: Stage, before: Collection[str], lines: Iterable[JournalLine], now: datetime
) -> tuple[Plan, tuple[Arrival, ...]]:
    """Take out the changes of domains that were not through the stages `before` for long enough.

    The time counts from the last change of those stages that took effect. Where they had nothing to do it counts from the
    first apply that found the domain through them; such arrivals are given, to be noted.
    """
    names = sorted({change.target for change in plan.changes})
    if not stage.after or not names:
        return plan, ()
    since = through_since(lines, stage.name, before)
    arrivals = tuple(Arrival(name, stage.name) for name in names if name.ascii not in since)
    held = []
    for name in names:
        ends = since.get(name.ascii, now) + stage.after
        if now < ends:
            verb = next(change.verb for change in plan.changes if change.target == name)
            reason = f"{render_duration(stage.after)} after the stages before: {', '.join(before) or 'none'}"
            held.append(Deferral(name, reason, ends, is_waiting=True, verb=verb))
    waiting = {one.target for one in held}
    changes = tuple(change for change in plan.changes if change.target not in waiting)
    return replace(plan, changes=changes, deferrals=(*plan.deferrals, *held)), arrivals


def through_since(lines: Iterable[JournalLine], stage: str, before: Collection[str]) -> dict[str, datetime]:
    """Give since when domains are through the stages before, by the service's clock and their ASCII names."""
    found: dict[str, datetime] = {}
    intents: dict[int, str] = {}
    for line in lines:
        change = line.body.get("change", {})
        if line.event == "intent" and change.get("stage") in before:
            intents[line.number] = str(change["domain"])
        elif line.event == "result" and line.body.get("result") == Result.APPLIED.value:
            domain = intents.get(int(line.body.get("intent", 0)))
            if domain is not None:
                found[domain] = line.service_time
        elif line.event == THROUGH and line.body.get("stage") == stage:
            found.setdefault(str(line.body["domain"]), line.service_time)
    return found


def hold_while_observed(
    name: DomainName, what: str, since: datetime | None, window: timedelta, now: datetime
) -> Deferral | None:
    """Hold a stricter policy back until the present one has been watched long enough."""
    if not window:
        return None
    if since is None:
        reason = (
            f"nobody here knows since when the {what} stands: read its reports, then give observe=0d once"
        )
        return Deferral(name, reason, None, is_waiting=True, verb=Verb.PUBLISH)
    if now < since + window:
        reason = f"the {what} is observed for {render_duration(window)} before the policy gets stricter"
        return Deferral(name, reason, since + window, is_waiting=True, verb=Verb.PUBLISH)
    return None
