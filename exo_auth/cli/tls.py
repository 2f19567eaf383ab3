"""`exo-auth tls`: the rules and connectors that force TLS, and what partners do when asked for it (cli)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from exo_auth.cli.check import FailOn, findings_exit_code
from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import progress, put, warner

app = typer.Typer(no_args_is_help=True)
rule = typer.Typer(no_args_is_help=True)
connector = typer.Typer(no_args_is_help=True)
app.add_typer(rule, name="rule", help="Transport rules: per message, outbound.")
app.add_typer(connector, name="connector", help="Connectors: per partner, in both directions.")

Port = Annotated[int, typer.Option("--port", envvar="EXO_AUTH_SMTP_PORT", help="Where mail hosts listen.")]
FromMx = Annotated[
    bool,
    typer.Option(
        "--from-mx/--as-host",
        envvar="EXO_AUTH_FROM_MX",
        help="PARTNER is a mail domain, whose MX names the hosts; or it is a host itself.",
    ),
]
VerifyWord = Annotated[
    str,
    typer.Option(
        "--verify",
        metavar="WHAT",
        envvar="EXO_AUTH_TLS_VERIFY",
        help="What is to be forced: encryption (a transport rule), certificate or domain (connectors).",
    ),
]
TlsDomain = Annotated[
    str,
    typer.Option(
        "--tls-domain",
        metavar="NAME",
        envvar="EXO_AUTH_TLS_DOMAIN",
        help="The name that certificates must show with --verify domain, such as *.fabrikam.com.",
    ),
]


@rule.command("list")
@command
def list_rules(common: Common) -> None:
    """List the transport rules in the order in which they act, and which of them require TLS.

    Example:  exo-auth tls rule list
    """
    from exo_auth.render.mail_flow_text import rules_text
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        rules = session.reader.transport_rules()
    put(rules_text(rules, settings.output, color=common.color))


@connector.command("list")
@command
def list_connectors(common: Common) -> None:
    """List the connectors of both directions, and what each demands of TLS and certificates.

    Example:  exo-auth tls connector list -o csv
    """
    from exo_auth.render.mail_flow_text import connectors_text
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        outbound = session.reader.outbound_connectors()
        inbound = session.reader.inbound_connectors()
    put(connectors_text(outbound, inbound, settings.output, color=common.color))


@app.command()
@command
def probe(
    common: Common,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="A mail domain, or a host of it.")],
    port: Port = 25,
    from_mx: FromMx = True,
    verify: VerifyWord = "encryption",
    tls_domain: TlsDomain = "",
) -> None:
    """Ask a partner's mail hosts for TLS: may it be forced? Nothing is mailed, and no tenant is needed.

    Most clouds and access lines block outgoing port 25; then there is no verdict, and the exit code is 6.
    Exit code 3 when forcing TLS would lose mail.

    Example:  exo-auth tls probe fabrikam.com --from-mx --verify certificate
    """
    from exo_auth.render.partner_text import partner_text
    from exo_auth.run.partner import demand_of, look_at_partner

    settings = common.settings()
    demand = demand_of(verify, tls_domain)
    seen = look_at_partner(
        settings, partner, port=port, from_mx=from_mx, demand=demand, now=datetime.now(UTC)
    )
    put(partner_text(seen.facts, seen.verdict, settings.output, color=common.color))
    severities = [one.severity.value for one in seen.verdict.findings]
    if "fail" in severities:  # a defect is a verdict, whatever else could not be looked at
        severities = [word for word in severities if word != "unknown"]
    raise typer.Exit(findings_exit_code(severities, FailOn.FAIL))
