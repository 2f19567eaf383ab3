"""What people and programs are shown, held by golden files: a changed word is seen in review."""

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import dns.zone
import jsonschema
import junitparser
import pytest
import sarif_pydantic
from hypothesis import given
from hypothesis import strategies as st
from scenes import NOW, accepted, config, mail_dns, name, rotated, scene, without_cname

from exo_auth.checks.dkim import records_to_publish
from exo_auth.checks.dmarc_policy import DmarcVerdict
from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.domains import classify
from exo_auth.checks.finding import DnsRecord
from exo_auth.errors import CmdletFailed, Correlation, InputError, PlanStale, SignInError
from exo_auth.facts.dmarc import WalkStep
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Txt
from exo_auth.facts.spf import NO_EXPLANATION, SpfResult, SpfStep
from exo_auth.plan.dkim import plan_disable, plan_enable, plan_rotation
from exo_auth.plan.limits import Limits
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.status import calendar, status_rows
from exo_auth.records import dmarc
from exo_auth.records.dmarc import Policy
from exo_auth.render import document
from exo_auth.render.dkim_text import calendar_ics, calendar_text, status_text
from exo_auth.render.dmarc_text import discovery_text
from exo_auth.render.doctor_text import doctor_text
from exo_auth.render.domain_text import domains_text
from exo_auth.render.explain_text import explain_list, explain_text
from exo_auth.render.findings import format_of, whole_text, writer_for
from exo_auth.render.journal_text import lines_text, runs_text, verdicts_text
from exo_auth.render.outcome_text import outcome_text
from exo_auth.render.plan_markdown import plan_markdown, report_markdown
from exo_auth.render.plan_text import plan_text
from exo_auth.render.record_text import is_record, record_text
from exo_auth.render.records_text import record_line, records_output
from exo_auth.render.safe_text import visible, width
from exo_auth.render.schema import schema_names, schema_text
from exo_auth.render.spf_text import spf_result_text
from exo_auth.render.table import Table
from exo_auth.render.tenant_text import facts_text, tenants_text
from exo_auth.run.journal import JournalLine, Verdict

GOLDEN = Path(__file__).parent / "golden"
TIMEOUT = LookupFailed(FailureReason.TIMEOUT, "192.0.2.1:53 did not answer", temporary=True)

SCENE = scene(
    config("due.example"),
    rotated("pending.example"),
    config("held.example"),
    config("dark.example"),
    config("xn--bcher-kva.example", timedelta(days=3)),
    config("late.example", status="CnameMissing"),
    config("off.example", enabled=False),
    domains=(
        accepted("due.example", is_default=True),
        *(
            accepted(text)
            for text in ("pending.example", "held.example", "dark.example", "xn--bcher-kva.example")
        ),
        *(accepted(text) for text in ("late.example", "off.example", "new.example")),
    ),
    dns={
        name("held.example"): mail_dns("held.example", selector2=without_cname("held.example")),
        name("dark.example"): mail_dns(
            "dark.example",
            selector1=replace(without_cname("dark.example", "selector1"), cname=TIMEOUT, key=TIMEOUT),
        ),
    },
)
PLAN = plan_rotation(SCENE)
OVER = plan_rotation(replace(SCENE, limits=Limits(changes_per_run=0)))
ENABLE = plan_enable(replace(SCENE, chosen=(name("new.example"), name("off.example"))))
DISABLE = plan_disable(replace(SCENE, chosen=(name("due.example"),)))
FINDINGS = tuple(finding for domain in SCENE.chosen for finding in SCENE.findings(domain))
EVIDENCE = {
    "rotate_on": "2026-11-27T12:00:00+00:00",
    "selector_after_rotation": "selector2",
    "status": "Valid",
}
CNAMES = {
    f"selector{n}_cname": f"selector{n}-new-example._domainkey.contoso.n-v1.dkim.mail.microsoft"
    for n in (1, 2)
}


def report(*outcomes: Outcome, interrupted: int = 0) -> RunReport:
    notes = ("rotate of old.example, left in flight by run r0: it took effect",)
    return RunReport(
        "2026-11-23T12-00-00Z-abcd", PLAN, outcomes, NOW, NOW + timedelta(seconds=9), interrupted, notes
    )


