"""Where a job lies and how it signs in there: what all schedulers share (render, pure)."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from exo_auth.errors import InputError
from exo_auth.plan.job import Job

GRACE_SECONDS = 120  # `job run` gives the change under way 90 s; a scheduler must not kill it before
NOT_RETRIED = (
    3,
    8,
    9,
    10,
    64,
)  # a person is needed, or a new plan, an approval, a right, another command line
NOTIFY_URLS = "EXO_AUTH_NOTIFY_URLS"
HEARTBEAT_URL = "EXO_AUTH_HEARTBEAT_URL"
SIGN_IN = (
    "EXO_AUTH_METHOD",
    "EXO_AUTH_CERTIFICATE_FILE",
    "EXO_AUTH_CLIENT_SECRET",
    "EXO_AUTH_CLIENT_SECRET_FILE",
    "EXO_AUTH_TOKEN",
    "EXO_AUTH_TOKEN_FILE",
    "EXO_AUTH_FEDERATED_COMMAND",
    "EXO_AUTH_FEDERATED_TOKEN_FILE",
    "EXO_AUTH_MANAGED_IDENTITY_CLIENT_ID",
)
EXIT_CODES = """\
Exit codes (docs/EXIT_CODES.md): 0 done, 4 waiting – no failure. 3, 8, 9, 10 and 64 need a person, so that trying again is no use;
1, 5, 6 and 7 may be gone at the next run."""


@dataclass(frozen=True)
class Placing:
    """Where things are on the machine that runs the job."""

    job_file: str  # as that machine finds it
    job_text: str = ""  # the file itself, for schedulers that carry it along
    program: str = "/usr/local/bin/exo-auth"
    image: str = "registry.example/exo-auth:0.1.0"  # of a container that has exo-auth


def signs_in_by_itself(job: Job) -> bool:
    """Does the job say how to sign in? Otherwise the scheduler's own way is used, which keeps no secret if it can."""
    return any(name in job.environment or name in job.secrets for name in SIGN_IN)


def sign_in_by(method: str, job: Job) -> dict[str, str]:
    """Give the variable for a way to sign in that needs no secret, unless the job has another."""
    return {} if signs_in_by_itself(job) else {"EXO_AUTH_METHOD": method}


def needs_utc(job: Job, scheduler: str) -> None:
    """Raise InputError for a job in a time zone that the scheduler does not know."""
    if job.time_zone != "UTC":
        raise InputError(
            f"{scheduler} knows UTC alone, and the job {job.name} is in {job.time_zone}",
            hint="write the schedule in UTC and leave time_zone out; summer time then moves it by an hour",
        )


def told_secrets(job: Job) -> tuple[str, ...]:
    """Name the secrets that a scheduler hands over: the job's own, and where to tell people, if anywhere."""
    return tuple(dict.fromkeys((*job.secrets, NOTIFY_URLS, HEARTBEAT_URL)))


def comment(text: str, sign: str = "#") -> str:
    """Write lines of comment."""
    return "".join(f"{sign} {line}".rstrip() + "\n" for line in text.strip().splitlines())


def to_yaml(document: object) -> str:
    """Write YAML in the order of the keys, with texts of several lines as blocks."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118)


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block, so that it can be read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
