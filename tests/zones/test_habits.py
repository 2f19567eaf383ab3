"""Wrong results that tools which read DNS are known for, each as a test of ours, named after the habit.

Its siblings: tests/test_wrong_results.py (the tenant, and programs as a whole) and tests/checks/test_dkim_checks.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broken_domains import BROKEN, Broken, Policy
from broken_zone import environment_for, zone_lines
from policy_host import PolicyHost
from scenes import key_text
from terminal import Done, in_process
from zone_server import ZoneServer

import exo_auth
from exo_auth.checks.catalogue import CATALOGUE, finding
from exo_auth.checks.domain_report import DomainReport, Tally
from exo_auth.checks.finding import Finding, Severity
from exo_auth.checks.gates import SUBJECTS, Gate, judge_gate
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import FailureReason, LookupFailed
from exo_auth.facts.domain import ALL_SUBJECTS, Subject
from exo_auth.lookup.recorded import RecordingResolver
from exo_auth.lookup.resolver import StubResolver
from exo_auth.records import dmarc
from exo_auth.run.check import CheckRequest, facts_in_order, report_on
from exo_auth.run.config import load
from exo_auth.run.snapshot import Snapshot
from exo_auth.run.take_snapshot import take_of_names

CASES = {case.label: case for case in BROKEN}
HEALTHY = CASES["healthy"]
NOW = datetime.now(UTC)

ASKED_OF = (  # between them they put every kind of question there is
    "healthy",
    "spf-nested",
    "news.spf-parent",
    "dmarc-unauth",
    "dmarc-own-nomx",
    "dmarc-missing",
    "mx-extra",
    "dkim-one",
    "dkim-wildcard",
)


@pytest.fixture(scope="module")
def taken(policy_host: PolicyHost) -> Iterator[dict[str, Snapshot]]:
    server = ZoneServer(zone_lines())
    settings = load({}, environment=environment_for(server.address, policy_host))
    names = {label: DomainName.parse_lookup(f"{label}.test") for label in ASKED_OF}
    yield {
        label: take_of_names(settings, [name], now=NOW, say=lambda _text: None)
        for label, name in names.items()
    }
    server.close()


def judged(snapshot: Snapshot) -> tuple[Finding, ...]:
    async def look() -> tuple[Finding, ...]:
        async for facts in facts_in_order(snapshot.sources(subjects=ALL_SUBJECTS), snapshot.domains):
            return report_on(facts, CheckRequest(), NOW).findings
        raise AssertionError("a snapshot of no domain")

    return asyncio.run(look())


def is_told_otherwise(code: str, asked: tuple[str, str]) -> bool:
    """Is that absence certain, and only its explanation lost? SPF of a subdomain is absent whatever DMARC says."""
    return code == "SPF-MISSING" and asked[0].startswith("_dmarc.")


def changes_nothing(asked: tuple[str, str], label: str) -> bool:
    """Is the answer needed for no verdict, because another one decides already?"""
    name, _type = asked
    return (
        name in ("_dmarc.ok.test", "ok.test")  # whose agreement is there: the walk is for those who lack one
        or name.startswith("_dmarc._dmarc.")  # where a missing record may have gone
        or name.endswith(f".{label}.test.{label}.test")  # ... and a missing CNAME
        or (label == "dkim-wildcard" and name.startswith("selector"))  # proves nothing beside a wildcard
    )


@pytest.mark.parametrize("label", ASKED_OF)
def test_habit_a_failed_lookup_is_never_a_pass_and_never_a_missing_record(
    label: str, taken: dict[str, Snapshot]
) -> None:
    snapshot = taken[label]
    before = {one.code for one in judged(snapshot)}
    for asked in snapshot.answers:
        failure = LookupFailed(FailureReason.TIMEOUT, "nobody answered", temporary=True)
        findings = judged(replace(snapshot, answers={**snapshot.answers, asked: failure}))
        definite = {one.code for one in findings if one.severity is not Severity.UNKNOWN}
        assert {code for code in definite - before if not is_told_otherwise(code, asked)} == set(), asked
        assert changes_nothing(asked, label) or any(f.severity is Severity.UNKNOWN for f in findings), asked


@pytest.mark.parametrize("gate", [gate for gate in Gate if gate is not Gate.DANE])
def test_habit_no_gate_opens_on_a_failed_lookup(gate: Gate, taken: dict[str, Snapshot]) -> None:
    snapshot = taken["healthy"]
    domain = snapshot.domains[0]
    failure = LookupFailed(FailureReason.SERVFAIL, "the server failed", temporary=True)
    silent = judged(replace(snapshot, answers=dict.fromkeys(snapshot.answers, failure)))
    assert SUBJECTS[gate]
    assert judge_gate(domain, gate, silent).state is ReadinessState.UNKNOWN


def test_habit_each_finding_is_counted_once_under_its_own_severity() -> None:
    domain = DomainName("a.example")
    codes = ["SPF-MISSING", "SPF-MULTI", "STS-MODE", "DMARC-NONE", "TRANSIENT"]
    tally = Tally()
    tally.add(DomainReport(domain, tuple(finding(code, domain, code) for code in codes)))
    severities = [CATALOGUE[code].severity for code in codes]
    assert tally.by_severity == {severity: severities.count(severity) for severity in severities}


def test_habit_what_is_named_twice_is_merged_and_not_added(policy_host: PolicyHost, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("HEALTHY.test\nhealthy.test.\n", encoding="utf-8")
    done = checked(HEALTHY, policy_host, "--file", str(tmp_path / "names.txt"), "--only", "dkim,dkim")
    assert json.loads(done.out)["domains"] == ["healthy.test"], done.err


ADDRESSES = [  # rua, reason
    ("mailto:a@one.example,mailto:b@two.example", "a comma alone"),
    ("mailto:a@one.example, mailto:b@two.example", "a comma and a space"),
    ("mailto:a@one.example ,mailto:b@two.example", "a space and a comma"),
]


@pytest.mark.parametrize(("rua", "reason"), ADDRESSES, ids=[row[1] for row in ADDRESSES])
def test_habit_two_addresses_are_never_read_as_one(rua: str, reason: str) -> None:
    assert dmarc.parse(f"v=DMARC1; p=none; rua={rua}").rua == (
        "mailto:a@one.example",
        "mailto:b@two.example",
    ), reason


POLICIES = [  # record, policy of the domain, of subdomains, of names that do not exist, reason
    ("v=DMARC1; p=none", "none", "none", "none", "nothing behind p=none"),
    ("v=DMARC1; p=reject; sp=none;", "reject", "none", "none", "sp=none is not p=none"),
    ("v=DMARC1; sp=none; p=reject", "reject", "none", "none", "... nor where it stands first"),
    ("v=DMARC1; p=none; rua=mailto:p=reject@a.example", "none", "none", "none", "a policy in an address"),
    ("v=DMARC1; p=quarantine", "quarantine", "quarantine", "quarantine", "sp and np absent"),
    ("v=DMARC1; p=none; np=reject", "none", "none", "reject", "np is known"),
]


@pytest.mark.parametrize(("text", "own", "below", "absent", "reason"), POLICIES, ids=[r[4] for r in POLICIES])
def test_habit_a_policy_is_read_by_the_grammar_and_not_by_its_letters(
    text: str, own: str, below: str, absent: str, reason: str
) -> None:
    record = dmarc.parse(text)
    applies = [
        record.applies(is_subdomain=False, exists=True),
        record.applies(is_subdomain=True, exists=True),
        record.applies(is_subdomain=True, exists=False),
    ]
    assert applies == [own, below, absent], reason


def test_habit_t_is_known() -> None:
    assert dmarc.parse("v=DMARC1; p=reject; t=y").is_testing


def test_habit_a_parents_policy_is_found() -> None:
    server = ZoneServer(['_dmarc.contoso.test. 60 IN TXT "v=DMARC1; p=quarantine; sp=reject"'])
    found = asyncio.run(exo_auth.discover_dmarc("a.b.contoso.test", resolver=StubResolver((server.address,))))
    server.close()
    assert (found.verdict.policy, found.verdict.tag) == ("reject", "sp")


AGREEMENTS = [  # domain, address, name that is asked (None: no agreement is needed), reason
    (
        "contoso.test",
        "d@vendor.test",
        "contoso.test._report._dmarc.vendor.test",
        "the domain stands before _report",
    ),
    (
        "mail.contoso.test",
        "d@r.vendor.test",
        "mail.contoso.test._report._dmarc.r.vendor.test",
        "whole names of both",
    ),
    (
        "bücher.test",
        "d@vendor.test",
        "xn--bcher-kva.test._report._dmarc.vendor.test",
        "the A-label of the domain",
    ),
    ("contoso.test", "d@mail.contoso.test", None, "a host of its own"),
]


@pytest.mark.parametrize(("domain", "address", "asked", "reason"), AGREEMENTS, ids=[r[3] for r in AGREEMENTS])
def test_habit_the_name_of_an_agreement_holds_the_domain(
    domain: str, address: str, asked: str | None, reason: str
) -> None:
    own = DomainName.parse_lookup(domain).ascii
    server = ZoneServer([f'_dmarc.{own}. 60 IN TXT "v=DMARC1; p=none; rua=mailto:{address}"'])
    resolver = RecordingResolver(StubResolver((server.address,)))
    asyncio.run(exo_auth.check_domain(domain, resolver=resolver, subjects=frozenset({Subject.DMARC})))
    server.close()
    agreements = [name for name, rdtype in resolver.answers if "_report" in name and rdtype == "TXT"]
    assert agreements == ([asked] if asked else []), reason


DESTINATIONS = [  # domain, host of the address, is its agreement missed, reason
    ("a.contoso.test", "b.contoso.test", False, "two names of one organization: RFC 9990 §4"),
    ("a.contoso.test", "vendor.test", True, "another organization"),
    (".".join(["a" * 60, "b" * 60, "c" * 60, "d" * 40, "test"]), "vendor.test", True, "no name is that long"),
]


@pytest.mark.parametrize(
    ("domain", "host", "missed", "reason"), DESTINATIONS, ids=[r[3] for r in DESTINATIONS]
)
def test_habit_organizations_are_compared_and_not_names(
    domain: str, host: str, missed: bool, reason: str
) -> None:
    server = ZoneServer(
        [
            f'_dmarc.{domain}. 60 IN TXT "v=DMARC1; p=none; rua=mailto:d@{host}"',
            '_dmarc.contoso.test. 60 IN TXT "v=DMARC1; p=reject"',
            f"{host}. 60 IN MX 0 mx.test.",
        ]
    )
    report = asyncio.run(
        exo_auth.check_domain(
            domain, resolver=StubResolver((server.address,)), subjects=frozenset({Subject.DMARC})
        )
    )
    environment = {"HOME": "/nonexistent", "EXO_AUTH_NAMESERVER": f"{server.address[0]}:{server.address[1]}"}
    shown = in_process("dmarc", "show", domain, environment=environment)
    server.close()
    codes = {one.code for one in report.findings}
    assert ("DMARC-RUA-UNAUTH" in codes, "TRANSIENT" in codes) == (missed, False), reason
    assert ("  unauthorized" in shown.out, "  own" in shown.out) == (missed, not missed), shown.out


def checked(case: Broken | tuple[Broken, ...], policy_host: PolicyHost, *words: str) -> Done:
    """Check with a name server for each case, all asked in turn."""
    servers = [ZoneServer(zone_lines([one])) for one in (case if isinstance(case, tuple) else (case,))]
    environment = environment_for(servers[0].address, policy_host)
    environment["EXO_AUTH_NAMESERVER"] = ",".join(f"{s.address[0]}:{s.address[1]}" for s in servers)
    try:
        return in_process("check", *words, "-o", "json", environment=environment)
    finally:
        for server in servers:
            server.close()


def test_habit_an_empty_answer_of_one_server_removes_no_mx_and_the_baseline_stays(
    policy_host: PolicyHost, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.json"
    empty = replace(HEALTHY, changes={"@ MX": []})
    words = ("healthy.test", "--only", "mx")
    checked(HEALTHY, policy_host, *words, "--report", str(baseline))
    written = baseline.read_bytes()
    hiccup = checked((empty, HEALTHY), policy_host, *words, "--baseline", str(baseline))
    assert (hiccup.code, json.loads(hiccup.out)["findings"]) == (0, [])
    gone = checked((empty, empty), policy_host, *words, "--baseline", str(baseline))
    assert [one["code"] for one in json.loads(gone.out)["findings"]] == ["MX-MISSING"]
    assert baseline.read_bytes() == written


KEYS_IN_TXT = replace(
    HEALTHY,
    changes={
        "selector1._domainkey CNAME": [],
        "selector2._domainkey CNAME": [],
        "selector1._domainkey TXT": [key_text(11)],
        "selector2._domainkey TXT": [key_text(12)],
    },
)


def test_habit_a_key_published_without_a_cname_is_not_missing(policy_host: PolicyHost) -> None:
    done = checked(KEYS_IN_TXT, policy_host, "healthy.test", "--only", "dkim")
    assert (done.code, json.loads(done.out)["findings"]) == (0, []), done.err


@pytest.mark.parametrize(("gone", "other"), [("selector1", "selector2"), ("selector2", "selector1")])
def test_habit_the_selector_that_is_told_is_the_one_that_is_broken(
    gone: str, other: str, policy_host: PolicyHost
) -> None:
    case = replace(HEALTHY, changes={f"{gone}._domainkey CNAME": []})
    (one,) = json.loads(checked(case, policy_host, "healthy.test", "--only", "dkim").out)["findings"]
    assert gone in one["message"]
    assert other not in one["message"]


TENANTS_HOST = "contoso-test.mail.protection.outlook.com"
PATTERNS = [  # pattern in the policy, does it match the tenant's host, reason
    ("mail.protection.outlook.com", False, "without a wildcard it is a name of nobody"),
    ("*.mail.protection.outlook.com", True, "a wildcard for one label"),
    ("*.protection.outlook.com", False, "... and not for two: RFC 8461 §4.1"),
    (TENANTS_HOST, True, "the host itself"),
]


@pytest.mark.parametrize(("pattern", "matches", "reason"), PATTERNS, ids=[row[2] for row in PATTERNS])
def test_habit_a_policy_is_matched_against_the_live_mx(
    pattern: str, matches: bool, reason: str, tmp_path: Path
) -> None:
    policy = Policy(f"version: STSv1\r\nmode: enforce\r\nmx: {pattern}\r\nmax_age: 604800\r\n")
    host = PolicyHost(tmp_path, {"mta-sts.healthy.test": policy}.get)
    case = replace(HEALTHY, changes={"@ MX": [f"0 {TENANTS_HOST}."]}, policy=policy)
    done = checked(case, host, "healthy.test", "--only", "mta-sts")
    host.close()
    codes = {one["code"] for one in json.loads(done.out)["findings"]}
    assert ("STS-MX-UNMATCHED" in codes) is not matches, reason


def test_habit_one_domain_without_answers_takes_no_other_along(policy_host: PolicyHost) -> None:
    unsayable = ".".join(["a" * 63] * 4)[:250]  # a name whose _dmarc no DNS message can hold
    done = checked(CASES["spf-plusall"], policy_host, "spf-plusall.test", unsayable, "gone.test")
    document = json.loads(done.out)
    told = {
        name: {one["code"] for one in document["findings"] if one["domain"] == name}
        for name in document["domains"]
    }
    assert len(told) == 3
    assert "SPF-PLUSALL" in told["spf-plusall.test"]
    assert told["gone.test"] == {"DOMAIN-MISSING"}


EXITS = [  # case, words, exit code, reason
    (HEALTHY, (), 0, "nothing is wrong"),
    (CASES["spf-plusall"], (), 3, "something is"),
    (CASES["spf-plusall"], ("--fail-on", "never"), 0, "... and nobody wants to know"),
    (CASES["dmarc-none"], ("--fail-on", "warn"), 3, "a warning counts where it shall"),
]


@pytest.mark.parametrize(("case", "words", "code", "reason"), EXITS, ids=[row[3] for row in EXITS])
def test_habit_the_exit_code_tells_what_was_found(
    case: Broken, words: tuple[str, ...], code: int, reason: str, policy_host: PolicyHost
) -> None:
    done = checked(case, policy_host, case.name, *words, "--only", "spf,dmarc")
    assert done.code == code, reason


def test_habit_silence_of_dns_has_an_exit_code_of_its_own(policy_host: PolicyHost) -> None:
    server = ZoneServer([])
    server.close()
    environment = environment_for(server.address, policy_host) | {"EXO_AUTH_DNS_TIMEOUT": "1s"}
    done = in_process("check", "healthy.test", "--only", "spf", "-o", "json", environment=environment)
    document = json.loads(done.out)
    assert (done.code, {one["severity"] for one in document["findings"]}) == (6, {"unknown"})
    assert "known to answer" in done.err or "--nameserver" in done.err
