"""`exo-auth dmarc`: which policy governs a name (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import put

app = typer.Typer(no_args_is_help=True)

EXIT_WRONG = 3


@app.command()
@command
def discover(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The domain of a From address.")],
    spf_domain: Annotated[
        str,
        typer.Option(
            "--spf-domain",
            metavar="DOMAIN",
            envvar="EXO_AUTH_SPF_DOMAIN",
            help="The MAIL FROM domain: is it aligned?",
        ),
    ] = "",
    dkim_domain: Annotated[
        str,
        typer.Option(
            "--dkim-domain",
            metavar="DOMAIN",
            envvar="EXO_AUTH_DKIM_DOMAIN",
            help="The d= of a signature: is it aligned?",
        ),
    ] = "",
) -> None:
    """Find the policy that governs a name, as RFC 9989 receivers do and as RFC 7489 receivers do.

    Example:  exo-auth dmarc discover mail.contoso.com --dkim-domain contoso.com
    """
    from exo_auth.render.dmarc_text import discovery_text
    from exo_auth.run.dmarc import discover as ask

    settings = common.settings()
    found = ask(settings, name, spf=spf_domain, dkim=dkim_domain)
    put(
        discovery_text(
            found.walk.author.ascii,
            found.walk.steps,
            found.verdict,
            found.old,
            found.old_queries,
            settings.output,
            found.alignments,
        )
    )


@app.command()
@command
def show(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
) -> None:
    """Show the record, what receivers of both models make of it, and where reports go.

    Exit code 3 when something is wrong, 6 when something could not be looked up.

    Example:  exo-auth dmarc show contoso.com
    """
    from exo_auth.cli.looking import show_subject
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import dmarc_show_text

    show_subject(common, domain, frozenset({Subject.DMARC}), dmarc_show_text)


@app.command()
@command
def lint(
    common: Common,
    record: Annotated[str, typer.Argument(metavar="RECORD", help="The text of a record, in quotes.")],
) -> None:
    """Tell the faults of a DMARC record, each at its place. DNS is not asked.

    Example:  exo-auth dmarc lint 'v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com'
    """
    from exo_auth.errors import RecordSyntaxError
    from exo_auth.render.dmarc_text import dmarc_lint_text
    from exo_auth.run.records import read_dmarc

    parsed = read_dmarc(record)
    put(dmarc_lint_text(record, parsed, common.settings().output))
    raise typer.Exit(EXIT_WRONG if isinstance(parsed, RecordSyntaxError) or parsed.faults else 0)
