"""`exo-auth audit`: the rules of frameworks, judged for all domains (cli)."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
    from exo_auth.checks.frameworks import Audit, ChangedRules, Framework
    from exo_auth.run.check import CheckRequest

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
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            envvar="EXO_AUTH_BASELINE",
            help="Tell only what changed since FILE: JSON of an audit, of check --rules cisa, or a snapshot.",
        ),
    ] = None,
) -> None:
    """Judge the rules of SCuBA, CIS, Maester and ORCA for domains or a tenant, and give a score.

    Exit code 3 when a rule that must be kept is broken, 6 when something could not be looked up. Beside a baseline
    only rules that somebody began to break, or keeps now, are told, and 3 means that a rule was kept then.

    Example:  exo-auth audit run contoso.com --framework scuba,cis
    """
    from exo_auth.render.audit_text import audit_text, changed_rules_text

    asked = _Asked([*(domains.domain or ()), *(names or ())], _chosen(framework), file, from_snapshot)
    output = common.settings().output
    if baseline is not None:
        changed = _changed(common, asked, baseline)
        put(changed_rules_text(changed, output, color=common.color))
        broken, unknown = [one.rule for one in changed.rules if one.broken], bool(changed.unknown)
    else:
        audit = _judged(common, asked)
        put(audit_text(audit, output, color=common.color))
        broken = [one.rule for one in audit.verdicts if one.broken]
        unknown = any(one.unknown for one in audit.verdicts)
    if unknown:
        raise typer.Exit(EXIT_NO_VERDICT)
    raise typer.Exit(EXIT_FINDINGS if any(rule.must for rule in broken) else 0)


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
    from exo_auth.render.document import ONE_DOCUMENT, to_text

    asked = _Asked([*(domains.domain or ()), *(names or ())], _chosen(framework), file, from_snapshot)
    result = score_of(_judged(common, asked).verdicts)
    output = common.settings().output
    if output in ONE_DOCUMENT:
        put(
            to_text(
                {
                    "schema": "exo-auth/audit-score/1",
                    "percent": result.percent,
                    "kept": result.kept,
                    "judged": result.judged,
                },
                output,
            )
        )
    else:
        put(str(result.percent) if result.percent is not None else "unknown")
    raise typer.Exit(EXIT_NO_VERDICT if result.percent is None else 0)


@app.command()
@command
def compare(
    common: Common,
    before: Annotated[
        str, typer.Argument(metavar="BEFORE", help="JSON of a check or an audit, or a snapshot.")
    ],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A later one.")],
) -> None:
    """Tell which findings are new and which are gone between two checks or snapshots. Exit code 2 for any.

    Example:  exo-auth audit compare last-month.json today.json
    """
    from exo_auth.render.audit_text import compare_text
    from exo_auth.run.baseline import read_two

    settings = common.settings()
    old, new = read_two(settings, before, after)
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


@dataclass(frozen=True)
class _Asked:
    """Which domains are to be judged, and by which frameworks (none: all)."""

    patterns: list[str]
    frameworks: list[Framework]
    file: str | None
    from_snapshot: str | None


def _judged(common: Common, asked: _Asked) -> Audit:
    from exo_auth.checks.frameworks import Audit, Judged, judge_rules

    rows: list[Judged] = []
    at = _check(common, asked, _request(), lambda report: rows.append(Judged.of(report)))
    return Audit(judge_rules(rows, asked.frameworks), tuple(rows), at)


def _changed(common: Common, asked: _Asked, file: str) -> ChangedRules:
    from exo_auth.checks.frameworks import Before, ChangedRules, Judged, judge_changes
    from exo_auth.run.baseline import read_baseline

    request = _request()
    baseline = read_baseline(common.settings(), file, request)
    rows: list[Before] = []
    unknown: list[str] = []
    warn = warner(common)

    def add(report: DomainReport) -> None:
        domain = report.domain.ascii
        rows.append(Before(domain, baseline.codes(domain), baseline.codes_after(report)))
        unknown.extend([domain] if Judged.of(report).failed else ())
        if any(one.code == "CHANGE-UNCONFIRMED" for one in report.findings):
            warn(
                f"what changed at {domain} was confirmed by no second server; see explain CHANGE-UNCONFIRMED"
            )

    at = _check(common, asked, replace(request, baseline=baseline), add)
    changes = judge_changes(rows, asked.frameworks)
    return ChangedRules(changes, tuple(one.domain for one in rows), tuple(unknown), at)


def _request() -> CheckRequest:
    from exo_auth.checks.entry import Profile
    from exo_auth.run.check import CheckRequest

    return CheckRequest(Profile.CISA)  # silent about nothing that a rule asks for, quarantine among them


def _check(
    common: Common, asked: _Asked, request: CheckRequest, add: Callable[[DomainReport], None]
) -> datetime:
    from itertools import chain

    from exo_auth.run.check import check_names, check_snapshot, check_tenant
    from exo_auth.run.session import ReadingSession
    from exo_auth.run.snapshot import read

    settings, patterns, file = common.settings(), asked.patterns, asked.file
    now, say = datetime.now(UTC), progress(common)
    if asked.from_snapshot:
        taken = read(Path(asked.from_snapshot))
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
