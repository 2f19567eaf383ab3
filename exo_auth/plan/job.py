"""`Job`: a command that runs by itself, when, and who hears of it (plan, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Event(StrEnum):
    """What somebody may want to hear of; the words of `notify.on`."""

    FAILURE = "failure"  # the gravest first
    FINDING = "finding"
    WAITING = "waiting"
    CHANGE = "change"
    HEARTBEAT = "heartbeat"  # every run, so that silence means something


@dataclass(frozen=True)
class Job:
    """One scheduled command. `secrets` names variables whose values the platform keeps; they are never written."""

    name: str
    arguments: tuple[str, ...]  # of exo-auth, such as dkim rotate --yes
    schedule: str  # cron, five fields
    jitter_seconds: int = 0
    time_zone: str = "UTC"
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    notify_on: frozenset[Event] = frozenset()
    timeout_seconds: int = 3600

    @property
    def command(self) -> str:
        """The command line, for people."""
        return " ".join(["exo-auth", *self.arguments])


def events_of(exit_code: int, *, changed: bool) -> frozenset[Event]:
    """Say what happened by a run's exit code (docs/EXIT_CODES.md); a heartbeat always did."""
    found = {Event.HEARTBEAT}
    if changed or exit_code == 2:
        found.add(Event.CHANGE)
    if exit_code == 3:
        found.add(Event.FINDING)
    elif exit_code == 4:
        found.add(Event.WAITING)
    elif exit_code not in (0, 2):
        found.add(Event.FAILURE)
    return frozenset(found)
