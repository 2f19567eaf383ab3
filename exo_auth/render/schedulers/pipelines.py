"""What jobs share on services that run pipelines: a plan first, and the same plan, by its digest, after it (render, pure)."""

from __future__ import annotations

import shlex

from exo_auth.errors import InputError
from exo_auth.plan.job import Job
from exo_auth.render.schedulers.placing import Placing

STATE = ".exo-auth"  # where the journal lies in the working folder; kept from run to run
REQUIREMENT = "exo-auth[notify,publish]"


def applies(job: Job) -> bool:
    """Does the job change anything without a person? Then it is planned in one job and applied in the next.

    Raises InputError for a fleet, whose tenants each have a plan of their own.
    """
    found = "--yes" in job.arguments or "-y" in job.arguments
    if found and job.arguments[0] == "fleet":
        raise InputError(
            "a fleet has no one plan that a reviewer could approve",
            hint="let systemd, cron, kubernetes or container-apps run it, or a workflow of your own",
        )
    return found


def plan_script(placing: Placing, no_jitter: str = "") -> str:
    """Give the shell lines that plan, keep the plan as Markdown and as JSON, and set `code` and `changes`.

    A plan that has changes goes on also where other domains are blocked (3) or wait (4): the job that applies tells of them.
    """
    return f"""\
code=0
export EXO_AUTH_RUN_REPORT=plan.md
exo-auth job run {shlex.quote(placing.job_file)} --plan-only --out plan.json{no_jitter} || code=$?
case "$code" in 0 | 2 | 3 | 4) ;; *) exit "$code" ;; esac
changes="$(python -c 'import json; print(len(json.load(open("plan.json"))["changes"]))')"
digest="$(python -c 'import json; print(json.load(open("plan.json"))["digest"])')"
"""


def nothing_to_apply() -> str:
    """Give the shell lines that end the plan's job as the plan says, where no job comes after it."""
    return """\
if [ "$changes" = 0 ] && [ "$code" != 4 ]; then exit "$code"; fi
"""


def run_script(placing: Placing, options: str = "") -> str:
    """Give the shell line that runs the job; 4, which only waits, ends as success."""
    return f"exo-auth job run {shlex.quote(placing.job_file)} --waiting-is-success{options}\n"


def findings_script(summary: str) -> str:
    """Give the shell line that writes what is wrong with the domains as SARIF and as Markdown; it judges nothing."""
    return f'exo-auth check --output md --report exo-auth.sarif >> {summary} || echo "exo-auth check ended with $?"\n'
