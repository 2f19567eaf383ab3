"""What the commands share that propose records (cli)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from exo_auth.cli.talk import put

if TYPE_CHECKING:
    from exo_auth.plan.record_set import RecordChange
    from exo_auth.run.settings import Settings

EXIT_REFUSED = 3


def show_changes(
    settings: Settings, changes: list[RecordChange], files: dict[str, str] | None = None
) -> None:
    """Write the changes, and end with 3 when one of them is refused."""
    from exo_auth.render.record_change_text import changes_text

    put(changes_text(changes, settings.output, files))
    raise typer.Exit(EXIT_REFUSED if any(one.refusal and one.is_needed for one in changes) else 0)
