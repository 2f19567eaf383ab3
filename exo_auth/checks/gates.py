"""Named gates: what must be in order before a step on the way to enforcement (checks, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.readiness import GATES, HEALS_WITH_TIME, ReadinessState, Step
from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import Subject


class Gate(StrEnum):
    """The words of `check --gate`."""

    ZONE = "zone"  # before anything is published
    DKIM_ENABLE = "dkim-enable"
    DKIM_ROTATE = "dkim-rotate"
    SPF = "spf"
    DMARC_MONITOR = "dmarc-monitor"  # before p=none with reports
    DMARC_ENFORCE = "dmarc-enforce"  # before quarantine and reject
    TLS_RPT = "tls-rpt"
    MTA_STS_TESTING = "mta-sts-testing"  # before the TXT record of a policy in testing
    MTA_STS_ENFORCE = "mta-sts-enforce"
    MX = "mx"
    DANE = "dane"


@dataclass(frozen=True)
class GateVerdict:
    """Is the gate open for a domain? `holding` are the findings that keep it closed."""

    domain: DomainName
    gate: Gate
    state: ReadinessState
    holding: tuple[Finding, ...] = ()
    not_before: datetime | None = None


_SPF = frozenset(
    {
        "SPF-MISSING",
        "SPF-SUBDOMAIN",
        "SPF-MULTI",
        "SPF-SYNTAX",
        "SPF-CHUNK",
        "SPF-PLUSALL",
        "SPF-LOOKUPS",
        "SPF-VOID4",
        "SPF-VOID6",
        "SPF-MXLIMIT",
        "SPF-LOOP",
        "SPF-DEADINC",
        "SPF-NO-M365",
    }
)
_DMARC_BROKEN = frozenset({"DMARC-MULTI", "DMARC-VOID", "DMARC-P-INVALID", "DMARC-SP-INVALID"})
_REPORTS = frozenset({"DMARC-RUA-UNAUTH", "DMARC-RUA-NOMX"})
_ZONE = frozenset(
    {"DOMAIN-MISSING", "DNSSEC-BOGUS", "NS-LAME", "NS-DIVERGE", "CNAME-TXT-CONFLICT", "WILDCARD-TXT"}
)
_TLSRPT = frozenset({"TLSRPT-MISSING", "TLSRPT-MULTI", "TLSRPT-SYNTAX", "TLSRPT-SCHEME"})
_POLICY_FILE = frozenset(
    {
        "STS-HOST",
        "STS-HTTP",
        "STS-REDIRECT",
        "STS-CERT",
        "STS-CERT-EXPIRY",
        "STS-CTYPE",
        "STS-FILE-SYNTAX",
        "STS-DIVERGE",
        "STS-MX-UNMATCHED",
        "STS-CAA",
    }
)
_DKIM_SIGNS = GATES[Step.ROTATE] | {"DKIM-SELECTORS-ABSENT", "DKIM-DANGLING"}

HOLDS: dict[Gate, frozenset[str]] = {
    Gate.ZONE: frozenset(),
    Gate.DKIM_ENABLE: GATES[Step.ENABLE] | {"DKIM-DANGLING", "DKIM-SELECTORS-ABSENT"},
    Gate.DKIM_ROTATE: _DKIM_SIGNS,
    Gate.SPF: _SPF,
    Gate.DMARC_MONITOR: _DMARC_BROKEN | _REPORTS,
    Gate.DMARC_ENFORCE: _SPF
    | _DMARC_BROKEN
    | _REPORTS
    | _DKIM_SIGNS
    | {"DMARC-MISSING", "DMARC-NO-RUA", "DMARC-PCT-RAMP", "DMARC-SPF-ONLY-REJECT"},
    Gate.TLS_RPT: _TLSRPT,
    Gate.MTA_STS_TESTING: _TLSRPT
    | {"MX-MISSING", "MX-NOADDR", "MX-CNAME", "STS-MULTI", "STS-SYNTAX", "STS-ID"},
    Gate.MTA_STS_ENFORCE: _TLSRPT
    | _POLICY_FILE
    | {
        "STS-TXT-MISSING",
        "STS-MULTI",
        "STS-SYNTAX",
        "STS-ID",
        "STS-ID-STALE",
        "STS-ID-ALONE",
        "MX-MISSING",
        "MX-NOADDR",
    },
    Gate.MX: frozenset(
        {"MX-MISSING", "MX-NULL", "MX-NULL-BESIDE", "MX-CNAME", "MX-NOADDR", "MX-ADDRESS", "MX-CLIENT-HOST"}
    ),
    Gate.DANE: frozenset(
        {"DNSSEC-INSECURE", "MX-MISSING", "MX-NULL", "MX-EXTRA", "MX-PRIORITY", "MX-NOADDR"}
    ),
}
SUBJECTS: dict[Gate, frozenset[Subject]] = {
    Gate.ZONE: frozenset({Subject.DNS}),
    Gate.DKIM_ENABLE: frozenset({Subject.DKIM}),
    Gate.DKIM_ROTATE: frozenset({Subject.DKIM}),
    Gate.SPF: frozenset({Subject.SPF, Subject.DMARC}),
    Gate.DMARC_MONITOR: frozenset({Subject.DMARC}),
    Gate.DMARC_ENFORCE: frozenset({Subject.SPF, Subject.DKIM, Subject.DMARC}),
    Gate.TLS_RPT: frozenset({Subject.TLS_RPT}),
    Gate.MTA_STS_TESTING: frozenset({Subject.TLS_RPT, Subject.MX, Subject.MTA_STS}),
    Gate.MTA_STS_ENFORCE: frozenset({Subject.TLS_RPT, Subject.MX, Subject.MTA_STS}),
    Gate.MX: frozenset({Subject.MX}),
    Gate.DANE: frozenset({Subject.DNS, Subject.MX, Subject.DANE}),
}


def judge_gate(domain: DomainName, gate: Gate, findings: tuple[Finding, ...]) -> GateVerdict:
    """Judge one gate. A defect outranks a failed look-up, which outranks what time alone will heal.

    The findings must be of the gate's subjects only, so that a failed look-up elsewhere does not close it.
    """
    holding = tuple(
        one for one in findings if one.code in HOLDS[gate] | _ZONE or one.severity is Severity.UNKNOWN
    )
    if not holding:
        return GateVerdict(domain, gate, ReadinessState.READY)
    definite = [
        one for one in holding if one.severity is not Severity.UNKNOWN and one.code not in HEALS_WITH_TIME
    ]
    if definite:
        times = [one.not_before for one in definite]
        return GateVerdict(
            domain, gate, ReadinessState.BLOCKED, holding, max(filter(None, times), default=None)
        )
    if any(one.severity is Severity.UNKNOWN for one in holding):
        return GateVerdict(domain, gate, ReadinessState.UNKNOWN, holding)
    waits = [one.not_before for one in holding if one.not_before is not None]
    return GateVerdict(domain, gate, ReadinessState.WAITING, holding, max(waits, default=None))
