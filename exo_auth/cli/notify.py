"""`exo-auth notify`: words to people (cli)."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put

app = typer.Typer(no_args_is_help=True)


@app.command()
@command
def test(common: Common) -> None:
    """Send a word to every address of EXO_AUTH_NOTIFY_URLS.

    Example:  EXO_AUTH_NOTIFY_URLS=json://127.0.0.1:8080 exo-auth notify test
    """
    _send(common, "exo-auth: a test", "This is how a job’s word would arrive.")


@app.command()
@command
def send(
    common: Common,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The first line.")],
    body: Annotated[
        str,
        typer.Option("--body", metavar="TEXT", envvar="EXO_AUTH_NOTIFY_BODY", help="What stands below it."),
    ] = "",
) -> None:
    """Send words of your own, such as those of a scheduler whose job could not start.

    Example:  exo-auth notify send "exo-auth-nightly failed" --body "journalctl -u exo-auth-nightly"
    """
    _send(common, title, body or title)


def _send(common: Common, title: str, body: str) -> None:
    from exo_auth.errors import InputError
    from exo_auth.run.notify import URLS
    from exo_auth.run.notify import send as deliver

    settings = common.settings()
    urls = settings.notify.secret("urls", os.environ)
    if urls is None:
        raise InputError(
            f"{URLS} is not set", hint="Apprise addresses, blanks between them; see appriseit.com"
        )
    put(f"sent to {deliver(urls.reveal(), title, body, settings.notify.timeout)}")


@app.callback()
def group() -> None:
    """Words to people."""
