"""A job as a task of the Windows Task Scheduler ([MS-TSCH] 2.5) (render, pure)."""

from __future__ import annotations

from xml.sax.saxutils import escape

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

MOST_TRIGGERS = 48  # [MS-TSCH] 2.5.3: a task has no more
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
LOCAL_SERVICE = "S-1-5-19"


def windows_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the task's XML."""
    triggers = [
        _trigger(job, times, hour, minute)
        for times in cron_times(job.schedule)
        for hour, minute in times.times_of_day
    ]
    if len(triggers) > MOST_TRIGGERS:
        raise InputError(
            f"“{job.schedule}” is {len(triggers)} times a day, and a task has {MOST_TRIGGERS} triggers at most",
            hint="name fewer hours and minutes",
        )
    arguments = (
        f'job run "{placing.job_file}" --no-jitter --waiting-is-success '
        f'--log "C:\\ProgramData\\exo-auth\\log\\{job.name}.log"'
    )
    return {
        f"exo-auth-{job.name}.xml": f"""\
<?xml version="1.0"?>
<!--
{escape(_about(job)).replace("--", "-")}-->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>exo-auth</Author>
    <Description>{escape(job.command)}</Description>
  </RegistrationInfo>
  <Triggers>
{"".join(triggers)}  </Triggers>
  <Principals>
    <Principal id="service">
      <UserId>{LOCAL_SERVICE}</UserId>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
    <ExecutionTimeLimit>PT{job.timeout_seconds + GRACE_SECONDS}S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="service">
    <Exec>
      <Command>{escape(_program(placing))}</Command>
      <Arguments>{escape(arguments)}</Arguments>
    </Exec>
  </Actions>
</Task>
"""
    }


def _program(placing: Placing) -> str:
    return placing.program if "\\" in placing.program else "exo-auth.exe"


def _about(job: Job) -> str:
    wanted = [f"{name}_FILE" for name in job.secrets]
    if not signs_in_by_itself(job):
        wanted = ["EXO_AUTH_CERTIFICATE_FILE", *wanted]
    zone = "UTC" if job.time_zone == "UTC" else f"the time zone of this machine, written for {job.time_zone}"
    return f"""\
{job.command}
Import: Register-ScheduledTask -TaskName 'exo-auth {job.name}' -Xml (Get-Content -Raw exo-auth-{job.name}.xml)
It runs as LOCAL SERVICE, without administrator's rights. Give that account, and it alone, C:\\ProgramData\\exo-auth:
  icacls C:\\ProgramData\\exo-auth /inheritance:r /grant "*S-1-5-19:(OI)(CI)M" "*S-1-5-32-544:(OI)(CI)F"
Machine variables (setx /M): EXO_AUTH_STATE_DIR=C:\\ProgramData\\exo-auth\\state, {", ".join(wanted) or "no others"};
each _FILE names a file below C:\\ProgramData\\exo-auth. To be told of failures: {NOTIFY_URLS}_FILE and {HEARTBEAT_URL}_FILE.
Schedule: {job.schedule}, in {zone}. One run at a time, spread by a random delay; a missed run is made up for.
{EXIT_CODES}
The scheduler tries nothing again by itself (no RestartOnFailure): the next run does what is left.
"""


def _trigger(job: Job, times: CronTimes, hour: int, minute: int) -> str:
    zone = "Z" if job.time_zone == "UTC" else ""  # with Z the same moment on every machine
    delay = f"      <RandomDelay>PT{job.jitter_seconds}S</RandomDelay>\n" if job.jitter_seconds else ""
    return f"""\
    <CalendarTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>2026-01-01T{hour:02}:{minute:02}:00{zone}</StartBoundary>
{delay}{_days(job, times)}    </CalendarTrigger>
"""


def _days(job: Job, times: CronTimes) -> str:
    if times.days is not None and times.weekdays is not None:
        raise InputError(
            f"“{job.schedule}” cannot be written for this scheduler", hint="name days or weekdays, not both"
        )
    months = _flags("Months", MONTHS, [number - 1 for number in times.months or range(1, 13)])
    if times.weekdays is not None and times.months is None:
        days = _flags("DaysOfWeek", WEEKDAYS, times.weekdays)
        return _schedule("ScheduleByWeek", "        <WeeksInterval>1</WeeksInterval>\n" + days)
    if times.weekdays is not None:
        weeks = "".join(f"          <Week>{week}</Week>\n" for week in ("1", "2", "3", "4", "Last"))
        days = _flags("DaysOfWeek", WEEKDAYS, times.weekdays)
        return _schedule(
            "ScheduleByMonthDayOfWeek", f"        <Weeks>\n{weeks}        </Weeks>\n{days}{months}"
        )
    if times.days is not None or times.months is not None:
        numbers = times.days or tuple(range(1, 32))
        days = "".join(f"          <Day>{number}</Day>\n" for number in numbers)
        return _schedule("ScheduleByMonth", f"        <DaysOfMonth>\n{days}        </DaysOfMonth>\n{months}")
    return _schedule("ScheduleByDay", "        <DaysInterval>1</DaysInterval>\n")


def _schedule(name: str, inner: str) -> str:
    return f"      <{name}>\n{inner}      </{name}>\n"


def _flags(name: str, words: tuple[str, ...], chosen: list[int] | tuple[int, ...]) -> str:
    flags = "".join(f"          <{words[number]}/>\n" for number in chosen)
    return f"        <{name}>\n{flags}        </{name}>\n"
