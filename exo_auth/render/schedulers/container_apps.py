"""A job as a scheduled job of Azure Container Apps, as `az containerapp job create --yaml` reads it (render, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.plan.job import Job
from exo_auth.render.schedulers.containers import DOCKERFILE, arguments
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    GRACE_SECONDS,
    HEARTBEAT_URL,
    NOTIFY_URLS,
    Placing,
    comment,
    needs_utc,
    sign_in_by,
    to_yaml,
)


def container_apps_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the job, and a Dockerfile for the image it names. Raises InputError for another time zone than UTC."""
    needs_utc(job, "Azure Container Apps")
    name = f"exo-auth-{job.name}"[:32].rstrip("-")  # Container Apps: at most 32 characters
    document = {
        "location": "westeurope",
        "type": "Microsoft.App/jobs",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "environmentId": "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.App/managedEnvironments/ENVIRONMENT",
            "configuration": {
                "triggerType": "Schedule",
                "replicaTimeout": job.jitter_seconds + job.timeout_seconds + GRACE_SECONDS,
                "replicaRetryLimit": 0,
                "scheduleTriggerConfig": {
                    "cronExpression": job.schedule,
                    "parallelism": 1,
                    "replicaCompletionCount": 1,
                },
                "secrets": _secrets(job, placing),
            },
            "template": {
                "containers": [
                    {
                        "name": "exo-auth",
                        "image": placing.image,
                        "args": arguments(job),
                        "env": _environment(job),
                        "resources": {"cpu": 0.25, "memory": "0.5Gi"},
                        "volumeMounts": [
                            {"volumeName": "state", "mountPath": "/state"},
                            {"volumeName": "jobs", "mountPath": "/jobs"},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "state", "storageType": "AzureFile", "storageName": "exo-auth-state"},
                    {
                        "name": "jobs",
                        "storageType": "Secret",
                        "secrets": [{"secretRef": "job-file", "path": f"{job.name}.yaml"}],
                    },
                ],
            },
        },
    }
    head = comment(
        f"{job.command}\n"
        f"Create: az containerapp job create -n {name} -g GROUP --yaml {name}.containerapp.yaml\n"
        "Put your subscription, group, environment and location below. Signs in by the job's managed identity, which holds no secret:\n"
        "scripts/register-app --managed-identity gives it the one permission and role. The journal lies on the file share exo-auth-state of\n"
        "the environment (az containerapp env storage set), so that a run knows what the one before left in flight.\n"
        f"To be told of failures, change the values of {NOTIFY_URLS} and {HEARTBEAT_URL} to keyVaultUrl references.\n"
        "Nothing is tried again by the platform (replicaRetryLimit 0): the next run does what is left. Times are UTC.\n"
        "One run at a time: a second one ends with 7. Log: az containerapp job logs show.\n"
        f"{EXIT_CODES}"
    )
    return {f"{name}.containerapp.yaml": head + to_yaml(document), "Dockerfile": DOCKERFILE}


def _secrets(job: Job, placing: Placing) -> list[dict[str, Any]]:
    """Give the job's file – which holds no secret, and reaches the container this way – and references to real ones."""
    found: list[dict[str, Any]] = [{"name": "job-file", "value": placing.job_text}]
    for name in job.secrets:
        vault = f"https://VAULT.vault.azure.net/secrets/{_secret_name(name)}"
        found.append({"name": _secret_name(name), "keyVaultUrl": vault, "identity": "system"})
    return found


def _environment(job: Job) -> list[dict[str, str]]:
    plain = {"EXO_AUTH_STATE_DIR": "/state", "HOME": "/tmp", **sign_in_by("managed-identity", job)}  # noqa: S108
    env = [{"name": name, "value": value} for name, value in plain.items()]
    env += [{"name": name, "secretRef": _secret_name(name)} for name in job.secrets]
    env += [{"name": name, "value": ""} for name in (NOTIFY_URLS, HEARTBEAT_URL)]
    return env


def _secret_name(variable: str) -> str:
    """Give the name of a secret: lower case letters, digits and hyphens alone."""
    return variable.lower().replace("_", "-")
