"""A job as a systemd service with its timer, and a unit that tells of a run that could not tell itself (render, pure)."""

from __future__ import annotations

from exo_auth.plan.cron_times import DAYS, CronTimes, cron_times
from exo_auth.plan.job import Job
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    GRACE_SECONDS,
    HEARTBEAT_URL,
    NOTIFY_URLS,
    Placing,
    comment,
    signs_in_by_itself,
)

HARDENING = """\
# Nothing but the network, the state folder and the credentials above; `systemd-analyze security` rates it.
DynamicUser=yes
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""


def systemd_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the service, its timer, and the unit for failures."""
    unit = f"exo-auth-{job.name}"
    return {
        f"{unit}.service": _service(job, placing, unit),
        f"{unit}.timer": _timer(job),
        "exo-auth-failed@.service": _failed(placing),
    }


def _service(job: Job, placing: Placing, unit: str) -> str:
    return (
        comment(
            f"{unit}.service: {job.command}\n"
            f"Install: cp {unit}.* exo-auth-failed@.service /etc/systemd/system/, then "
            f"systemctl enable --now {unit}.timer\n"
            "Each credential lies in a file of its own under /etc/exo-auth, readable by root alone (chmod 600).\n"
            f"Log: journalctl -u {unit}\n"
            f"{EXIT_CODES}"
        )
        + f"""\
[Unit]
Description=exo-auth {job.name}
Documentation=man:systemd.exec(5)
Wants=network-online.target
After=network-online.target
OnFailure=exo-auth-failed@%n.service

[Service]
# One run at a time: systemd never starts a oneshot service that still runs.
Type=oneshot
ExecStart={placing.program} job run {_quoted(placing.job_file)} --no-jitter
SuccessExitStatus=4
# The job ends itself after {job.timeout_seconds} s; the change under way is finished before anything is killed.
TimeoutStartSec={job.timeout_seconds + GRACE_SECONDS}
TimeoutStopSec={GRACE_SECONDS}
KillMode=mixed
SyslogIdentifier={unit}
# The journal, locks and caches: /var/lib/exo-auth
StateDirectory=exo-auth
StateDirectoryMode=0700
Environment=EXO_AUTH_STATE_DIR=%S/exo-auth
{_credentials(job)}{HARDENING}"""
    )


def _credentials(job: Job) -> str:
    lines = []
    if not signs_in_by_itself(job):
        lines += [
            "# The application's certificate with its key: exo-auth auth certificate new",
            "LoadCredential=certificate.pem:/etc/exo-auth/exo-auth.pem",
            "Environment=EXO_AUTH_CERTIFICATE_FILE=%d/certificate.pem",
        ]
    for name in job.secrets:
        lines += [f"LoadCredential={name}:/etc/exo-auth/{name}", f"Environment={name}_FILE=%d/{name}"]
    lines += [
        "# Whom to tell (Apprise addresses), and the URL that hears of start and end: take the # away when the file is there.",
        *(f"#{line}" for name in (NOTIFY_URLS, HEARTBEAT_URL) for line in _credential(name)),
    ]
    return "\n".join(lines) + "\n"


def _credential(name: str) -> tuple[str, str]:
    return f"LoadCredential={name}:/etc/exo-auth/{name}", f"Environment={name}_FILE=%d/{name}"


def _timer(job: Job) -> str:
    calendars = "".join(
        f"OnCalendar={_on_calendar(times, job.time_zone)}\n" for times in cron_times(job.schedule)
    )
    return (
        comment(f"Starts exo-auth-{job.name}.service; systemctl list-timers tells when next.")
        + f"""\
[Unit]
Description=exo-auth {job.name}, by schedule

[Timer]
# cron: {job.schedule} ({job.time_zone})
{calendars}# A run that was missed while the machine was off is made up for.
Persistent=true
# Spread over the fleet, at the same place every day, so that a retry does not reshuffle it.
RandomizedDelaySec={job.jitter_seconds}
FixedRandomDelay=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
    )


def _failed(placing: Placing) -> str:
    return (
        comment(
            "exo-auth-failed@.service tells of a job that could not tell itself: killed, out of memory, not started at all.\n"
            "A run that ended by itself has told already (MONITOR_… since systemd 251; before, you hear of it twice).\n"
            f"It needs /etc/exo-auth/{NOTIFY_URLS}: Apprise addresses, readable by root alone."
        )
        + f"""\
[Unit]
Description=Tell that %I failed

[Service]
Type=oneshot
ExecCondition=/bin/sh -c '[ "$$MONITOR_SERVICE_RESULT" != exit-code ] || [ "$$MONITOR_EXIT_STATUS" -ge 200 ]'
ExecStart={placing.program} notify send "exo-auth: %i failed on %H" --body "journalctl -u %i"
LoadCredential={NOTIFY_URLS}:/etc/exo-auth/{NOTIFY_URLS}
Environment={NOTIFY_URLS}_FILE=%d/{NOTIFY_URLS}
TimeoutStartSec=300
{HARDENING}"""
    )


def _quoted(path: str) -> str:
    return (
        path
        if path.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum()
        else f'"{path}"'
    )


def _on_calendar(times: CronTimes, time_zone: str) -> str:
    days = ",".join(DAYS[number].capitalize() for number in times.weekdays or ())
    date = f"*-{_list(times.months)}-{_list(times.days)}"
    clock = f"{_list(times.hours)}:{_list(times.minutes)}:00"
    return " ".join(part for part in (days, date, clock, time_zone) if part)


def _list(numbers: tuple[int, ...] | None) -> str:
    return "*" if numbers is None else ",".join(f"{number:02}" for number in numbers)
