"""`exo-auth dmarc`: which policy governs a name (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import note, put

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
    """Take a DMARC record apart in plain words, with its faults at their place. DNS is not asked.

    Example:  exo-auth dmarc lint 'v=DMARC1; p=reject; rua=mailto:dmarc@contoso.com'
    """
    from exo_auth.render.dmarc_terms import dmarc_apart
    from exo_auth.render.record_terms import apart_text

    apart = dmarc_apart(record)
    put(apart_text(apart, common.settings().output))
    raise typer.Exit(EXIT_WRONG if apart.faults else 0)


Words = Annotated[
    str,
    typer.Option(
        "--policy", metavar="POLICY", envvar="EXO_AUTH_DMARC_POLICY", help="none, quarantine or reject."
    ),
]


@app.command()
@command
def generate(
    common: Common,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Whose record.")],
    policy: Words = "",
    subdomains: Annotated[
        str,
        typer.Option("--subdomains", metavar="POLICY", envvar="EXO_AUTH_DMARC_SP", help="The sp tag."),
    ] = "",
    nonexistent: Annotated[
        str,
        typer.Option("--nonexistent", metavar="POLICY", envvar="EXO_AUTH_DMARC_NP", help="The np tag."),
    ] = "",
    rua: Annotated[
        list[str] | None,
        typer.Option(
            "--rua", metavar="URI", envvar="EXO_AUTH_DMARC_RUA", help="Where reports go. Repeatable."
        ),
    ] = None,
    ruf: Annotated[
        list[str] | None,
        typer.Option(
            "--ruf", metavar="URI", envvar="EXO_AUTH_DMARC_RUF", help="Where failures go. Repeatable."
        ),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--relaxed", envvar="EXO_AUTH_DMARC_STRICT", help="Alignment of both."),
    ] = None,
    rules: Annotated[
        str,
        typer.Option(
            "--rules",
            metavar="NAME",
            envvar="EXO_AUTH_RULES",
            help="ietf, cisa, cis, microsoft, parked: who says what comes next.",
        ),
    ] = "ietf",
) -> None:
    """Make the record from the published one, with the tags of RFC 9989 only, and say what receivers will do.

    By the rules of cisa, cis and microsoft the next step to reject is taken where --policy names none; parked refuses
    everything at once. A stricter policy is refused (exit code 3) while SPF or DKIM are not in order.

    Example:  exo-auth dmarc generate contoso.com --policy quarantine --rua mailto:dmarc@contoso.com
    """
    from exo_auth.cli.records import show_changes
    from exo_auth.plan.dmarc_edit import DmarcWish, policy_named, rules_named
    from exo_auth.run.policy_records import generate_dmarc

    settings = common.settings()
    wish = DmarcWish(
        policy_named(policy),
        policy_named(subdomains),
        policy_named(nonexistent),
        tuple(rua or ()),
        tuple(ruf or ()),
        strict,
    )
    show_changes(settings, [generate_dmarc(settings, domain, wish, rules_named(rules))])


@app.command()
@command
def authorize(
    common: Common,
    host: Annotated[
        str,
        typer.Option("--host", metavar="NAME", envvar="EXO_AUTH_DMARC_HOST", help="Who takes the reports."),
    ],
    domains: Annotated[
        list[str] | None, typer.Argument(metavar="[DOMAIN]...", help="About whom; - reads standard input.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE", envvar="EXO_AUTH_FILE", help="One domain a line."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--as", metavar="FORM", envvar="EXO_AUTH_FORM", help="table, zone, octodns, terraform, …"
        ),
    ] = "",
) -> None:
    """Print the records by which a host agrees to take reports about other domains (RFC 9990 §4).

    Example:  exo-auth dmarc authorize --host reports.msp.example --file clients.txt --as zone
    """
    from exo_auth.cli.naming import names_given
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.dmarc_edit import authorizations
    from exo_auth.plan.receiver_effects import authorization_effects
    from exo_auth.render.record_set_text import written_as

    settings = common.settings()
    zone = DomainName.parse_lookup(host)
    sets = authorizations(names_given(domains, file), zone)
    notes = authorization_effects(sets, zone)
    put(written_as(form or ("json" if settings.output == "json" else "table"), zone, sets, notes))
    for text in notes:
        note(common, f"note: {text}")
