"""What people hear of a run: a title, and a few lines that say what happened and what to do (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from exo_auth.plan.job import Event

MOST_LINES = 20  # of one kind: a message is a summary, the report has the rest
SENTENCES = {
    Event.FAILURE: "failed",
    Event.FINDING: "found something that needs a person",
    Event.WAITING: "waits, and goes on by itself",
    Event.CHANGE: "changed something",
    Event.HEARTBEAT: "ran",
}


def notice_title(name: str, events: Iterable[Event]) -> str:
    """Say who, and what happened."""
    return f"exo-auth {name}: {', '.join(SENTENCES[event] for event in events)}"


def account_notice(document: Mapping[str, Any]) -> str:
    """Tell what a run did, from its account (`exo-auth schema run-account`)."""
    return "\n".join(_lines(document))


def output_notice(command: str, exit_code: int, output: str) -> str:
    """Tell of a command that gave no account: its exit code, and the last lines of what it said."""
    lines = [line for line in output.splitlines() if line.strip()][-MOST_LINES:]
    return "\n".join([f"{command} ended with {exit_code}", "", *lines])


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    tenant = f" on {document['tenant']}" if document["tenant"] else ""
    yield f"exo-auth {document['command']}{tenant} ended with {document['exit_code']}"
    if document["error"]:
        yield f"error: {document['error']}"
    if document["hint"]:
        yield f"hint: {document['hint']}"
    plan = document["plan"] or {"deferrals": [], "blockages": []}
    yield from _part("changes", [_outcome(one) for one in document["outcomes"]])
    yield from _part("needs a person", [_blockage(one) for one in plan["blockages"]])
    waiting = [one for one in plan["deferrals"] if one["is_waiting"]]
    yield from _part("waiting", [_deferral(one) for one in waiting])
    if document["run"]:
        yield f"\nrun {document['run']}: exo-auth journal show {document['run']}"


def _part(title: str, lines: list[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"\n{title}:"
    yield from (f"- {line}" for line in lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield f"- and {len(lines) - MOST_LINES} more"


def _outcome(one: Mapping[str, Any]) -> str:
    told = f": {one['error']}" if one["error"] else ""
    return f"{one['domain']} {one['verb']}: {one['result'].replace('_', ' ')}{told}"


def _blockage(one: Mapping[str, Any]) -> str:
    return f"{one['domain']} {one['verb']}: {one['reason']}"


def _deferral(one: Mapping[str, Any]) -> str:
    until = f", not before {one['not_before']}" if one["not_before"] else ""
    return f"{one['domain']} {one['verb']}: {one['reason']}{until}"
