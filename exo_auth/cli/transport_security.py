"""`exo-auth mta-sts`, `tls-rpt`, `dane`: how mail to a domain is protected on its way (cli)."""

from __future__ import annotations

from typing import Annotated

import typer

from exo_auth.cli.looking import show_subject
from exo_auth.cli.options import Common, command

mta_sts = typer.Typer(no_args_is_help=True)
tls_rpt = typer.Typer(no_args_is_help=True)
dane = typer.Typer(no_args_is_help=True)

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="Which domain.")]


@mta_sts.command("show")
@command
def show_mta_sts(common: Common, domain: Domain) -> None:
    """Show the TXT record and the policy, as each address of the policy host serves it.

    Exit code 3 when something is wrong, 6 when something could not be looked up.

    Example:  exo-auth mta-sts show contoso.com
    """
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import mta_sts_text

    show_subject(common, domain, frozenset({Subject.MTA_STS}), mta_sts_text)


@mta_sts.command("check")
@command
def check_mta_sts(common: Common, domain: Domain) -> None:
    """Check MTA-STS whole: record, host, certificate, CAA, policy, and that it names every exchanger.

    Exit code 3 when something is wrong, 6 when something could not be looked up.

    Example:  exo-auth mta-sts check contoso.com
    """
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import mta_sts_text

    show_subject(common, domain, frozenset({Subject.MTA_STS, Subject.MX, Subject.TLS_RPT}), mta_sts_text)


@tls_rpt.command("show")
@command
def show_tls_rpt(common: Common, domain: Domain) -> None:
    """Show where reports about failed TLS go.

    Exit code 3 when something is wrong, 6 when something could not be looked up.

    Example:  exo-auth tls-rpt show contoso.com
    """
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import tls_rpt_text

    show_subject(common, domain, frozenset({Subject.TLS_RPT}), tls_rpt_text)


@dane.command("readiness")
@command
def readiness(common: Common, domain: Domain) -> None:
    """Show how far a domain is on the way to DANE: DNSSEC, the exchanger under mx.microsoft, TLSA.

    Needs a resolver that validates DNSSEC. Exit code 3 when something is wrong, 6 without a verdict.

    Example:  exo-auth dane readiness contoso.com --nameserver 9.9.9.9
    """
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import dane_text

    show_subject(common, domain, frozenset({Subject.DNS, Subject.MX, Subject.DANE}), dane_text)
