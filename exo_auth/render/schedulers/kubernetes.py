"""A job as a CronJob of Kubernetes, with all it needs in its namespace (render, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.plan.job import Job
from exo_auth.render.schedulers.containers import DOCKERFILE, arguments
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    GRACE_SECONDS,
    HEARTBEAT_URL,
    NOT_RETRIED,
    NOTIFY_URLS,
    Placing,
    comment,
    sign_in_by,
    to_yaml,
    told_secrets,
)

IDENTITY_LABEL = "azure.workload.identity/use"


def kubernetes_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the manifest, and a Dockerfile for the image it names."""
    name = f"exo-auth-{job.name}"
    parts = (_account(), _claim(), _job_file(job, placing, name), _cron_job(job, placing, name))
    head = comment(
        f"{job.command}\n"
        f"Apply: kubectl apply -n exo-auth -f {name}.cronjob.yaml\n"
        "Signs in by workload identity: no secret. Put the application's client id into the service account's annotation, and\n"
        "add a federated credential to the application for the subject system:serviceaccount:exo-auth:exo-auth\n"
        "(scripts/register-app --federated-subject does).\n"
        f"To be told of failures: kubectl create secret generic exo-auth -n exo-auth --from-file={NOTIFY_URLS}=urls.txt\n"
        f"and --from-file={HEARTBEAT_URL}=…, the URL that hears of start and end. Log: kubectl logs job/…\n"
        f"{EXIT_CODES}"
    )
    return {f"{name}.cronjob.yaml": head + "---\n".join(map(to_yaml, parts)), "Dockerfile": DOCKERFILE}


def _account() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "exo-auth",
            "annotations": {"azure.workload.identity/client-id": "11111111-2222-3333-4444-555555555555"},
        },
        "automountServiceAccountToken": False,
    }


def _claim() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "exo-auth-state"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def _job_file(job: Job, placing: Placing, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {f"{job.name}.yaml": placing.job_text},
    }


def _cron_job(job: Job, placing: Placing, name: str) -> dict[str, Any]:
    whole = job.jitter_seconds + job.timeout_seconds + GRACE_SECONDS
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": job.schedule,
            "timeZone": job.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": 3 * whole,
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "FailJob",
                                "onExitCodes": {
                                    "containerName": "exo-auth",
                                    "operator": "In",
                                    "values": list(NOT_RETRIED),
                                },
                            },
                            {
                                "action": "Ignore",
                                "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                            },
                        ]
                    },
                    "template": {
                        "metadata": {
                            "labels": {"app.kubernetes.io/name": "exo-auth", IDENTITY_LABEL: "true"}
                        },
                        "spec": _pod(job, placing, name),
                    },
                }
            },
        },
    }


def _pod(job: Job, placing: Placing, name: str) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": "exo-auth",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "exo-auth",
                "image": placing.image,
                "args": arguments(job),
                "env": _environment(job),
                "resources": {
                    "requests": {"cpu": "100m", "memory": "128Mi"},
                    "limits": {"memory": "512Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "state", "mountPath": "/state"},
                    {"name": "jobs", "mountPath": "/jobs", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the container
                ],
            }
        ],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": "exo-auth-state"}},
            {"name": "jobs", "configMap": {"name": name}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
        ],
    }


def _environment(job: Job) -> list[dict[str, Any]]:
    plain = {"EXO_AUTH_STATE_DIR": "/state", "HOME": "/tmp", **sign_in_by("federated", job)}  # noqa: S108
    env: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in plain.items()]
    for name in told_secrets(job):
        key = {"name": "exo-auth", "key": name, "optional": name not in job.secrets}
        env.append({"name": name, "valueFrom": {"secretKeyRef": key}})
    return env
