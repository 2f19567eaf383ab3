"""A job as the files of a scheduler, complete and commented, with no secret in them (render, pure)."""

from __future__ import annotations

import json
import plistlib
from collections.abc import Callable
from xml.sax.saxutils import escape

import yaml

from exo_auth.errors import InputError
from exo_auth.plan.job import Job

ABOUT = "Made by `exo-auth job install`; exit code 4 means “waiting” and is no failure (docs/EXIT_CODES.md)."
DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def job_files(platform: str, job: Job, job_file: str) -> dict[str, str]:
    """Give the files by name; `job_file` is where the job lies on the machine that runs it. Raises InputError."""
    if platform not in PLATFORMS:
        raise InputError(f"there is no scheduler “{platform}” here", hint=f"one of {', '.join(PLATFORMS)}")
    return PLATFORMS[platform](job, job_file)


def _systemd(job: Job, job_file: str) -> dict[str, str]:
    credentials = "".join(
        f"LoadCredential={name}:/etc/exo-auth/{name}\nEnvironment={name}_FILE=%d/{name}\n"
        for name in job.secrets
    )
    environment = "".join(f'Environment="{name}={value}"\n' for name, value in job.environment.items())
    service = (
        f"# {ABOUT}\n# Each secret lies in a file of its own under /etc/exo-auth, readable by root alone.\n"
        f"[Unit]\nDescription=exo-auth {job.name}\nWants=network-online.target\nAfter=network-online.target\n\n"
        f"[Service]\nType=oneshot\nExecStart=/usr/local/bin/exo-auth job run {job_file}\n"
        f"SuccessExitStatus=4\nTimeoutStartSec={job.timeout_seconds + 60}\n{environment}{credentials}"
        "Environment=EXO_AUTH_STATE_DIR=/var/lib/exo-auth\nStateDirectory=exo-auth\nStateDirectoryMode=0700\n"
        "DynamicUser=yes\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\n"
        "PrivateDevices=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectControlGroups=yes\n"
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\nRestrictNamespaces=yes\nLockPersonality=yes\n"
        "SystemCallArchitectures=native\nCapabilityBoundingSet=\n"
    )
    timer = (
        f"# {ABOUT}\n[Unit]\nDescription=exo-auth {job.name}, by schedule\n\n[Timer]\n"
        f"OnCalendar={_on_calendar(job)}\nPersistent=true\nRandomizedDelaySec={job.jitter_seconds}\n\n"
        "[Install]\nWantedBy=timers.target\n"
    )
    return {f"exo-auth-{job.name}.service": service, f"exo-auth-{job.name}.timer": timer}


def _on_calendar(job: Job) -> str:
    minute, hour, day, month, weekday = job.schedule.split()
    days = ",".join(_named_days(weekday))
    date = f"*-{month}-{day}"
    time = f"{_systemd_field(hour)}:{_systemd_field(minute)}:00"
    return " ".join(part for part in (days, date, time, job.time_zone) if part)


def _systemd_field(text: str) -> str:
    return f"0/{text[2:]}" if text.startswith("*/") else text


def _named_days(text: str) -> list[str]:
    if text == "*":
        return []
    found = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found.append(_day(first) + (f"..{_day(last)}" if dash else ""))
    return found


def _day(text: str) -> str:
    return DAYS[int(text) % 7] if text.isdigit() else text.capitalize()


def _cron(job: Job, job_file: str) -> dict[str, str]:
    environment = "".join(f"{name}={value}\n" for name, value in job.environment.items())
    needed = "".join(f"# {name}_FILE=/etc/exo-auth/{name}\n" for name in job.secrets)
    delay = f"sleep $((RANDOM \\% {job.jitter_seconds})); " if job.jitter_seconds else ""
    lock = f"/run/lock/exo-auth-{job.name}.lock"
    return {
        f"exo-auth-{job.name}.cron": (
            f"# {ABOUT}\n# For /etc/cron.d; mail goes to MAILTO when something is printed.\n"
            f"SHELL=/bin/bash\nMAILTO=root\nCRON_TZ={job.time_zone}\n{environment}{needed}"
            f"{job.schedule} root {delay}flock -n {lock} /usr/local/bin/exo-auth job run {job_file} || [ $? -eq 4 ]\n"
        )
    }