ROTATE, CREATE, SWITCH_ON = PLAN.changes[0], ENABLE.changes[0], ENABLE.changes[1]
REPORT = report(
    Outcome(ROTATE, Result.APPLIED, EVIDENCE),
    Outcome(
        CREATE,
        Result.APPLIED,
        {"status": "CnameMissing", **CNAMES},
        hint="publish",
        not_before=NOW,
        exit_code=4,
    ),
    Outcome(SWITCH_ON, Result.APPLIED, {"status": "Valid"}),
    Outcome(ROTATE, Result.ALREADY_SO),
    Outcome(ROTATE, Result.ACCEPTED, error="not visible", not_before=NOW),
    Outcome(ROTATE, Result.REFUSED, error="no", hint="ask", exit_code=1),
    Outcome(ROTATE, Result.UNKNOWN, error="lost", exit_code=6),
    Outcome(ROTATE, Result.SKIPPED, error="interrupted"),
    Outcome(DISABLE.changes[0], Result.STALE, exit_code=8),
    interrupted=130,
)
INTENT = {"change": document.change_document(ROTATE), "reason": ""}
LINES = (
    JournalLine(1, NOW, NOW, "run-1", "intent", INTENT),
    JournalLine(2, NOW, NOW, "run-1", "result", {"intent": 1, "result": "applied", "error": ""}),
    JournalLine(3, NOW, NOW, "run-2", "intent", INTENT),
    JournalLine(
        4, NOW, NOW, "run-3", "resolved", {"intent": 3, "effect": "done", "sentence": "it took effect"}
    ),
    JournalLine(5, NOW, NOW, "run-3", "intent", INTENT),
    JournalLine(6, NOW, NOW, "run-3", "result", {"intent": 5, "result": "refused", "error": "no"}),
)
DOMAINS = classify(SCENE.tenant.accepted_domains, ("onmicrosoft.com",))
RECORDS = records_to_publish(config("due.example"))
ERROR = CmdletFailed(
    "it said no",
    correlation=Correlation("Set-DkimSigningConfig", "t", "c", "r", 400, "s", NOW),
    hint="ask again",
)

REPORTS = [
    DomainReport(domain, tuple(one for one in FINDINGS if one.subject == domain)) for domain in SCENE.chosen
]


def findings(output: str) -> str:
    return whole_text(REPORTS, writer_for(output, NOW))


TEXTS: dict[str, Callable[[], str]] = {
    "plan.txt": lambda: plan_text(PLAN),
    "plan-colour.txt": lambda: plan_text(PLAN, color=True),
    "plan-over-limit.txt": lambda: plan_text(OVER),
    "plan-enable.txt": lambda: plan_text(ENABLE),
    "plan-disable.txt": lambda: plan_text(DISABLE),
    "plan.md": lambda: plan_markdown(PLAN, "exo-auth apply rotate-dkim --yes"),
    "plan-over-limit.md": lambda: plan_markdown(OVER),
    "outcome.md": lambda: report_markdown(REPORT),
    "outcome.txt": lambda: outcome_text(REPORT),
    "status.txt": lambda: status_text(status_rows(SCENE), "table"),
    "status-colour.txt": lambda: status_text(status_rows(SCENE), "table", color=True),
    "status.csv": lambda: status_text(status_rows(SCENE), "csv"),
    "status.md": lambda: status_text(status_rows(SCENE), "md"),
    "status.ndjson": lambda: status_text(status_rows(SCENE), "ndjson"),
    "calendar.txt": lambda: calendar_text(calendar(SCENE), "table"),
    "calendar.ics": lambda: calendar_ics(calendar(SCENE)[:3], made_at=NOW).replace("\r\n", "\n"),
    "findings.txt": lambda: findings("table"),
    "findings.csv": lambda: findings("csv"),
    "findings.md": lambda: findings("md"),
    "findings.ndjson": lambda: findings("ndjson"),
    "findings.html": lambda: findings("html"),
    "findings.sarif": lambda: findings("sarif"),
    "findings-junit.xml": lambda: findings("junit"),
    "records.txt": lambda: records_output(RECORDS, "table"),
    "records-bind.txt": lambda: records_output(RECORDS, "table", bind=True),
    "domains.txt": lambda: domains_text(DOMAINS, "table"),
    "journal-runs.txt": lambda: runs_text({"t": LINES}, "table"),
    "journal-lines.txt": lambda: lines_text({"t": LINES}, "table"),
    "tenants.txt": lambda: tenants_text([("one", "", "one.onmicrosoft.com", "worldwide", "f:1:1")], "table"),
    "doctor.txt": lambda: doctor_text(
        [("clock", "ok", "agrees", ""), ("disk", "fail", "full", "make room")], "table"
    ),
    "explain-code.txt": lambda: explain_text("dkim_wildcard", "table"),
    "explain-error.txt": lambda: explain_text("PlanStale", "table"),
    "explain-exit-code.txt": lambda: explain_text("6", "table"),
    "explain-list.txt": lambda: explain_list("table"),
}


