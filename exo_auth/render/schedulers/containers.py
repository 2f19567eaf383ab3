"""What containers of a job share, on Kubernetes and in Container Apps (render, pure)."""

from __future__ import annotations

from exo_auth.plan.job import Job

DOCKERFILE = """\
# The image of the job: exo-auth with notifications and octoDNS, run by nobody in particular.
FROM python:3.13-slim
RUN pip install --no-cache-dir 'exo-auth[notify,publish]'
USER 65532:65532
ENTRYPOINT ["exo-auth"]
"""


def arguments(job: Job) -> list[str]:
    """Give what the image is started with; no shell is needed, and 4 ends as success."""
    return ["job", "run", f"/jobs/{job.name}.yaml", "--waiting-is-success"]
