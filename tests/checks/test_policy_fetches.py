"""Which failed fetches of a policy prove something against the domain, and which only that we did not get there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exo_auth.checks.finding import Severity
from exo_auth.checks.gates import Gate, judge_gate
from exo_auth.checks.mta_sts import check_policy_host
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, Missing, MissingKind
from exo_auth.facts.domain import DomainFacts, Exchanger, FetchFault, MtaStsFacts, PolicyFetch

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DOMAIN = DomainName("contoso.com")
FILE = b"version: STSv1\r\nmode: enforce\r\nmx: mx.contoso.com\r\nmax_age: 604800\r\n"
V4, OTHER_V4, V6 = "192.0.2.10", "192.0.2.11", "2001:db8::10"
F, R = FetchFault, ReadinessState


def good(address: str) -> PolicyFetch:
    return PolicyFetch(address, None, "", 200, "text/plain", "", FILE)


def bad(address: str, fault: FetchFault) -> PolicyFetch:
    return PolicyFetch(address, fault, "why")


CASES: list[tuple[tuple[PolicyFetch, ...], set[str], ReadinessState, str]] = [
    ((good(V4), good(V6)), set(), R.READY, "both were looked at"),
    ((good(V4), bad(V6, F.UNREACHABLE)), {"STS-UNSEEN"}, R.READY, "a machine without IPv6"),
    ((bad(V4, F.UNREACHABLE), good(V6)), {"STS-UNSEEN"}, R.READY, "a machine without IPv4"),
    ((bad(V6, F.UNREACHABLE),), {"STS-UNREACHED"}, R.UNKNOWN, "nothing of the host was seen"),
    (
        (bad(V4, F.CONNECT), bad(V6, F.UNREACHABLE)),
        {"STS-HTTP", "STS-UNREACHED"},
        R.BLOCKED,
        "a refusal shows nothing of the host",
    ),
    ((bad(V4, F.CONNECT_TIMEOUT),), {"STS-UNREACHED"}, R.UNKNOWN, "a firewall here looks the same"),
    ((good(V4), bad(V6, F.CONNECT_TIMEOUT)), {"STS-UNREACHED"}, R.UNKNOWN, "IPv6 may end here"),
    (
        (good(V4), bad(OTHER_V4, F.CONNECT_TIMEOUT)),
        {"STS-HTTP"},
        R.BLOCKED,
        "the way there is open: the other address answers",
    ),
    (
        (bad(V4, F.CONNECT), bad(OTHER_V4, F.CONNECT_TIMEOUT)),
        {"STS-HTTP", "STS-UNREACHED"},
        R.BLOCKED,
        "a firewall may refuse as well",
    ),
    ((bad(V4, F.CONNECT),), {"STS-HTTP"}, R.BLOCKED, "refused: senders get no further (RFC 8461 §3.3)"),
    ((bad(V4, F.TIMEOUT),), {"STS-HTTP"}, R.BLOCKED, "it takes the connection and says nothing"),
    ((bad(V4, F.STATUS),), {"STS-HTTP"}, R.BLOCKED, "the host itself says so"),
    ((bad(V4, F.TLS),), {"STS-CERT"}, R.BLOCKED, "it ends the handshake"),
]


@pytest.mark.parametrize(("fetches", "codes", "state", "reason"), CASES, ids=[row[3] for row in CASES])
def test_what_a_fetch_proves(
    fetches: tuple[PolicyFetch, ...], codes: set[str], state: ReadinessState, reason: str
) -> None:
    facts = DomainFacts(
        DOMAIN,
        mx=Found((Exchanger(0, "mx.contoso.com"),), timedelta(hours=1)),
        mta_sts=MtaStsFacts(Missing(MissingKind.NODATA), fetches=fetches),
    )
    findings = check_policy_host(facts, NOW)
    assert {one.code for one in findings} == codes, reason
    assert judge_gate(DOMAIN, Gate.MTA_STS_ENFORCE, findings).state is state, reason
    for one in findings:
        assert (one.code == "STS-UNREACHED") == (one.severity is Severity.UNKNOWN)


def test_each_address_that_was_not_seen_is_named() -> None:
    facts = DomainFacts(
        DOMAIN,
        mta_sts=MtaStsFacts(
            Missing(MissingKind.NODATA),
            fetches=(good(V4), bad(V6, F.UNREACHABLE), bad("2001:db8::11", F.UNREACHABLE)),
        ),
    )
    told = [one.message for one in check_policy_host(facts, NOW)]
    assert [V6 in message for message in told] == [True, False]
    assert "2001:db8::11" in told[1]
