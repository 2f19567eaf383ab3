"""`exo-auth mta-sts`, `tls-rpt`, `dane`: how mail to a domain is protected on its way (cli)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.looking import show_subject
from exo_auth.cli.options import Common, Writing, command

if TYPE_CHECKING:
    from collections.abc import Callable

    from exo_auth.domain_name import DomainName
    from exo_auth.plan.dane_move import Part
    from exo_auth.run.session import ReadingSession

mta_sts = typer.Typer(no_args_is_help=True)
tls_rpt = typer.Typer(no_args_is_help=True)
dane = typer.Typer(no_args_is_help=True)

EXIT_REFUSED = 3
EXIT_FILE_FIRST = 4

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

    Needs a resolver that validates DNSSEC, or --validate-dnssec. Exit code 3 when something is wrong, 6 without a verdict.

    Example:  exo-auth dane readiness contoso.com --nameserver 9.9.9.9
    """
    from exo_auth.facts.domain import Subject
    from exo_auth.render.look_text import dane_text

    show_subject(common, domain, frozenset({Subject.DNS, Subject.MX, Subject.DANE}), dane_text)


@tls_rpt.command("generate")
@command
def generate_tls_rpt(
    common: Common,
    domain: Domain,
    rua: Annotated[
        list[str] | None,
        typer.Option("--rua", metavar="URI", envvar="EXO_AUTH_TLS_RUA", help="Where reports go. Repeatable."),
    ] = None,
) -> None:
    """Make the TLS-RPT record from the published one.

    Example:  exo-auth tls-rpt generate contoso.com --rua mailto:tls@contoso.com
    """
    from exo_auth.cli.records import show_changes
    from exo_auth.run.policy_records import generate_tls_rpt as make

    settings = common.settings()
    show_changes(settings, [make(settings, domain, tuple(rua or ()))])


Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "--mx", metavar="PATTERN", envvar="EXO_AUTH_STS_MX", help="Else the published MX. Repeatable."
    ),
]
MaxAge = Annotated[
    int | None,
    typer.Option("--max-age", metavar="SECONDS", envvar="EXO_AUTH_STS_MAX_AGE", help="How long it is kept."),
]


@mta_sts.command("generate")
@command
def generate_mta_sts(
    common: Common,
    domain: Domain,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="MODE",
            envvar="EXO_AUTH_STS_MODE",
            help="testing, enforce, none; else as it is.",
        ),
    ] = "",
    mx: Patterns = None,
    max_age: MaxAge = None,
) -> None:
    """Make the policy file and the record that announces it, in that order: the id comes after the file.

    Exit code 0 when all is published, 3 when the step is refused, 4 while the file is not served yet.

    Example:  exo-auth mta-sts generate contoso.com --mode testing
    """
    _step(common, domain, mode, mx, max_age)


@mta_sts.command("advance")
@command
def advance_mta_sts(common: Common, domain: Domain, mx: Patterns = None, max_age: MaxAge = None) -> None:
    """Go from testing to enforce: the file first, on every address, then the id. Run it until it says done.

    Exit code 0 when all is published, 3 when the step is refused, 4 while the file is not served yet.

    Example:  exo-auth mta-sts advance contoso.com
    """
    _step(common, domain, "enforce", mx, max_age)


def _step(common: Common, domain: str, mode: str, mx: list[str] | None, max_age: int | None) -> None:
    from exo_auth.cli.talk import note, put
    from exo_auth.render.record_change_text import changes_text
    from exo_auth.run.policy_records import MtaStsWish, mode_named, next_mta_sts_step

    settings = common.settings()
    wish = MtaStsWish(mode_named(mode) if mode else None, tuple(mx or ()), max_age)
    step = next_mta_sts_step(settings, domain, wish)
    put(changes_text([step.change], settings.output, {"mta-sts.txt": step.file}))
    note(common, f"{step.step}: {step.reason}")
    if step.step == "done":
        raise typer.Exit(0)
    raise typer.Exit(EXIT_FILE_FIRST if step.waits_for_file else EXIT_REFUSED if step.change.refusal else 0)


OwnDomains = Annotated[list[str], typer.Argument(metavar="DOMAIN...", help="Accepted domains.")]
What = Annotated[
    bool,
    typer.Option(
        "--dnssec-only", envvar="EXO_AUTH_DNSSEC_ONLY", help="Stop at the exchanger in a signed zone."
    ),
]


@dane.command("enable")
@command
def enable_dane(common: Common, writing: Writing, domains: OwnDomains, dnssec_only: What = False) -> None:
    """Take the next step to inbound DANE: TTL, DNSSEC, the move of MX, then DANE itself, in the order that loses no mail.

    Run it until it says steady. Where octoDNS writes the zone MX is moved by it, else it tells what to publish. The
    playbook enable-dane does the same for many domains, with its waits.

    Example:  exo-auth dane enable contoso.com
    """
    from exo_auth.run.dane_steps import next_dane_step, next_dnssec_step

    _features(common, writing, domains, next_dnssec_step if dnssec_only else next_dane_step)


@dane.command("disable")
@command
def disable_dane(common: Common, writing: Writing, domains: OwnDomains) -> None:
    """Take the next step back: DANE first, then MX, then DNSSEC. A wrong order is refused.

    Example:  exo-auth dane disable contoso.com
    """
    from exo_auth.run.dane_steps import previous_dane_step

    _features(common, writing, domains, previous_dane_step)


def _features(
    common: Common,
    writing: Writing,
    domains: list[str],
    steps_of: Callable[[ReadingSession], Callable[[DomainName], Part]],
) -> None:
    from exo_auth.cli.writing import write_other
    from exo_auth.domain_name import DomainName
    from exo_auth.run.mail_flow_changes import plan_features

    names = [DomainName.parse(name) for name in domains]
    write_other(common, writing, lambda session: plan_features(session, names, steps_of(session)))
