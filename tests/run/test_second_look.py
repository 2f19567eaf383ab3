"""What only a validating resolver tells is not to be confirmed by servers that validate nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from exo_auth.checks.catalogue import finding
from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport
from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import DomainFacts
from exo_auth.run.check import CheckRequest
from exo_auth.run.config import load
from exo_auth.run.resolvers import has_two_servers
from exo_auth.run.second_look import confirmed_changes

DOMAIN = DomainName("contoso.test")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROUNDS = [  # baseline, first look, look at the zone's servers, new, gone, reason
    ("", "SPF-PLUSALL", "SPF-PLUSALL", "SPF-PLUSALL", "", "both have it"),
    ("", "SPF-PLUSALL", "", "", "", "the resolver alone has it"),
    ("", "DNSSEC-BOGUS", "", "DNSSEC-BOGUS", "", "servers see nothing wrong with signatures"),
    ("", "DANE-TLSA-MISSING", "", "DANE-TLSA-MISSING", "", "nor do they authenticate MX"),
    ("", "", "DNSSEC-INSECURE", "", "", "their answers never come with AD"),
    ("DNSSEC-INSECURE", "", "DNSSEC-INSECURE", "", "DNSSEC-INSECURE", "so a zone signed since then is told"),
    ("DNSSEC-BOGUS", "DNSSEC-BOGUS", "", "", "", "and one that is bogus still is not told as mended"),
]


def report(codes: str) -> DomainReport:
    return DomainReport(DOMAIN, tuple(finding(code, DOMAIN, code) for code in codes.split()))


@pytest.mark.parametrize(
    ("before", "first", "second", "new", "gone", "reason"), ROUNDS, ids=[row[5] for row in ROUNDS]
)
def test_two_kinds_of_servers(before: str, first: str, second: str, new: str, gone: str, reason: str) -> None:
    def judge(_facts: DomainFacts) -> DomainReport:
        return report(second)

    settings = load({}, environment={"EXO_AUTH_NAMESERVER": "127.0.0.1:9"})
    request = CheckRequest(subjects=frozenset())  # nothing is asked: the looks are those of the table
    baseline = Baseline.of_reports([report(before)])
    changes = asyncio.run(confirmed_changes(settings, request, judge, baseline, report(first)))
    assert [one.code for one in changes.findings] == new.split(), reason
    assert [past.code for past in changes.gone] == gone.split(), reason


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("192.0.2.1,192.0.2.2", True),
        ("192.0.2.1", False),
        ("192.0.2.1,192.0.2.1:53", False),  # the same one twice
        ("192.0.2.1,tls://192.0.2.2#dns.example", True),
    ],
)
def test_two_servers_are_two(named: str, expected: bool) -> None:
    assert has_two_servers(load({}, environment={"EXO_AUTH_NAMESERVER": named})) is expected
