"""Which schedulers a job can be written for (render, pure).

Their files are complete and commented, with the least rights that do, and without a secret; each scheduler has a module of
its own in `schedulers/`.
"""

from __future__ import annotations

from collections.abc import Callable

from exo_auth.errors import InputError
from exo_auth.plan.job import Job
from exo_auth.render.schedulers.azure_automation import azure_automation_files
from exo_auth.render.schedulers.azure_pipelines import azure_pipelines_files
from exo_auth.render.schedulers.container_apps import container_apps_files
from exo_auth.render.schedulers.cron import cron_files
from exo_auth.render.schedulers.github_actions import github_files
from exo_auth.render.schedulers.kubernetes import kubernetes_files
from exo_auth.render.schedulers.launchd import launchd_files
from exo_auth.render.schedulers.placing import Placing
from exo_auth.render.schedulers.systemd import systemd_files
from exo_auth.render.schedulers.windows_task import windows_files

PLATFORMS: dict[str, Callable[[Job, Placing], dict[str, str]]] = {
    "systemd": systemd_files,
    "cron": cron_files,
    "launchd": launchd_files,
    "windows-task": windows_files,
    "github-actions": github_files,
    "azure-pipelines": azure_pipelines_files,
    "azure-automation": azure_automation_files,
    "container-apps": container_apps_files,
    "kubernetes": kubernetes_files,
}
ON_THIS_MACHINE = ("systemd", "cron", "launchd", "windows-task")  # these need the whole path of the job


def job_files(platform: str, job: Job, placing: Placing) -> dict[str, str]:
    """Give the files by name; raises InputError for a scheduler there is not, and for what one cannot say."""
    if platform not in PLATFORMS:
        raise InputError(f"there is no scheduler “{platform}” here", hint=f"one of {', '.join(PLATFORMS)}")
    return PLATFORMS[platform](job, placing)