@pytest.mark.parametrize("file", TEXTS)
def test_texts(file: str) -> None:
    path = GOLDEN / file
    text = TEXTS[file]() + "\n"
    if os.environ.get("EXO_AUTH_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


DOCUMENTS: dict[str, Callable[[], str]] = {
    "plan": lambda: document.to_text(document.plan_document(PLAN)),
    "run-report": lambda: document.to_text(document.report_document(REPORT)),
    "dkim-status": lambda: status_text(status_rows(SCENE), "json"),
    "dkim-calendar": lambda: calendar_text(calendar(SCENE), "json"),
    "check": lambda: findings("json"),
    "dns-records": lambda: records_output(RECORDS, "json"),
    "domains": lambda: domains_text(DOMAINS, "json"),
    "journal-list": lambda: runs_text({"t": LINES}, "json"),
    "journal": lambda: lines_text({"t": LINES}, "json"),
    "journal-verify": lambda: verdicts_text({"f": Verdict(3)}, "json"),
    "tenants": lambda: tenants_text([("one", "", "one.onmicrosoft.com", "worldwide", "f:1:1")], "json"),
    "doctor": lambda: doctor_text([("clock", "ok", "agrees", "")], "json"),
    "explain": lambda: explain_text("DKIM-WILDCARD", "json"),
    "explain-list": lambda: explain_list("json"),
    "error": lambda: document.to_text(document.error_document(ERROR)),
}


@pytest.mark.parametrize("schema", DOCUMENTS)
def test_documents_follow_their_schemas(schema: str) -> None:
    jsonschema.validate(json.loads(DOCUMENTS[schema]()), json.loads(schema_text(schema)))


def test_a_sign_in_error_names_its_code() -> None:
    told = document.error_document(SignInError("no", code="AADSTS1", correlation_id="c"))
    jsonschema.validate(told, json.loads(schema_text("error")))
    assert (told["code"], told["exit_code"]) == ("AADSTS1", 10)
    assert document.error_document(PlanStale("old"))["exit_code"] == 8


def test_the_suffix_of_a_report_names_its_format() -> None:
    assert format_of("x.SARIF") == "sarif"
    with pytest.raises(InputError, match=r"x\.doc"):
        format_of("x.doc")


def test_junit_has_a_suite_for_each_domain_and_counts_failures() -> None:
    root = ET.fromstring(findings("junit"))
    assert len(root) == 8
    failures = sum(int(suite.get("failures", "")) + int(suite.get("errors", "")) for suite in root)
    assert failures == len(root.findall(".//failure")) + len(root.findall(".//error")) > 0


def test_a_ci_server_reads_the_junit_report() -> None:
    suites = junitparser.JUnitXml.fromstring(findings("junit").encode())
    cases = [case for suite in suites for case in suite]
    assert suites.failures + suites.errors == sum(not case.is_passed for case in cases) > 0
    assert suites.tests == len(cases)


def test_sarif_is_valid_and_names_a_rule_for_every_result() -> None:
    report = sarif_pydantic.Sarif.model_validate_json(findings("sarif"))
    (run,) = report.runs
    rules = {rule.id for rule in run.tool.driver.rules or ()}
    assert report.version == "2.1.0"
    assert run.results
    assert {result.rule_id for result in run.results} <= rules


def test_a_cell_that_a_spreadsheet_would_run_is_text() -> None:
    evil = replace(FINDINGS[0], seen="=HYPERLINK(1)")
    assert "'=HYPERLINK(1)" in whole_text([DomainReport(evil.subject, (evil,))], writer_for("csv", NOW))


def test_verdicts_of_a_journal() -> None:
    assert verdicts_text({}, "table") == "there is no journal yet"
    assert verdicts_text({"f": Verdict(3)}, "table") == "f: 3 lines, the chain holds"
    assert "unfinished last line of 7" in verdicts_text({"f": Verdict(3, None, 7)}, "table")
    assert "the first 3 lines hold" in verdicts_text({"f": Verdict(3, "broken")}, "table")


def test_two_journals_are_one_view_with_their_names() -> None:
    published = replace(LINES[0], run_id="run-0", at=NOW - timedelta(hours=1))
    text = runs_text({"t": LINES, "dns": (published,)}, "table")
    assert [line.split()[0] for line in text.splitlines()] == ["RUN", "run-0", "run-1", "run-2", "run-3"]
    assert text.splitlines()[1].split()[-3:] == ["in", "flight", "dns"]
    assert lines_text({"t": LINES, "dns": (published,)}, "table").splitlines()[1].endswith("dns")


def test_an_unknown_document_names_its_neighbour() -> None:
    with pytest.raises(InputError) as caught:
        schema_text("dkim-statu")
    assert "dkim-status" in (caught.value.hint or "")
    with pytest.raises(InputError) as caught:
        schema_text("zzz")
    assert "one of" in (caught.value.hint or "")
    assert "plan" in schema_names()


def test_facts_have_names_and_values() -> None:
    assert facts_text("x", {"a key": "v"}, "table").splitlines() == ["X      VALUE", "a key  v"]
    assert json.loads(facts_text("x", {"a key": "v"}, "json")) == {"schema": "exo-auth/x/1", "a_key": "v"}


def test_a_long_txt_is_split_and_quoted() -> None:
    line = record_line(DnsRecord(name("a.example"), "TXT", 'say "hi"\\' + "x" * 300))
    assert line.startswith('a.example. 3600 IN TXT "say \\"hi\\"\\\\')
    assert line.count('" "') == 1
    assert record_line(DnsRecord(name("a.example"), "TXT", "")) == 'a.example. 3600 IN TXT ""'


PASTED = [  # type, value, what a zone reader makes of it, reason
    ("MX", "0 .", "0 .", "the null MX"),
    ("MX", "10 mx.example", "10 mx.example.", "an exchanger"),
    ("CNAME", "b.example", "b.example.", "an alias"),
    ("A", "192.0.2.1", "192.0.2.1", "an address"),
    ("TXT", "v=spf1 -all.", '"v=spf1 -all."', "a text with a dot at its end"),
]


@pytest.mark.parametrize(("rdtype", "value", "read", "reason"), PASTED, ids=[row[3] for row in PASTED])
def test_a_line_to_paste_is_read_as_it_is_meant(rdtype: str, value: str, read: str, reason: str) -> None:
    line = record_line(DnsRecord(name("a.example"), rdtype, value))
    zone = dns.zone.from_text(f"@ 60 IN SOA a. b. 1 1 1 1 1\n{line}\n", origin="example.", check_origin=False)
    (rdata,) = zone.find_rdataset("a", rdtype)
    assert rdata.to_text(relativize=False, origin=zone.origin) == read, reason


def test_calendar_lines_are_folded_and_escaped() -> None:
    entries = [replace(calendar(SCENE)[0], note="a;b,c\\" + "\u00fc" * 60)]
    text = calendar_ics(entries, made_at=NOW)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "a\\;b\\,c\\\\" in text.replace("\r\n ", "")


def test_a_strangers_record_cannot_steer_the_terminal() -> None:
    evil = Txt((b"v=DKIM1; \x1b[2J\x07 p=",))
    dns = {name("due.example"): mail_dns("due.example", wildcard=Found((evil,), timedelta(hours=1)))}
    at = scene(config("due.example"), dns=dns)
    report = DomainReport(name("due.example"), at.findings(name("due.example")))
    for output in ("table", "csv", "md", "html", "sarif"):
        text = whole_text([report], writer_for(output, NOW))
        assert "\x1b" not in text
        assert "\\x1b[2J" in text


@given(st.text(max_size=30))
def test_nothing_that_steers_a_terminal_stays(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert "\x1b" not in shown
    assert width(shown) >= 0


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), min_size=1, max_size=4))
def test_csv_comes_back(rows: list[tuple[str, str]]) -> None:
    text = Table(("a", "b"), tuple(rows)).to_text("csv")
    back = list(csv.reader(io.StringIO(text)))
    assert back[1:] == [[visible(cell) for cell in row] for row in rows]


