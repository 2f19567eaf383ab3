"""`exo-auth drift`: what has moved since it was applied (cli)."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import note, progress, put, warner

EXIT_DRIFTED = 2
EXIT_NO_VERDICT = 6


@command
def drift(
    common: Common,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", envvar="EXO_AUTH_DETAILED_EXITCODE", help="Exit 2 when something moved."
        ),
    ] = False,
) -> None:
    """Compare what the journal says was applied last with what the tenant and DNS have now. Nothing is changed.

    Example:  exo-auth drift --detailed-exitcode
    """
    from exo_auth.render.drift_text import drift_text
    from exo_auth.run.look_for_drift import look_for_drift
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        looked = look_for_drift(session, progress(common))
    rows = [
        (one.change.target, one.change.key, one.run_id, one.detail, one.is_unknown) for one in looked.drifted
    ]
    if not looked.compared:
        note(
            common,
            f"nothing was applied from here: the journals in {settings.state_dir} hold no change to compare",
        )
    put(drift_text(rows, looked.compared, settings.output))
    if any(one.is_unknown for one in looked.drifted):
        raise typer.Exit(EXIT_NO_VERDICT)
    raise typer.Exit(EXIT_DRIFTED if looked.drifted and detailed_exitcode else 0)
