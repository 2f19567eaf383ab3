"""Examine everything a run needs, one thing at a time; a failure is a line, not an exception (run)."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from exo_auth.errors import ExoAuthError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.app_registration import READS, WRITES
from exo_auth.identity.permission_advice import MANAGE_AS_APP
from exo_auth.plan.run_account import Moment
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
        return tuple(_lines(settings, environment, session, offline=offline))


def _lines(
    settings: Settings, environment: Mapping[str, str], session: ReadingSession, *, offline: bool
) -> Iterator[Line]:
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
    yield from _listeners(settings, environment)
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


def _listeners(settings: Settings, environment: Mapping[str, str]) -> Iterator[Line]:
    """Can the hooks be started, and can the addresses of people be read? Nobody is told anything."""
    for moment in Moment:
        line: tuple[str, ...] = getattr(settings.hooks, moment.value)
        if line:
            found = shutil.which(line[0])
            hint = "" if found else "give its whole path, and make it executable"
            detail = f"{line[0]} can be started" if found else f"{line[0]} is no program that can be started"
            yield Line(f"hook {moment}", "ok" if found else "fail", detail, hint)
    try:
        urls = settings.notify.secret("urls", environment)
    except ExoAuthError as error:
        yield Line("notifications", "fail", error.message, error.hint or "")
        return
    if urls is None:
        return
    if importlib.util.find_spec("apprise") is None:
        yield Line("notifications", "fail", "Apprise is not installed", "pip install 'exo-auth[notify]'")
        return
    count = len(urls.reveal().replace(",", " ").split())
    on = ", ".join(settings.notify.on)
    yield Line("notifications", "ok", f"{count} to tell of {on}; `exo-auth notify test` tries them")


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
    if token.is_app_only:
        yield _permission(token)
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
    yield _rights(granted)


def _permission(token: AccessToken) -> Line:
    """Does the token show the application permission that `scripts/register-app` gives? An opaque one shows nothing."""
    if not token.claims:
        return Line("permission", "warn", "the token does not show its permissions")
    if MANAGE_AS_APP in token.roles:
        return Line("permission", "ok", f"{MANAGE_AS_APP}, with consent")
    return Line(
        "permission", "fail", f"{MANAGE_AS_APP} is missing", "exo-auth auth setup says how to give it"
    )


def _rights(granted: frozenset[str]) -> Line:
    """Which of the cmdlets that may be sent are not granted: DKIM's are needed, the others are for what needs them."""
    missing = [name for name in (*READS, *WRITES) if name.lower() not in granted]
    if not missing:
        return Line("rights", "ok", "all cmdlets")
    needed = [name for name in missing if "Dkim" in name]
    return Line(
        "rights",
        "fail" if needed else "warn",
        f"missing: {', '.join(needed or missing)}",
        "exo-auth auth setup --as role-group makes a role group that has them",
    )