WALK = (
    WalkStep(name("a.b.example"), count=2),
    WalkStep(
        name("b.example"),
        dmarc.parse("v=DMARC1; p=reject; sp=none; t=y"),
        "v=DMARC1; p=reject; sp=none; t=y",
        1,
    ),
    WalkStep(name("example")),
)
NEW = DmarcVerdict(name("b.example"), name("b.example"), None, Policy.NONE, "sp", "t=y lowers it")
OLD = DmarcVerdict(name("b.example"), reason="no DMARC record governs this domain")
SPF = SpfResult(
    "fail",
    "go away",
    (SpfStep("a.example", "include:b.example", False, 0), SpfStep("b.example", "-all", True, 1)),
    2,
    1,
    "two \x1b[2J problems",
)


def test_a_walk_is_told_with_both_models() -> None:
    told = discovery_text("a.b.example", WALK, NEW, OLD, ("_dmarc.a.b.example",), "table")
    assert "2 records: all are discarded" in told
    assert "_dmarc.example  —" in told
    assert "policy none (sp= of b.example; t=y lowers it)" in told
    assert "DMARC does not apply (no DMARC record" in told
    assert "the two models differ" in told
    document = json.loads(discovery_text("a.b.example", WALK, NEW, OLD, ("_dmarc.a.b.example",), "json"))
    jsonschema.validate(document, json.loads(schema_text("dmarc-discover")))
    assert (document["policy"], document["queries"][0]) == ("none", "_dmarc.a.b.example")
    assert "differ" not in discovery_text("a.b.example", WALK, NEW, NEW, (), "table")


