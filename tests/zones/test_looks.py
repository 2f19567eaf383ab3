"""What the commands that show one subject write, from the broken domains, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path

import jsonschema
import pytest
from broken_domains import BROKEN
from broken_zone import environment_for, zone_lines
from policy_host import PolicyHost
from python_repr import reprs_in
from zone_server import ZoneServer

from exo_auth.checks.catalogue import finding
from exo_auth.checks.changes import Baseline, key_of
from exo_auth.checks.domain_report import DomainReport, Gone
from exo_auth.checks.evidence import evidence
from exo_auth.checks.finding import Finding
from exo_auth.checks.frameworks import (
    Audit,
    Before,
    ChangedRules,
    Framework,
    Judged,
    judge_changes,
    judge_rules,
    score_of,
)
from exo_auth.checks.mta_sts import check_mta_sts
from exo_auth.checks.spf import txt_size
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, Seen, Txt
from exo_auth.facts.domain import (
    ALL_SUBJECTS,
    CaaRecord,
    DomainFacts,
    Exchanger,
    MtaStsFacts,
    PolicyFetch,
    TlsaRecord,
    ZoneStart,
)
from exo_auth.records import dkim
from exo_auth.render.audit_text import audit_text, changed_rules_text, compare_text
from exo_auth.render.findings import whole_text, writer_for
from exo_auth.render.look_text import dane_text, dmarc_show_text, mta_sts_text, tls_rpt_text
from exo_auth.render.schema import schema_text
from exo_auth.render.snapshot_text import diff_text, snapshot_text
from exo_auth.render.spf_tree_text import spf_tree_text
from exo_auth.run.check import CheckRequest, check_snapshot
from exo_auth.run.config import load
from exo_auth.run.look import Look, look
from exo_auth.run.settings import Settings
from exo_auth.run.snapshot import Snapshot, _snapshot, to_text
from exo_auth.run.take_snapshot import take_of_names

NOW = datetime.now(UTC)


@pytest.fixture(scope="session")
def settings(policy_host: PolicyHost) -> Iterator[Settings]:
    server = ZoneServer(zone_lines())
    yield load({}, environment=environment_for(server.address, policy_host))
    server.close()


@pytest.fixture(scope="session")
def looks(settings: Settings) -> dict[str, Look]:
    return {case.label: look(settings, case.name, ALL_SUBJECTS, NOW) for case in BROKEN}


Writer = Callable[[DomainFacts, Sequence[Finding], str], str]


def spf_show(facts: DomainFacts, findings: Sequence[Finding], output: str) -> str:
    assert facts.spf is not None
    assert facts.txt is not None
    return spf_tree_text(facts.spf, txt_size(facts.domain, facts.txt), findings, output)


WRITERS: dict[str, Writer] = {
    "spf-show": spf_show,
    "dmarc-show": dmarc_show_text,
    "mta-sts": mta_sts_text,
    "tls-rpt": tls_rpt_text,
    "dane-readiness": dane_text,
}


@pytest.mark.parametrize("schema", WRITERS)
def test_every_broken_domain_can_be_shown(schema: str, looks: dict[str, Look]) -> None:
    wanted = json.loads(schema_text(schema))
    for label, seen in looks.items():
        document = json.loads(WRITERS[schema](seen.facts, seen.findings, "json"))
        jsonschema.validate(document, wanted)
        assert document["domain"] == f"{label}.test"
        text = WRITERS[schema](seen.facts, seen.findings, "table")
        assert text.isprintable() or "\n" in text
        assert reprs_in(text) == []


SHOWN = [  # schema, label, part, reason
    ("spf-show", "spf-eleven", "11 of 10 lookups", "the sum"),
    ("spf-show", "spf-nested", "├ include:five.ok.test  [6]", "what a branch costs with all below it"),
    ("spf-show", "spf-void6", "0 of 2 for IPv4 senders, 3 of 2 for IPv6", "both families"),
    ("spf-show", "spf-loop", "leads back to itself", "a loop"),
    ("spf-show", "spf-dead", "has no SPF record", "a dead include"),
    ("spf-show", "spf-dead-two", "has 2 SPF records", "two records behind an include"),
    ("spf-show", "spf-dead-void", "(void: ", "a faulty record behind an include"),
    ("spf-show", "spf-macro", "depends on the message", "a macro"),
    ("spf-show", "spf-void", "has no address", "a name without address"),
    ("dmarc-show", "dmarc-unauth", "mailto:dmarc@vendor.test  unauthorized", "where reports go"),
    ("dmarc-show", "dmarc-none", "policy none (p= of dmarc-none.test)", "the policy"),
    ("dmarc-show", "dmarc-sp-weaker", "subdomains: none by RFC 9989, none by RFC 7489", "what sp does"),
    (
        "dmarc-show",
        "dmarc-wildcard",
        "subdomains that do not exist: reject by RFC 9989, none by RFC 7489",
        "what np does, and that older receivers do not know it",
    ),
    (
        "dmarc-show",
        "dmarc-test",
        "subdomains: quarantine by RFC 9989, reject by RFC 7489",
        "what t=y does below",
    ),
    ("mta-sts", "sts-redirect", "redirect: https://www.sts-redirect.test", "why a fetch failed"),
    ("mta-sts", "sts-type", "200 application/octet-stream", "a fetch that did not"),
    ("tls-rpt", "tlsrpt-missing", "no record", "an absent record"),
    ("dane-readiness", "healthy", "zone signed", "the steps"),
]


@pytest.mark.parametrize(("schema", "label", "part", "reason"), SHOWN, ids=[f"{r[0]} {r[3]}" for r in SHOWN])
def test_what_is_shown(schema: str, label: str, part: str, reason: str, looks: dict[str, Look]) -> None:
    seen = looks[label]
    assert part in WRITERS[schema](seen.facts, seen.findings, "table"), reason
    assert WRITERS[schema](seen.facts, seen.findings, "csv")


def test_reports_hold_every_finding(looks: dict[str, Look]) -> None:
    reports = [DomainReport(seen.facts.domain, seen.findings) for seen in looks.values()]
    for output in ("table", "json", "ndjson", "csv", "md", "html", "sarif", "junit"):
        text = whole_text(reports, writer_for(output, NOW, verbose=True))
        for report in reports:
            assert all(one.code in text for one in report.findings), output
        assert reprs_in(text) == [], output
    jsonschema.validate(
        json.loads(whole_text(reports, writer_for("json", NOW))), json.loads(schema_text("check"))
    )


def test_beside_a_baseline_nothing_new_is_no_praise() -> None:
    report = DomainReport(DomainName("a.example"), ())
    for output, praise, word in (("html", "in order", "unchanged"), ("table", "ok", "no change")):
        assert praise in whole_text([report], writer_for(output, NOW))
        beside = whole_text([report], writer_for(output, NOW, beside_baseline=True))
        assert (praise in beside, word in beside) == (False, True), output


LINES = [  # text of a policy, what is shown of it, reason
    ("version: STSv1\r\nmode : enforce\r\nmx: a.example\r\n", "mode : enforce", "the line of the fault"),
    (
        "version: STSv1\nmode: enforce\nmx: a.example\n",
        "mx: a.example",
        "the last one where a line is missing",
    ),
    ("<html>\n<body>\n", "<html>", "a web page"),
    ("", "an empty line", "nothing"),
]


@pytest.mark.parametrize(("body", "shown", "reason"), LINES, ids=[row[2] for row in LINES])
def test_of_a_void_policy_the_faulty_line_is_shown(body: str, shown: str, reason: str) -> None:
    found = Found((Txt((b"v=STSv1; id=1;",)),), timedelta(hours=1))
    fetch = PolicyFetch("192.0.2.1", status=200, media_type="text/plain", body=body.encode())
    facts = DomainFacts(DomainName("a.example"), mta_sts=MtaStsFacts(found, fetches=(fetch,)))
    (void,) = [one for one in check_mta_sts(facts, NOW) if one.code == "STS-FILE-SYNTAX"]
    assert void.seen == shown, reason


VALUES = [  # a value that DNS gave, as evidence shows it
    (Txt((b"v=spf1 ", b"-all")), '"v=spf1 " "-all"'),
    (Exchanger(0, ""), "0 ."),
    (Exchanger(10, "mx.example"), "10 mx.example"),
    (ZoneStart("ns1.example", 7, 900), "ns1.example serial 7 minimum 900"),
    (TlsaRecord(3, 1, 1, b"\xab\xcd"), "3 1 1 abcd"),
    (CaaRecord(0, "issue", "ca.example"), '0 issue "ca.example"'),
    (DomainName("a.example"), "a.example"),
    (IPv6Address("2001:db8::1"), "2001:db8::1"),
    (Seen(Txt((b"v=DKIM1; p=",)), dkim.parse("v=DKIM1; p=")), '"v=DKIM1; p="'),
]


@pytest.mark.parametrize(("value", "shown"), VALUES, ids=[type(row[0]).__name__ for row in VALUES])
def test_evidence_shows_values_as_a_zone_does(value: object, shown: str) -> None:
    assert evidence("a.example", "ANY", Found((value,), timedelta(hours=1))).values == (shown,)
    assert reprs_in(shown) == []
    assert reprs_in(repr(value)) != [], "what the other tests look for would be found"


def test_sarif_keeps_to_the_standards_own_schema(looks: dict[str, Look]) -> None:
    """The schema comes from Microsoft's validator, npm @microsoft/sarif-multitool-linux 5.7.0 (MIT)."""
    reports = [DomainReport(seen.facts.domain, seen.findings) for seen in looks.values()]
    schema = json.loads((Path(__file__).parent.parent / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    document = json.loads(whole_text(reports, writer_for("sarif", NOW)))
    assert list(validator.iter_errors(document)) == []
    (run,) = document["runs"]
    assert {one["ruleId"] for one in run["results"]} == {
        rule["id"] for rule in run["tool"]["driver"]["rules"]
    }
    prints = [one["partialFingerprints"]["exoAuthFinding/v1"] for one in run["results"]]
    assert len(set(prints)) == len(prints)
    broken = {**document, "runs": [{**run, "results": [{"level": "error"}]}]}
    assert list(validator.iter_errors(broken)), "the schema refuses a result without a message"


def test_a_snapshot_survives_its_file_and_gives_the_same_findings(settings: Settings) -> None:
    names = [DomainName.parse_lookup(case.name) for case in BROKEN]
    taken = take_of_names(settings, names, now=NOW, say=lambda _text: None)
    kept = _snapshot(json.loads(to_text(taken)))
    assert (kept.answers, kept.fetches) == (taken.answers, taken.fetches)
    found: dict[str, set[str]] = {}

    def add(report: DomainReport) -> None:
        found[report.domain.ascii] = {one.code for one in report.findings}

    check_snapshot(settings, kept, (), CheckRequest(), add)
    assert found == {case.name: set(case.expected) for case in BROKEN}
    _shown(kept)


def _shown(taken: Snapshot) -> None:
    labels = (taken.random_label, taken.random_label)
    names = [domain.ascii for domain in taken.domains]
    told = json.loads(snapshot_text(taken.taken_at, names, taken.answers, "", "json"))
    jsonschema.validate(told, json.loads(schema_text("snapshot-show")))
    assert "answers found" in snapshot_text(taken.taken_at, names, taken.answers, "", "table")
    assert diff_text(taken.answers, taken.answers, labels, "table") == ("no differences", False)
    fewer = {key: value for key, value in taken.answers.items() if key[0] != "healthy.test"}
    text, differs = diff_text(taken.answers, fewer, labels, "table")
    assert differs
    assert "not asked" in text
    document = json.loads(diff_text(taken.answers, fewer, labels, "json")[0])
    jsonschema.validate(document, json.loads(schema_text("snapshot-diff")))


DOMAIN = DomainName("a.example")
OLD = finding("SPF-MISSING", DOMAIN, "there is no SPF record")
NEW = finding("DMARC-MISSING", DOMAIN, "no DMARC record governs the domain")
FAILED = finding("TRANSIENT", DOMAIN, "TXT of a.example could not be looked up")
BASE = Baseline.of_reports([DomainReport(DOMAIN, (OLD,))])


def report(*findings: Finding) -> DomainReport:
    return DomainReport(DOMAIN, findings)


KEYS = [  # two messages, are they about the same, reason
    ("the certificate of x ends in 20 days", "the certificate of x ends in 9 days", True, "time runs on"),
    ("11 terms ask DNS; 10 are allowed", "12 terms ask DNS; 10 are allowed", True, "an amount"),
    ("the policy lives for 3600 seconds", "the policy lives for 7200 seconds", True, "an amount"),
    ("selector1’s CNAME is missing", "selector2’s CNAME is missing", False, "another selector"),
    ("mx1.a.example has no address", "mx2.a.example has no address", False, "another host"),
    ("ip4:10.1.0.0/16 is no network", "ip4:10.2.0.0/16 is no network", False, "another network"),
    ("192.0.2.1 is an address", "192.0.2.2 is an address", False, "another address"),
]


@pytest.mark.parametrize(
    ("one", "other", "is_same", "reason"), KEYS, ids=[f"{row[3]} {row[2]}" for row in KEYS]
)
def test_numbers_run_on_and_names_do_not(one: str, other: str, is_same: bool, reason: str) -> None:
    assert (key_of("CODE", one) == key_of("CODE", other)) is is_same, reason


CHANGES = [  # first look, second look, new, gone, reason
    ((OLD,), None, [], [], "nothing changed"),
    ((OLD, NEW), (OLD, NEW), ["DMARC-MISSING"], [], "a new finding that both looks see"),
    ((OLD, NEW), (OLD,), [], [], "one that only the first sees flaps"),
    ((), (), [], ["SPF-MISSING"], "one that neither sees any more"),
    ((), (OLD,), [], [], "one that the second still sees"),
    ((FAILED,), (FAILED,), ["TRANSIENT"], [], "nobody could look: nothing is gone"),
    ((), (FAILED,), [], [], "the second could not look: nothing is gone"),
]


@pytest.mark.parametrize(
    ("first", "second", "new", "gone", "reason"), CHANGES, ids=[row[4] for row in CHANGES]
)
def test_a_change_is_confirmed_before_it_is_told(
    first: tuple[Finding, ...],
    second: tuple[Finding, ...] | None,
    new: list[str],
    gone: list[str],
    reason: str,
) -> None:
    again = report(*second) if second is not None else None
    changed = BASE.changes(report(*first), again)
    assert ([one.code for one in changed.findings], [past.code for past in changed.gone]) == (new, gone), (
        reason
    )
    assert BASE.differs(report(*first)) is (
        {one.code for one in first if one is not FAILED} != {"SPF-MISSING"}
    )
    for output in ("table", "ndjson", "csv", "md", "html", "json"):
        text = whole_text([changed], writer_for(output, NOW, beside_baseline=True))
        assert all(code in text for code in (*new, *gone)), output


def test_days_that_run_on_are_no_change() -> None:
    first = report(finding("DKIM-ROTATION-DUE", DOMAIN, "the key is 200 days old"))
    later = report(finding("DKIM-ROTATION-DUE", DOMAIN, "the key is 201 days old"))
    assert not Baseline.of_reports([first]).differs(later)


def test_two_documents_are_compared() -> None:
    other = Baseline.of_document(
        {
            "domains": ["a.example"],
            "findings": [{"domain": "a.example", "severity": "fail", "code": "X", "message": "y"}],
        }
    )
    assert compare_text(BASE, BASE, "table") == "no differences"
    document = json.loads(compare_text(BASE, other, "json"))
    jsonschema.validate(document, json.loads(schema_text("compare")))
    assert {(row["change"], row["code"]) for row in document["changes"]} == {
        ("new", "X"),
        ("gone", "SPF-MISSING"),
    }


def judged(domain: str, *codes: str) -> Judged:
    return Judged.of(
        DomainReport(DomainName(domain), tuple(finding(c, DomainName(domain), c) for c in codes))
    )


def test_rules_are_judged_by_codes() -> None:
    rows = (judged("a.example", "SPF-MISSING"), judged("b.example"), judged("c.example", "TRANSIENT"))
    verdicts = judge_rules(rows, [Framework.SCUBA])
    spf = next(v for v in verdicts if v.rule.id == "MS.EXO.2.2v3")
    assert (spf.kept, spf.broken, spf.unknown, spf.state) == (1, ("a.example",), ("c.example",), "fail")
    assert {v.state for v in verdicts} == {"fail", "unknown"}
    assert score_of(()).percent is None
    audit = Audit(verdicts, rows, NOW)
    jsonschema.validate(json.loads(audit_text(audit, "json")), json.loads(schema_text("audit")))
    assert "score 90.0 %: 9 of 10 rules kept, over 3 domains" in audit_text(audit, "table")
    assert "nothing could be judged" in audit_text(Audit((), (), NOW), "table")


SINCE = [  # codes before, codes of new findings, codes of those that are gone, broken, mended, reason
    ((), ("SPF-PLUSALL",), (), 1, 0, "it broke"),
    (("SPF-PLUSALL",), (), ("SPF-PLUSALL",), 0, 1, "it was mended"),
    (("SPF-PLUSALL",), ("SPF-SYNTAX",), ("SPF-PLUSALL",), 0, 0, "another fault breaks the same rule"),
    (("SPF-PLUSALL",), (), (), 0, 0, "nothing changed"),
    (("SPF-PLUSALL", "SPF-SYNTAX"), (), ("SPF-SYNTAX",), 0, 0, "one of two faults is gone"),
    ((), ("STS-MODE",), (), 0, 0, "no rule asks for it"),
    (("SPF-PLUSALL",), ("TRANSIENT",), (), 0, 0, "no verdict takes nothing away"),
]


@pytest.mark.parametrize(
    ("before", "new", "gone", "broken", "mended", "reason"), SINCE, ids=[row[5] for row in SINCE]
)
def test_rules_that_changed_are_told(
    before: tuple[str, ...],
    new: tuple[str, ...],
    gone: tuple[str, ...],
    broken: int,
    mended: int,
    reason: str,
) -> None:
    domain = DomainName("a.example")
    past = DomainReport(domain, tuple(finding(code, domain, code) for code in before))
    baseline = Baseline.of_reports([past])
    now = DomainReport(
        domain,
        tuple(finding(code, domain, code) for code in new),
        gone=tuple(Gone(code, code) for code in gone),
    )
    row = Before("a.example", baseline.codes("a.example"), baseline.codes_after(now))
    rules = judge_changes([row], [Framework.CIS])
    assert [(len(one.broken), len(one.mended)) for one in rules] == [(broken, mended)] * bool(
        broken + mended
    ), reason
    changed = ChangedRules(rules, ("a.example",), ("a.example",), NOW)
    jsonschema.validate(
        json.loads(changed_rules_text(changed, "json")), json.loads(schema_text("audit-changes"))
    )
    told = changed_rules_text(changed, "table")
    assert ("no rule changed" in told) is not bool(rules)
    assert told.endswith("could not be looked at whole: a.example")
