"""`exo-auth fleet`: one command for many tenants, in parts, and resumed (cli)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, command, given
from exo_auth.cli.talk import note, put

if TYPE_CHECKING:
    from datetime import timedelta

    from exo_auth.plan.fleet import FleetRun
    from exo_auth.run.fleet import FleetRecord, Pace
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)

AT_ONCE = 4
MAX_FAILURES = 20
TENANT_TIMEOUT = "30m"

AtOnce = Annotated[
    int,
    typer.Option(
        "--at-once", min=1, max=64, metavar="N", envvar="EXO_AUTH_AT_ONCE", help="How many tenants at once."
    ),
]
MaxFailures = Annotated[
    int,
    typer.Option(
        "--max-failures",
        min=0,
        metavar="N",
        envvar="EXO_AUTH_MAX_FAILURES",
        help="Begin no more tenants after so many failures: what fails everywhere is not theirs. 0: never.",
    ),
]
TimeLimit = Annotated[
    str,
    typer.Option(
        "--tenant-timeout",
        metavar="TIME",
        envvar="EXO_AUTH_TENANT_TIMEOUT",
        help="The longest for one tenant.",
    ),
]
Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run by its name; else the last.")]


@app.command("run")
@command
def run_all(
    common: Common,
    line: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="What comes after exo-auth for each tenant.")
    ],
    tenants: Annotated[
        list[str] | None,
        typer.Option(
            "--tenants",
            metavar="NAME|GLOB",
            envvar="EXO_AUTH_TENANTS",
            help="Tenants by their names in the configuration. Repeatable. Default: all.",
        ),
    ] = None,
    shard: Annotated[
        str,
        typer.Option(
            "--shard",
            metavar="I/N",
            envvar="EXO_AUTH_SHARD",
            help="Part I of N, from 0/N on: each machine takes its own. A tenant always falls to the same part.",
        ),
    ] = "0/1",
    at_once: AtOnce = AT_ONCE,
    max_failures: MaxFailures = MAX_FAILURES,
    tenant_timeout: TimeLimit = TENANT_TIMEOUT,
) -> None:
    """Run a command for every tenant of the configuration, each in a process of its own.

    A tenant that fails holds up no other. Ctrl-C and SIGTERM let the changes under way finish and begin no other
    tenant; `fleet resume` goes on. Ends with the first code of docs/EXIT_CODES.md's order that any tenant ended with.

    Example:  exo-auth fleet run --tenants 'canary-*' -- dkim rotate --yes
    """
    from exo_auth.plan.fleet import FleetRun, Shard, choose, refuse_what_means_one_tenant
    from exo_auth.run.durations import parse_duration
    from exo_auth.run.fleet import FleetRecord, Pace
    from exo_auth.run.run_id import new_run_id

    settings, limit = common.settings(), parse_duration(tenant_timeout)
    refuse_what_means_one_tenant(line, os.environ)
    part = Shard.parse(shard)
    chosen = choose([one.name for one in settings.tenants], tenants or (), part)
    run = FleetRun(new_run_id(), tuple(line[1:] if line[0] == "exo-auth" else line), chosen, part)
    record = FleetRecord(folder_of(settings), run.run_id)
    record.begin(run)
    _go_on(common, run, run.tenants, record, Pace(at_once, max_failures), limit)


@app.command()
@command
def resume(
    common: Common,
    run: Run = None,
    at_once: AtOnce = AT_ONCE,
    max_failures: MaxFailures = MAX_FAILURES,
    tenant_timeout: TimeLimit = TENANT_TIMEOUT,
) -> None:
    """Go on with a run: the tenants that were not started, and those whose end may be another one now.

    Done again is what ended with 1, 5, 6 or 7, or by a signal. Nothing is done twice that is done: every command looks first.

    Example:  exo-auth fleet resume 2026-11-24T03-00-00Z-1a2b
    """
    from exo_auth.run.durations import parse_duration
    from exo_auth.run.fleet import FleetRecord, Pace, last_run

    folder, limit = folder_of(common.settings()), parse_duration(tenant_timeout)
    record = FleetRecord(folder, run or last_run(folder))
    known = record.read()
    _go_on(common, known, known.to_resume, record, Pace(at_once, max_failures), limit)


@app.command()
@command
def status(common: Common, run: Run = None) -> None:
    """Show how a run ended for its tenants, and who is left.

    Example:  exo-auth fleet status -o json
    """
    from exo_auth.render.fleet_text import fleet_text
    from exo_auth.run.fleet import FleetRecord, last_run

    settings = common.settings()
    folder = folder_of(settings)
    put(fleet_text(FleetRecord(folder, run or last_run(folder)).read(), settings.output, color=common.color))


def folder_of(settings: Settings) -> Path:
    """Give where the records of fleets' runs lie."""
    return settings.state_dir / "fleet"


def _go_on(
    common: Common, run: FleetRun, todo: tuple[str, ...], record: FleetRecord, pace: Pace, limit: timedelta
) -> None:
    from exo_auth.plan.fleet import TenantEnd
    from exo_auth.render.fleet_text import fleet_text
    from exo_auth.run.config_schema import BY_KEY
    from exo_auth.run.fleet import run_fleet, tenant_process
    from exo_auth.run.interrupt import Interrupt

    settings = common.settings()
    flags = {BY_KEY[key].env: str(value) for key, value in given(common).items() if key != "output"}

    def keep(end: TenantEnd) -> None:
        record.add(end)
        note(common, f"{end.tenant}: {end.exit_code}  {end.last_words}".rstrip())

    with Interrupt() as interrupt:
        run_one = tenant_process(
            run,
            {**os.environ, **flags},
            limit,
            stop_signal=lambda: interrupt.signal_number,
        )
        done = run_fleet(run, todo, run_one, pace, keep=keep, asked_to_stop=lambda: interrupt.is_requested)
    put(fleet_text(done, settings.output, color=common.color))
    raise typer.Exit(interrupt.exit_code or done.exit_code)


@app.callback()
def group() -> None:
    """One command for many tenants."""
