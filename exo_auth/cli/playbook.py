"""`exo-auth playbook`: what ships, what a file says, and whether it is right (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.completing import plans_and_playbooks, variables
from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put

app = typer.Typer(no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="PLAYBOOK", help="A file, or one that ships.", autocompletion=plans_and_playbooks),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="NAME=VALUE",
        envvar="EXO_AUTH_VAR",
        help="A value of a variable. Repeatable.",
        autocompletion=variables,
    ),
]


@app.command("list")
@command
def list_playbooks(common: Common) -> None:
    """List the playbooks that ship, with what each does.

    Example:  exo-auth playbook list
    """
    from exo_auth.render.playbook_text import playbooks_text
    from exo_auth.run.playbook import shipped

    rows = [(name, path.read_text(encoding="utf-8")) for name, path in shipped().items()]
    put(playbooks_text(rows, common.settings().output))


@app.command()
@command
def show(common: Common, playbook: Name) -> None:
    """Print the text of a playbook, its explanation first.

    Example:  exo-auth playbook show onboard-tenant > mine.yaml
    """
    from exo_auth.run.playbook import playbook_text

    common.settings()
    put(playbook_text(playbook)[0].rstrip("\n"))


@app.command()
@command
def validate(common: Common, playbook: Name, var: Variables = None) -> None:
    """Read a playbook and say what it would do; a mistake is told with its line and column.

    Example:  exo-auth playbook validate mine.yaml --var rua=mailto:dmarc@contoso.com
    """
    from exo_auth.render.playbook_text import playbook_text
    from exo_auth.run.playbook import read_playbook

    settings = common.settings()
    read = read_playbook(playbook, variables_given(var))
    tags = read.every_tag(settings.tags)
    used = {tag: tuple(tags[tag]) for tag in read.tag_places}
    put(playbook_text(read.domains, read.excepted, used, read.steps, settings.output))


@app.command()
@command
def schema(common: Common) -> None:
    """Print the JSON Schema of playbooks, for editors.

    Example:  exo-auth playbook schema > playbook.schema.json
    """
    from exo_auth.render.document import to_text
    from exo_auth.run.playbook_schema import playbook_schema

    common.settings()
    put(to_text(playbook_schema()))


def variables_given(words: list[str] | None) -> dict[str, str]:
    """Read NAME=VALUE words; raises InputError."""
    from exo_auth.errors import InputError

    found = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InputError(f"“{word}” is no value of a variable", hint="write --var name=value")
        found[name] = value
    return found
