"""`exo-auth spf`: who may send for a domain (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put

app = typer.Typer(no_args_is_help=True)

EXIT_WRONG = 3
EXIT_NO_VERDICT = 6


@app.command("test")
@command
def evaluate(
    common: Common,
    ip: Annotated[str, typer.Option("--ip", metavar="ADDRESS", envvar="EXO_AUTH_SPF_IP", help="Who sends.")],
    mail_from: Annotated[
        str,
        typer.Option(
            "--mail-from", metavar="MAILBOX", envvar="EXO_AUTH_SPF_MAIL_FROM", help="MAIL FROM; may be empty."
        ),
    ] = "",
    helo: Annotated[
        str, typer.Option("--helo", metavar="NAME", envvar="EXO_AUTH_SPF_HELO", help="HELO name.")
    ] = "unknown",
) -> None:
    """Evaluate SPF as a receiver does (RFC 7208): the result, the way to it, and what it cost.

    Exit code 6 when DNS gave no verdict. The explanation DEFAULT means that the domain gives none.

    Example:  exo-auth spf test --ip 192.0.2.1 --mail-from user@contoso.com --helo mail.contoso.com
    """
    from exo_auth.render.spf_text import spf_result_text
    from exo_auth.run.spf import evaluate_spf

    settings = common.settings()
    result = evaluate_spf(settings, address=ip, mail_from=mail_from, helo=helo)
    put(spf_result_text(result, settings.output))
    raise typer.Exit(EXIT_NO_VERDICT if result.result == "temperror" else 0)


@app.command()
@command
def show(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
) -> None:
    """Show the tree of includes: what each branch costs, in the worst case, for IPv4 and IPv6 senders.

    Exit code 3 when something is wrong, 6 when something could not be looked up.

    Example:  exo-auth spf show contoso.com
    """
    from datetime import UTC, datetime

    from exo_auth.checks.spf import txt_size
    from exo_auth.cli.check import FailOn, findings_exit_code
    from exo_auth.facts.domain import Subject
    from exo_auth.render.spf_tree_text import spf_tree_text
    from exo_auth.run.look import look

    settings = common.settings()
    seen = look(settings, domain, frozenset({Subject.SPF}), datetime.now(UTC))
    facts = seen.facts
    if facts.spf is not None:
        size = txt_size(facts.domain, facts.txt) if facts.txt is not None else 0
        put(spf_tree_text(facts.spf, size, seen.findings, settings.output))
    raise typer.Exit(findings_exit_code([one.severity.value for one in seen.findings], FailOn.FAIL))


@app.command()
@command
def lint(
    common: Common,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The text of a record, in quotes.")],
) -> None:
    """Take a record apart in plain words; a fault is marked at its place. DNS is not asked.

    Example:  exo-auth spf lint 'v=spf1 include:spf.protection.outlook.com -all'
    """
    from exo_auth.render.record_terms import apart_text
    from exo_auth.render.spf_terms import spf_apart

    apart = spf_apart(record)
    put(apart_text(apart, common.settings().output))
    raise typer.Exit(EXIT_WRONG if apart.faults else 0)


Add = Annotated[
    list[str] | None,
    typer.Option(
        "--add",
        metavar="TERM",
        envvar="EXO_AUTH_SPF_ADD",
        help="A term such as include:example.com, or a sender of `spf senders`. Repeatable.",
        autocompletion=lambda incomplete: _sender_words(incomplete),
    ),
]
Remove = Annotated[
    list[str] | None,
    typer.Option(
        "--remove", metavar="TERM", envvar="EXO_AUTH_SPF_REMOVE", help="A term to remove. Repeatable."
    ),
]
All = Annotated[
    str,
    typer.Option(
        "--all", metavar="SIGN", envvar="EXO_AUTH_SPF_ALL", help="~all, -all or ?all; else as it is."
    ),
]
Microsoft = Annotated[
    bool,
    typer.Option(
        "--no-microsoft",
        envvar="EXO_AUTH_SPF_NO_MICROSOFT",
        help="Do not add the include of Exchange Online.",
    ),
]


def _sender_words(incomplete: str) -> list[str]:
    from exo_auth.plan.spf_senders import BY_WORD

    return [word for word in BY_WORD if word.startswith(incomplete)]


@app.command()
@command
def generate(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
    add: Add = None,
    remove: Remove = None,
    ending: All = "",
    no_microsoft: Microsoft = False,
    simplify: Annotated[
        bool,
        typer.Option("--simplify", envvar="EXO_AUTH_SPF_SIMPLIFY", help="Leave out what cannot matter."),
    ] = False,
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss", envvar="EXO_AUTH_SPF_ALLOW_LOSS", help="Networks that pass today may be lost."
        ),
    ] = False,
) -> None:
    """Make the record from the published one: Microsoft's include, more senders, two records merged, and its cost.

    Exit code 3 when the change is refused: an include without a record, more than ten lookups, a sender lost.

    Example:  exo-auth spf generate contoso.com --add sendgrid --all=-all
    """
    from exo_auth.cli.records import show_changes
    from exo_auth.run.spf_records import SpfWish
    from exo_auth.run.spf_records import generate as make

    settings = common.settings()
    wish = SpfWish(
        tuple(add or ()), tuple(remove or ()), ending, not no_microsoft, simplify, allows_loss=allow_loss
    )
    show_changes(settings, [make(settings, domain, wish)])


@app.command("simplify")
@command
def simplify_record(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
) -> None:
    """Leave out what cannot matter: repeated terms, terms behind all, ranges inside other ranges.

    Example:  exo-auth spf simplify contoso.com
    """
    from exo_auth.cli.records import show_changes
    from exo_auth.run.spf_records import SpfWish
    from exo_auth.run.spf_records import generate as make

    settings = common.settings()
    show_changes(settings, [make(settings, domain, SpfWish(microsoft=False, simplify=True))])


@app.command()
@command
def simulate(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
    record: Annotated[
        str,
        typer.Option("--record", metavar="TEXT", envvar="EXO_AUTH_SPF_RECORD", help="The record to try."),
    ] = "",
    sender: Annotated[
        list[str] | None,
        typer.Option(
            "--sender", metavar="ADDRESS", envvar="EXO_AUTH_SPF_SENDER", help="Who sends today. Repeatable."
        ),
    ] = None,
    add: Add = None,
    remove: Remove = None,
    ending: All = "",
) -> None:
    """Evaluate senders under the published record and under another one: who would be lost?

    Exit code 3 when a sender, or a network, that passes today would not pass any more.

    Example:  exo-auth spf simulate contoso.com --remove include:sendgrid.net --sender 192.0.2.1
    """
    from exo_auth.render.spf_simulation_text import simulation_text
    from exo_auth.run.spf_records import SpfWish
    from exo_auth.run.spf_records import simulate as try_out

    settings = common.settings()
    wish = SpfWish(tuple(add or ()), tuple(remove or ()), ending, microsoft=False)
    found = try_out(settings, domain, wish, record, tuple(sender or ()))
    put(simulation_text(found, settings.output))
    raise typer.Exit(EXIT_WRONG if found.lost or any(one.is_lost for one in found.senders) else 0)


@app.command()
@command
def flatten(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
    include: Annotated[
        list[str] | None,
        typer.Option(
            "--include",
            metavar="TERM",
            envvar="EXO_AUTH_SPF_INCLUDE",
            help="The include to put in; else the cheapest that are enough. Repeatable.",
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state", metavar="FILE", envvar="EXO_AUTH_SPF_STATE", help="Where the last networks are kept."
        ),
    ] = None,
    max_shrink: Annotated[
        float,
        typer.Option(
            "--max-shrink",
            metavar="SHARE",
            envvar="EXO_AUTH_SPF_MAX_SHRINK",
            help="How many of them may be gone.",
        ),
    ] = 0.2,
) -> None:
    """Put includes in as addresses, where ten lookups cannot be kept otherwise; refused where a copy would be wrong.

    A copy grows old: run it again by schedule with the same --state, which knows what was put in. Then vendors are asked
    anew, and what they dropped goes; refused when more of it is gone than --max-shrink.

    Example:  exo-auth spf flatten contoso.com --state contoso.json
    """
    from pathlib import Path

    from exo_auth.cli.records import show_changes
    from exo_auth.run.spf_flattening import flatten_record

    settings = common.settings()
    kept = Path(state) if state else None
    show_changes(settings, list(flatten_record(settings, domain, tuple(include or ()), kept, max_shrink)))


@app.command()
@command
def senders(common: Common) -> None:
    """List the well-known senders that `spf generate --add` knows by a word.

    Example:  exo-auth spf senders
    """
    from exo_auth.render.spf_simulation_text import senders_text

    put(senders_text(common.settings().output))
