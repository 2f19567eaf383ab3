"""`exo-auth journal`: what was changed, when, with which result (cli)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.completing import runs
from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        envvar="EXO_AUTH_JOURNAL",
        help="Default: those of the tenant and of DNS, in the state folder.",
    ),
]


@app.command("list")
@command
def list_runs(common: Common, journal: Folder = None) -> None:
    """List the runs that changed the tenant, or records in DNS, newest last.

    Example:  exo-auth journal list
    """
    from exo_auth.render.journal_text import runs_text
    from exo_auth.run.journal import read

    settings = common.settings()
    journals = {_name(file): tuple(read(file)) for file in _files(settings, journal)}
    put(runs_text(journals, settings.output, color=common.color))


@app.command()
@command
def show(
    common: Common,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run, or the beginning of its name.", autocompletion=runs),
    ] = None,
    journal: Folder = None,
) -> None:
    """Show what runs did, change by change: before, after, evidence.

    Example:  exo-auth journal show 2026-11-23T09
    """
    from exo_auth.render.journal_text import lines_text
    from exo_auth.run.journal import read

    settings = common.settings()
    journals = {
        _name(file): tuple(line for line in read(file) if line.run_id.startswith(run or ""))
        for file in _files(settings, journal)
    }
    if run and not any(journals.values()):
        raise InputError(f"the journal knows no run “{run}”", hint="exo-auth journal list shows them")
    if run:
        journals = {name: lines for name, lines in journals.items() if lines}
    put(lines_text(journals, settings.output, color=common.color))


@app.command()
@command
def verify(common: Common, journal: Folder = None) -> None:
    """Check the chain of hashes of each journal: was a line changed, removed or put in?

    Example:  exo-auth journal verify
    """
    from exo_auth.render.journal_text import verdicts_text
    from exo_auth.run.journal import verify as verify_file

    settings = common.settings()
    verdicts = {str(file): verify_file(file) for file in _files(settings, journal)}
    put(verdicts_text(verdicts, settings.output))
    raise typer.Exit(1 if any(one.error for one in verdicts.values()) else 0)


def _files(settings: Settings, named: str | None) -> tuple[Path, ...]:
    """Give the journals' files, without signing in: the tenant's folder is known by its id."""
    from exo_auth.run.journal_place import journal_files

    if named:
        path = Path(named)
        if not path.is_file():
            raise InputError(f"there is no journal {named}")
        return (path,)
    return journal_files(settings, os.environ)


def _name(file: Path) -> str:
    """Give a journal's name: the tenant's id, or dns."""
    return file.parent.name