def _launchd(job: Job, job_file: str) -> dict[str, str]:
    label = f"exo-auth.{job.name}"
    document = {
        "Label": label,
        "ProgramArguments": ["/usr/local/bin/exo-auth", "job", "run", job_file],
        "EnvironmentVariables": {
            **job.environment,
            **{f"{n}_FILE": f"/etc/exo-auth/{n}" for n in job.secrets},
        },
        "StartCalendarInterval": _intervals(job),
        "StandardOutPath": f"/var/log/{label}.log",
        "StandardErrorPath": f"/var/log/{label}.log",
        "ProcessType": "Background",
    }
    return {f"{label}.plist": plistlib.dumps(document).decode("utf-8")}


def _intervals(job: Job) -> list[dict[str, int]]:
    """Give one entry for each time; launchd knows no ranges."""
    keys = ("Minute", "Hour", "Day", "Month", "Weekday")
    limits = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    entries: list[dict[str, int]] = [{}]
    for key, text, (low, high) in zip(keys, job.schedule.split(), limits, strict=True):
        if text == "*":
            continue
        entries = [entry | {key: number} for entry in entries for number in _numbers(text, low, high)]
    return entries


def _numbers(text: str, low: int, high: int) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            first, dash, last = str(low), "-", str(high)
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InputError(
                f"“{text}” cannot be written for this scheduler", hint="use numbers in the schedule"
            )
        found += range(int(first), (int(last) if dash else int(first)) + 1, int(step or 1))
    return found


def _windows(job: Job, job_file: str) -> dict[str, str]:
    entry = _intervals(job)[0]
    start = f"2026-01-01T{entry.get('Hour', 3):02}:{entry.get('Minute', 0):02}:00"
    delay = f"PT{max(1, job.jitter_seconds // 60)}M"
    environment = " ".join(f"{name}={value}" for name, value in job.environment.items())
    xml = f"""<?xml version="1.0" encoding="UTF-16"?>
<!-- {escape(ABOUT)} Import: schtasks /Create /TN exo-auth-{job.name} /XML FILE /RU "NT AUTHORITY\\LOCAL SERVICE"
     Machine variables: {escape(environment) or "none"}; secrets as NAME_FILE: {", ".join(job.secrets) or "none"} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>{start}</StartBoundary>
      <Enabled>true</Enabled>
      <RandomDelay>{delay}</RandomDelay>
      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT{job.timeout_seconds + 60}S</ExecutionTimeLimit>
  </Settings>
  <Actions>
    <Exec>
      <Command>exo-auth.exe</Command>
      <Arguments>job run "{escape(job_file)}"</Arguments>
    </Exec>
  </Actions>
</Task>
"""
    return {f"exo-auth-{job.name}.xml": xml}


