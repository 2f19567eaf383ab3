"""What changed since a baseline: new findings, and those that are gone (checks, pure).

A change counts only when two looks at different servers agree about it, so that findings do not flap; and a domain
that could not be looked at whole loses nothing: a failed look-up is never good news.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exo_auth.checks.domain_report import DomainReport, Gone
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.mta_sts import PolicyState

Key = tuple[str, str]  # code, and the message without its numbers

# A count or an amount. Not a part of a name or an address: selector1 is not selector2, nor mx1 mx2.
_NUMBER = re.compile(r"(?<![\w.:/-])\d+(?:,\d{3})*(?![\w:/-]|\.\w)")


def key_of(code: str, message: str) -> Key:
    """Give what makes two findings of one domain the same; numbers such as days run on by themselves."""
    return code, _NUMBER.sub("#", message)


@dataclass(frozen=True)
class Baseline:
    """The findings known by domain; `policies` are the MTA-STS ids and digests of policies, where they are known."""

    known: Mapping[str, Mapping[Key, Gone]]
    policies: Mapping[str, PolicyState] = field(default_factory=dict)

    @classmethod
    def of_reports(
        cls, reports: Iterable[DomainReport], policies: Mapping[str, PolicyState] | None = None
    ) -> Baseline:
        """Take findings as the baseline."""
        return cls(
            {
                report.domain.ascii: {_key(one): Gone(one.code, one.message) for one in _definite(report)}
                for report in reports
            },
            policies or {},
        )

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Baseline:
        """Read the JSON document of an earlier check or audit; raises KeyError, TypeError for another shape."""
        known: dict[str, dict[Key, Gone]] = {str(domain): {} for domain in document["domains"]}
        for row in document["findings"]:
            if row["severity"] != Severity.UNKNOWN.value:
                code, message = str(row["code"]), str(row["message"])
                known.setdefault(str(row["domain"]), {})[key_of(code, message)] = Gone(code, message)
        return cls(known)

    def differs(self, report: DomainReport) -> bool:
        """Is there anything to look at twice?"""
        return {_key(one) for one in _definite(report)} != set(self._of(report))

    def changes(self, report: DomainReport, again: DomainReport | None = None) -> DomainReport:
        """Keep new findings, and tell those that are gone; `again` is the second look, which must agree."""
        known = self._of(report)
        looks = [report] if again is None else [report, again]
        keys = [{_key(one) for one in look.findings} for look in looks]
        new = tuple(
            one
            for one in report.findings
            if one.severity is Severity.UNKNOWN
            or (_key(one) not in known and all(_key(one) in k for k in keys))
        )
        is_whole = not any(one.severity is Severity.UNKNOWN for look in looks for one in look.findings)
        gone = tuple(
            past for key, past in known.items() if is_whole and not any(key in present for present in keys)
        )
        return replace(report, findings=new, gone=gone)

    def codes(self, domain: str) -> frozenset[str]:
        """Give the codes of the findings known about a domain."""
        return frozenset(code for code, _ in self.known.get(domain, {}))

    def codes_after(self, report: DomainReport) -> frozenset[str]:
        """Give the codes that stand after the changes of a report were taken in."""
        gone = {key_of(past.code, past.message) for past in report.gone}
        stay = {code for code, message in self._of(report) if (code, message) not in gone}
        return frozenset(stay | {one.code for one in _definite(report)})

    def _of(self, report: DomainReport) -> Mapping[Key, Gone]:
        return self.known.get(report.domain.ascii, {})


def _key(one: Finding) -> Key:
    return key_of(one.code, one.message)


def _definite(report: DomainReport) -> list[Finding]:
    return [one for one in report.findings if one.severity is not Severity.UNKNOWN]
