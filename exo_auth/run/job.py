"""Jobs as files: read with line and column, and told when they run next (run)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.job import Event, Job
from exo_auth.run import yaml_nodes
from exo_auth.run.config_schema import nearest
from exo_auth.run.durations import parse_duration
from exo_auth.run.yaml_nodes import Entry, Node

VERSION = "1"
KEYS = (
    "version",
    "name",
    "run",
    "schedule",
    "jitter",
    "time_zone",
    "environment",
    "secrets",
    "notify",
    "timeout",
)
SECRET_WORDS = ("SECRET", "PASSWORD", "TOKEN", "PASSPHRASE", "KEY")


def read_job(file: Path) -> Job:
    """Read a job; raises InputError, or ConfigError with line and column."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the job {file} cannot be read: {error}", hint="see scripts/jobs/ for examples"
        ) from None
    return parse_job(text, str(file))


def parse_job(text: str, file: str) -> Job:
    """Read the text of a job; raises ConfigError with line and column."""
    root = yaml_nodes.parse(text, file)
    entries = _mapping(root, KEYS, file)
    for needed in ("version", "name", "run", "schedule"):
        if needed not in entries:
            raise _wrong(root, file, f"“{needed}” is missing", f"a job has {', '.join(KEYS[:4])}")
    if entries["version"].value.text != VERSION:
        raise _wrong(entries["version"].value, file, f"the version must be {VERSION}", "write “version: 1”")
    return Job(
        name=_name(entries["name"].value, file),
        arguments=_arguments(entries["run"].value, file),
        schedule=_schedule(entries["schedule"].value, file),
        jitter_seconds=_seconds(entries.get("jitter"), file),
        time_zone=_time_zone(entries.get("time_zone"), file),
        environment=_environment(entries.get("environment"), file),
        secrets=_secrets(entries.get("secrets"), file),
        notify_on=_events(entries.get("notify"), file),
        timeout_seconds=_seconds(entries.get("timeout"), file) or 3600,
    )


def next_runs(job: Job, now: datetime, count: int) -> list[datetime]:
    """Give the next times, in the job's time zone."""
    times = CronSim(job.schedule, now.astimezone(ZoneInfo(job.time_zone)))
    return [next(times) for _ in range(count)]


def _name(node: Node, file: str) -> str:
    name = node.text.strip()
    if (
        not name
        or not all(char.isalnum() or char in "-" for char in name)
        or len(name) > 50
        or not name.isascii()
    ):
        raise _wrong(node, file, f"“{name}” cannot name a job", "letters, digits and hyphens, at most 50")
    return name.lower()


def _arguments(node: Node, file: str) -> tuple[str, ...]:
    words = tuple(item.text for item in node.items) if node.kind == "a list" else tuple(node.text.split())
    if not words:
        raise _wrong(node, file, "“run” is what comes after exo-auth", "run: [dkim, rotate, --yes]")
    return words[1:] if words[0] == "exo-auth" else words


def _schedule(node: Node, file: str) -> str:
    try:
        CronSim(node.text, datetime(2026, 1, 1))  # noqa: DTZ001 - only the form is looked at
    except CronSimError as error:
        raise _wrong(
            node, file, f"“{node.text}” is no schedule: {error}", "cron, such as 17 3 * * *"
        ) from None
    if len(node.text.split()) != 5:
        raise _wrong(node, file, "a schedule has five fields", "minute hour day month weekday")
    return node.text


def _seconds(entry: Entry | None, file: str) -> int:
    if entry is None:
        return 0
    try:
        return int(parse_duration(entry.value.text).total_seconds())
    except InputError as error:
        raise _wrong(
            entry.value, file, f"{entry.key}: {error.message}", error.hint or "such as 30m"
        ) from None


def _secrets(entry: Entry | None, file: str) -> tuple[str, ...]:
    if entry is None:
        return ()
    if entry.value.kind != "a list":
        raise _wrong(entry.value, file, f"secrets must be a list, not {entry.value.kind}", "secrets: [NAME]")
    return tuple(item.text for item in entry.value.items)


def _time_zone(entry: Entry | None, file: str) -> str:
    if entry is None:
        return "UTC"
    try:
        ZoneInfo(entry.value.text)
    except (ZoneInfoNotFoundError, ValueError):
        raise _wrong(
            entry.value, file, f"there is no time zone “{entry.value.text}”", "such as Europe/Berlin"
        ) from None
    return entry.value.text


def _environment(entry: Entry | None, file: str) -> dict[str, str]:
    if entry is None:
        return {}
    for name, value in entry.value.entries.items():
        if any(word in name.upper() for word in SECRET_WORDS) and not name.upper().endswith("_FILE"):
            raise ConfigError(
                f"{name} looks like a secret, and a job is a file that others read",
                file=file,
                line=value.line,
                column=value.column,
                hint="name it under secrets:, and let the platform keep its value",
            )
    return {name: value.value.text for name, value in entry.value.entries.items()}


def _events(entry: Entry | None, file: str) -> frozenset[Event]:
    if entry is None:
        return frozenset()
    words = _mapping(entry.value, ("on",), file).get("on")
    found = set()
    for item in words.value.items if words is not None else ():
        if item.text not in {event.value for event in Event}:
            raise _wrong(item, file, f"there is no event “{item.text}”", f"one of {', '.join(Event)}")
        found.add(Event(item.text))
    return frozenset(found)


def _mapping(node: Node, keys: tuple[str, ...], file: str) -> Mapping[str, Entry]:
    for key, entry in node.entries.items():
        if key not in keys:
            near = nearest(key, keys)
            hint = f"did you mean {near}?" if near else f"one of {', '.join(keys)}"
            raise ConfigError(
                f"“{key}” is no key here", file=file, line=entry.line, column=entry.column, hint=hint
            )
    return node.entries


def _wrong(node: Node, file: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, file=file, line=node.line, column=node.column, hint=hint)