def _github(job: Job, job_file: str) -> dict[str, str]:
    secrets = {name: f"${{{{ secrets.{name} }}}}" for name in job.secrets}
    document = {
        "name": f"exo-auth {job.name}",
        "on": {"schedule": [{"cron": job.schedule}], "workflow_dispatch": {}},
        "permissions": {"contents": "read", "id-token": "write"},
        "concurrency": {"group": f"exo-auth-{job.name}", "cancel-in-progress": False},
        "jobs": {
            "run": {
                "runs-on": "ubuntu-latest",
                "environment": "exchange-online",
                "timeout-minutes": job.timeout_seconds // 60 + 2,
                "env": {**job.environment, **secrets, "EXO_AUTH_STATE_DIR": "${{ github.workspace }}/state"},
                "steps": [
                    {"uses": "actions/checkout@v4"},
                    {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
                    {"run": "pip install exo-auth"},
                    {"name": job.command, "run": f"exo-auth job run {job_file} || [ $? -eq 4 ]"},
                    {
                        "if": "always()",
                        "uses": "actions/upload-artifact@v4",
                        "with": {"name": "exo-auth-journal", "path": "state/", "if-no-files-found": "ignore"},
                    },
                ],
            }
        },
    }
    head = (
        f"# {ABOUT}\n# Signs in by OIDC (EXO_AUTH_METHOD: federated): no secret is stored. Times are UTC.\n"
    )
    return {f".github/workflows/exo-auth-{job.name}.yml": head + _yaml(document)}


def _azure_pipelines(job: Job, job_file: str) -> dict[str, str]:
    secrets = {name: f"$({name})" for name in job.secrets}
    document = {
        "trigger": "none",
        "schedules": [
            {"cron": job.schedule, "displayName": job.name, "branches": {"include": ["main"]}, "always": True}
        ],
        "pool": {"vmImage": "ubuntu-latest"},
        "steps": [
            {"task": "UsePythonVersion@0", "inputs": {"versionSpec": "3.12"}},
            {"script": "pip install exo-auth"},
            {
                "script": f"exo-auth job run {job_file} || [ $? -eq 4 ]",
                "displayName": job.command,
                "env": {**job.environment, **secrets},
                "timeoutInMinutes": job.timeout_seconds // 60 + 2,
            },
        ],
    }
    return {f"azure-pipelines-{job.name}.yml": f"# {ABOUT}\n# Times are UTC.\n{_yaml(document)}"}


def _azure_automation(job: Job, _job_file: str) -> dict[str, str]:
    settings = "\n".join(
        f"os.environ[{json.dumps(name)}] = {json.dumps(value)}" for name, value in job.environment.items()
    )
    secrets = "\n".join(
        f"os.environ[{json.dumps(name)}] = automationassets.get_automation_variable({json.dumps(name)})"
        for name in job.secrets
    )
    body = f'''"""{ABOUT}

Python runbook for Azure Automation, signed in by the account's managed identity (EXO_AUTH_METHOD=managed-identity).
Install the package exo-auth and its dependencies in the account; schedule: {job.schedule} ({job.time_zone}).
"""

import os
import sys

import automationassets  # encrypted variables of the account

from exo_auth.cli.app import run

os.environ["EXO_AUTH_NO_INPUT"] = "1"
{settings or "# no settings"}
{secrets or "# no secrets: the managed identity needs none"}
code = run({json.dumps(list(job.arguments))})
sys.exit(0 if code == 4 else code)
'''
    return {f"exo_auth_{job.name.replace('-', '_')}.py": body}


def _container_apps(job: Job, job_file: str) -> dict[str, str]:
    document = {
        "type": "Microsoft.App/jobs",
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "configuration": {
                "triggerType": "Schedule",
                "replicaTimeout": job.timeout_seconds + 60,
                "replicaRetryLimit": 0,
                "scheduleTriggerConfig": {
                    "cronExpression": job.schedule,
                    "parallelism": 1,
                    "replicaCompletionCount": 1,
                },
            },
            "template": {"containers": [_container(job, job_file)]},
        },
    }
    return {f"exo-auth-{job.name}.containerapp.yaml": f"# {ABOUT}\n{_yaml(document)}"}


def _kubernetes(job: Job, job_file: str) -> dict[str, str]:
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "exo-auth",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "containers": [
            _container(job, job_file)
            | {
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "state", "mountPath": "/state"},
                    {"name": "jobs", "mountPath": "/jobs"},
                ],
            }
        ],
        "volumes": [
            {"name": "state", "persistentVolumeClaim": {"claimName": "exo-auth-state"}},
            {"name": "jobs", "configMap": {"name": f"exo-auth-{job.name}"}},
        ],
    }
    document = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": f"exo-auth-{job.name}"},
        "spec": {
            "schedule": job.schedule,
            "timeZone": job.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": job.timeout_seconds + 60,
                    "template": {"spec": pod},
                }
            },
        },
    }
    return {f"exo-auth-{job.name}.cronjob.yaml": f"# {ABOUT}\n{_yaml(document)}"}


def _container(job: Job, job_file: str) -> dict[str, object]:
    env: list[dict[str, object]] = [{"name": name, "value": value} for name, value in job.environment.items()]
    env += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "exo-auth", "key": name}}}
        for name in job.secrets
    ]
    env.append({"name": "EXO_AUTH_STATE_DIR", "value": "/state"})
    script = f"exo-auth job run {job_file} || [ $? -eq 4 ]"
    return {"name": "exo-auth", "image": "exo-auth:latest", "command": ["/bin/sh", "-c", script], "env": env}


def _yaml(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


PLATFORMS: dict[str, Callable[[Job, str], dict[str, str]]] = {
    "systemd": _systemd,
    "cron": _cron,
    "launchd": _launchd,
    "windows-task": _windows,
    "github-actions": _github,
    "azure-pipelines": _azure_pipelines,
    "azure-automation": _azure_automation,
    "container-apps": _container_apps,
    "kubernetes": _kubernetes,
}
