"""One test for each fault of the sandbox: no domain rotated twice, none lost, the error names cause and remedy."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from bench import Bench

from exo_auth.errors import ExchangeError, SignInError
from exo_auth.plan.outcome import Result
from exo_auth.sandbox.faults import FAULT_KINDS

DOMAIN = "due-a.example"
ROTATE = "Rotate-DkimSigningConfig"
LIST = "Get-DkimSigningConfig"


@dataclass(frozen=True)
class Case:
    """A fault, and how the run that meets it must end."""

    kind: str
    reason: str
    cmdlet: str = ROTATE
    value: str | None = None
    count: int = 1
    result: Result = Result.APPLIED
    code: int = 0
    rotations: int = 1  # after the run that met the fault
    says: str = ""  # part of error or hint


MET_BY_A_WRITE = [
    Case("throttle", "the service did nothing: asked again after Retry-After", value="3"),
    Case("throttle", "a date in Retry-After", value="Mon, 23 Nov 2026 09:00:00 GMT"),
    Case("throttle", "without Retry-After"),
    Case("throttle", "for ever", count=0, result=Result.REFUSED, code=6, rotations=0, says="busy"),
    Case("concurrency", "the sentence with a 503"),
    Case("concurrency", "the sentence with a 200", value="200"),
    Case("transient", "may have run: looked at, never repeated", result=Result.UNKNOWN, code=6, rotations=0),
    Case("unavailable", "a gateway's page", result=Result.UNKNOWN, code=6, rotations=0, says="sent"),
    Case("unavailable", "a gateway's time-out", value="504", result=Result.UNKNOWN, code=6, rotations=0),
    Case("reset-before", "no answer, no effect", result=Result.UNKNOWN, code=6, rotations=0, says="looking"),
    Case("reset-after", "no answer, but it took effect", says="seen in effect"),
    Case("slow", "an answer that takes its time", value="0.3"),
    Case("latency", "an answer that comes no sooner", value="20-40"),
    Case("slow-bytes", "a body that drips", value="0.001"),
    Case("expired-token", "a new token, once", cmdlet=""),
    Case("claims-challenge", "a new token with the claims asked for", cmdlet=""),
    Case("wrong-json", "the write ran, its answer cannot be read"),
    Case("null-value", "rows are null"),
    Case("capital-value", "Value in place of value"),
    Case("errors-in-success", "an error beside a change that was made", says="seen in effect"),
    Case("stray-error", "an error inside a 200", says="seen in effect"),
    Case(
        "no-right",
        "the role lacks the cmdlet",
        result=Result.REFUSED,
        code=10,
        rotations=0,
        says="Exchange Administrator",
    ),
    Case(
        "refuse",
        "the service says no",
        value="Not today.",
        result=Result.REFUSED,
        code=1,
        rotations=0,
        says="Not today.",
    ),
    Case("redirect", "a host outside the cloud", result=Result.UNKNOWN, code=6, rotations=0),
    Case("lag", "visible after a while", value="40"),
    Case("lag", "visible much later", value="900", result=Result.ACCEPTED, says="reads do not show it yet"),
]


@pytest.mark.parametrize("case", MET_BY_A_WRITE, ids=lambda case: f"{case.kind}: {case.reason}")
def test_a_fault_met_by_a_write(bench: Bench, case: Case) -> None:
    def break_it() -> None:
        choices = {"cmdlet": case.cmdlet} if case.cmdlet else {}
        bench.fault(case.kind, value=case.value, count=case.count, **choices)

    report = bench.run(DOMAIN, between=break_it)
    (outcome,) = report.outcomes
    assert (outcome.result, report.exit_code) == (case.result, case.code), outcome
    assert bench.box.tenant.rotations(DOMAIN) == case.rotations
    assert case.says in f"{outcome.error} {outcome.hint} {' '.join(bench.said)}"

    bench.box.faults.clear()
    bench.run(DOMAIN)  # at once: what may still take effect is left alone
    assert bench.box.tenant.rotations(DOMAIN) <= 1
    bench.box.advance(timedelta(hours=1))
    bench.run(DOMAIN)
    assert bench.box.tenant.rotations(DOMAIN) == 1, "lost, or done twice"
    assert bench.plan(DOMAIN).is_empty


def test_an_answer_that_comes_too_late(bench: Bench) -> None:
    report = bench.run(
        DOMAIN,
        between=lambda: bench.fault("timeout-after", cmdlet=ROTATE, value="10"),
        environment={"EXO_AUTH_ANSWER_TIMEOUT": "1s"},
    )
    assert report.outcomes[0].result is Result.APPLIED
    assert "seen in effect" in report.outcomes[0].error
    assert bench.box.tenant.rotations(DOMAIN) == 1
    assert f"{DOMAIN}: rotate, sending {ROTATE}; the answer may take 2.5 s" in bench.said


MET_BY_A_READ = [  # fault, value, count, reason
    ("throttle", "1", 2, "asked again"),
    ("transient", "DCOverloadedException", 1, "asked again"),
    ("unavailable", "502", 3, "asked again"),
    ("reset-before", None, 2, "asked again"),
    ("reset-after", None, 1, "asked again"),
    ("wrong-json", None, 1, "asked again"),
    ("capital-value", None, 1, "read all the same"),
    ("string-booleans", None, 1, "read all the same"),
    ("concurrency", None, 1, "asked again"),
]


@pytest.mark.parametrize(
    ("kind", "value", "count", "reason"), MET_BY_A_READ, ids=[f"{r[0]}: {r[3]}" for r in MET_BY_A_READ]
)
def test_a_fault_met_by_a_read(bench: Bench, kind: str, value: str | None, count: int, reason: str) -> None:
    bench.fault(kind, cmdlet=LIST, value=value, count=count)
    report = bench.run(DOMAIN)
    assert [outcome.result for outcome in report.outcomes] == [Result.APPLIED], reason
    assert bench.box.tenant.rotations(DOMAIN) == 1


GIVES_UP = [  # fault, value, exit code, part of the message
    ("throttle", None, 6, "busy"),
    ("unavailable", "503", 6, "503"),
    ("reset-before", None, 6, "connection"),
    ("no-right", None, 10, "Get-DkimSigningConfig"),
    ("stray-error", None, 1, "Something went wrong"),
]


@pytest.mark.parametrize(("kind", "value", "code", "part"), GIVES_UP, ids=[row[0] for row in GIVES_UP])
def test_a_read_that_never_comes_ends_with_cause_and_code(
    bench: Bench, kind: str, value: str | None, code: int, part: str
) -> None:
    bench.fault(kind, cmdlet=LIST, value=value, count=0)
    with pytest.raises(ExchangeError) as caught:
        bench.run(DOMAIN)
    assert caught.value.exit_code == code
    assert part in str(caught.value)
    assert caught.value.correlation is not None
    assert bench.box.tenant.rotations(DOMAIN) == 0


def test_a_read_back_that_fails_leaves_the_change_open_and_the_next_run_finds_it(bench: Bench) -> None:
    report = bench.run(DOMAIN, between=lambda: bench.fault("unavailable", cmdlet=LIST, count=0))
    assert report.outcomes[0].result is Result.ACCEPTED
    assert report.exit_code == 6
    bench.box.faults.clear()
    again = bench.run(DOMAIN)
    assert "it took effect" in again.notes[0]
    assert bench.box.tenant.rotations(DOMAIN) == 1


def test_a_trouble_with_one_domain_does_not_stop_the_others(bench: Bench) -> None:
    report = bench.run(
        "due-a.example",
        "due-b.example",
        between=lambda: bench.fault("refuse", cmdlet=ROTATE, domain="due-a.example", value="No."),
    )
    assert [outcome.result for outcome in report.outcomes] == [Result.REFUSED, Result.APPLIED]
    assert report.exit_code == 5


def test_a_lost_right_stops_the_run_and_says_so(bench: Bench) -> None:
    report = bench.run("due-*", between=lambda: bench.fault("no-right", cmdlet=ROTATE, count=0))
    assert [outcome.result for outcome in report.outcomes] == [Result.REFUSED, Result.SKIPPED]
    assert report.exit_code == 10


SIGN_IN = [  # fault, value, part of the message or the hint
    ("sign-in", "7000215", "secret"),
    ("sign-in", "7000222", "expired"),
    ("sign-in", "700016", "application"),
    ("sign-in", "65001", "consent"),
    ("sign-in", "53003", "Conditional Access"),
    ("sign-in", "650052", "Exchange"),
    ("sign-in-throttle", "1", ""),
    ("sign-in-broken", None, ""),
    ("sign-in-malformed", None, ""),
]


@pytest.mark.parametrize(("kind", "value", "part"), SIGN_IN, ids=[f"{row[0]} {row[1]}" for row in SIGN_IN])
def test_a_sign_in_that_fails_names_cause_and_remedy(
    bench: Bench, kind: str, value: str | None, part: str
) -> None:
    bench.fault(kind, value=value, count=0)
    with pytest.raises(SignInError) as caught:
        bench.run(DOMAIN)
    assert caught.value.exit_code == 10
    assert part.lower() in f"{caught.value} {caught.value.hint}".lower()
    assert "sandbox-secret" not in f"{caught.value} {caught.value.hint}"


def test_a_token_that_takes_its_time_is_waited_for(bench: Bench) -> None:
    bench.fault("sign-in-slow", value="0.3")
    assert bench.run(DOMAIN).exit_code == 0


DNS_NO_VERDICT = [
    "dns-servfail",
    "dns-refused",
    "dns-timeout",
    "dns-garbage",
    "dns-bogus",
    "dns-truncate-hard",
]


@pytest.mark.parametrize("kind", DNS_NO_VERDICT)
def test_dns_without_a_verdict_blocks_and_is_never_missing(bench: Bench, kind: str) -> None:
    bench.fault(kind, domain=DOMAIN, count=0)
    plan = bench.plan(DOMAIN)
    (blockage,) = plan.blockages
    assert blockage.is_unknown
    assert {finding.code for finding in blockage.findings} == {"DKIM-LOOKUP-FAILED"}
    report = bench.run(DOMAIN)
    assert report.exit_code == 6
    assert bench.box.tenant.rotations(DOMAIN) == 0
    bench.box.faults.clear()
    assert bench.run(DOMAIN).exit_code == 0
    assert bench.box.tenant.rotations(DOMAIN) == 1


DNS_SURVIVED = ["dns-truncate", "dns-loss", "dns-wrong-id"]


@pytest.mark.parametrize("kind", DNS_SURVIVED)
def test_dns_trouble_that_a_resolver_lives_with(bench: Bench, kind: str) -> None:
    bench.fault(kind, domain=DOMAIN, count=0 if kind == "dns-truncate" else 1)
    assert bench.run(DOMAIN).exit_code == 0
    assert bench.box.tenant.rotations(DOMAIN) == 1


def test_cnames_that_point_at_each_other_are_a_defect_with_a_name(bench: Bench) -> None:
    bench.fault("dns-loop", domain=f"selector1._domainkey.{DOMAIN}", count=0)
    (blockage,) = bench.plan(DOMAIN).blockages
    assert not blockage.is_unknown
    assert "DKIM-CNAME-WRONG" in {finding.code for finding in blockage.findings}
    assert any("do not end" in finding.seen or "loop" in finding.message for finding in blockage.findings)


def test_dns_that_breaks_between_plan_and_change_stops_the_change(bench: Bench) -> None:
    report = bench.run(DOMAIN, between=lambda: bench.fault("dns-servfail", domain=DOMAIN, count=0))
    assert report.outcomes[0].result is Result.BLOCKED
    assert report.exit_code == 6
    assert bench.box.tenant.rotations(DOMAIN) == 0


def test_a_cname_that_goes_between_plan_and_change_stops_the_change(bench: Bench) -> None:
    owner = f"selector2._domainkey.{DOMAIN}"
    report = bench.run(DOMAIN, between=lambda: bench.box.remove_record(owner, "CNAME"))
    assert report.outcomes[0].result is Result.BLOCKED
    assert report.exit_code == 3
    assert bench.box.tenant.rotations(DOMAIN) == 0


def test_paging_that_goes_stale_is_begun_anew(bench: Bench) -> None:
    bench.fault("stale-page", count=1)
    assert bench.run(DOMAIN).exit_code == 0


def test_every_fault_there_is_has_a_test_here() -> None:
    met = {case.kind for case in MET_BY_A_WRITE} | {row[0] for row in (*MET_BY_A_READ, *GIVES_UP, *SIGN_IN)}
    met |= {*DNS_NO_VERDICT, *DNS_SURVIVED, "timeout-after", "sign-in-slow", "stale-page", "dns-loop"}
    # Those that this client cannot meet, because it sends an anchor and no batches: tests/sandbox has them.
    met |= {"wrong-backend", "batch-duplicate-id", "batch-missing-item"}
    # Faults of the zones' servers and of policy hosts: test_sandbox_dns.py and test_policy_faults.py have all of them.
    met |= {kind for kind in FAULT_KINDS if kind.startswith(("update-", "policy-"))}
    met |= {"dns-lag", "dns-lame", "dns-cache"}
    assert met == FAULT_KINDS.keys()


def test_a_person_is_told_why_it_takes_long(bench: Bench) -> None:
    bench.fault("throttle", cmdlet=LIST, value="7", count=1)
    said: list[str] = []
    with bench.session() as session:
        session._say = said.append
        session.reader.dkim_signing_configs()
    assert said == ["the service is busy or out of reach; trying again in 7 s"]
