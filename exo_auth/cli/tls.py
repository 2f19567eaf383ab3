"""`exo-auth tls`: the rules and connectors that force TLS, and what partners do when asked for it (cli)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.check import FailOn, findings_exit_code
from exo_auth.cli.options import Common, Writing, command
from exo_auth.cli.talk import progress, put, warner

if TYPE_CHECKING:
    from exo_auth.plan.mail_flow import PartnerWish

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


Partners = Annotated[list[str], typer.Argument(metavar="PARTNER...", help="Mail domains of partners.")]
Enforce = Annotated[
    bool,
    typer.Option("--enforce", envvar="EXO_AUTH_TLS_ENFORCE", help="Act; else the rule only audits."),
]
Adopt = Annotated[
    bool,
    typer.Option("--adopt", envvar="EXO_AUTH_ADOPT", help="Take over one of that name that is not ours."),
]
NoProbe = Annotated[
    bool,
    typer.Option(
        "--no-probe",
        envvar="EXO_AUTH_NO_PROBE",
        help="Do not ask the partner's hosts first: on your own head.",
    ),
]
Inbound = Annotated[
    str,
    typer.Option(
        "--inbound-certificate",
        metavar="NAME",
        envvar="EXO_AUTH_INBOUND_CERTIFICATE",
        help="Make an inbound connector too, switched off, that wants this name of the sender's certificate.",
    ),
]


@rule.command("set")
@command
def set_rule(
    common: Common,
    writing: Writing,
    partners: Partners,
    enforce: Enforce = False,
    adopt: Adopt = False,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Make or change the transport rule that requires TLS to a partner: auditing first, then enforcing.

    Example:  exo-auth tls rule set fabrikam.com --enforce
    """
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.mail_flow import PartnerWish

    mode = "Enforce" if enforce else "Audit"
    wishes = [PartnerWish(DomainName.parse(name), "rule", mode, adopts=adopt) for name in partners]
    _write(common, writing, wishes, probes=not no_probe, port=port)


@rule.command("remove")
@command
def remove_rule(common: Common, writing: Writing, partners: Partners, adopt: Adopt = False) -> None:
    """Take away the rule and connectors that we made for a partner; those of others stay.

    Example:  exo-auth tls rule remove fabrikam.com
    """
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.mail_flow import PartnerWish

    wishes = [
        PartnerWish(DomainName.parse(name), adopts=adopt, inbound_certificate="any") for name in partners
    ]
    _write(common, writing, wishes, removes=True)


@connector.command("set")
@command
def set_connector(
    common: Common,
    writing: Writing,
    partners: Partners,
    verify: VerifyWord = "certificate",
    tls_domain: TlsDomain = "",
    inbound_certificate: Inbound = "",
    adopt: Adopt = False,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Make or change the partner connector that demands TLS, and a certificate, of a partner's hosts.

    Example:  exo-auth tls connector set fabrikam.com --verify domain --tls-domain '*.fabrikam.com'
    """
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.mail_flow import PartnerWish
    from exo_auth.run.partner import demand_of

    demand_of(verify, tls_domain)
    wishes = [
        PartnerWish(
            DomainName.parse(name), "connector", "", verify, tls_domain.lower(), inbound_certificate, adopt
        )
        for name in partners
    ]
    _write(common, writing, wishes, probes=not no_probe, port=port)


@app.command()
@command
def force(
    common: Common,
    writing: Writing,
    partners: Partners,
    verify: VerifyWord = "encryption",
    tls_domain: TlsDomain = "",
    enforce: Enforce = False,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Force TLS with a partner by what fits: a transport rule for encryption alone, a connector for certificates.

    Rules before it that stop processing, and connectors that carry the mail otherwise, are found and told.

    Example:  exo-auth tls force fabrikam.com --verify certificate
    """
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.mail_flow import PartnerWish
    from exo_auth.run.partner import demand_of

    demand_of(verify, tls_domain)
    how = "rule" if verify == "encryption" else "connector"
    mode = "Enforce" if enforce else "Audit"
    wishes = [PartnerWish(DomainName.parse(name), how, mode, verify, tls_domain.lower()) for name in partners]
    _write(common, writing, wishes, probes=not no_probe, port=port)


def _write(
    common: Common,
    writing: Writing,
    wishes: list[PartnerWish],
    *,
    removes: bool = False,
    probes: bool = False,
    port: int = 25,
) -> None:
    from exo_auth.cli.writing import write_other
    from exo_auth.run.mail_flow_changes import plan_partners

    say = progress(common)
    write_other(
        common,
        writing,
        lambda session: plan_partners(session, wishes, removes=removes, probes=probes, port=port, say=say),
    )
