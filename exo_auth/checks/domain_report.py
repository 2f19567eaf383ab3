"""`DomainReport`: the verdict about one domain, as it goes to the writers of reports (checks, pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.gates import GateVerdict
from exo_auth.domain_name import DomainName


@dataclass(frozen=True)
class Gone:
    """A finding of the baseline that is there no more."""

    code: str
    message: str


@dataclass(frozen=True)
class DomainReport:
    """One domain with its findings, and the verdict of the gate that was asked for.

    Beside a baseline, `findings` are the new ones and `gone` those that are there no more.
    """

    domain: DomainName
    findings: tuple[Finding, ...]
    gate: GateVerdict | None = None
    gone: tuple[Gone, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The worst severity, None where nothing was found."""
        return max((one.severity for one in self.findings), key=lambda severity: severity.rank, default=None)


@dataclass
class Tally:
    """What a run of many domains adds up to; it keeps numbers, and of the domains nothing but their names."""

    domains: list[str] = field(default_factory=list)
    by_severity: Counter[str] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    clean: int = 0  # domains without fail, warn or unknown
    gates: list[GateVerdict] = field(default_factory=list)
    gone: list[tuple[str, Gone]] = field(default_factory=list)

    def add(self, report: DomainReport) -> None:
        """Count one domain."""
        self.domains.append(report.domain.ascii)
        for one in report.findings:
            self.by_severity[one.severity.value] += 1
            self.by_code[one.code] += 1
        self.clean += all(one.severity is Severity.INFO for one in report.findings)
        self.gone.extend((report.domain.ascii, past) for past in report.gone)
        if report.gate is not None:
            self.gates.append(report.gate)
