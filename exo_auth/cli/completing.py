"""What a shell may complete: names of playbooks, stages, variables and runs; without a look at the network (cli)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from exo_auth.errors import ExoAuthError

if TYPE_CHECKING:
    from exo_auth.run.playbook_outline import Outline


def playbooks(incomplete: str) -> list[str]:
    """Complete the name of a playbook that ships."""
    from exo_auth.run.playbook import shipped

    return _beginning(incomplete, shipped())


def plans_and_playbooks(incomplete: str) -> list[str]:
    """Complete the name of a playbook that ships, or a path."""
    folder, _, name = incomplete.rpartition(os.sep)
    place = Path(folder or ".")
    files = sorted(path for path in place.iterdir() if path.name.startswith(name)) if place.is_dir() else []
    prefix = f"{folder}{os.sep}" if folder else ""
    return [
        *playbooks(incomplete),
        *(
            f"{prefix}{path.name}{os.sep if path.is_dir() else ''}"
            for path in files
            if name or path.name[0] != "."
        ),
    ]


def stages(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a stage of the playbook that stands on the line already."""
    found = _outline(ctx)
    return _beginning(incomplete, found.stages) if found else []


def variables(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete a variable of the playbook that stands on the line already."""
    found = _outline(ctx)
    return _beginning(incomplete, (f"{name}=" for name in found.variables)) if found else []


def runs(incomplete: str) -> list[str]:
    """Complete the name of a run, the newest first."""
    from exo_auth.run.config import load
    from exo_auth.run.journal import read
    from exo_auth.run.journal_place import journal_files

    try:
        files = journal_files(load({}, environment=os.environ), os.environ)
        names = {line.run_id for file in files for line in read(file)}
    except ExoAuthError:
        return []
    return _beginning(incomplete, sorted(names, reverse=True))


def _outline(ctx: typer.Context) -> Outline | None:
    from exo_auth.run.playbook_outline import outline

    # While the value of an option is still missing, no argument of the line has got its name yet.
    for name in (ctx.params.get("playbook"), ctx.params.get("file"), *ctx.args):
        with suppress(ExoAuthError):
            if name:
                return outline(str(name))
    return None


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
