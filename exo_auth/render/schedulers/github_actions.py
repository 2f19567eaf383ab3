"""A job as a workflow of GitHub Actions, signed in by OpenID Connect (render, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.plan.job import Job
from exo_auth.render.schedulers.pipelines import (
    REQUIREMENT,
    STATE,
    applies,
    findings_script,
    nothing_to_apply,
    plan_script,
    run_script,
)
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    HEARTBEAT_URL,
    NOTIFY_URLS,
    Placing,
    comment,
    needs_utc,
    sign_in_by,
    to_yaml,
    told_secrets,
)

ENVIRONMENT = "exchange-online"  # its reviewers approve the plan
SUMMARY = '"$GITHUB_STEP_SUMMARY"'
READ = {"contents": "read", "id-token": "write"}


def github_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the workflow. Raises InputError for another time zone than UTC."""
    needs_utc(job, "GitHub Actions")
    name = f"exo-auth-{job.name}"
    document = {
        "name": f"exo-auth {job.name}",
        "on": {"schedule": [{"cron": job.schedule}], "workflow_dispatch": {}},
        "permissions": {},
        "concurrency": {"group": name, "cancel-in-progress": False},
        "jobs": _two_jobs(job, placing) if applies(job) else {"run": _one_job(job, placing)},
    }
    return {f".github/workflows/{name}.yml": comment(_about(job)) + to_yaml(document)}


def _about(job: Job) -> str:
    two = (
        f"The job “plan” writes what would change to the run's summary. The job “apply” carries out that very plan, by its digest, after the\n"
        f"reviewers of the environment {ENVIRONMENT} (Settings, Environments) have approved it; without reviewers it goes on at once.\n"
        if applies(job)
        else ""
    )
    subject = f"\nand repo:OWNER/REPOSITORY:environment:{ENVIRONMENT}" if applies(job) else ""
    return (
        f"{job.command}\n"
        f"{two}"
        "Signs in by OIDC: no secret is stored. The application needs a federated credential for the subject\n"
        f"repo:OWNER/REPOSITORY:ref:refs/heads/main{subject} (scripts/register-app --federated-subject makes them).\n"
        f"To be told of failures, set the secret {NOTIFY_URLS}; {HEARTBEAT_URL} hears of start and end. Times are UTC.\n"
        "One run at a time (concurrency). Log: the run's page, which also shows the summary. The journal is kept from run to run in the cache, and as an artefact.\n"
        f"{EXIT_CODES}"
    )


def _two_jobs(job: Job, placing: Placing) -> dict[str, Any]:
    outputs = '{ echo "changes=$changes"; echo "digest=$digest"; } >> "$GITHUB_OUTPUT"\n'
    summary = f"cat plan.md >> {SUMMARY}\n"
    plan = {
        "runs-on": "ubuntu-latest",
        "permissions": {**READ, "security-events": "write"},
        "timeout-minutes": _minutes(job.jitter_seconds + job.timeout_seconds),
        "outputs": {
            "changes": "${{ steps.plan.outputs.changes }}",
            "digest": "${{ steps.plan.outputs.digest }}",
        },
        "env": _environment(job),
        "steps": [
            *_prepared(job),
            {
                "name": "Findings, for the summary and the code scanning page",
                "run": findings_script(SUMMARY),
            },
            {
                "name": "Upload the findings",
                "if": "hashFiles('exo-auth.sarif') != ''",
                "continue-on-error": True,  # a private repository may have no code scanning
                "uses": "github/codeql-action/upload-sarif@v3",
                "with": {"sarif_file": "exo-auth.sarif", "category": "exo-auth"},
            },
            {
                "name": f"Plan {job.command}",
                "id": "plan",
                "run": plan_script(placing) + outputs + summary + nothing_to_apply(),
            },
        ],
    }
    apply = {
        "needs": "plan",
        "if": "needs.plan.outputs.changes != '0'",
        "runs-on": "ubuntu-latest",
        "environment": ENVIRONMENT,
        "permissions": READ,
        "timeout-minutes": _minutes(job.timeout_seconds),
        "env": {**_environment(job), "EXO_AUTH_DIGEST": "${{ needs.plan.outputs.digest }}"},
        "steps": [*_prepared(job), *_run(job, placing, " --no-jitter"), *_kept(job)],
    }
    return {"plan": plan, "apply": apply}


def _one_job(job: Job, placing: Placing) -> dict[str, Any]:
    return {
        "runs-on": "ubuntu-latest",
        "permissions": READ,
        "timeout-minutes": _minutes(job.jitter_seconds + job.timeout_seconds),
        "env": _environment(job),
        "steps": [*_prepared(job), *_run(job, placing, ""), *_kept(job)],
    }


def _prepared(job: Job) -> list[dict[str, Any]]:
    return [
        {"uses": "actions/checkout@v4", "with": {"persist-credentials": False}},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.13"}},
        {"name": "Install", "run": f"pip install '{REQUIREMENT}'\n"},
        {
            "name": "Fetch the journal of the runs before",
            "uses": "actions/cache/restore@v4",
            "with": {
                "path": STATE,
                "key": f"exo-auth-{job.name}-none",
                "restore-keys": f"exo-auth-{job.name}-",
            },
        },
    ]


def _run(job: Job, placing: Placing, options: str) -> list[dict[str, Any]]:
    script = (
        "code=0\n"
        + run_script(placing, options).rstrip()
        + " > run.txt || code=$?\n"
        + "cat run.txt\n"
        + f"{{ echo '### {job.command} ended with '\"$code\"; echo '```'; cat run.txt; echo '```'; }} >> {SUMMARY}\n"
        + 'exit "$code"\n'
    )
    return [{"name": job.command, "run": script}]


def _kept(job: Job) -> list[dict[str, Any]]:
    return [
        {
            "name": "Keep the journal for the next run",
            "if": "always()",
            "uses": "actions/cache/save@v4",
            "with": {
                "path": STATE,
                "key": f"exo-auth-{job.name}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}",
            },
        },
        {
            "name": "Keep the journal and the report",
            "if": "always()",
            "uses": "actions/upload-artifact@v4",
            "with": {
                "name": "exo-auth-journal",
                "path": f"{STATE}\nrun.txt\n",
                "include-hidden-files": True,
                "if-no-files-found": "ignore",
            },
        },
    ]


def _environment(job: Job) -> dict[str, str]:
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in told_secrets(job)}
    return {**job.environment, **sign_in_by("federated", job), "EXO_AUTH_STATE_DIR": STATE, **secrets}


def _minutes(seconds: int) -> int:
    return seconds // 60 + 10  # for the machine, Python and the packages
