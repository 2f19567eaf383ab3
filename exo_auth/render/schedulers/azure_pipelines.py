"""A job as a pipeline of Azure DevOps, signed in by workload identity federation (render, pure)."""

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

CONNECTION = "exo-auth"
ENVIRONMENT = "exchange-online"
# A variable that the pipeline does not have arrives as its own name.
UNSET = f"""\
for name in {NOTIFY_URLS} {HEARTBEAT_URL}; do
  case "${{!name}}" in \\$\\(*) unset "$name" ;; esac
done
"""


def azure_pipelines_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the pipeline. Raises InputError for another time zone than UTC."""
    needs_utc(job, "Azure Pipelines")
    document = {
        "trigger": "none",
        "schedules": [
            {"cron": job.schedule, "displayName": job.name, "branches": {"include": ["main"]}, "always": True}
        ],
        "lockBehavior": "sequential",
        "pool": {"vmImage": "ubuntu-latest"},
        "variables": {"EXO_AUTH_STATE_DIR": STATE},
        "jobs": _two_jobs(job, placing) if applies(job) else [_one_job(job, placing)],
    }
    return {f"azure-pipelines-{job.name}.yml": comment(_about(job)) + to_yaml(document)}


def _about(job: Job) -> str:
    two = (
        "The job “plan” writes what would change to the run's summary. The job “apply” carries out that very plan, by its digest, after the\n"
        f"approvals of the environment {ENVIRONMENT} (Pipelines, Environments, Approvals and checks). Add the check “Exclusive lock” there, too:\n"
        "with lockBehavior it lets one run at a time pass.\n"
        if applies(job)
        else ""
    )
    return (
        f"{job.command}\n"
        f"{two}"
        f"Signs in through the service connection {CONNECTION} (Azure Resource Manager, workload identity federation): no secret is stored.\n"
        "Give its application the permission and the role: scripts/register-app --app-id … does.\n"
        f"To be told of failures, set the secret variable {NOTIFY_URLS} of the pipeline; {HEARTBEAT_URL} hears of start and end.\n"
        "Log: the run's page, which also shows the summary. The journal is kept as an artefact, and fetched from the run before. Times are UTC.\n"
        f"{EXIT_CODES}"
    )


def _two_jobs(job: Job, placing: Placing) -> list[dict[str, Any]]:
    set_outputs = (
        'echo "##vso[task.setvariable variable=changes;isOutput=true]$changes"\n'
        'echo "##vso[task.setvariable variable=digest;isOutput=true]$digest"\n'
    )
    summary = 'cat plan.md >> summary.md\necho "##vso[task.uploadsummary]$PWD/summary.md"\n'
    plan = {
        "job": "plan",
        "timeoutInMinutes": _minutes(job.jitter_seconds + job.timeout_seconds),
        "steps": [
            *_prepared(),
            _signed_in(
                "plan",
                f"Plan {job.command}",
                findings_script("summary.md")
                + plan_script(placing)
                + set_outputs
                + summary
                + nothing_to_apply(),
                job,
            ),
            {
                "task": "PublishBuildArtifacts@1",
                "displayName": "Findings, for the tab Scans",
                "condition": "always()",
                "continueOnError": True,
                "inputs": {"PathtoPublish": "exo-auth.sarif", "ArtifactName": "CodeAnalysisLogs"},
            },
        ],
    }
    apply = {
        "deployment": "apply",
        "dependsOn": "plan",
        "condition": "and(succeeded(), ne(dependencies.plan.outputs['plan.changes'], '0'))",
        "environment": ENVIRONMENT,
        "timeoutInMinutes": _minutes(job.timeout_seconds),
        "variables": {"EXO_AUTH_DIGEST": "$[ dependencies.plan.outputs['plan.digest'] ]"},
        "strategy": {
            "runOnce": {
                "deploy": {
                    "steps": [
                        {"checkout": "self", "persistCredentials": False},
                        *_prepared(),
                        _signed_in("apply", job.command, _run_and_tell(job, placing, " --no-jitter"), job),
                        _kept(),
                    ]
                }
            }
        },
    }
    return [plan, apply]


def _one_job(job: Job, placing: Placing) -> dict[str, Any]:
    script = _run_and_tell(job, placing, "")
    return {
        "job": "run",
        "timeoutInMinutes": _minutes(job.jitter_seconds + job.timeout_seconds),
        "steps": [*_prepared(), _signed_in("run", job.command, script, job), _kept()],
    }


def _run_and_tell(job: Job, placing: Placing, options: str) -> str:
    return (
        "code=0\n"
        + run_script(placing, options).rstrip()
        + " > run.txt || code=$?\n"
        + "cat run.txt\n"
        + f"{{ echo '### {job.command} ended with '\"$code\"; echo '```'; cat run.txt; echo '```'; }} > summary.md\n"
        + 'echo "##vso[task.uploadsummary]$PWD/summary.md"\n'
        + 'exit "$code"\n'
    )


def _prepared() -> list[dict[str, Any]]:
    return [
        {"task": "UsePythonVersion@0", "inputs": {"versionSpec": "3.13"}},
        {"bash": f"pip install '{REQUIREMENT}'\n", "displayName": "Install"},
        {
            "task": "DownloadPipelineArtifact@2",
            "displayName": "Fetch the journal of the run before",
            "continueOnError": True,  # the first run finds none
            "inputs": {
                "buildType": "specific",
                "project": "$(System.TeamProjectId)",
                "definition": "$(System.DefinitionId)",
                "buildVersionToDownload": "latest",
                "allowPartiallySucceededBuilds": True,
                "allowFailedBuilds": True,
                "artifactName": "exo-auth-journal",
                "targetPath": STATE,
            },
        },
    ]


def _signed_in(name: str, title: str, script: str, job: Job) -> dict[str, Any]:
    """Give a step that has the service connection; the task names it in AZURESUBSCRIPTION_SERVICE_CONNECTION_ID."""
    secrets = {secret: f"$({secret})" for secret in told_secrets(job)}
    return {
        "task": "AzureCLI@2",
        "name": name,
        "displayName": title,
        "inputs": {
            "azureSubscription": CONNECTION,
            "scriptType": "bash",
            "scriptLocation": "inlineScript",
            "inlineScript": UNSET + script,
        },
        "env": {
            **job.environment,
            **sign_in_by("federated", job),
            "SYSTEM_ACCESSTOKEN": "$(System.AccessToken)",
            **secrets,
        },
    }


def _kept() -> dict[str, Any]:
    return {
        "task": "PublishPipelineArtifact@1",
        "displayName": "Keep the journal",
        "condition": "always()",
        "inputs": {"targetPath": STATE, "artifact": "exo-auth-journal"},
    }


def _minutes(seconds: int) -> int:
    return seconds // 60 + 10  # for the machine, Python and the packages
