"""`exo-auth tls`: the rules and connectors that force TLS, and what partners do when asked for it (cli)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.check import FailOn, findings_exit_code
from exo_auth.cli.options import Common, Writing, command
from exo_auth.cli.rule_terms import RuleTerms
from exo_auth.cli.talk import progress, put, warner

if TYPE_CHECKING:
    from collections.abc import Callable

    from exo_auth.plan.partner_wish import PartnerWish
    from exo_auth.run.mail_flow_changes import ProbeWish
    from exo_auth.run.settings import Settings

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
Mode = Annotated[
    bool | None,
    typer.Option(
        "--enforce/--audit",
        envvar="EXO_AUTH_TLS_ENFORCE",
        help="Act, or only audit. A new rule audits; else it stays as it is.",
    ),
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
        help="Look at the partner's DNS alone, and do not ask its hosts for TLS: on your own head.",
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
InboundTls = Annotated[
    bool,
    typer.Option(
        "--inbound-tls",
        envvar="EXO_AUTH_INBOUND_TLS",
        help="Make an inbound connector too, switched off, that demands TLS, whatever the certificate.",
    ),
]
InboundOn = Annotated[
    bool | None,
    typer.Option(
        "--inbound-on/--inbound-off",
        envvar="EXO_AUTH_INBOUND_ON",
        help="Switch the inbound connector: a wrong one rejects real mail at once. Default: off, or as it is.",
    ),
]
MtaStsMode = Annotated[
    str,
    typer.Option(
        "--mta-sts-mode",
        metavar="MODE",
        envvar="EXO_AUTH_MTA_STS_MODE",
        help="Opportunistic (the service's default) or None: mail by the connector heeds the partner's MTA-STS.",
    ),
]
DaneMode = Annotated[
    str,
    typer.Option(
        "--smtp-dane-mode",
        metavar="MODE",
        envvar="EXO_AUTH_SMTP_DANE_MODE",
        help="Opportunistic (the service's default), Mandatory, or None: mail by it heeds the partner's TLSA.",
    ),
]
Priority = Annotated[
    int | None,
    typer.Option(
        "--priority",
        min=0,
        metavar="N",
        envvar="EXO_AUTH_RULE_PRIORITY",
        help="The rule's place; 0 acts first. A new one acts last; else it stays where it is.",
    ),
]
RuleName = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        envvar="EXO_AUTH_RULE_NAME",
        help="One rule of this name for all PARTNERs, or without any for all mail that the options name.",
    ),
]
PartnersOrNone = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PARTNER...]", help="Mail domains of partners. Sub-domains are meant, too."),
]


@rule.command("set")
@command
def set_rule(
    common: Common,
    writing: Writing,
    terms: RuleTerms,
    partners: PartnersOrNone = None,
    enforce: Mode = None,
    name: RuleName = "",
    priority: Priority = None,
    adopt: Adopt = False,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Make or change the transport rule that requires TLS to a partner: auditing first, then enforcing.

    The rule is as it is told here: a condition of ours that is no longer given goes.

    Example:  exo-auth tls rule set fabrikam.com --from-group legal@contoso.com --enforce
    """
    from exo_auth.run.partner_wishes import RuleWords, rule_wishes

    words = RuleWords(tuple(partners or ()), name, mode_of(enforce), priority, adopt, terms.terms())
    _force(
        common,
        writing,
        lambda settings: rule_wishes(settings, words),
        probe_wish(asks_hosts=not no_probe, port=port),
    )


@rule.command("remove")
@command
def remove_rule(
    common: Common,
    writing: Writing,
    partners: PartnersOrNone = None,
    name: RuleName = "",
    adopt: Adopt = False,
) -> None:
    """Take away the rule and connectors that we made for a partner, or the rule of a name; those of others stay.

    Example:  exo-auth tls rule remove fabrikam.com
    """
    from exo_auth.cli.writing import write_other
    from exo_auth.run.mail_flow_changes import plan_removals
    from exo_auth.run.partner_wishes import RuleWords, rule_wishes

    words = RuleWords(tuple(partners or ()), name, adopts=adopt)
    wishes = rule_wishes(common.settings(), words)
    write_other(common, writing, lambda session: plan_removals(session, wishes))


@connector.command("set")
@command
def set_connector(
    common: Common,
    writing: Writing,
    partners: Partners,
    verify: VerifyWord = "certificate",
    tls_domain: TlsDomain = "",
    mta_sts_mode: MtaStsMode = "",
    smtp_dane_mode: DaneMode = "",
    inbound_certificate: Inbound = "",
    inbound_tls: InboundTls = False,
    inbound_on: InboundOn = None,
    adopt: Adopt = False,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Make or change the partner connector that demands TLS, and a certificate, of a partner's hosts.

    Example:  exo-auth tls connector set fabrikam.com --verify domain --tls-domain '*.fabrikam.com'
    """
    from exo_auth.run.partner_wishes import ConnectorWords, connector_wishes

    words = ConnectorWords(
        tuple(partners),
        verify,
        tls_domain,
        inbound_certificate,
        inbound_tls,
        inbound_on,
        mta_sts_mode,
        smtp_dane_mode,
        adopt,
    )
    _force(
        common,
        writing,
        lambda _settings: connector_wishes(words),
        probe_wish(asks_hosts=not no_probe, port=port),
    )


@app.command()
@command
def force(
    common: Common,
    writing: Writing,
    partners: Partners,
    verify: VerifyWord = "",
    tls_domain: TlsDomain = "",
    enforce: Mode = None,
    priority: Priority = None,
    no_probe: NoProbe = False,
    port: Port = 25,
) -> None:
    """Force TLS with a partner by what fits: a rule for encryption alone, a connector for certificates.

    Where a connector of ours carries the partner's mail already, it is that which is set, and without --verify it demands
    no less than now. Rules before it that stop
    processing, and connectors that carry the mail otherwise, are found and told.

    Example:  exo-auth tls force fabrikam.com --verify certificate
    """
    from dataclasses import replace

    from exo_auth.checks.partner_tls import Verify
    from exo_auth.run.partner import demand_of
    from exo_auth.run.partner_wishes import RuleWords, rule_wishes

    keeps = frozenset() if verify else frozenset({"verify"})
    verify = verify or Verify.ENCRYPTION.value
    demand_of(verify, tls_domain)
    words = RuleWords(tuple(partners), "", mode_of(enforce), priority)
    _force(
        common,
        writing,
        lambda settings: [
            replace(wish, how="", verify=verify, tls_domain=tls_domain.lower(), keeps=keeps)
            for wish in rule_wishes(settings, words)
        ],
        probe_wish(asks_hosts=not no_probe, port=port),
    )


def probe_wish(*, asks_hosts: bool, port: int) -> ProbeWish:
    """Say how partners are looked at first."""
    from exo_auth.run.mail_flow_changes import ProbeWish

    return ProbeWish(asks_hosts, port)


def mode_of(enforce: bool | None) -> str:
    """Give the word for a rule's mode; "" leaves it as it is."""
    return "" if enforce is None else "Enforce" if enforce else "Audit"


def _force(
    common: Common, writing: Writing, wishes_of: Callable[[Settings], list[PartnerWish]], probing: ProbeWish
) -> None:
    from exo_auth.cli.writing import write_other
    from exo_auth.run.mail_flow_changes import plan_partners

    say = progress(common)
    wishes = wishes_of(common.settings())  # what is wrong with the words is told before anything is asked
    write_other(common, writing, lambda session: plan_partners(session, wishes, probing, say))
