"""`exo-auth message`: why a message passed or failed (cli)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put

app = typer.Typer(no_args_is_help=True)

EXIT_FAILED = 3
EXIT_NO_VERDICT = 6


@app.command()
@command
def check(
    common: Common,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A message as .eml; - reads standard input.")],
    ip: Annotated[
        str,
        typer.Option("--ip", metavar="ADDRESS", envvar="EXO_AUTH_SPF_IP", help="Who delivered it, for SPF."),
    ] = "",
    mail_from: Annotated[
        str,
        typer.Option(
            "--mail-from", metavar="MAILBOX", envvar="EXO_AUTH_SPF_MAIL_FROM", help="MAIL FROM; may be empty."
        ),
    ] = "",
    helo: Annotated[
        str, typer.Option("--helo", metavar="NAME", envvar="EXO_AUTH_SPF_HELO", help="HELO name.")
    ] = "unknown",
    trust: Annotated[
        str,
        typer.Option(
            "--trust",
            metavar="NAME",
            envvar="EXO_AUTH_TRUST",
            help="The server whose Authentication-Results count; else the topmost field does.",
        ),
    ] = "",
) -> None:
    """Judge a message: every DKIM signature, SPF of the connecting address, DMARC by both models, alignment.

    Without --ip the address in the topmost Received-SPF field is judged: the border server wrote it.

    Exit code 0 when DMARC passes by both models, 3 when it does not, or when only the connecting address could tell,
    6 when DNS gave no verdict.

    Example:  exo-auth message check probe.eml --ip 192.0.2.1 --mail-from user@contoso.com
    """
    from exo_auth.render.message_text import message_text
    from exo_auth.run.message import check_message, read_message

    settings = common.settings()
    now = datetime.now(UTC)
    verdict = check_message(
        settings, read_message(file), ip=ip, mail_from=mail_from, helo=helo, now=now, trust=trust
    )
    put(message_text(verdict, settings.output))
    raise typer.Exit(exit_code([model.result for model in verdict.models]))


def exit_code(results: list[str]) -> int:
    """Give 6 where a look-up failed, 3 where DMARC does not pass by both models, 0 otherwise."""
    if "temperror" in results:
        return EXIT_NO_VERDICT
    return 0 if set(results) == {"pass"} else EXIT_FAILED