def test_an_spf_result_is_told_with_its_path() -> None:
    told = spf_result_text(SPF, "table")
    assert "  b.example  -all  matches" in told
    assert "explanation: go away" in told
    assert "\x1b" not in told
    assert told.endswith("fail  2 of 10 lookups, 1 of 2 void")
    jsonschema.validate(json.loads(spf_result_text(SPF, "json")), json.loads(schema_text("spf-test")))


def test_an_include_stands_above_what_is_behind_it() -> None:
    path = (  # in the order of their judgement
        SpfStep("c.example", "-all", True, 2),
        SpfStep("b.example", "include:c.example", False, 1),
        SpfStep("b.example", "ip4:192.0.2.1", True, 1),
        SpfStep("a.example", "include:b.example", True, 0),
    )
    told = spf_result_text(SpfResult("pass", "", path, 2), "table").splitlines()
    assert [line.strip().partition("  ")[2].removesuffix("  matches") for line in told[:4]] == [
        "include:b.example",
        "include:c.example",
        "-all",
        "ip4:192.0.2.1",
    ]
    default = spf_result_text(SpfResult("fail", NO_EXPLANATION, path, 2), "table")
    assert NO_EXPLANATION not in default


def test_what_is_no_record_is_named() -> None:
    assert not is_record("hello")
    with pytest.raises(InputError, match="no record"):
        record_text("hello", "table")


def test_wide_and_combining_characters_keep_columns_straight() -> None:
    assert (width("abc"), width("\u65e5\u672c"), width("e\u0301")) == (3, 4, 1)
    text = Table(("a", "b"), (("\u65e5\u672c", "x"), ("abcd", "y"))).to_text("table")
    assert text.splitlines()[1:] == ["\u65e5\u672c  x", "abcd  y"]
