"""`exo-auth dns`: the records themselves, and who serves them (cli)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer._click.types import StringParamType

from exo_auth.cli.options import Common, Reports, Writing, command
from exo_auth.cli.talk import clear_progress, progress, put, warner

if TYPE_CHECKING:
    from exo_auth.domain_name import DomainName
    from exo_auth.facts.tenant import DkimSigningConfig
    from exo_auth.run.record_export import DomainRecords, RecordWish
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)

EXIT_WAITING = 4
EXIT_NO_VERDICT = 6


class _OneALine(StringParamType):
    """Texts that hold blanks, at which variables are split otherwise."""

    envvar_list_splitter = "\n"


@dataclass(frozen=True)
class Wishes:
    """What the user adds to what the tenant and DNS say."""

    rua: Annotated[
        list[str] | None,
        typer.Option(
            "--rua", metavar="URI", envvar="EXO_AUTH_DMARC_RUA", help="Where DMARC reports go. Repeatable."
        ),
    ] = None
    tls_rua: Annotated[
        list[str] | None,
        typer.Option(
            "--tls-rua", metavar="URI", envvar="EXO_AUTH_TLS_RUA", help="Where TLS reports go. Repeatable."
        ),
    ] = None
    dmarc: Annotated[
        str,
        typer.Option(
            "--policy", metavar="POLICY", envvar="EXO_AUTH_DMARC_POLICY", help="none, quarantine, reject."
        ),
    ] = ""
    policy_host: Annotated[
        str,
        typer.Option(
            "--policy-host",
            metavar="NAME",
            envvar="EXO_AUTH_POLICY_HOST",
            help="Where MTA-STS policies are hosted.",
        ),
    ] = ""
    parked: Annotated[
        bool, typer.Option("--parked", envvar="EXO_AUTH_PARKED", help="They send and take no mail.")
    ] = False
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss",
            envvar="EXO_AUTH_PARKED_ALLOW_LOSS",
            help="Park domains whose SPF names senders, too.",
        ),
    ] = False
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", envvar="EXO_AUTH_FILE", help="One domain a line.")
    ] = None
    no_sign_in: Annotated[
        bool, typer.Option("--no-sign-in", envvar="EXO_AUTH_NO_SIGN_IN", help="Ask DNS alone.")
    ] = False

    def wish(self) -> RecordWish:
        """Read the words; raises InputError."""
        from exo_auth.domain_name import DomainName
        from exo_auth.plan.dmarc_edit import DmarcWish, policy_named
        from exo_auth.run.record_export import RecordWish

        dmarc = DmarcWish(policy_named(self.dmarc), rua=tuple(self.rua or ()))
        host = DomainName.parse_lookup(self.policy_host).ascii if self.policy_host else ""
        return RecordWish(dmarc, tuple(self.tls_rua or ()), host, self.parked, self.allow_loss)


Named = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DOMAIN]...", help="Domains, or globs of a tenant; - reads standard input."),
]


@app.command()
@command
def export(
    common: Common,
    wishes: Wishes,
    domains: Named = None,
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FORM",
            envvar="EXO_AUTH_FORM",
            help="table, zone, octodns, dnscontrol, terraform, azure, csv, text.",
        ),
    ] = "table",
    only_changes: Annotated[
        bool, typer.Option("--changes", envvar="EXO_AUTH_CHANGES", help="Only what is not there yet.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            envvar="EXO_AUTH_OUT",
            help="Write one file for each zone into this folder.",
        ),
    ] = None,
) -> None:
    """Print the complete record set a domain needs, in order: from the tenant, and from what is published.

    Each domain is printed as soon as it was looked at; with --out there is one file for each zone. Exit code 3 when a
    record is refused, 6 when a domain could not be looked at, with the reason on stderr; the others are printed.

    Example:  exo-auth dns export contoso.com --rua mailto:dmarc@contoso.com --as text
    """
    from exo_auth.cli.dns_export import Exporter
    from exo_auth.run.record_export import each_domain

    settings = common.settings()
    exporter = Exporter(
        common,
        form,
        settings.output,
        folder=Path(out) if out else None,
        only_changes=only_changes,
        is_parked=wishes.parked,
    )
    names, configs = names_of(common, settings, wishes, domains)
    exporter.begin()
    each_domain(settings, names, configs, wishes.wish(), exporter.hear)
    raise typer.Exit(exporter.end())


def records_of(
    common: Common, settings: Settings, wishes: Wishes, domains: list[str] | None
) -> list[DomainRecords]:
    """Look at DNS, and at the tenant where there is one, and give the sets of each domain."""
    from exo_auth.run.record_export import domain_records

    names, configs = names_of(common, settings, wishes, domains)
    return domain_records(settings, names, configs, wishes.wish())


def names_of(
    common: Common, settings: Settings, wishes: Wishes, domains: list[str] | None
) -> tuple[list[DomainName], dict[DomainName, DkimSigningConfig]]:
    """Choose the domains, of the tenant where there is one, with their DKIM configurations."""
    from exo_auth.cli.check import is_of_tenant
    from exo_auth.cli.naming import names_given

    wishes.wish()  # words that cannot be read are told before anybody is asked
    if is_of_tenant(settings, no_sign_in=wishes.no_sign_in or wishes.parked):
        return _of_tenant(common, settings, domains or [])
    return names_given(domains, wishes.file), {}


def _of_tenant(
    common: Common, settings: Settings, patterns: list[str]
) -> tuple[list[DomainName], dict[DomainName, DkimSigningConfig]]:
    import os

    from exo_auth.checks.domains import classify
    from exo_auth.plan.selection import choose
    from exo_auth.run.observe import observe_tenant
    from exo_auth.run.session import ReadingSession

    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        tenant = observe_tenant(session)
    domains = classify(tenant.accepted_domains, settings.cloud.initial_suffixes)
    chosen = choose(domains, patterns, settings.policy.ignore, settings.tags)
    return list(chosen), {config.domain: config for config in tenant.dkim_configs}


OctoDns = Annotated[
    str | None,
    typer.Option("--octodns", metavar="FILE", envvar="EXO_AUTH_OCTODNS", help="The octoDNS configuration."),
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE", envvar="EXO_AUTH_OUT", help="Save the plan, too.")
]


@app.command()
@command
def providers(common: Common, octodns: OctoDns = None) -> None:
    """List the zones that octoDNS may write here, and to which DNS hosts.

    Example:  exo-auth dns providers --octodns octodns.yaml
    """
    from exo_auth.render.zones_text import zones_text
    from exo_auth.run.dns_changes import open_zones

    settings = common.settings(_octodns(octodns))
    homes = [(h.zone, h.targets, h.providers) for h in open_zones(settings).homes()]
    put(zones_text(homes, settings.output))


@app.command()
@command
def plan(
    common: Common,
    wishes: Wishes,
    domains: Named = None,
    octodns: OctoDns = None,
    out: Out = None,
    report: Reports = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", envvar="EXO_AUTH_DETAILED_EXITCODE", help="Exit 2 when there are changes."
        ),
    ] = False,
) -> None:
    """Show which records octoDNS would publish, whole sets before and after; nothing is changed.

    Example:  exo-auth dns plan contoso.com --octodns octodns.yaml --out dns.plan
    """
    from exo_auth.cli.dns_writing import plan_records, save_plan
    from exo_auth.cli.showing import check_formats, report_plan, show_plan
    from exo_auth.cli.writing import plan_exit_code

    settings = common.settings(_octodns(octodns))
    check_formats(settings, report)
    made = plan_records(common, settings, wishes, domains)
    if out:
        save_plan(common, made, out)
    show_plan(common, settings, made)
    code = plan_exit_code(made, detailed=detailed_exitcode)
    raise typer.Exit(report_plan(common, report, made, code))


@app.command()
@command
def apply(
    common: Common,
    wishes: Wishes,
    writing: Writing,
    domains: Named = None,
    plan_file: Annotated[
        str | None,
        typer.Option(
            "--plan", metavar="FILE", envvar="EXO_AUTH_DNS_PLAN", help="A plan that `dns plan` saved."
        ),
    ] = None,
    octodns: OctoDns = None,
) -> None:
    """Publish the records through octoDNS. A set that moved since the plan was made is refused, not guessed.

    Example:  exo-auth dns apply contoso.com --octodns octodns.yaml --yes
    """
    from exo_auth.cli.dns_writing import apply_records, plan_records, saved_plan

    settings = common.settings(_octodns(octodns))
    apply_records(
        common,
        writing,
        settings,
        lambda: saved_plan(plan_file) if plan_file else plan_records(common, settings, wishes, domains),
    )


@app.command()
@command
def undo(
    common: Common,
    writing: Writing,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as `journal list` names it.")],
    octodns: OctoDns = None,
) -> None:
    """Put back the records as they were before a run. What has moved since is told, and left alone.

    Example:  exo-auth dns undo 2026-11-24T03-00-00Z-1a2b --octodns octodns.yaml --yes
    """
    from exo_auth.cli.dns_writing import undo_records

    undo_records(common, writing, common.settings(_octodns(octodns)), run)


def _octodns(file: str | None) -> dict[str, object]:
    return {"octodns_config": file} if file else {}


@app.command()
@command
def propagation(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The owner of the records.")],
    rdtype: Annotated[str, typer.Argument(metavar="TYPE", help="A, AAAA, CNAME, MX, NS, SOA, TXT, …")],
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="VALUE",
            envvar="EXO_AUTH_EXPECT",
            click_type=_OneALine(),
            help="A value that must be there; '' for none. In the variable each has a line.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", envvar="EXO_AUTH_WATCH", help="Look again until all servers agree.")
    ] = False,
    limit: Annotated[
        str,
        typer.Option("--for", metavar="DURATION", envvar="EXO_AUTH_WATCH_FOR", help="How long to watch."),
    ] = "2h",
) -> None:
    """Ask every authoritative server for a record set, then resolvers, and tell who lags and until when.

    Resolvers are asked only when the authoritative servers agree: asked too early they remember that a name is
    absent. Exit code 0 when it is the same everywhere, 4 while it is not, or nowhere, 6 without a verdict. With
    --expect '' a record set is watched until it is gone everywhere.

    Example:  exo-auth dns propagation selector1._domainkey.contoso.com CNAME --watch
    """
    from exo_auth.checks.propagation import Spread
    from exo_auth.render.propagation_text import propagation_text
    from exo_auth.run.durations import parse_duration
    from exo_auth.run.propagation import asked_for, look_once
    from exo_auth.run.propagation import watch as look_until

    settings = common.settings()
    asked = asked_for(name, rdtype, expect or [])
    if watch:
        looked = look_until(settings, asked, parse_duration(limit), say=progress(common))
        clear_progress()
    else:
        looked = look_once(settings, asked)
    put(propagation_text(looked.seen, looked.verdict, settings.output))
    codes = {Spread.EVERYWHERE: 0, Spread.UNKNOWN: EXIT_NO_VERDICT}
    raise typer.Exit(codes.get(looked.verdict.spread, EXIT_WAITING))
