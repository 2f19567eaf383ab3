"""`Finding`: one thing that is wrong or worth knowing, with its remedy (checks, pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from exo_auth.domain_name import DomainName


class Severity(StrEnum):
    """How bad; the order is that of `rank`."""

    INFO = "info"  # worth knowing
    WARN = "warn"  # works today, should be mended
    FAIL = "fail"  # wrong
    UNKNOWN = "unknown"  # could not look: blocks like FAIL, keeps its own exit code, is never "missing"

    @property
    def rank(self) -> int:
        """Position from harmless to bad; UNKNOWN stands highest because no verdict can be trusted beside it."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class DnsRecord:
    """A record to paste: owner and value absolute, without the trailing dot."""

    owner: DomainName
    type: str  # CNAME, TXT, MX
    value: str
    ttl_seconds: int = 3600


@dataclass(frozen=True)
class Evidence:
    """What DNS or a host said: the question, the outcome, and who answered."""

    name: str
    type: str
    outcome: str  # found, nodata, nxdomain, or the reason of a failure
    values: tuple[str, ...] = ()  # TXT with its strings apart, as they came
    server: str = ""  # host:port
    ttl_seconds: int | None = None


@dataclass(frozen=True)
class Finding:
    """One verdict. `code` is stable and explained by `exo-auth explain CODE`."""

    code: str  # such as DKIM-CNAME-MISSING
    severity: Severity
    subject: DomainName
    message: str  # one line, readable alone
    seen: str = ""  # what was found, and where
    wanted: str = ""
    remedy: str = ""  # what to do
    records: tuple[DnsRecord, ...] = ()  # what to publish, ready to paste
    source: str = ""  # RFC section or vendor page
    frameworks: tuple[str, ...] = ()  # SCuBA, CIS, Maester, ORCA ids
    not_before: datetime | None = None  # time alone may heal this; earliest moment worth another look
    evidence: tuple[Evidence, ...] = ()
    at: datetime | None = None  # when the look was over that the evidence comes from, UTC

    def completed(
        self, records: tuple[DnsRecord, ...], evidence: tuple[Evidence, ...], at: datetime | None
    ) -> Finding:
        """Give the same finding with what to paste, what was answered and when; `replace` takes thrice as long."""
        return Finding(
            self.code,
            self.severity,
            self.subject,
            self.message,
            self.seen,
            self.wanted,
            self.remedy,
            records,
            self.source,
            self.frameworks,
            self.not_before,
            evidence,
            at,
        )

    def as_severe_as(self, severity: Severity) -> Finding:
        """Give the same finding with another severity."""
        return replace(self, severity=severity)
