"""`exo-auth onboard`: one domain from nothing to enforced policies, resumable over weeks (cli)."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer._click.globals import get_current_context

from exo_auth.cli.options import Common, OutputFormat, Policy, Writing, command
from exo_auth.cli.playbook import Variables, variables_given
from exo_auth.cli.talk import progress, put
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.domain_name import DomainName
    from exo_auth.plan.outcome import RunReport
    from exo_auth.run.carry_out import Prepared
    from exo_auth.run.onboarding import Onboarded
    from exo_auth.run.playbook import Playbook
    from exo_auth.run.settings import Settings


@command
def onboard(
    common: Common,
    policy: Policy,
    writing: Writing,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="A domain that the tenant accepts.")],
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="STEP", envvar="EXO_AUTH_UNTIL", help="Go no further than this step."
        ),
    ] = "",
    rua: Annotated[
        str | None,
        typer.Option("--rua", metavar="URI", envvar="EXO_AUTH_DMARC_RUA", help="Where DMARC reports go."),
    ] = None,
    tls_rua: Annotated[
        str | None,
        typer.Option("--tls-rua", metavar="URI", envvar="EXO_AUTH_TLS_RUA", help="Where TLS reports go."),
    ] = None,
    playbook: Annotated[
        str,
        typer.Option(
            "--playbook", metavar="NAME", envvar="EXO_AUTH_PLAYBOOK", help="Whose stages are the steps."
        ),
    ] = "onboard-tenant",
    var: Variables = None,
) -> None:
    """Take a domain step by step from nothing to enforced policies; run it again until all steps are done.

    Each call does what is ready, and says what the next step waits for and until when (exit 4).

    Example:  exo-auth onboard contoso.com --rua mailto:dmarc@contoso.com --tls-rua mailto:tls@contoso.com
    """
    from exo_auth.cli.consent import need_consent
    from exo_auth.cli.writing import writing_settings
    from exo_auth.domain_name import DomainName
    from exo_auth.run.playbook import read_playbook

    if writing.out or writing.digest or writing.report:
        raise InputError(
            "onboarding goes through several plans", hint=f"exo-auth plan {playbook} -d {domain} --out FILE"
        )
    wanted = read_playbook(playbook, _variables(rua, tls_rua, var))
    wanted = wanted.until(until) if until else wanted
    name = DomainName.parse(domain)
    settings = writing_settings(common, policy, writing, wanted.policy)
    if settings.output == OutputFormat.MD:
        raise InputError("onboarding goes through several plans", hint="use --output table or json")
    need_consent(common, writing)
    _carry_on(common, settings, writing, wanted, name)


def _carry_on(
    common: Common, settings: Settings, writing: Writing, wanted: Playbook, name: DomainName
) -> NoReturn:
    """Do what is ready, plan after plan, each shown and agreed to; hooks hear of the end, so it comes while they listen."""
    from exo_auth.cli.hooked import hooked
    from exo_auth.cli.showing import show_report
    from exo_auth.cli.writing import apply_shown, open_session
    from exo_auth.run.onboarding import onboard as go

    with ExitStack() as stack:
        listeners = stack.enter_context(hooked(common, settings, writing))
        session = open_session(stack, common, settings, writing)

        def apply(prepared: Prepared) -> RunReport:
            report = apply_shown(common, writing, settings, session, prepared, listeners)
            if settings.output != OutputFormat.JSON:
                show_report(common, settings, report)
            return report

        found = go(session, wanted, name, None if writing.dry_run else apply, progress(common))
        _show(common, settings, name, found)
        raise typer.Exit(_exit_code(found, detailed=writing.detailed_exitcode))


def _show(common: Common, settings: Settings, name: DomainName, found: Onboarded) -> None:
    from exo_auth.plan.steps import StepState
    from exo_auth.render.document import to_text
    from exo_auth.render.onboard_text import onboard_document, onboard_text

    is_through = all(step.state in (StepState.DONE, StepState.LEFT_OUT) for step in found.steps)
    resume = "" if is_through else _resume()
    if settings.output == OutputFormat.JSON:
        runs = [report.run_id for report in found.reports]
        put(to_text(onboard_document(name, found.steps, runs, found.exit_code, resume)))
    else:
        put(onboard_text(name, found.steps, resume, color=common.color))


def _exit_code(found: Onboarded, *, detailed: bool) -> int:
    from exo_auth.cli.writing import EXIT_CHANGES
    from exo_auth.plan.outcome import worst_exit_code
    from exo_auth.plan.steps import StepState

    has_changes = any(step.state is StepState.CHANGE for step in found.steps)
    return worst_exit_code({found.exit_code, *((EXIT_CHANGES,) if detailed and has_changes else ())})


def _resume() -> str:
    """Give the line as it was typed; other programs run command lines too, whose own arguments say nothing."""
    arguments: tuple[str, ...] = get_current_context().find_root().obj
    return shlex.join(["exo-auth", *(one for one in arguments if one != "--dry-run")])


def _variables(rua: str | None, tls_rua: str | None, var: list[str] | None) -> dict[str, str]:
    own = {"rua": rua, "tls_rua": tls_rua}
    return {**{key: value for key, value in own.items() if value}, **variables_given(var)}
