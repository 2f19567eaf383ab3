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
    from exo_auth.errors import RecordSyntaxError
    from exo_auth.render.spf_text import spf_lint_text
    from exo_auth.run.records import read_spf

    parsed = read_spf(record)
    put(spf_lint_text(record, parsed, common.settings().output))
    raise typer.Exit(EXIT_WRONG if isinstance(parsed, RecordSyntaxError) else 0)
