"""The catalogue is whole: every code that was asked for is there, can be found, and is explained."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from broken_domains import BROKEN
from scenes import NOW, name
from test_connections import GATEWAY, OF_THE_TENANT, RELAY
from test_dkim_checks import CASES
from test_domain_checks import (
    DANE,
    GONE,
    OWN_HOST,
    PARKED,
    TENANT,
    TIMEOUT,
    ZONES,
    dmarc_facts,
    facts,
    found,
    spf_tree,
    txt,
)
from test_partner_tls import NO_HOSTS, ONE_HOST, OWN, SEVERAL

from exo_auth.checks.catalogue import CATALOGUE
from exo_auth.checks.entry import Profile
from exo_auth.checks.frameworks import RULES
from exo_auth.checks.mta_sts import PolicyState, check_stale_id
from exo_auth.checks.whole import check_domain
from exo_auth.facts.domain import CaaRecord, Certificate, FetchFault, MtaStsFacts, PolicyFetch
from exo_auth.render.explain_text import explain_text
from exo_auth.render.schema import schema_text

# What the field's tools look for, taken together: the ids by subject.
ASKED_FOR = {
    "": "NS-LAME NS-DIVERGE SOA-NEGTTL WILDCARD-TXT DNSSEC-BOGUS DNSSEC-INSECURE CNAME-TXT-CONFLICT TRANSIENT ARC-SEALER",
    "MX-": "MISSING NULL CNAME NOADDR NOT-TENANT EXTRA LEGACY-HOST PRIORITY",
    "SPF-": "MISSING MULTI SYNTAX PLUSALL NEUTRAL NOALL LOOKUPS VOID4 VOID6 MXLIMIT PTR LOOP DUPINC DEADINC SIZE CHUNK WIDE"
    " SENDERID NO-M365 WRONG-CLOUD AFTERALL REDIRECT-ALL SUBDOMAIN",
    "DKIM-": "CNAME-MISSING CNAME-WRONG CNAME-AS-TXT DANGLING KEY-MISSING KEY-SYNTAX KEY-SHORT KEY-REVOKED KEY-MISMATCH"
    " TESTING DISABLED DUPKEY ROTATION-STUCK ROTATION-DUE SELECTOR-INACTIVE-BROKEN",
    "DMARC-": "MISSING MULTI SYNTAX P-INVALID SP-INVALID NONE SP-WEAKER NP-ABSENT NP-USELESS-WILDCARD TEST-MODE HISTORIC-TAG"
    " PCT-RAMP NO-RUA RUA-UNAUTH RUA-NOMX SIZE-SUFFIX PSL-TREEWALK-DIFFER ONMICROSOFT SPF-ONLY-REJECT WRONG-NAME",
    "STS-": "TXT-MISSING MULTI SYNTAX ID HOST HTTP REDIRECT CERT CERT-EXPIRY CTYPE FILE-SYNTAX MODE MAXAGE MX-UNMATCHED"
    " WILDCARD-BROAD ID-STALE CAA",
    "TLSRPT-": "MISSING MULTI SYNTAX SCHEME SELF-DEST",
    "DANE-": "TLSA-MISSING TLSA-UNUSABLE DNSSEC-MX",
    "BIMI-": "SYNTAX DMARC",
}
WANTED = {prefix + word for prefix, words in ASKED_FOR.items() for word in words.split()}


def test_every_code_that_was_asked_for_is_there() -> None:
    assert CATALOGUE.keys() >= WANTED


def sts(*fetches: PolicyFetch, **more: Any) -> dict[str, Any]:
    address = found(IPv4Address("192.0.2.1"))
    return {"mta_sts": MtaStsFacts(txt("v=STSv1; id=1;"), address, GONE, fetches=fetches, **more)}


def fetch(address: str, issuer: str, body: str) -> PolicyFetch:
    shown = Certificate(NOW + timedelta(days=80), issuer, ("mta-sts.contoso.com",))
    return PolicyFetch(address, None, "", 200, "text/plain", "", body.encode(), shown)


FILE = f"version: STSv1\r\nmode: enforce\r\nmx: {OWN_HOST}\r\nmax_age: 604800\r\n"
OTHER_FILE = FILE.replace("604800", "704800")
RECORD = "v=DMARC1; p=quarantine; np=quarantine; rua=mailto:d@contoso.com"
HERE_AND_ALIAS = replace(dmarc_facts(RECORD), alias=found(name("other.example")))
FOUND: list[tuple[str, Any, str]] = [  # code, the facts or how the findings come, reason
    ("CNAME-TXT-CONFLICT", {"dmarc": HERE_AND_ALIAS}, "a CNAME beside the record"),
    ("DMARC-QUARANTINE", {"dmarc": dmarc_facts(RECORD)}, "quarantine, for those who want reject"),
    ("SPF-SOFTFAIL", {"spf": spf_tree("v=spf1 ~all")}, "~all, for those who want -all"),
    ("STS-DIVERGE", sts(fetch("192.0.2.1", "", FILE), fetch("192.0.2.2", "", OTHER_FILE)), "two files"),
    ("STS-UNREACHED", sts(PolicyFetch("192.0.2.1", FetchFault.CONNECT_TIMEOUT)), "no way to the host"),
    (
        "STS-UNSEEN",
        sts(fetch("192.0.2.1", "", FILE), PolicyFetch("2001:db8::1", FetchFault.UNREACHABLE)),
        "no way to one of its addresses",
    ),
    (
        "STS-CAA",
        sts(
            fetch("192.0.2.1", "Let's Encrypt", FILE),
            caa=found(CaaRecord(0, "issue", "digicert.com")),
        ),
        "CAA lets another authority issue",
    ),
    ("DNSSEC-INSECURE", {"soa": replace(facts().soa, authenticated=False)}, "an unsigned zone"),
    ("MX-LEGACY-HOST", {}, "the unsigned form of Exchange’s hosts"),
    ("TRANSIENT", {"mx": TIMEOUT, "hosts": ()}, "a time-out"),
]


def found_in(changes: dict[str, Any]) -> set[str]:
    """Give the codes that any profile finds."""
    return {one.code for profile in Profile for one in check_domain(facts(**changes), NOW, profile=profile)}


@pytest.mark.parametrize(("code", "changes", "reason"), FOUND, ids=[row[2] for row in FOUND])
def test_it_is_found(code: str, changes: dict[str, Any], reason: str) -> None:
    assert code in found_in(changes), reason


def test_an_id_that_did_not_change_with_its_file_is_found() -> None:
    seen = facts(**sts(fetch("192.0.2.1", "", FILE)))
    assert [one.code for one in check_stale_id(seen, PolicyState("1", "another digest"))] == ["STS-ID-STALE"]
    assert check_stale_id(seen, PolicyState("0", "another digest")) == ()
    assert check_stale_id(seen, None) == ()


ELSEWHERE = {  # code: the test that finds it
    "STS-ID-ALONE": "tests/end_to_end/test_policy_pairs.py::test_ids_of_others_are_compared_with_a_baseline",
    "DKIM-INITIAL-DOMAIN": "tests/checks/test_dkim_checks.py::test_the_initial_domain_is_microsofts",
    "DKIM-SELECTOR-INACTIVE-BROKEN": "tests/checks/test_domain_checks.py"
    "::test_a_broken_idle_selector_is_told_while_the_other_signs",
    "DMARC-ONMICROSOFT": "tests/end_to_end/test_check_of_tenant.py::test_the_tenant_is_compared_with_dns",
    "DOMAIN-MISSING": "tests/checks/test_domain_checks.py::test_a_domain_that_does_not_exist_has_one_finding",
    "STS-ID-STALE": "tests/checks/test_catalogue.py::test_an_id_that_did_not_change_with_its_file_is_found",
    "CHANGE-UNCONFIRMED": "tests/zones/test_confirmed_changes.py"
    "::test_a_change_that_nobody_else_can_confirm_is_told_as_such",
    "TENANT-UNREAD": "tests/checks/test_connections.py::test_what_was_not_read_is_unknown_and_nothing_else",
    "ARC-SEALER": "tests/checks/test_connections.py::test_a_gateway_that_changes_messages_needs_a_trusted_seal",
}
BY_TABLE = {
    *(code for case in BROKEN for code in case.expected),
    *(code for code, _, _ in FOUND),
    *(code for row in CASES for code in row[2]),
    *(code for row in TENANT for code in row[2]),
    *(code for row in PARKED for code in row[1]),
    *(code for row in DANE for code in row[2]),
    *(code for row in ZONES for code in row[1]),
    *(code for row in OF_THE_TENANT for code in row[1]),
    *(code for row in ONE_HOST for code in row[2]),
    *(code for row in (*SEVERAL, *NO_HOSTS) for code in row[1]),
    *("CONNECTOR-RELAY-MISSING" for row in RELAY if row[2]),
    *("CONNECTOR-UNFILTERED" for row in GATEWAY if row[1]),
    *("TLS-ENFORCED-ALREADY" for _ in OWN),
}


def test_every_code_of_the_catalogue_is_found_by_a_test() -> None:
    """Each table is asserted row by row by its own test; those outside of tables are named."""
    assert CATALOGUE.keys() == BY_TABLE | ELSEWHERE.keys()
    root = Path(__file__).parent.parent.parent
    for code, test in ELSEWHERE.items():
        file, _, function = test.partition("::")
        text = (root / file).read_text(encoding="utf-8")
        assert f"def {function}(" in text, test
        assert f'"{code}"' in text, code


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained_with_why_standard_remedy_and_example(code: str) -> None:
    entry = CATALOGUE[code]
    told = explain_text(code, "table")
    for part in (entry.why, f"Do: {entry.remedy}", f"Example: {entry.example}", f"Source: {entry.source}"):
        assert part in told
    assert all(len(part) > 3 for part in (entry.title, entry.why, entry.remedy, entry.example, entry.source))
    assert re.search(r"RFC \d{4}|learn\.microsoft\.com/|draft-[a-z-]+", entry.source), entry.source
    document = json.loads(explain_text(code, "json"))
    jsonschema.validate(document, json.loads(schema_text("explain")))
    assert document["why"] != document["remedy"]


def test_frameworks_and_their_rules_fit_together() -> None:
    """A rule of a framework is broken by codes of the catalogue alone."""
    assert frozenset().union(*(rule.codes for rule in RULES)) <= CATALOGUE.keys()
    named = {label for entry in CATALOGUE.values() for label in entry.frameworks}
    assert {label.split(" ")[0] for label in named} >= {"SCuBA", "CIS", "Maester"}
    assert any(label.startswith("ORCA-") for label in named)
