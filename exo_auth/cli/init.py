"""`exo-auth init`: the first configuration file (cli)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.errors import InputError


@command
def init(
    common: Common,
    client_id: Annotated[
        str | None,
        typer.Option(
            "--client-id", metavar="GUID", envvar="EXO_AUTH_CLIENT_ID", help="Application (client) id."
        ),
    ] = None,
    certificate_file: Annotated[
        str | None,
        typer.Option(
            "--certificate-file",
            metavar="FILE",
            envvar="EXO_AUTH_CERTIFICATE_FILE",
            help="The application's certificate and key, PEM or PFX.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", envvar="EXO_AUTH_FORCE", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write a first configuration file, in which every setting is explained.

    On a terminal it asks for what the options leave open; elsewhere those settings stay comments.

    Example:  exo-auth init -t contoso.onmicrosoft.com
    """
    from exo_auth.run.config import chosen_file
    from exo_auth.run.config_template import first_config
    from exo_auth.run.private_file import write_private

    path = chosen_file(common.config, os.environ)
    if not force and os.path.lexists(path):
        raise InputError(
            f"{path} is there already", hint="--force replaces it; `exo-auth config validate` checks it"
        )
    answers = {
        "tenant": common.tenant or os.environ.get("EXO_AUTH_TENANT") or "",
        "cloud": common.cloud or os.environ.get("EXO_AUTH_CLOUD") or "",
        "auth.client_id": client_id or "",
        "auth.certificate_file": os.path.abspath(certificate_file) if certificate_file else "",  # noqa: PTH100
    }
    if common.may_ask:
        answers = {key: text or _ask(key) for key, text in answers.items()}
    given = {key: text for key, text in answers.items() if text}
    _check(given)
    write_private(path, first_config(given), replace=force, make_folder=True)
    if not common.quiet:
        print(f"{path} is written")
        print("next: `exo-auth auth test` signs in and says what is missing")


_QUESTIONS = {
    "tenant": "Tenant (a domain of it, or its id)",
    "cloud": "Cloud (worldwide, gcc, gcchigh, dod, china)",
    "auth.client_id": "Application (client) id; empty to decide later",
    "auth.certificate_file": "Certificate file of the application; empty to decide later",
}


def _ask(key: str) -> str:
    answer = typer.prompt(
        _QUESTIONS[key], default="worldwide" if key == "cloud" else "", show_default=key == "cloud"
    )
    return str(answer).strip()


def _check(answers: dict[str, str]) -> None:
    """Refuse what the file would be refused for, before it is written."""
    from exo_auth.run.config import load

    load(answers, environment={}, config_file=Path(os.devnull))  # no file: only the answers count
