"""Which findings block which step (checks, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exo_auth.checks.finding import Finding, Severity
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


# What each gate looks at. A code that is not listed never holds that gate closed.
_DNS_PATH = frozenset(
    {
        "DKIM-CNAME-MISSING",
        "DKIM-CNAME-WRONG",
        "DKIM-CNAME-DOUBLED",
        "DKIM-CNAME-AS-TXT",
        "DKIM-TARGET-UNKNOWN",
        "DKIM-KEY-MISSING",
        "DKIM-KEY-MULTIPLE",
        "DKIM-KEY-SYNTAX",
        "DKIM-KEY-REVOKED",
        "DKIM-KEY-INVALID",
        "DKIM-KEY-MISMATCH",
        "DKIM-KEY-PROPAGATING",
        "DKIM-ROTATION-STUCK",
        "DKIM-LOOKUP-FAILED",
    }
)
GATES: dict[Step, frozenset[str]] = {
    Step.CREATE: frozenset(),
    Step.ENABLE: _DNS_PATH | {"DKIM-NOT-CREATED", "DKIM-STATUS-UNKNOWN"},
    Step.DISABLE: frozenset({"DKIM-STATUS-UNKNOWN"}),
    Step.ROTATE: _DNS_PATH
    | {
        "DKIM-NOT-CREATED",
        "DKIM-STATUS-UNKNOWN",
        "DKIM-DISABLED",
        "DKIM-AGE-UNKNOWN",
        "DKIM-EXCHANGE-LAG",
        "DKIM-KEY-NOT-YET",
    },
}
# Findings that time alone heals; their not_before is when to look again.
HEALS_WITH_TIME = frozenset(
    {"DKIM-EXCHANGE-LAG", "DKIM-KEY-NOT-YET", "DKIM-KEY-PROPAGATING", "DKIM-TARGET-UNKNOWN"}
)


def readiness(domain: DomainName, step: Step, findings: tuple[Finding, ...]) -> Readiness:
    """Judge one gate. A definite defect outranks a failed look-up, which outranks what time will heal."""
    holding = tuple(finding for finding in findings if finding.code in GATES[step])
    if not holding:
        return Readiness(domain, step, ReadinessState.READY)
    if any(f.severity is not Severity.UNKNOWN and f.code not in HEALS_WITH_TIME for f in holding):
        return Readiness(domain, step, ReadinessState.BLOCKED, holding)
    if any(finding.severity is Severity.UNKNOWN for finding in holding):
        return Readiness(domain, step, ReadinessState.UNKNOWN, holding)
    times = [finding.not_before for finding in holding if finding.not_before is not None]
    return Readiness(domain, step, ReadinessState.WAITING, holding, max(times, default=None))
