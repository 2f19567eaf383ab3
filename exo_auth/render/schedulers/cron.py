"""A job as a file for /etc/cron.d (render, pure)."""

from __future__ import annotations

import shlex

from exo_auth.plan.job import Job
from exo_auth.render.schedulers.placing import (
    EXIT_CODES,
    HEARTBEAT_URL,
    NOTIFY_URLS,
    Placing,
    comment,
    signs_in_by_itself,
)


def cron_files(job: Job, placing: Placing) -> dict[str, str]:
    """Give the file; its name has no dot, because cron skips names that have one."""
    name = f"exo-auth-{job.name}"
    secrets = "".join(f"{secret}_FILE=/etc/exo-auth/{secret}\n" for secret in job.secrets)
    if not signs_in_by_itself(job):
        secrets = "EXO_AUTH_CERTIFICATE_FILE=/etc/exo-auth/exo-auth.pem\n" + secrets
    told = "".join(f"#{secret}_FILE=/etc/exo-auth/{secret}\n" for secret in (NOTIFY_URLS, HEARTBEAT_URL))
    command = (
        f"{placing.program} job run {shlex.quote(placing.job_file)} --quiet --waiting-is-success "
        f"--log /var/log/exo-auth/{job.name}.log"
    ).replace("%", "\\%")  # cron ends a command at a bare %
    return {
        name: comment(
            f"{job.command}\n"
            f"For /etc/cron.d/{name}. The user exo-auth owns /var/lib/exo-auth, /var/log/exo-auth and its secrets, and nothing else:\n"
            "  useradd --system --no-create-home --shell /usr/sbin/nologin exo-auth\n"
            "  install -d -o exo-auth -m 0700 /var/lib/exo-auth /var/log/exo-auth\n"
            "  install -o exo-auth -m 0400 exo-auth.pem /etc/exo-auth/\n"
            "cron mails to MAILTO what is printed: with --quiet that is a run that failed, or found something.\n"
            "One run at a time: a second one ends with 7. Jitter, time limit and log are job run's own.\n"
            f"{EXIT_CODES}"
        )
        + f"""\
SHELL=/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
MAILTO=root
# cronie reads CRON_TZ; Debian's cron does not: there the line below counts in the machine's own time zone.
CRON_TZ={job.time_zone}
EXO_AUTH_STATE_DIR=/var/lib/exo-auth
{secrets}# Whom to tell besides (Apprise addresses), and the URL that hears of start and end: take the # away when the file is there.
{told}{job.schedule} exo-auth {command}
"""
    }
