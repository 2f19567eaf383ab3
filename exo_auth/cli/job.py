"""`exo-auth job`: commands that run by themselves (cli)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth import __version__
from exo_auth.cli.app import report
from exo_auth.cli.options import Common, command, given
from exo_auth.cli.talk import note, put
from exo_auth.errors import ExoAuthError, InputError
from exo_auth.plan.job import Event, events_of

if TYPE_CHECKING:
    from exo_auth.plan.job import Job
    from exo_auth.run.job_run import How, JobRun
    from exo_auth.run.settings import Settings

EXIT_WAITING = 4

app = typer.Typer(no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A job, as YAML.")]


@app.command("run")
@command
def run_one(
    common: Common,
    file: File,
    plan_only: Annotated[
        bool,
        typer.Option(
            "--plan-only",
            envvar="EXO_AUTH_PLAN_ONLY",
            help="Stop after the plan, for the first of two CI jobs.",
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", envvar="EXO_AUTH_OUT", help="Where --plan-only saves the plan."
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            "--log", metavar="FILE", envvar="EXO_AUTH_JOB_LOG", help="Append what is said, with times."
        ),
    ] = None,
    waiting_is_success: Annotated[
        bool,
        typer.Option(
            "--waiting-is-success",
            envvar="EXO_AUTH_WAITING_IS_SUCCESS",
            help="End with 0 where 4 says that only time is missing, for schedulers that know no other success.",
        ),
    ] = False,
    no_jitter: Annotated[
        bool,
        typer.Option(
            "--no-jitter", envvar="EXO_AUTH_NO_JITTER", help="Start at once: the scheduler has waited."
        ),
    ] = False,
) -> None:
    """Run a job now, as its schedule would: one at a time, with its time limit, and a word to those who want one.

    Ends with the exit code of the command. EXO_AUTH_NOTIFY_URLS holds the addresses (Teams, Slack, mail, webhooks).
    With --quiet only a run that failed, or found something, says what it did.

    Example:  exo-auth job run scripts/jobs/nightly-rotation.yaml
    """
    from exo_auth.run.job import read_job
    from exo_auth.run.job_run import How, Log, job_settings
    from exo_auth.run.service_clock import utc_now

    job = read_job(Path(file))
    settings = job_settings(job, given(common), os.environ)
    how = How((out or "") if plan_only else None, no_jitter)
    write_log = Log(Path(log), utc_now).write if log else lambda _text: None
    write_log(f"{job.name}: {job.command}")
    done = _run_alone(common, job, settings, how, write_log)
    write_log(f"{job.name} ended with {done.exit_code}")
    if common.quiet and {Event.FAILURE, Event.FINDING} & done.events:
        put(done.output.rstrip("\n"))
    _tell(common, job, settings, how, done)
    code = 0 if waiting_is_success and done.exit_code == EXIT_WAITING else done.exit_code
    raise typer.Exit(code)


def _run_alone(
    common: Common, job: Job, settings: Settings, how: How, write_log: Callable[[str], None]
) -> JobRun:
    """Run the job unless it runs already; every end is a value, because somebody has to hear of it."""
    from exo_auth.run.interrupt import Interrupt
    from exo_auth.run.job_run import JobRun, run_job, wait_for_its_turn
    from exo_auth.run.lock import tenant_lock

    def echo(text: str) -> None:
        write_log(text)
        if not common.quiet:
            put(text)

    time.sleep(wait_for_its_turn(job, settings, how, echo).total_seconds())
    folder = settings.state_dir / "jobs" / job.name
    try:
        alone = tenant_lock(folder, command=f"exo-auth job run {job.name}", held=f"the job {job.name}")
        with alone, Interrupt() as interrupt:
            _beat(common, settings, "start", None)
            return run_job(job, os.environ, echo=echo, how=how, stop_signal=lambda: interrupt.signal_number)
    except ExoAuthError as error:
        write_log(str(error))
        report(error, [])
        text = f"error: {error}\nhint: {error.hint}" if error.hint else f"error: {error}"
        return JobRun(error.exit_code, text, None, events_of(error.exit_code, changed=False))


def _tell(common: Common, job: Job, settings: Settings, how: How, done: JobRun) -> None:
    """Tell people and the heartbeat; that nobody could be told must not hide how the run itself ended."""
    from exo_auth.render.notice_text import account_notice, notice_title, output_notice
    from exo_auth.run.notify import URLS, send, wanted

    _beat(common, settings, "fail" if Event.FAILURE in done.events else "success", done.exit_code)
    heard = wanted(job.notify_on or settings.notify.on, done.events)
    if how.plans_only:  # the job that applies tells of the rest
        heard = tuple(event for event in heard if event is Event.FAILURE)
    try:
        urls = settings.notify.secret("urls", os.environ)
        if not heard or urls is None:
            if heard and job.notify_on:
                note(common, f"note: nobody is told: {URLS} is not set")
            return
        body = (
            account_notice(done.account)
            if done.account is not None
            else output_notice(job.command, done.exit_code, done.output)
        )
        send(urls.reveal(), notice_title(job.name, heard), body, settings.notify.timeout)
    except ExoAuthError as error:
        note(common, f"warning: {error}")


def _beat(common: Common, settings: Settings, state: str, exit_code: int | None) -> None:
    from exo_auth.run.notify import beat

    try:
        url = settings.notify.secret("heartbeat_url", os.environ)
        if url is not None:
            told = 0 if state == "success" else exit_code  # waiting and findings are no failure of the job
            beat(url.reveal(), state, told, settings.notify.timeout)
    except ExoAuthError as error:
        note(common, f"warning: {error}")


@app.command("list")
@command
def list_jobs(
    common: Common,
    folder: Annotated[str, typer.Argument(metavar="[FOLDER]", help="Where jobs lie.")] = "scripts/jobs",
) -> None:
    """List the jobs of a folder: what they run, when, and when next.

    Example:  exo-auth job list /etc/exo-auth/jobs
    """
    from exo_auth.render.job_list_text import jobs_text
    from exo_auth.run.job import next_runs, read_job

    settings = common.settings()
    now = datetime.now(UTC)
    if not Path(folder).is_dir():
        raise InputError(f"there is no folder {folder}", hint="name the one where your jobs lie")
    found = [read_job(path) for path in sorted(Path(folder).glob("*.yaml"))]
    put(jobs_text([(job, next_runs(job, now, 1)) for job in found], settings.output))


@app.command("next")
@command
def next_times(
    common: Common,
    file: File,
    count: Annotated[
        int, typer.Option("--count", metavar="N", envvar="EXO_AUTH_COUNT", help="How many.")
    ] = 5,
) -> None:
    """Tell when a job runs next.

    Example:  exo-auth job next scripts/jobs/nightly-rotation.yaml --count 3
    """
    from exo_auth.render.job_list_text import jobs_text
    from exo_auth.run.job import next_runs, read_job

    settings = common.settings()
    job = read_job(Path(file))
    put(jobs_text([(job, next_runs(job, datetime.now(UTC), max(1, count)))], settings.output))


@app.command()
@command
def install(
    common: Common,
    platform: Annotated[
        str,
        typer.Argument(
            metavar="PLATFORM",
            help="systemd, cron, launchd, windows-task, github-actions, azure-pipelines, azure-automation, "
            "container-apps, kubernetes",
        ),
    ],
    file: File,
    to: Annotated[
        str, typer.Option("--to", metavar="FOLDER", envvar="EXO_AUTH_JOB_TO", help="Where the files go.")
    ] = ".",
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="PATH",
            envvar="EXO_AUTH_JOB_AT",
            help="Where FILE lies on the machine that runs it. Default: as given; on this machine, its whole path.",
        ),
    ] = None,
    program: Annotated[
        str,
        typer.Option(
            "--program", metavar="PATH", envvar="EXO_AUTH_JOB_PROGRAM", help="Where exo-auth lies there."
        ),
    ] = "/usr/local/bin/exo-auth",
    image: Annotated[
        str,
        typer.Option(
            "--image",
            metavar="NAME",
            envvar="EXO_AUTH_JOB_IMAGE",
            help="The image of containers that run it.",
        ),
    ] = f"registry.example/exo-auth:{__version__}",
    print_only: Annotated[
        bool, typer.Option("--print", envvar="EXO_AUTH_PRINT", help="Print the files; write nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--force", envvar="EXO_AUTH_FORCE", help="Replace files that are there.")
    ] = False,
) -> None:
    """Write a job as the files of a scheduler: complete, commented, least privilege, and without a secret.

    The first lines of each file say how to put it in place, and what it needs there.

    Example:  exo-auth job install systemd scripts/jobs/nightly-rotation.yaml --print
    """
    from exo_auth.render.job_text import ON_THIS_MACHINE, job_files
    from exo_auth.render.schedulers.placing import Placing
    from exo_auth.run.job import read_job
    from exo_auth.run.private_file import write_private

    common.settings()
    job = read_job(Path(file))
    where = at or (str(Path(file).absolute()) if platform in ON_THIS_MACHINE else file)
    files = job_files(platform, job, Placing(where, Path(file).read_text(encoding="utf-8"), program, image))
    for name, text in files.items():
        if print_only:
            put(f"# {name}\n{text}".rstrip("\n") if len(files) > 1 else text.rstrip("\n"))
            continue
        path = Path(to, name)
        write_private(path, text, replace=replace, make_folder=True)
        note(common, f"written: {path}")
