"""What each finding means: the text behind `exo-auth explain CODE` and the severity of the code (checks, pure)."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from exo_auth.checks import (
    entries_dkim,
    entries_dmarc,
    entries_dns,
    entries_partner_tls,
    entries_spf,
    entries_tenant,
    entries_transport,
)
from exo_auth.checks.entry import Entry, Profile
from exo_auth.checks.finding import DnsRecord, Evidence, Finding, Severity
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError

CATALOGUE: dict[str, Entry] = {
    entry.code: entry
    for entry in chain(
        entries_dkim.ENTRIES,
        entries_spf.ENTRIES,
        entries_dmarc.ENTRIES,
        entries_dns.ENTRIES,
        entries_transport.ENTRIES,
        entries_partner_tls.ENTRIES,
        entries_tenant.ENTRIES,
    )
}


_SEVERITIES = {severity.value: severity for severity in Severity}


def entry_for(code: str) -> Entry:
    """Give the entry of a code, however it is spelled; raises InputError with the nearest codes."""
    wanted = code.strip().upper().replace("_", "-")
    if wanted in CATALOGUE:
        return CATALOGUE[wanted]
    import difflib  # for a slip alone

    near = difflib.get_close_matches(wanted, CATALOGUE, n=3, cutoff=0.4)
    raise InputError(
        f"there is no finding “{code}”",
        hint=f"did you mean {', '.join(near)}?" if near else "exo-auth explain lists all codes",
    )


def finding(
    code: str,
    subject: DomainName,
    message: str,
    *,
    seen: str = "",
    wanted: str = "",
    remedy: str = "",
    records: tuple[DnsRecord, ...] = (),
    not_before: datetime | None = None,
    evidence: tuple[Evidence, ...] = (),
) -> Finding:
    """Make a finding of a code; what is not said comes from the code's entry."""
    entry = CATALOGUE[code]
    return Finding(
        code=code,
        severity=_SEVERITIES[entry.severity],
        subject=subject,
        message=message,
        seen=seen,
        wanted=wanted,
        remedy=remedy or entry.remedy,
        records=records,
        source=entry.source,
        frameworks=entry.frameworks,
        not_before=not_before,
        evidence=evidence,
    )


def under(profile: Profile, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Judge findings by a profile's severities; those it is silent about are left out."""
    judged = []
    for one in findings:
        severity = CATALOGUE[one.code].severity_in(profile)
        if severity == one.severity:
            judged.append(one)
        elif severity:
            judged.append(one.as_severe_as(Severity(severity)))
    return tuple(judged)
