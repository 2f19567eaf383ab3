"""`exo-auth dns`: the records themselves, and who serves them (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import clear_progress, progress, put

app = typer.Typer(no_args_is_help=True)

EXIT_WAITING = 4
EXIT_NO_VERDICT = 6


@app.command()
@command
def propagation(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The owner of the records.")],
    rdtype: Annotated[str, typer.Argument(metavar="TYPE", help="A, AAAA, CNAME, MX, NS, SOA, TXT, …")],
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect", metavar="VALUE", envvar="EXO_AUTH_EXPECT", help="A value that must be there."
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", envvar="EXO_AUTH_WATCH", help="Look again until all servers agree.")
    ] = False,
    limit: Annotated[
        str,
        typer.Option("--for", metavar="DURATION", envvar="EXO_AUTH_WATCH_FOR", help="How long to watch."),
    ] = "2h",
) -> None:
    """Ask every authoritative server for a record set, then resolvers, and tell who lags and until when.

    Resolvers are asked only when the authoritative servers agree: asked too early they remember that a name is
    absent. Exit code 0 when it is the same everywhere, 4 while only time is missing, 6 without a verdict.

    Example:  exo-auth dns propagation selector1._domainkey.contoso.com CNAME --watch
    """
    from exo_auth.checks.propagation import Spread
    from exo_auth.render.propagation_text import propagation_text
    from exo_auth.run.durations import parse_duration
    from exo_auth.run.propagation import asked_for, look_once
    from exo_auth.run.propagation import watch as look_until

    settings = common.settings()
    asked = asked_for(name, rdtype, expect or [])
    if watch:
        looked = look_until(settings, asked, parse_duration(limit), say=progress(common))
        clear_progress()
    else:
        looked = look_once(settings, asked)
    put(propagation_text(looked.seen, looked.verdict, settings.output))
    codes = {Spread.EVERYWHERE: 0, Spread.UNKNOWN: EXIT_NO_VERDICT}
    raise typer.Exit(codes.get(looked.verdict.spread, EXIT_WAITING))
