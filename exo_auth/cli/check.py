"""`exo-auth check`: what is wrong with a domain's DKIM, and what to do about it (cli)."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from exo_auth.cli.options import Common, Domains, command
from exo_auth.cli.talk import progress, put, warner

EXIT_FINDINGS = 3
EXIT_NO_VERDICT = 6


class FailOn(StrEnum):
    """From which severity on the exit code is 3."""

    WARN = "warn"
    FAIL = "fail"
    NEVER = "never"


@command
def check(
    common: Common,
    domains: Domains,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[DOMAIN]...", help="Domains or globs; the same as -d.")
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option("--fail-on", envvar="EXO_AUTH_FAIL_ON", help="From which severity on exit with 3."),
    ] = FailOn.FAIL,
    report: Annotated[
        str | None,
        typer.Option(
            "--report",
            metavar="FILE",
            envvar="EXO_AUTH_REPORT",
            help="Write findings to FILE: .json, .sarif or .xml.",
        ),
    ] = None,
) -> None:
    """Check DKIM of the tenant's domains: both selectors, their targets, the keys behind them.

    Exit code 3 when something is wrong, 6 when something could not be looked up, 0 otherwise.

    Example:  exo-auth check contoso.com --fail-on warn
    """
    from exo_auth.render.findings_text import findings_output, write_report
    from exo_auth.run.observe import observe
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    patterns = (*(domains.domain or ()), *(names or ()))
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        scene = observe(session, patterns, progress(common)).scene
    findings = tuple(finding for name in scene.chosen for finding in scene.findings(name))
    put(findings_output(findings, scene.chosen, scene.now, settings.output, color=common.color))
    if report:
        from pathlib import Path

        from exo_auth.run.config_template import write_private

        write_private(Path(report), write_report(findings, scene.chosen, scene.now, report), replace=True)
    raise typer.Exit(exit_code([finding.severity.value for finding in findings], fail_on))


def exit_code(severities: list[str], fail_on: FailOn) -> int:
    """Give 6 when a look-up failed, 3 for findings at or above `fail_on`, 0 otherwise."""
    if "unknown" in severities:
        return EXIT_NO_VERDICT
    bad = {FailOn.WARN: {"warn", "fail"}, FailOn.FAIL: {"fail"}, FailOn.NEVER: set[str]()}[fail_on]
    return EXIT_FINDINGS if bad & set(severities) else 0
