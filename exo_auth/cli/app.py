"""The command tree, and the one place where errors become a line on stderr and an exit code (cli)."""

from __future__ import annotations

import os
import sys

import typer
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.main import get_group_from_info
from typer.models import TyperInfo

from exo_auth.cli.commands import Tree
from exo_auth.errors import ExoAuthError

EXIT_USAGE = 64  # Click's own 2 means “changes pending” here
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141  # what a shell gives for a program that SIGPIPE ended
COMPLETE_VARIABLE = "_EXO_AUTH_COMPLETE"  # set by the shell's completion script


def build() -> Tree:
    """Assemble the tree."""
    info = TyperInfo(
        typer.Typer(),
        name="exo-auth",
        cls=Tree,
        help="Makes and keeps e-mail authentication right for the domains of an Exchange Online tenant.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    tree = get_group_from_info(
        info,
        pretty_exceptions_short=True,
        suggest_commands=True,
        rich_markup_mode=None,  # rich would double the time --help takes
    )
    assert isinstance(tree, Tree)  # noqa: S101 - Typer makes what `cls` names
    return tree


def run(arguments: list[str]) -> int:
    """Run one command line; give its exit code."""
    if os.environ.get(COMPLETE_VARIABLE):
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code = build().main(args=arguments, prog_name="exo-auth", standalone_mode=False, obj=tuple(arguments))
        sys.stdout.flush()
    except NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        return EXIT_USAGE
    except ClickException as usage:
        usage.show()
        return EXIT_USAGE
    except ExoAuthError as error:
        report(error, arguments)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer makes a 1 of it
            return _unread()
        raise
    except Exception as bug:  # noqa: BLE001 - the last door: a person sees a sentence, never a trace unasked
        return _report_bug(bug, arguments)
    return code if isinstance(code, int) else 0


def _unread() -> int:
    """Say nothing more to a reader that went away."""
    from exo_auth.cli.talk import leave_unread

    leave_unread(sys.stdout)
    return EXIT_UNREAD


def _report_bug(bug: Exception, arguments: list[str]) -> int:
    if os.environ.get("EXO_AUTH_VERBOSE") or {"-v", "--verbose"} & set(arguments):
        import traceback

        traceback.print_exception(bug)
    print(f"error: this is a bug of exo-auth: {type(bug).__name__}: {bug}", file=sys.stderr)
    print("hint: run it again with --verbose and report what it prints", file=sys.stderr)
    return 1


def report(error: ExoAuthError, arguments: list[str]) -> None:
    """Write the error to stderr, and to stdout as JSON when JSON was asked for."""
    from exo_auth.cli.talk import clear_progress, tell

    clear_progress()
    tell(f"error: {error}")
    if error.hint:
        tell(f"hint: {error.hint}")
    if _wants_json(arguments):
        from exo_auth.render.document import error_document, to_text

        print(to_text(error_document(error)))


def _wants_json(arguments: list[str]) -> bool:
    wanted = os.environ.get("EXO_AUTH_OUTPUT", "")
    for i, argument in enumerate(arguments):
        if argument in ("-o", "--output") and i + 1 < len(arguments):
            wanted = arguments[i + 1]
        elif argument.startswith("--output="):
            wanted = argument.partition("=")[2]
        elif argument.startswith("-o") and len(argument) > 2:
            wanted = argument[2:]
    return wanted in ("json", "ndjson")
