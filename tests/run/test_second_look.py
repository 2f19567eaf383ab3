"""What only a validating resolver tells is not to be confirmed by servers that validate nothing."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime

import pytest
from zone_server import ZoneServer

from exo_auth.checks.catalogue import finding
from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport
from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import DomainFacts
from exo_auth.run.check import CheckRequest
from exo_auth.run.config import load
from exo_auth.run.resolvers import configured_servers
from exo_auth.run.second_look import confirmed_changes

DOMAIN = DomainName("contoso.test")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ZONE = [
    "contoso.test. 3600 IN SOA ns1.contoso.test. h.contoso.test. 7 7200 600 86400 300",
    "contoso.test. 3600 IN NS ns1.contoso.test.",
    "ns1.contoso.test. 3600 IN A 127.0.0.1",
]
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

    request = CheckRequest(subjects=frozenset())  # the looks are those of the table
    baseline = Baseline.of_reports([report(before)])
    with closing(ZoneServer(ZONE)) as server:
        environment = {
            "EXO_AUTH_NAMESERVER": f"127.0.0.1:{server.address[1]}",
            "EXO_AUTH_AUTHORITY_PORT": str(server.address[1]),
        }
        settings = load({}, environment=environment)
        changes = asyncio.run(confirmed_changes(settings, request, judge, baseline, report(first)))
    assert [one.code for one in changes.findings] == new.split(), reason
    assert [past.code for past in changes.gone] == gone.split(), reason


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("192.0.2.1,192.0.2.2", {"192.0.2.1:53", "192.0.2.2:53"}),
        ("192.0.2.1", {"192.0.2.1:53"}),
        ("192.0.2.1,192.0.2.1:53", {"192.0.2.1:53"}),  # the same one twice
        ("2001:db8::1,tls://192.0.2.2#dns.example", {"[2001:db8::1]:53", "tls://192.0.2.2:853"}),
    ],
)
def test_servers_are_named_as_evidence_names_them(named: str, expected: set[str]) -> None:
    assert configured_servers(load({}, environment={"EXO_AUTH_NAMESERVER": named})) == expected
