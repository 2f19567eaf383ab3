"""`exo-auth job`: commands that run by themselves (cli)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import note, put

app = typer.Typer(no_args_is_help=True)

File = Annotated[str, typer.Argument(metavar="FILE", help="A job, as YAML.")]


@app.command("run")
@command
def run_one(common: Common, file: File) -> None:
    """Run a job now, as its schedule would: with its time limit, and a word to those who want one.

    Ends with the exit code of the command. EXO_AUTH_NOTIFY_URLS holds the addresses (Teams, Slack, mail, webhooks).

    Example:  exo-auth job run scripts/jobs/nightly-rotation.yaml
    """
    from exo_auth.errors import ExoAuthError
    from exo_auth.run.job import own_environment, read_job, run_job
    from exo_auth.run.notify import URLS, message, send, wanted

    common.settings()
    job = read_job(Path(file))
    done = run_job(job, own_environment(), lambda text: put(text.rstrip("\n")))
    events = wanted(job, done.events)
    if events and os.environ.get(URLS):
        title, body = message(job, events, done.exit_code, done.output)
        try:
            send(os.environ[URLS], title, body)
        except ExoAuthError as error:  # nobody was told: that must not hide how the run itself ended
            note(common, f"warning: {error}")
    elif events:
        note(common, f"note: nobody is told: {URLS} is not set")
    raise typer.Exit(done.exit_code)


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
    print_only: Annotated[
        bool, typer.Option("--print", envvar="EXO_AUTH_PRINT", help="Print the files; write nothing.")
    ] = False,
) -> None:
    """Write a job as the files of a scheduler: complete, commented, least privilege, and without a secret.

    Example:  exo-auth job install systemd scripts/jobs/nightly-rotation.yaml --print
    """
    from exo_auth.render.job_text import job_files
    from exo_auth.run.config_template import write_private
    from exo_auth.run.job import read_job

    common.settings()
    files = job_files(platform, read_job(Path(file)), file)
    for name, text in files.items():
        if print_only:
            put(f"# {name}\n{text}".rstrip("\n") if len(files) > 1 else text.rstrip("\n"))
            continue
        path = Path(to, name)
        write_private(path, text, replace=False, make_folder=True)
        note(common, f"written: {path}")


notify = typer.Typer(no_args_is_help=True)


@notify.command("test")
@command
def test_notification(common: Common) -> None:
    """Send a word to every address of EXO_AUTH_NOTIFY_URLS.

    Example:  EXO_AUTH_NOTIFY_URLS=json://127.0.0.1:8080 exo-auth notify test
    """
    from exo_auth.errors import InputError
    from exo_auth.run.notify import URLS, send

    common.settings()
    urls = os.environ.get(URLS, "")
    if not urls:
        raise InputError(f"{URLS} is not set", hint="Apprise addresses, blanks between them")
    send(urls, "exo-auth: a test", "This is how a job’s word would arrive.")
    put(f"sent to {len(urls.replace(',', ' ').split())}")


@notify.callback()
def notify_group() -> None:
    """Words to people after a run."""
