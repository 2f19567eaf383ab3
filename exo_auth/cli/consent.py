"""What a person has to say to a plan: to all of it, or change by change (cli)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from exo_auth.cli.options import Common, OutputFormat, Writing
from exo_auth.cli.showing import plan_written
from exo_auth.cli.talk import note
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.plan.change import Change
    from exo_auth.plan.choice import Answer, Choice
    from exo_auth.plan.plan import Plan
    from exo_auth.run.settings import Settings

EXIT_NOT_APPROVED = 9
SHOW = "show"


def need_consent(common: Common, writing: Writing) -> None:
    """Refuse options that contradict each other, and a run that could never be confirmed, before anything is looked at."""
    options = {"--interactive": writing.interactive, "--dry-run": writing.dry_run, "--yes": writing.yes}
    given = [option for option, is_given in options.items() if is_given]
    if writing.interactive and writing.out:
        given.append("--out")
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]} contradict each other", hint="give one of them")
    if writing.dry_run or writing.out or writing.yes or common.may_ask:
        return
    if writing.interactive:
        raise InputError(
            "--interactive asks about every change, and nobody can be asked here",
            hint="run it on a terminal, without --no-input and without CI in the environment",
        )
    raise InputError(
        "nobody can be asked for a confirmation here",
        hint="give --yes to apply the plan, --dry-run to see it, or --out FILE to save it",
    )


def approved(common: Common, writing: Writing, settings: Settings, plan: Plan) -> Choice:
    """Give what a person agreed to, or --yes did; ends the run when that is nothing."""
    from exo_auth.plan.choice import Choice, choose

    if not writing.interactive:
        _confirm_all(common, writing, settings, plan)
        return Choice(plan, {})
    choice = choose(plan, lambda place, change: _answer(place, change, plan), lambda text: note(common, text))
    changes, chosen = len(plan.changes), len(choice.chosen.changes)
    if not chosen or not typer.confirm(f"Apply {chosen} of {changes} changes to {plan.tenant}?", err=True):
        _end(common)
    return choice


def _confirm_all(common: Common, writing: Writing, settings: Settings, plan: Plan) -> None:
    if writing.yes:
        return
    if settings.output != OutputFormat.TABLE:  # stdout belongs to the report
        print(plan_written(plan, OutputFormat.TABLE), file=sys.stderr)
    count = f"{len(plan.changes)} change{'s' if len(plan.changes) != 1 else ''}"
    if not typer.confirm(f"Apply {count} to {plan.tenant}?", err=True):
        _end(common)


def _end(common: Common) -> None:
    note(common, "nothing was changed")
    raise typer.Exit(EXIT_NOT_APPROVED)


def _answer(place: int, change: Change, plan: Plan) -> Answer:
    """Show a change, and ask until the answer is one; `show` writes out all that would be sent and compared."""
    from exo_auth.plan.choice import Answer
    from exo_auth.plan.plan_file import change_document
    from exo_auth.render.document import to_text
    from exo_auth.render.plan_text import change_lines

    words = [answer.value for answer in Answer] + [SHOW]
    print("\n".join(change_lines(change)), file=sys.stderr)
    while True:
        said = str(typer.prompt(f"Change {place + 1} of {len(plan.changes)}: {'/'.join(words)}", err=True))
        word = next((word for word in words if said.strip().lower() in (word, word[0])), None)
        if word == SHOW:
            print(to_text(change_document(change)), file=sys.stderr)
        elif word is not None:
            return Answer(word)
        else:
            print(f"answer with one of {', '.join(words)}, or its first letter", file=sys.stderr)
