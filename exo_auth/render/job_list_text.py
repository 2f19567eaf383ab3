"""Jobs and when they run (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exo_auth.plan.job import Job
from exo_auth.render.document import to_text
from exo_auth.render.table import Table
from exo_auth.render.times import iso


def jobs_text(jobs: Sequence[tuple[Job, Sequence[datetime]]], output: str) -> str:
    """Write one line for each time a job runs."""
    if output == "json":
        rows = [
            {
                "name": job.name,
                "command": job.command,
                "schedule": job.schedule,
                "next": [iso(at) for at in times],
            }
            for job, times in jobs
        ]
        return to_text({"schema": "exo-auth/jobs/1", "jobs": rows})
    lines = tuple(
        (job.name, job.schedule, f"{at:%Y-%m-%d %H:%M %Z}", job.command)
        for job, times in jobs
        for at in times
    )
    return Table(("Job", "Schedule", "Next", "Command"), lines).to_text(output)
