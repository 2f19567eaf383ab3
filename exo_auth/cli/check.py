"""`exo-auth check`: what is wrong with the mail authentication of domains, and what to publish (cli)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, Domains, command
from exo_auth.cli.talk import progress, put_part, warner
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.checks.domain_report import DomainReport, Tally
    from exo_auth.domain_name import DomainName
    from exo_auth.run.check import CheckRequest
    from exo_auth.run.settings import Settings

EXIT_FINDINGS = 3
EXIT_WAITING = 4
EXIT_NO_VERDICT = 6


class FailOn(StrEnum):
    """From which severity on the exit code is 3."""

    INFO = "info"
    WARN = "warn"
    FAIL = "fail"
    NEVER = "never"


class ProfileName(StrEnum):
    """Whose rules decide where authorities differ."""

    IETF = "ietf"
    CISA = "cisa"
    CIS = "cis"
    MICROSOFT = "microsoft"
    PARKED = "parked"


def _gates(incomplete: str) -> list[str]:
    from exo_auth.checks.gates import Gate

    return [gate.value for gate in Gate if gate.value.startswith(incomplete)]


def _subjects(incomplete: str) -> list[str]:
    from exo_auth.facts.domain import Subject

    return [subject.value for subject in Subject if subject.value.startswith(incomplete)]


@dataclass(frozen=True)
class Looking:
    """What to look at, by whose rules, and where reports go."""

    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="SUBJECT",
            envvar="EXO_AUTH_ONLY",
            help="dns, mx, spf, dkim, dmarc, mta-sts, tls-rpt, dane, bimi, connectors. Repeatable, or with commas.",
            autocompletion=_subjects,
        ),
    ] = None
    gate: Annotated[
        str | None,
        typer.Option(
            "--gate",
            metavar="NAME",
            envvar="EXO_AUTH_GATE",
            help="Judge one gate, such as dmarc-enforce: exit 0 open, 3 closed, 4 waiting, 6 unknown.",
            autocompletion=_gates,
        ),
    ] = None
    rules: Annotated[
        ProfileName,
        typer.Option("--rules", envvar="EXO_AUTH_RULES", help="Whose rules set the severities."),
    ] = ProfileName.IETF
    fail_on: Annotated[
        FailOn,
        typer.Option("--fail-on", envvar="EXO_AUTH_FAIL_ON", help="From which severity on exit with 3."),
    ] = FailOn.FAIL
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            metavar="FILE",
            envvar="EXO_AUTH_REPORT",
            help="Write findings to FILE too: .json .ndjson .csv .md .html .sarif .xml .txt. Repeatable.",
        ),
    ] = None

    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            envvar="EXO_AUTH_BASELINE",
            help="Tell only what changed since FILE: JSON of a check, or a snapshot.",
        ),
    ] = None

    authoritative: Annotated[
        bool,
        typer.Option(
            "--authoritative",
            envvar="EXO_AUTH_AUTHORITATIVE",
            help="Ask every name server of the zone by itself too: who is lame, who differs.",
        ),
    ] = False

    wait: Annotated[
        str,
        typer.Option(
            "--wait",
            metavar="DURATION",
            envvar="EXO_AUTH_WAIT",
            help="Wait so long for the gate to open: authoritative servers first, resolvers after.",
        ),
    ] = ""

    def request(self, settings: Settings) -> CheckRequest:
        """Read the words; raises InputError."""
        from exo_auth.checks.entry import Profile
        from exo_auth.checks.gates import Gate
        from exo_auth.run.check import CheckRequest, subjects_named
        from exo_auth.run.durations import parse_duration

        if self.gate is not None and self.gate not in {gate.value for gate in Gate}:
            raise InputError(f"there is no gate “{self.gate}”", hint=f"one of {', '.join(Gate)}")
        gate = Gate(self.gate) if self.gate is not None else None
        if self.wait and gate is None:
            raise InputError("there is no gate to wait for", hint="name it with --gate")
        request = CheckRequest(
            Profile(self.rules.value),
            subjects_named(self.only or ()),
            gate,
            None,
            self.authoritative,
            parse_duration(self.wait) if self.wait else None,
        )
        if not self.baseline:
            return request
        from exo_auth.run.baseline import read_baseline

        return replace(request, baseline=read_baseline(settings, self.baseline, request))


@command
def check(
    common: Common,
    domains: Domains,
    looking: Looking,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DOMAIN]...", help="Domains, or globs of a tenant; - reads standard input."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="FILE", envvar="EXO_AUTH_FILE", help="Read domains from FILE, one a line."
        ),
    ] = None,
    from_snapshot: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="SNAPSHOT", envvar="EXO_AUTH_FROM", help="Judge a snapshot; ask nobody."
        ),
    ] = None,
    no_sign_in: Annotated[
        bool,
        typer.Option(
            "--no-sign-in",
            envvar="EXO_AUTH_NO_SIGN_IN",
            help="Look at DNS alone, though a tenant is configured.",
        ),
    ] = False,
) -> None:
    """Check SPF, DKIM, DMARC, MTA-STS, TLS-RPT, MX, DNSSEC and DANE: what is wrong, and what to publish.

    Needs no sign-in. With a tenant (-t, or configured) its domains are checked, and compared with what it says.
    Exit code 3 when something is wrong, 6 when something could not be looked up, 0 otherwise.

    Example:  exo-auth check contoso.com --rules cisa --report findings.html
    """
    settings = common.settings(writes_reports=True)
    request = looking.request(settings)
    patterns = [*(domains.domain or ()), *(names or ())]
    with ExitStack() as stack:
        lines = lines_of(patterns, file, stack)
        if from_snapshot:
            tally = _of_snapshot(common, settings, request, looking, from_snapshot, typed(patterns))
        elif is_of_tenant(settings, no_sign_in=no_sign_in):
            tally = _of_tenant(common, settings, request, looking, [*typed(patterns), *map(str, lines)])
        elif typed(patterns) or file or "-" in patterns:
            tally = _of_names(common, settings, request, looking, tuple(parsed(patterns)), lines)
        else:
            raise InputError(
                "no domain is named",
                hint="name domains, give --file FILE, or name a tenant with -t and how to sign in",
            )
    raise typer.Exit(exit_code(tally, looking.fail_on))


def exit_code(tally: Tally, fail_on: FailOn) -> int:
    """Give the code of the gates where one was judged, else that of the findings."""
    if tally.gates:
        return gate_exit_code([verdict.state.value for verdict in tally.gates])
    return findings_exit_code(tally.by_severity, fail_on)


def gate_exit_code(states: list[str]) -> int:
    """Give 6 for unknown, 3 for blocked, 4 for waiting, 0 when all are open."""
    for state, code in (("unknown", EXIT_NO_VERDICT), ("blocked", EXIT_FINDINGS), ("waiting", EXIT_WAITING)):
        if state in states:
            return code
    return 0


def findings_exit_code(severities: Iterable[str], fail_on: FailOn) -> int:
    """Give 6 when a look-up failed, 3 for findings at or above `fail_on`, 0 otherwise."""
    found = set(severities)
    if "unknown" in found:
        return EXIT_NO_VERDICT
    order = ["info", "warn", "fail"]
    bad = set(order[order.index(fail_on.value) :]) if fail_on is not FailOn.NEVER else set()
    return EXIT_FINDINGS if bad & found else 0


def is_of_tenant(settings: Settings, *, no_sign_in: bool) -> bool:
    """Is there a tenant to look at, and a way to sign in? Raises InputError where -t was given without one."""
    if no_sign_in or not settings.tenant:
        return False
    if settings.auth.undecided is None:
        return True
    if settings.origin("tenant").kind == "flag":
        settings.auth.chosen()  # raises, and says what is missing
    return False


def typed(patterns: list[str]) -> list[str]:
    """Give what was typed, without the sign for standard input."""
    return [pattern for pattern in patterns if pattern != "-"]


def parsed(patterns: list[str]) -> Iterator[DomainName]:
    """Read names as they were typed; raises InputError."""
    from exo_auth.domain_name import DomainName

    for pattern in typed(patterns):
        yield DomainName.parse_lookup(pattern)


def lines_of(patterns: list[str], file: str | None, stack: ExitStack) -> Iterator[DomainName]:
    """Give the names of the file and of standard input as they are read."""
    from exo_auth.run.check import read_names

    sources = [file] if file else []
    sources += ["-"] if "-" in patterns and file != "-" else []
    for source in sources:
        if source == "-":
            yield from read_names(sys.stdin, "standard input")
            continue
        try:
            opened = Path(source).open(encoding="utf-8", errors="replace")  # noqa: SIM115 - the stack closes it
        except OSError as error:
            raise InputError(
                f"{source} cannot be read: {error.strerror}", hint="give a file of names"
            ) from None
        yield from read_names(stack.enter_context(opened), source)


def _of_names(
    common: Common,
    settings: Settings,
    request: CheckRequest,
    looking: Looking,
    named: Iterable[DomainName],
    lines: Iterable[DomainName],
) -> Tally:
    from itertools import chain

    from exo_auth.run.check import check_names

    now = datetime.now(UTC)
    say = progress(common)
    with _Reports(common, settings, request, looking, now) as reports:

        def done(report: DomainReport) -> None:
            say(f"{report.domain.unicode} is done")
            reports.add(report)

        tally = check_names(
            settings, chain(named, lines), request, done, now=now, warn=warner(common), say=say
        )
        if not tally.domains:
            raise InputError("no domain is named", hint="the input holds no names")
        reports.end(tally)
    return tally


def _of_tenant(
    common: Common, settings: Settings, request: CheckRequest, looking: Looking, patterns: list[str]
) -> Tally:
    from exo_auth.run.check import check_tenant
    from exo_auth.run.session import ReadingSession

    with (
        ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session,
        _Reports(common, settings, request, looking, datetime.now(UTC)) as reports,
    ):
        tally = check_tenant(session, patterns, request, reports.add, say=progress(common))
        reports.end(tally)
    return tally


def _of_snapshot(
    common: Common,
    settings: Settings,
    request: CheckRequest,
    looking: Looking,
    file: str,
    patterns: list[str],
) -> Tally:
    from exo_auth.run.check import check_snapshot
    from exo_auth.run.snapshot import read

    taken = read(Path(file))
    with _Reports(common, settings, request, looking, taken.taken_at) as reports:
        tally = check_snapshot(settings, taken, patterns, request, reports.add)
        reports.end(tally)
    return tally


class _Reports:
    """Standard output and the report files, written part by part; nothing is written before the first domain."""

    def __init__(
        self, common: Common, settings: Settings, request: CheckRequest, looking: Looking, now: datetime
    ) -> None:
        from exo_auth.render.findings import format_of, writer_for
        from exo_auth.run.report_file import ReportFile

        self._stack = ExitStack()
        self._begun = False
        writer = partial(
            writer_for,
            at=now,
            profile=request.profile,
            subjects=request.looked_at,
            beside_baseline=request.baseline is not None,
        )
        own = writer(settings.output, color=common.color, verbose=common.verbose)
        self._files = [(writer(format_of(file)), ReportFile(Path(file))) for file in looking.report or ()]
        self._writers = [own, *(writer for writer, _ in self._files)]

    def __enter__(self) -> _Reports:
        opened = [self._stack.enter_context(file) for _, file in self._files]
        self._puts: list[Callable[[str], None]] = [put_part, *(file.write for file in opened)]
        return self

    def add(self, report: DomainReport) -> None:
        """Write one domain to all."""
        self._begin()
        for writer, write in zip(self._writers, self._puts, strict=True):
            write(writer.domain(report))

    def end(self, tally: Tally) -> None:
        """Write the end to all."""
        self._begin()
        for writer, write in zip(self._writers, self._puts, strict=True):
            write(writer.end(tally))

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            for writer, write in zip(self._writers, self._puts, strict=True):
                write(writer.begin())

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]
