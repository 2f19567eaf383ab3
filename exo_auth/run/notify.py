"""A word to people after a run, through Apprise: Teams, Slack, mail, any webhook; and the heartbeat of a job (run)."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from exo_auth.errors import InputError
from exo_auth.plan.job import Event
from exo_auth.run.child import run_child
from exo_auth.run.config_schema import BY_KEY

MOST_AT_ONCE = 8
URLS = BY_KEY["notify.urls"].env
_SEPARATOR = re.compile(
    r"\s*,\s*(?=[A-Za-z0-9]+://)|\s+"
)  # an address may have commas of its own: to=a@x,b@x
HEARTBEAT = BY_KEY["notify.heartbeat_url"].env


def send(urls: str, title: str, body: str, limit: timedelta) -> int:
    """Send to every address, to all at once and each within the limit, and give their number.

    InputError names those that did not take it, by place: an address may hold a secret.
    """
    addresses = [one for one in _SEPARATOR.split(urls) if one]
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        troubles = pool.map(
            lambda url: _deliver({"url": url, "title": title, "body": body}, limit), addresses
        )
        failed = [
            f"address {number} of {URLS} ({_scheme(url)}): {trouble}"
            for number, (url, trouble) in enumerate(zip(addresses, troubles, strict=True), start=1)
            if trouble
        ]
    if failed:
        raise InputError(
            f"the notification could not be delivered: {'; '.join(failed)}",
            hint="`exo-auth notify test` tries every address",
        )
    return len(addresses)


def beat(url: str, state: str, exit_code: int | None, limit: timedelta) -> None:
    """Tell the heartbeat URL of a start, a success or a failure; raises InputError when it did not take it.

    Without placeholders the paths are those of Healthchecks.io and its kin: /start, /0 and /<exit code>.
    """
    code = "" if exit_code is None else str(exit_code)
    if "{state}" in url or "{code}" in url:
        whole = url.replace("{state}", state).replace("{code}", code)
    else:
        whole = f"{url.rstrip('/')}/{code or state}"
    trouble = _deliver({"ping": whole}, limit)
    if trouble:
        raise InputError(f"the heartbeat of {HEARTBEAT} was not taken: {trouble}")


def wanted(on: Iterable[str], events: Iterable[Event]) -> tuple[Event, ...]:
    """Give the events of a run that somebody wants to hear of, the gravest first."""
    order = tuple(Event)
    return tuple(sorted(frozenset(map(Event, on)) & frozenset(events), key=order.index))


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Put “…” where one of the secrets stands; those shorter than four characters would blot out words."""
    found = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, found)), "…", text) if found else text


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return scheme if separator and re.fullmatch(r"[a-z0-9]{1,20}", scheme) else "no scheme"


def _deliver(asked: Mapping[str, str], limit: timedelta) -> str:
    """Let a child do it, which can be ended: a server that hangs must not hold up a run. Give the trouble, or ""."""
    ended = run_child(
        [sys.executable, "-m", "exo_auth.run.deliver"],
        environment=os.environ,
        stdin=json.dumps(asked),
        limit=limit,
    )
    if ended.timed_out:
        return f"no answer within {limit.total_seconds():g} s"
    if ended.exit_code == 0:
        return ""
    lines = ended.output.strip().splitlines()
    return lines[-1] if ended.exit_code == 1 and lines else f"the sender ended with {ended.exit_code}"
