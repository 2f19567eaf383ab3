"""Rules of frameworks, judged by findings (checks, pure): SCuBA, CIS, Maester, ORCA."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.finding import Finding, Severity


class Framework(StrEnum):
    """The words of `audit run --framework`."""

    SCUBA = "scuba"
    CIS = "cis"
    MAESTER = "maester"
    ORCA = "orca"


@dataclass(frozen=True)
class Rule:
    """One rule; `codes` are the findings that break it. `must` tells SHALL from SHOULD."""

    framework: Framework
    id: str
    title: str
    codes: frozenset[str]
    must: bool = True


_SPF = frozenset(
    {
        "SPF-MISSING",
        "SPF-SUBDOMAIN",
        "SPF-MULTI",
        "SPF-SYNTAX",
        "SPF-CHUNK",
        "SPF-PLUSALL",
        "SPF-NEUTRAL",
        "SPF-NOALL",
        "SPF-LOOKUPS",
        "SPF-VOID4",
        "SPF-DEADINC",
        "SPF-LOOP",
        "SPF-PARKED",
    }
)
_DKIM = frozenset(
    {
        "DKIM-NOT-CREATED",
        "DKIM-DISABLED",
        "DKIM-CNAME-MISSING",
        "DKIM-CNAME-WRONG",
        "DKIM-CNAME-DOUBLED",
        "DKIM-CNAME-AS-TXT",
        "DKIM-DANGLING",
        "DKIM-KEY-MISSING",
        "DKIM-KEY-MISMATCH",
        "DKIM-KEY-REVOKED",
        "DKIM-KEY-SYNTAX",
        "DKIM-KEY-INVALID",
        "DKIM-SELECTORS-ABSENT",
    }
)
_SELECTORS = frozenset(
    {"DKIM-CNAME-MISSING", "DKIM-CNAME-WRONG", "DKIM-CNAME-DOUBLED", "DKIM-CNAME-AS-TXT", "DKIM-DANGLING"}
)
_DMARC = frozenset({"DMARC-MISSING", "DMARC-MULTI", "DMARC-VOID", "DMARC-ONMICROSOFT"})
_REJECT = _DMARC | {
    "DMARC-NONE",
    "DMARC-QUARANTINE",
    "DMARC-P-INVALID",
    "DMARC-SP-INVALID",
    "DMARC-TEST-MODE",
    "DMARC-PARKED",
}
_MATURE = _REJECT | {"DMARC-SP-WEAKER", "DMARC-PCT-RAMP", "DMARC-NO-RUA"}

RULES = (
    Rule(Framework.SCUBA, "MS.EXO.2.2v3", "SPF for each domain, ending in -all or ~all", _SPF),
    Rule(Framework.SCUBA, "MS.EXO.3.1v1", "DKIM enabled for all domains", _DKIM, must=False),
    Rule(Framework.SCUBA, "MS.EXO.4.1v1", "DMARC published for every second-level domain", _DMARC),
    Rule(Framework.SCUBA, "MS.EXO.4.2v1", "the DMARC policy is reject", _REJECT),
    Rule(
        Framework.SCUBA,
        "MS.EXO.4.4v1",
        "an own contact gets DMARC reports",
        _DMARC | {"DMARC-NO-RUA", "DMARC-RUA-UNAUTH", "DMARC-RUA-NOMX"},
        must=False,
    ),
    Rule(Framework.CIS, "2.1.8", "SPF records are published for all domains", _SPF),
    Rule(Framework.CIS, "2.1.9", "DKIM is enabled for all domains", _DKIM),
    Rule(
        Framework.CIS,
        "2.1.10",
        "DMARC records that enforce are published for all domains",
        _REJECT - {"DMARC-QUARANTINE"},
    ),
    Rule(Framework.MAESTER, "CISA.MS.EXO.2.2", "SPF for each domain", _SPF),
    Rule(Framework.MAESTER, "CISA.MS.EXO.3.1", "DKIM enabled for all domains", _DKIM),
    Rule(Framework.MAESTER, "CISA.MS.EXO.4.1", "DMARC for each domain", _DMARC),
    Rule(Framework.MAESTER, "CISA.MS.EXO.4.2", "the DMARC policy is reject", _REJECT),
    Rule(Framework.MAESTER, "MT.1182", "a mature DMARC policy on all domains", _MATURE),
    Rule(Framework.ORCA, "ORCA-108", "DKIM signing is set up", _DKIM),
    Rule(Framework.ORCA, "ORCA-108.1", "both selectors are in DNS", _SELECTORS),
    Rule(Framework.ORCA, "ORCA-235", "SPF records are set up", _SPF),
)


@dataclass(frozen=True)
class RuleVerdict:
    """How many domains keep a rule. Domains without a verdict count neither as kept nor as broken."""

    rule: Rule
    kept: int
    broken: tuple[str, ...]  # domains
    unknown: tuple[str, ...]

    @property
    def state(self) -> str:
        """Give pass, fail, or unknown where nothing is broken and something could not be looked at."""
        return "fail" if self.broken else "unknown" if self.unknown else "pass"


@dataclass(frozen=True)
class Score:
    """The share of rules that domains keep, in percent; None where nothing could be judged."""

    kept: int
    judged: int

    @property
    def percent(self) -> float | None:
        """Give the share, to one decimal."""
        return round(100 * self.kept / self.judged, 1) if self.judged else None


@dataclass(frozen=True)
class RuleChange:
    """Which domains began to break a rule since a baseline, and which keep it now."""

    rule: Rule
    broken: tuple[str, ...]
    mended: tuple[str, ...]


@dataclass(frozen=True)
class Before:
    """What a domain had before, and what it has now."""

    domain: str
    before: frozenset[str]  # codes
    now: frozenset[str]


def judge_changes(rows: Iterable[Before], frameworks: Iterable[Framework]) -> tuple[RuleChange, ...]:
    """Give the rules of the frameworks about which something changed."""
    wanted, domains = set(frameworks) or set(Framework), list(rows)
    changes = [
        RuleChange(
            rule,
            tuple(one.domain for one in domains if one.now & rule.codes and not one.before & rule.codes),
            tuple(one.domain for one in domains if one.before & rule.codes and not one.now & rule.codes),
        )
        for rule in RULES
        if rule.framework in wanted
    ]
    return tuple(change for change in changes if change.broken or change.mended)


@dataclass(frozen=True)
class Judged:
    """The findings of one domain, as far as rules and later audits want to know them."""

    domain: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, report: DomainReport) -> Judged:
        """Take the findings of a report."""
        return cls(report.domain.ascii, report.findings)

    @property
    def codes(self) -> frozenset[str]:
        """Give the codes."""
        return frozenset(one.code for one in self.findings)

    @property
    def failed(self) -> bool:
        """Could something not be looked at?"""
        return any(one.severity is Severity.UNKNOWN for one in self.findings)


@dataclass(frozen=True)
class Audit:
    """Every rule, every domain, and when it was looked at."""

    verdicts: tuple[RuleVerdict, ...]
    domains: tuple[Judged, ...]
    at: datetime


@dataclass(frozen=True)
class ChangedRules:
    """What changed about rules since a baseline; `unknown` are domains that could not be looked at whole."""

    rules: tuple[RuleChange, ...]
    domains: tuple[str, ...]
    unknown: tuple[str, ...]
    at: datetime


def judge_rules(domains: Iterable[Judged], frameworks: Iterable[Framework]) -> tuple[RuleVerdict, ...]:
    """Judge every rule of the frameworks (none given: of all)."""
    wanted = set(frameworks) or set(Framework)
    rows = [(one.domain, one.codes, one.failed) for one in domains]
    verdicts = []
    for rule in RULES:
        if rule.framework not in wanted:
            continue
        broken = tuple(domain for domain, codes, _ in rows if codes & rule.codes)
        unknown = tuple(domain for domain, codes, failed in rows if failed and not codes & rule.codes)
        verdicts.append(RuleVerdict(rule, len(rows) - len(broken) - len(unknown), broken, unknown))
    return tuple(verdicts)


def score_of(verdicts: Iterable[RuleVerdict]) -> Score:
    """Add the verdicts up, each domain and rule once."""
    rows = list(verdicts)
    return Score(sum(v.kept for v in rows), sum(v.kept + len(v.broken) for v in rows))
