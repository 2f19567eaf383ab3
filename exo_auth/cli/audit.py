"""`exo-auth audit`: the rules of frameworks, judged for all domains (cli)."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.check import EXIT_FINDINGS, EXIT_NO_VERDICT, is_of_tenant, lines_of, parsed, typed
from exo_auth.cli.options import Common, Domains, command
from exo_auth.cli.talk import progress, put, warner
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.checks.domain_report import DomainReport
    from exo_auth.checks.frameworks import Framework, RuleVerdict
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)


def _frameworks(incomplete: str) -> list[str]:
    from exo_auth.checks.frameworks import Framework

    return [one.value for one in Framework if one.value.startswith(incomplete)]


Frameworks = Annotated[
    list[str] | None,
    typer.Option(
        "--framework",
        metavar="NAME",
        envvar="EXO_AUTH_FRAMEWORK",
        help="scuba, cis, maester, orca. Repeatable, or with commas. Default: all.",
        autocompletion=_frameworks,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DOMAIN]...", help="Domains, or globs of a tenant; - reads standard input."),
]
FileOption = Annotated[
    str | None,
    typer.Option(
        "--file", metavar="FILE", envvar="EXO_AUTH_FILE", help="Read domains from FILE, one a line."
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="SNAPSHOT", envvar="EXO_AUTH_FROM", help="Judge a snapshot; ask nobody."),
]


@app.command("run")
@command
def audit_run(
    common: Common,
    domains: Domains,
    names: Names = None,
    framework: Frameworks = None,
    file: FileOption = None,
    from_snapshot: FromOption = None,
) -> None:
    """Judge the rules of SCuBA, CIS, Maester and ORCA for domains or a tenant, and give a score.

    Exit code 3 when a rule that must be kept is broken, 6 when something could not be looked up.

    Example:  exo-auth audit run contoso.com --framework scuba,cis
    """
    from exo_auth.render.audit_text import audit_text

    verdicts, count, at = _judged(
        common, [*(domains.domain or ()), *(names or ())], framework, file, from_snapshot
    )
    put(audit_text(verdicts, at, count, common.settings().output, color=common.color))
    if any(v.unknown for v in verdicts):
        raise typer.Exit(EXIT_NO_VERDICT)
    raise typer.Exit(EXIT_FINDINGS if any(v.broken and v.rule.must for v in verdicts) else 0)


@app.command()
@command
def score(
    common: Common,
    domains: Domains,
    names: Names = None,
    framework: Frameworks = None,
    file: FileOption = None,
    from_snapshot: FromOption = None,
) -> None:
    """Give the share of rules kept, in percent, as one number.

    Example:  exo-auth audit score contoso.com --framework scuba
    """
    from exo_auth.checks.frameworks import score_of
    from exo_auth.render.document import to_text

    verdicts, _, _ = _judged(
        common, [*(domains.domain or ()), *(names or ())], framework, file, from_snapshot
    )
    result = score_of(verdicts)
    if common.settings().output == "json":
        put(
            to_text(
                {
                    "schema": "exo-auth/audit-score/1",
                    "percent": result.percent,
                    "kept": result.kept,
                    "judged": result.judged,
                }
            )
        )
    else:
        put(str(result.percent) if result.percent is not None else "unknown")
    raise typer.Exit(EXIT_NO_VERDICT if result.percent is None else 0)


@app.command()
@command
def compare(
    common: Common,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="JSON of a check, or a snapshot.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A later one.")],
) -> None:
    """Tell which findings are new and which are gone between two checks or snapshots. Exit code 2 for any.

    Example:  exo-auth audit compare last-month.json today.json
    """
    from exo_auth.render.audit_text import compare_text
    from exo_auth.run.baseline import read_baseline
    from exo_auth.run.check import CheckRequest

    settings = common.settings()
    old, new = (read_baseline(settings, file, CheckRequest()) for file in (before, after))
    put(compare_text(old, new, settings.output))
    differs = {name: set(keys) for name, keys in old.known.items()} != {
        name: set(keys) for name, keys in new.known.items()
    }
    raise typer.Exit(2 if differs else 0)


def _chosen(words: list[str] | None) -> list[Framework]:
    from exo_auth.checks.frameworks import Framework

    known = {one.value: one for one in Framework}
    chosen = []
    for word in (part.strip().lower() for given in words or () for part in given.split(",")):
        if word not in known:
            raise InputError(f"there is no framework “{word}”", hint=f"one of {', '.join(known)}")
        chosen.append(known[word])
    return chosen


def _judged(
    common: Common,
    patterns: list[str],
    framework: list[str] | None,
    file: str | None,
    from_snapshot: str | None,
) -> tuple[tuple[RuleVerdict, ...], int, datetime]:
    from exo_auth.checks.frameworks import is_unknown, judge_rules

    frameworks = _chosen(framework)
    rows: list[tuple[str, frozenset[str], bool]] = []

    def add(report: DomainReport) -> None:
        failed = any(is_unknown(one.severity.value) for one in report.findings)
        rows.append((report.domain.ascii, frozenset(one.code for one in report.findings), failed))

    at = _check(common, common.settings(), patterns, file, from_snapshot, add)
    return judge_rules(rows, frameworks), len(rows), at


def _check(
    common: Common,
    settings: Settings,
    patterns: list[str],
    file: str | None,
    from_snapshot: str | None,
    add: Callable[[DomainReport], None],
) -> datetime:
    from itertools import chain

    from exo_auth.checks.entry import Profile
    from exo_auth.run.check import CheckRequest, check_names, check_snapshot, check_tenant
    from exo_auth.run.session import ReadingSession
    from exo_auth.run.snapshot import read

    # CISA's profile is silent about nothing that a rule asks for, quarantine among them.
    request, now, say = CheckRequest(Profile.CISA), datetime.now(UTC), progress(common)
    if from_snapshot:
        taken = read(Path(from_snapshot))
        check_snapshot(settings, taken, typed(patterns), request, add)
        return taken.taken_at
    with ExitStack() as stack:
        lines = lines_of(patterns, file, stack)
        if is_of_tenant(settings, no_sign_in=False):
            session = stack.enter_context(ReadingSession(settings, os.environ, warn=warner(common), say=say))
            check_tenant(session, [*typed(patterns), *map(str, lines)], request, add, say=say)
        elif typed(patterns) or file or "-" in patterns:
            names = chain(parsed(patterns), lines)
            check_names(settings, names, request, add, now=now, warn=warner(common))
        else:
            raise InputError("no domain is named", hint="name domains, give --file FILE, or a tenant with -t")
    return now
