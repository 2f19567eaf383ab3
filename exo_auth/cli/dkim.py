"""`exo-auth dkim`: look, publish, enable, rotate (cli)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, Domains, Policy, Writing, command, given
from exo_auth.cli.talk import note, progress, put, warner
from exo_auth.cli.writing import write
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.plan.dkim import Scene
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[DOMAIN]...", help="Domains or globs; the same as -d.")
]


@app.command()
@command
def status(common: Common, domains: Domains, policy: Policy, names: Names = None) -> None:
    """Show where every domain stands: who signs, how old the keys are, what is due, what is wrong.

    Example:  exo-auth dkim status
    """
    from exo_auth.plan.status import status_rows
    from exo_auth.render.dkim_text import status_text

    settings, scene = _look(common, domains, policy, names)
    put(status_text(status_rows(scene), settings.output, color=common.color))


@app.command()
@command
def records(
    common: Common,
    domains: Domains,
    policy: Policy,
    names: Names = None,
    bind: Annotated[
        bool, typer.Option("--bind", envvar="EXO_AUTH_BIND", help="As lines of a BIND zone file.")
    ] = False,
) -> None:
    """Print the two CNAMEs of each domain, as the tenant names them, ready to paste.

    Example:  exo-auth dkim records -d contoso.com
    """
    from exo_auth.checks.dkim import records_to_publish
    from exo_auth.render.dkim_text import records_output

    settings, scene = _look_at_tenant(common, domains, policy, names)
    configs = [config for config in (scene.tenant.dkim_config(name) for name in scene.chosen) if config]
    for name in scene.chosen:
        if scene.tenant.dkim_config(name) is None:
            note(
                common,
                f"{name.unicode}: the tenant has no keys for it yet; run `exo-auth dkim enable -d {name}`",
            )
    found = [record for config in configs for record in records_to_publish(config)]
    put(records_output(found, settings.output, bind=bind, color=common.color))


@app.command()
@command
def verify(
    common: Common,
    message: Annotated[
        str,
        typer.Option(
            "--message",
            metavar="FILE",
            envvar="EXO_AUTH_MESSAGE",
            help="A message as .eml; - reads standard input.",
        ),
    ],
) -> None:
    """Verify every DKIM signature of a message, and say which are aligned with its From.

    Exit code 0 when an aligned signature verifies, 3 when none does, 6 when DNS gave no verdict.

    Example:  exo-auth dkim verify --message probe.eml
    """
    from datetime import UTC, datetime

    from exo_auth.render.message_text import signatures_text
    from exo_auth.run.message import check_message, read_message

    settings = common.settings()
    octets = read_message(message)
    verdict = check_message(settings, octets, ip="", mail_from="", helo="unknown", now=datetime.now(UTC))
    put(signatures_text(verdict, settings.output))
    raise typer.Exit({"pass": 0, "temperror": 6}.get(verdict.dkim_result, 3))


@app.command()
@command
def enable(common: Common, domains: Domains, policy: Policy, writing: Writing, names: Names = None) -> None:
    """Switch signing on where both CNAMEs are live; make keys where there are none, and name the CNAMEs.

    Example:  exo-auth dkim enable -d contoso.com
    """
    from exo_auth.plan.dkim import plan_enable

    write(common, policy, writing, _patterns(domains, names), plan_enable)


@app.command()
@command
def disable(common: Common, domains: Domains, policy: Policy, writing: Writing, names: Names = None) -> None:
    """Switch signing off. Domains must be named: there is no default.

    Example:  exo-auth dkim disable -d contoso.com --reason "domain is sold"
    """
    from exo_auth.plan.dkim import plan_disable

    patterns = _patterns(domains, names)
    if not patterns:
        raise InputError("no domain is named", hint="disable needs -d DOMAIN, so that it never means all")
    write(common, policy, writing, patterns, plan_disable)


@app.command()
@command
def rotate(common: Common, domains: Domains, policy: Policy, writing: Writing, names: Names = None) -> None:
    """Rotate the keys that are due, defer what is pending, and say what is blocked and why.

    Exit code 0 when all is done or nothing is due, 4 when a due rotation only has to wait, 3 when a person is
    needed, 6 when DNS or the tenant could not be asked.

    Example:  exo-auth dkim rotate -d '*' --yes
    """
    from exo_auth.plan.dkim import plan_rotation

    write(common, policy, writing, _patterns(domains, names), plan_rotation)


@app.command("upgrade-keys")
@command
def upgrade_keys(
    common: Common, domains: Domains, policy: Policy, writing: Writing, names: Names = None
) -> None:
    """Replace keys of 1024 bits: two rotations, the second some days after the first; run it until it is done.

    Example:  exo-auth dkim upgrade-keys --dry-run
    """
    from exo_auth.plan.dkim import plan_upgrade

    write(common, policy, writing, _patterns(domains, names), plan_upgrade)


@app.command()
@command
def calendar(
    common: Common,
    domains: Domains,
    policy: Policy,
    names: Names = None,
    ics: Annotated[
        str | None,
        typer.Option("--ics", metavar="FILE", envvar="EXO_AUTH_ICS", help="Write an iCalendar file, too."),
    ] = None,
) -> None:
    """List when keys switch and when the next rotations are due.

    Example:  exo-auth dkim calendar --ics dkim.ics
    """
    from exo_auth.plan.status import calendar as entries_of
    from exo_auth.render.dkim_text import calendar_ics, calendar_text
    from exo_auth.run.private_file import write_private

    settings, scene = _look(common, domains, policy, names)
    entries = entries_of(scene)
    if ics:
        write_private(Path(ics), calendar_ics(entries, made_at=scene.now), replace=True)
    put(calendar_text(entries, settings.output, color=common.color))


def _patterns(domains: Domains, names: list[str] | None) -> tuple[str, ...]:
    return (*(domains.domain or ()), *(names or ()))


def _look(
    common: Common, domains: Domains, policy: Policy, names: list[str] | None
) -> tuple[Settings, Scene]:
    from exo_auth.run.observe import observe
    from exo_auth.run.session import ReadingSession

    settings = common.settings(given(policy))
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        return settings, observe(session, _patterns(domains, names), progress(common)).scene


def _look_at_tenant(
    common: Common, domains: Domains, policy: Policy, names: list[str] | None
) -> tuple[Settings, Scene]:
    from exo_auth.run.observe import observe_without_dns
    from exo_auth.run.session import ReadingSession

    settings = common.settings(given(policy))
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        return settings, observe_without_dns(session, _patterns(domains, names))
