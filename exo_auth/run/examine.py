"""Examine everything a run needs, one thing at a time; a failure is a line, not an exception (run)."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from exo_auth.errors import ExoAuthError
from exo_auth.run.session import ReadingSession
from exo_auth.run.settings import Settings

LITTLE_SPACE = 50 * 1024 * 1024  # octets


@dataclass(frozen=True)
class Line:
    """One thing examined: `state` is ok, warn, fail or skipped."""

    name: str
    state: str
    detail: str
    hint: str = ""

    def as_row(self) -> tuple[str, str, str, str]:
        """Give the line as a row of a table."""
        return (self.name, self.state, self.detail, self.hint)


def examine(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    offline: bool,
    warn: Callable[[str], None],
    say: Callable[[str], None],
) -> tuple[Line, ...]:
    """Examine all; the later ones need the network."""
    with ReadingSession(settings, environment, warn=warn, say=say) as session:
        return tuple(_lines(settings, session, offline=offline))


def _lines(settings: Settings, session: ReadingSession, *, offline: bool) -> Iterator[Line]:
    yield Line("python", "ok", ".".join(map(str, sys.version_info[:3])))
    file = settings.config_file
    yield Line(
        "configuration", "ok", str(file) if file else "no file; options, environment and defaults only"
    )
    for text in settings.warnings:
        yield Line("environment", "warn", text)
    for row in settings.rows():
        if row.origin.kind != "default":
            yield Line(f"setting {row.key}", "ok", f"{row.value} ({row.origin})")
    yield _disk(settings)
    yield _credentials(settings)
    if offline:
        return
    yield _dns(session)
    yield from _tenant(session)


def _disk(settings: Settings) -> Line:
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Line(
            "state folder", "fail", f"{folder}: {error.strerror}", "give a writable place with --state-dir"
        )
    if free < LITTLE_SPACE:
        return Line("state folder", "warn", f"{folder}: only {free // 1024} KiB are free", "make room")
    return Line("state folder", "ok", f"{folder} is writable")


def _credentials(settings: Settings) -> Line:
    try:
        return Line("credentials", "ok", f"sign-in by {settings.auth.chosen()}")
    except ExoAuthError as error:
        return Line("credentials", "fail", error.message, error.hint or "")


def _dns(session: ReadingSession) -> Line:
    try:
        trouble = asyncio.run(_ask(session))
    except ExoAuthError as error:
        return Line("resolver", "fail", error.message, error.hint or "")
    if trouble:
        return Line("resolver", "warn", trouble, "ask another one with --nameserver")
    return Line("resolver", "ok", "answers, and tells the truth about absent names")


async def _ask(session: ReadingSession) -> str | None:
    from exo_auth.lookup.canary import check_resolver

    return await check_resolver(session.resolver())


def _tenant(session: ReadingSession) -> Iterator[Line]:
    from exo_auth.run.preflight import may_run_everything

    try:
        token = session.token
    except ExoAuthError as error:
        yield Line("sign-in", "fail", str(error), error.hint or "")
        return
    yield Line(
        "sign-in", "ok", f"token for {token.user_name or token.claims.get('appid', 'the application')}"
    )
    try:
        organization = session.reader.organization()
    except ExoAuthError as error:
        yield Line("admin API", "fail", str(error), error.hint or "")
        return
    yield Line("admin API", "ok", f"organization {organization.name}")
    session.clock.hear(session.reader.last_service_clock)
    skew = None if session.settings.cloud.is_sandbox else session.clock.skew_warning()
    yield Line("clock", "warn" if skew else "ok", skew or "agrees with the service's")
    if may_run_everything(token):
        yield Line("rights", "ok", "an administrator's role: every cmdlet")
        return
    try:
        granted = session.reader.granted_cmdlets()
    except ExoAuthError as error:
        yield Line("rights", "warn", f"the service did not say: {error}")
        return
    wanted = (
        "get-dkimsigningconfig",
        "new-dkimsigningconfig",
        "set-dkimsigningconfig",
        "rotate-dkimsigningconfig",
    )
    missing = [name for name in wanted if name not in granted]
    yield Line(
        "rights", "fail" if missing else "ok", f"missing: {', '.join(missing)}" if missing else "all cmdlets"
    )
