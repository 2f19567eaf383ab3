"""`exo-auth doctor`: is everything a run needs in order here? (cli)"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import progress, put, warner


@command
def doctor(
    common: Common,
    offline: Annotated[
        bool, typer.Option("--offline", envvar="EXO_AUTH_OFFLINE", help="Neither sign in nor ask DNS.")
    ] = False,
) -> None:
    """Examine configuration, clock, disk, resolver, sign-in and rights, and say where each setting comes from.

    Exit code 0 when all is well, 1 when something failed.

    Example:  exo-auth doctor
    """
    from exo_auth.render.doctor_text import doctor_text
    from exo_auth.run.examine import examine

    settings = common.settings()
    lines = examine(settings, os.environ, offline=offline, warn=warner(common), say=progress(common))
    put(doctor_text([line.as_row() for line in lines], settings.output, color=common.color))
    raise typer.Exit(1 if any(line.state == "fail" for line in lines) else 0)
