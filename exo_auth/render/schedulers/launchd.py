"""A job as a launchd daemon of macOS (render, pure)."""

from __future__ import annotations

import plistlib

from exo_auth.errors import InputError
from exo_auth.plan.cron_times import CronTimes, cron_times
from exo_auth.plan.job import Job
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    GRACE_SECONDS,
    HEARTBEAT_URL,
    NOTIFY_URLS,
    Placing,
    signs_in_by_itself,
)

MOST_TIMES = 400  # entries of a property list; a schedule of every minute is for another scheduler


def launchd_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the property list."""
    label = f"exo-auth.{job.name}"
    folder = "/usr/local/etc/exo-auth"
    secrets = {f"{name}_FILE": f"{folder}/{name}" for name in job.secrets}
    if not signs_in_by_itself(job):
        secrets["EXO_AUTH_CERTIFICATE_FILE"] = f"{folder}/exo-auth.pem"
    document = {
        "Label": label,
        "ProgramArguments": [
            *(placing.program, "job", "run", placing.job_file),
            *("--waiting-is-success", "--log", f"/usr/local/var/log/exo-auth/{job.name}.log", "--quiet"),
        ],
        "UserName": "_exo-auth",
        "GroupName": "_exo-auth",
        "Umask": 0o077,
        "EnvironmentVariables": {"EXO_AUTH_STATE_DIR": "/usr/local/var/exo-auth", **secrets},
        "StartCalendarInterval": _intervals(job.schedule),
        "ExitTimeOut": GRACE_SECONDS,
        "ProcessType": "Background",
        "StandardErrorPath": f"/usr/local/var/log/exo-auth/{job.name}.err",
    }
    text = plistlib.dumps(document, sort_keys=False).decode("utf-8")
    about = _about(job, label, folder).replace("--", "-")  # XML allows no two hyphens in a comment
    head, doctype, rest = text.partition('PropertyList-1.0.dtd">\n')
    return {f"{label}.plist": f"{head}{doctype}<!--\n{about}-->\n{rest}"}


def _about(job: Job, label: str, folder: str) -> str:
    zone = "" if job.time_zone == "UTC" else f", written for {job.time_zone}"
    return f"""\
{job.command}
Install: cp {label}.plist /Library/LaunchDaemons/; launchctl bootstrap system /Library/LaunchDaemons/{label}.plist
The user _exo-auth (made with sysadminctl or dscl) owns /usr/local/var/exo-auth, its log folder, and the secrets in {folder}.
Schedule: {job.schedule}, in the time zone of this Mac{zone}; a run missed in sleep is made up for when it wakes.
One run at a time: launchd never starts a job that still runs. Jitter, time limit and log are job run's own.
To be told of failures, add {NOTIFY_URLS}_FILE and {HEARTBEAT_URL}_FILE below.
{EXIT_CODES}
"""


def _intervals(schedule: str) -> list[dict[str, int]]:
    """Give one entry for each time: launchd knows no ranges."""
    found = [entry for times in cron_times(schedule) for entry in _entries(times)]
    if len(found) > MOST_TIMES:
        raise InputError(
            f"“{schedule}” is {len(found)} times, too many for a property list",
            hint="name fewer hours and minutes",
        )
    return found


def _entries(times: CronTimes) -> list[dict[str, int]]:
    parts = (
        *(("Minute", times.minutes), ("Hour", times.hours), ("Day", times.days)),
        *(("Month", times.months), ("Weekday", times.weekdays)),
    )
    entries: list[dict[str, int]] = [{}]
    for key, numbers in parts:
        if numbers is not None:
            entries = [entry | {key: number} for entry in entries for number in numbers]
    return entries
