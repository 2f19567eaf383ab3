"""Which findings block which step (checks, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exo_auth.checks.finding import Finding
from exo_auth.domain_name import DomainName


class Step(StrEnum):
    """A change that a gate stands before."""

    CREATE = "create"  # New-DkimSigningConfig
    ENABLE = "enable"  # Set-DkimSigningConfig -Enabled $true
    DISABLE = "disable"
    ROTATE = "rotate"


class ReadinessState(StrEnum):
    """May the step be taken now?"""

    READY = "ready"
    WAITING = "waiting"  # only time is missing: see not_before
    BLOCKED = "blocked"  # a person must mend something
    UNKNOWN = "unknown"  # a look-up failed: blocks, and is worth another try


@dataclass(frozen=True)
class Readiness:
    """The gate before one step for one domain, with the findings that hold it closed."""

    domain: DomainName
    step: Step
    state: ReadinessState
    findings: tuple[Finding, ...] = ()
    not_before: datetime | None = None  # set when WAITING
