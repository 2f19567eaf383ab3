"""`exo-auth domain`: the domains a tenant accepts mail for (cli)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import progress, put, warner

if TYPE_CHECKING:
    from exo_auth.checks.domains import ClassifiedDomain
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("list")
@command
def list_domains(
    common: Common,
    all_kinds: Annotated[
        bool, typer.Option("--all", envvar="EXO_AUTH_ALL", help="Also those that are left alone.")
    ] = False,
) -> None:
    """List the domains that should sign with their own name.

    Example:  exo-auth domain list --all -o csv
    """
    from exo_auth.render.domain_text import domains_text

    settings, domains = _domains(common)
    shown = [domain for domain in domains if all_kinds or domain.is_managed]
    put(domains_text(shown, settings.output, color=common.color))


@app.command()
@command
def classify(common: Common) -> None:
    """Say of every accepted domain what it is, and why it is looked after or left alone.

    Example:  exo-auth domain classify
    """
    from exo_auth.render.domain_text import domains_text

    settings, domains = _domains(common)
    put(domains_text(domains, settings.output, color=common.color))


def _domains(common: Common) -> tuple[Settings, tuple[ClassifiedDomain, ...]]:
    from exo_auth.run.observe import observe_domains
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        return settings, observe_domains(session)
