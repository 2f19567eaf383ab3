"""A job as a Python runbook of Azure Automation, and the script that puts it on a schedule (render, pure)."""

from __future__ import annotations

import json

from exo_auth.errors import InputError
from exo_auth.plan.cron_times import CronTimes, cron_times
from exo_auth.plan.job import Job
from exo_auth.render.schedulers.placing import EXIT_CODES, HEARTBEAT_URL, NOTIFY_URLS, Placing, sign_in_by

FAIR_SHARE_SECONDS = 3 * 3600 - 600  # the sandbox is ended after three hours
MOST_SCHEDULES = 24
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def azure_automation_files(job: Job, _placing: Placing) -> dict[str, str]:
    """Give the runbook and its schedule; raises InputError for a schedule that Automation cannot say."""
    name = f"exo_auth_{job.name.replace('-', '_')}"
    return {f"{name}.py": _runbook(job), f"{name}_schedule.ps1": _schedule(job, name)}


def _runbook(job: Job) -> str:
    environment = {**job.environment, **sign_in_by("managed-identity", job), "EXO_AUTH_NO_INPUT": "1"}
    if job.notify_on:
        environment["EXO_AUTH_NOTIFY_ON"] = " ".join(sorted(job.notify_on))
    settings = "\n".join(
        f"    {json.dumps(name)}: {json.dumps(value)}," for name, value in environment.items()
    )
    secrets = "".join(f"\n    {json.dumps(name)}," for name in job.secrets) + "\n" * bool(job.secrets)
    limit = min(job.timeout_seconds, FAIR_SHARE_SECONDS)
    return f'''\
"""{job.command}

Python 3.10+ runbook of Azure Automation, signed in by the account's managed identity: no secret. scripts/register-app
--managed-identity gives that identity the one permission and the role. Import the wheel of exo-auth with its
dependencies as a runtime environment.

To be told of failures, make the encrypted variable {NOTIFY_URLS} (Apprise addresses; needs the package apprise).
Log and report: the output of the job. One run at a time: the lock holds on one machine; leave time between two starts.

The sandbox has 400 MB and three hours, and forgets its disk. So the run ends itself before – the change under way is
finished – and the journal is gone after it: what a killed run left in flight is then seen in the tenant alone (a
pending rotation is deferred). For a journal that stays, use a hybrid worker, and set EXO_AUTH_STATE_DIR there.

{EXIT_CODES}
"""

import _thread
import os
import signal
import sys
import threading

import automationassets  # the account's encrypted variables

SETTINGS = {{
{settings}
}}
SECRETS = ({secrets})
WISHES = ("{NOTIFY_URLS}", "{HEARTBEAT_URL}")  # not there: nobody is told
SECONDS = {limit}


def variable(name, wanted):
    """Read an encrypted variable of the account; one that is only wished for may be missing."""
    try:
        return automationassets.get_automation_variable(name)
    except automationassets.AutomationAssetNotFound:
        if wanted:
            raise
        return None


os.environ.update(SETTINGS)
for name in SECRETS:
    os.environ[name] = variable(name, wanted=True)
for name in WISHES:
    value = variable(name, wanted=False)
    if value:
        os.environ[name] = value

from exo_auth.cli.app import run  # noqa: E402 - after the settings are there

# As SIGTERM would end it: between two changes, never inside one.
timer = threading.Timer(SECONDS, _thread.interrupt_main, [signal.SIGTERM])
timer.daemon = True
timer.start()
code = run({json.dumps(list(job.arguments))})
print(f"exo-auth ended with {{code}}")
sys.exit(0 if code == 4 else code)
'''


def _schedule(job: Job, runbook: str) -> str:
    found = [(times, moment) for times in cron_times(job.schedule) for moment in times.times_of_day]
    if len(found) > MOST_SCHEDULES:
        raise InputError(
            f"“{job.schedule}” is {len(found)} times a day, and Automation starts a runbook once an hour at most",
            hint="name fewer hours and minutes",
        )
    blocks = "".join(
        _one(job, times, moment, f"exo-auth-{job.name}-{number}")
        for number, (times, moment) in enumerate(found, start=1)
    )
    return f"""\
# Puts the runbook {runbook} on its schedule: {job.schedule} ({job.time_zone}).
# Needs Az.Automation, and the rights of an Automation Contributor on the account. Run it again after a change: it replaces.
#   ./{runbook}_schedule.ps1 -ResourceGroupName GROUP -AutomationAccountName ACCOUNT
param(
    [Parameter(Mandatory)] [string] $ResourceGroupName,
    [Parameter(Mandatory)] [string] $AutomationAccountName
)
$ErrorActionPreference = 'Stop'
$account = @{{ ResourceGroupName = $ResourceGroupName; AutomationAccountName = $AutomationAccountName }}
$tomorrow = (Get-Date).Date.AddDays(1)
{blocks}"""


def _one(job: Job, times: CronTimes, moment: tuple[int, int], name: str) -> str:
    hour, minute = moment
    return f"""
Remove-AzAutomationSchedule @account -Name '{name}' -Force -ErrorAction SilentlyContinue
New-AzAutomationSchedule @account -Name '{name}' -TimeZone '{job.time_zone}' `
    -StartTime ($tomorrow.AddHours({hour}).AddMinutes({minute})) {_interval(job, times)}
Register-AzAutomationScheduledRunbook @account -RunbookName 'exo_auth_{job.name.replace("-", "_")}' -ScheduleName '{name}'
"""


def _interval(job: Job, times: CronTimes) -> str:
    if times.months is not None or (times.days is not None and times.weekdays is not None):
        raise InputError(
            f"“{job.schedule}” cannot be written for this scheduler",
            hint="Automation knows days and weekdays, no months",
        )
    if times.weekdays is not None:
        days = ", ".join(WEEKDAYS[number] for number in times.weekdays)
        return f"-WeekInterval 1 -DaysOfWeek {days}"
    if times.days is not None:
        # Automation's enumeration of days is spelled out: One, Two, …; numbers are cast to it.
        return f"-MonthInterval 1 -DaysOfMonth {', '.join(map(str, times.days))}"
    return "-DayInterval 1"
