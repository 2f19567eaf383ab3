"""`exo-auth config`: check the configuration, show what counts and why, print its schema (cli)."""

from __future__ import annotations

import csv
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, OutputFormat, command

if TYPE_CHECKING:
    from exo_auth.errors import ConfigError

app = typer.Typer(no_args_is_help=True)

EXIT_WRONG = 64


@app.command()
@command
def validate(
    common: Common,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="Default: the file that every command reads.")
    ] = None,
) -> None:
    """Report every mistake in a configuration file, with line and column.

    Exit code 0 when it is right, 64 when it is not.

    Example:  exo-auth config validate exo-auth.yaml
    """
    from exo_auth.run.config import chosen_file
    from exo_auth.run.config import validate as validate_file

    path = chosen_file(file or common.config, os.environ)
    errors = validate_file(path)
    if _wants_json(common):
        from exo_auth.render.document import to_text

        document = {
            "schema": "exo-auth/config-validate/1",
            "file": str(path),
            "valid": not errors,
            "errors": [_as_values(error) for error in errors],
        }
        print(to_text(document))
    elif errors:
        for error in errors:
            print(f"{error}" + (f" ({error.hint})" if error.hint else ""))
    elif not common.quiet:
        print(f"{path}: right")
    if errors:
        raise typer.Exit(EXIT_WRONG)


@app.command()
@command
def show(
    common: Common,
    origin: Annotated[
        bool,
        typer.Option("--origin", envvar="EXO_AUTH_ORIGIN", help="Say where each value comes from."),
    ] = False,
) -> None:
    """Show the settings that count here, after options, environment, profile and file. Secrets show as “…”.

    Example:  exo-auth config show --origin
    """
    settings = common.settings()
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    rows = settings.rows()
    output = OutputFormat(settings.output)
    if output in (OutputFormat.JSON, OutputFormat.NDJSON):
        from exo_auth.render.document import to_text

        values = [
            {"key": row.key, "value": row.value}
            | ({"origin": {"kind": row.origin.kind, "where": row.origin.where}} if origin else {})
            for row in rows
        ]
        print(to_text({"schema": "exo-auth/config-show/1", "settings": values}))
        return
    _print_table(
        output,
        ["setting", "value", *(["origin"] if origin else [])],
        [[row.key, row.value, *([str(row.origin)] if origin else [])] for row in rows],
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors and pipelines.

    Example:  exo-auth config schema > exo-auth.schema.json
    """
    from exo_auth.run.config_json_schema import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _wants_json(common: Common) -> bool:
    # Not common.format: that reads the very file whose mistakes are to be listed.
    wanted = common.output or os.environ.get("EXO_AUTH_OUTPUT", "")
    return wanted in (OutputFormat.JSON, OutputFormat.NDJSON)


def _as_values(error: ConfigError) -> dict[str, object]:
    return {"message": str(error), "line": error.line, "column": error.column, "hint": error.hint}


def _print_table(output: OutputFormat, head: list[str], rows: list[list[str]]) -> None:
    if output is OutputFormat.CSV:
        csv.writer(sys.stdout, lineterminator="\n").writerows([head, *rows])
    elif output is OutputFormat.MD:
        for row in (head, ["---"] * len(head), *rows):
            print("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    else:
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
