"""`Entry`: what one finding means, and how bad it is in whose eyes (checks, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Profile(StrEnum):
    """Whose rules decide where authorities differ."""

    IETF = "ietf"  # the RFCs
    CISA = "cisa"  # SCuBA baselines, BOD 18-01 and 25-01
    CIS = "cis"  # CIS Microsoft 365 benchmark
    MICROSOFT = "microsoft"  # Microsoft's own advice
    PARKED = "parked"  # the domain sends and receives nothing


@dataclass(frozen=True)
class Entry:
    """One code: how bad, why it matters, what to do, where it is written.

    `severity` is a value of Severity; `profiles` holds those that judge otherwise; a profile that maps to "" does
    not raise the finding at all. `example` is what the wrong thing looks like, or the right one.
    """

    code: str
    severity: str
    title: str
    why: str
    remedy: str
    source: str
    frameworks: tuple[str, ...] = ()
    example: str = ""
    profiles: Mapping[Profile, str] = field(default_factory=dict)

    def severity_in(self, profile: Profile) -> str:
        """Give the severity under a profile, "" for silence."""
        return self.profiles.get(profile, self.severity)
