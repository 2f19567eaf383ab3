"""`explain`, `schema`, `completion`, `version`: the product about itself (cli)."""

from __future__ import annotations

import platform
from enum import StrEnum
from typing import Annotated

import typer

from exo_auth import __version__
from exo_auth.cli.options import Common, command
from exo_auth.errors import InputError


class Shell(StrEnum):
    """Shells that completion is known for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def _codes(incomplete: str) -> list[str]:
    from exo_auth.checks.catalogue import CATALOGUE

    spelled = [code.lower() if incomplete.islower() else code for code in CATALOGUE]
    return [code for code in spelled if code.startswith(incomplete)]


def _documents(incomplete: str) -> list[str]:
    from exo_auth.render.schema import schema_names

    return [name for name in schema_names() if name.startswith(incomplete)]


@command
def explain(
    common: Common,
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]",
            autocompletion=_codes,
            help="A finding's code, an error's name, an exit code, or a record in quotes.",
        ),
    ] = None,
) -> None:
    """Explain a finding, an error or an exit code: why it matters, where it is written, what to do.

    A record in quotes (SPF, DMARC, DKIM key, MTA-STS, TLS-RPT) is taken apart in plain words. Without an argument it lists all codes.

    Example:  exo-auth explain DKIM-CNAME-MISSING
    """
    from exo_auth.render.explain_text import explain_list, explain_text
    from exo_auth.render.record_text import is_record, record_text

    output = common.settings().output
    if code and is_record(code):
        print(record_text(code, output))
        return
    print(explain_text(code, output) if code else explain_list(output, color=common.color))


@command
def schema(
    common: Common,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which document.", autocompletion=_documents)
    ] = None,
) -> None:
    """Print the JSON Schema of a document that --output json writes; without a name, list them.

    Example:  exo-auth schema run-report
    """
    from exo_auth.render.schema import schema_names, schema_text

    if name is None:
        if not common.quiet:
            print("\n".join(schema_names()))
    else:
        print(schema_text(name))


def completion(
    shell: Annotated[Shell, typer.Argument(help="Which shell.")],
) -> None:
    """Print the completion script of a shell.

    Example:  exo-auth completion bash > ~/.local/share/bash-completion/completions/exo-auth
    """
    from typer._completion_shared import get_completion_script

    from exo_auth.cli.app import COMPLETE_VARIABLE

    name = "pwsh" if shell is Shell.POWERSHELL else shell.value
    try:
        print(get_completion_script(prog_name="exo-auth", complete_var=COMPLETE_VARIABLE, shell=name))
    except typer.Exit:
        raise InputError(f"no completion for {shell}") from None


@command
def version(common: Common) -> None:
    """Print the version, and those of what it runs on.

    Example:  exo-auth version -o json
    """
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    from exo_auth.render.tenant_text import facts_text

    facts = {"exo-auth": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in ("msal", "requests", "cryptography", "typer"):
        try:
            facts[package] = version_of(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    print(facts_text("version", facts, common.settings().output))
