"""`exo-auth snapshot`: keep what DNS and the tenant say today, to judge and compare it later (cli)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from exo_auth.cli.check import is_of_tenant
from exo_auth.cli.options import Common, Domains, command
from exo_auth.cli.talk import note, progress, put, warner
from exo_auth.errors import InputError

app = typer.Typer(no_args_is_help=True)


@app.command()
@command
def save(
    common: Common,
    domains: Domains,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; replaced if it is there.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[DOMAIN]...", help="Which domains.")] = None,
) -> None:
    """Ask everything that `check` asks, and keep the answers in FILE; with a tenant, what it says too.

    Example:  exo-auth snapshot save today.json contoso.com fabrikam.com
    """
    from exo_auth.domain_name import DomainName
    from exo_auth.run.private_file import write_private
    from exo_auth.run.session import ReadingSession
    from exo_auth.run.snapshot import to_text
    from exo_auth.run.take_snapshot import take_of_names, take_of_tenant

    settings = common.settings()
    patterns = [*(domains.domain or ()), *(names or ())]
    say = progress(common)
    if is_of_tenant(settings, no_sign_in=False):
        with ReadingSession(settings, os.environ, warn=warner(common), say=say) as session:
            taken = take_of_tenant(session, patterns, say=say)
    elif patterns:
        parsed = [DomainName.parse_lookup(pattern) for pattern in patterns]
        taken = take_of_names(settings, parsed, now=datetime.now(UTC), say=say)
    else:
        raise InputError("no domain is named", hint="name domains, or a tenant with -t")
    write_private(Path(file), to_text(taken), replace=True)
    note(common, f"{file}: {len(taken.domains)} domains, {len(taken.answers)} answers")


@app.command()
@command
def show(
    common: Common,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A snapshot.")],
) -> None:
    """Tell when a snapshot was taken, and of what.

    Example:  exo-auth snapshot show today.json
    """
    from exo_auth.render.snapshot_text import snapshot_text
    from exo_auth.run.snapshot import read

    taken = read(Path(file))
    put(
        snapshot_text(
            taken.taken_at,
            [domain.ascii for domain in taken.domains],
            taken.answers,
            taken.tenant.tenant.initial_domain if taken.tenant else "",
            common.settings().output,
        )
    )


@app.command()
@command
def diff(
    common: Common,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A snapshot.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A later one.")],
) -> None:
    """Tell which answers differ between two snapshots. Exit code 2 when any does.

    Example:  exo-auth snapshot diff last-month.json today.json
    """
    from exo_auth.render.snapshot_text import diff_text
    from exo_auth.run.snapshot import read

    old, new = read(Path(before)), read(Path(after))
    text, differs = diff_text(
        old.answers, new.answers, (old.random_label, new.random_label), common.settings().output
    )
    put(text)
    raise typer.Exit(2 if differs else 0)
