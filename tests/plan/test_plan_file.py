import json
from dataclasses import replace
from datetime import timedelta

import pytest
from scenes import NOW, TENANT, accepted, config, mail_dns, name, rotated, scene, without_cname

from exo_auth.errors import ExoAuthError, InputError, PlanStale
from exo_auth.plan.change import Verb
from exo_auth.plan.dkim import plan_enable, plan_rotation
from exo_auth.plan.outcome import EXIT_PRIORITY, Outcome, Result, RunReport, worst_exit_code
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import check_applyable, from_text, to_text

PLAN = plan_rotation(
    scene(
        config("a.com"),
        rotated("b.com"),
        config("c.com"),
        config("d.com", timedelta(days=3)),
        dns={name("c.com"): mail_dns("c.com", selector2=without_cname("c.com"))},
    )
)


def test_a_plan_comes_back_as_it_was() -> None:
    assert from_text(to_text(PLAN), file="p.json") == PLAN


def test_a_created_domain_comes_back_as_it_was() -> None:
    plan = plan_enable(scene(domains=(accepted(),)))
    assert from_text(to_text(plan), file="p.json") == plan


def edited(**changes: object) -> str:
    return json.dumps(json.loads(to_text(PLAN)) | changes)


BAD_FILES = [  # text, error, part of the message, reason
    ("{", InputError, "p.json:1:2: not JSON", "cut off"),
    ("[]", InputError, "not a plan of this version", "another thing"),
    (edited(schema="exo-auth/plan/9"), InputError, "not a plan of this version", "of the future"),
    (edited(changes=[{}]), InputError, "not a whole plan: KeyError", "a field is gone"),
    (edited(made_at="2026-11-23T12:00:00"), InputError, "has no offset", "a time without offset"),
    (edited(changes=[]), PlanStale, "digest does not fit", "a change was cut out"),
    (edited(policy={}), PlanStale, "digest does not fit", "another policy"),
]


@pytest.mark.parametrize(("text", "error", "part", "reason"), BAD_FILES, ids=[row[3] for row in BAD_FILES])
def test_a_bad_file_is_refused(text: str, error: type[ExoAuthError], part: str, reason: str) -> None:
    with pytest.raises(error, match=part):
        from_text(text, file="p.json")


def test_a_plan_is_for_one_tenant_and_one_day() -> None:
    check_applyable(PLAN, tenant_id=TENANT.tenant_id, now=NOW + timedelta(hours=23))
    with pytest.raises(PlanStale, match="this is tenant other"):
        check_applyable(PLAN, tenant_id="other", now=NOW)
    with pytest.raises(PlanStale, match="expired at 2026-11-24 12:00Z"):
        check_applyable(PLAN, tenant_id=TENANT.tenant_id, now=NOW + timedelta(hours=24))


def test_a_plan_file_is_no_way_to_run_any_cmdlet() -> None:
    foreign = replace(PLAN, changes=(replace(PLAN.changes[0], cmdlet="Remove-Mailbox"),))
    with pytest.raises(InputError, match="never sends"):
        check_applyable(foreign, tenant_id=TENANT.tenant_id, now=NOW)
    with pytest.raises(InputError, match="never sends"):
        check_applyable(
            replace(PLAN, changes=(replace(PLAN.changes[0], verb=Verb.PUBLISH),)),
            tenant_id=TENANT.tenant_id,
            now=NOW,
        )


# Exit codes of a run

EMPTY = plan_rotation(scene(config("d.com", timedelta(days=3))))
CHANGE = PLAN.changes[0]


def report(*outcomes: Outcome, plan: Plan = EMPTY, interrupted: int = 0) -> RunReport:
    return RunReport("run", plan, outcomes, NOW, NOW, interrupted)


OK = Outcome(CHANGE, Result.APPLIED)
CODES = [  # report, code, reason
    (report(), 0, "nothing to do"),
    (report(OK), 0, "done"),
    (report(plan=PLAN), 3, "a person must act"),
    (report(OK, Outcome(CHANGE, Result.FAILED, exit_code=1)), 5, "some failed, some did not"),
    (report(Outcome(CHANGE, Result.FAILED, exit_code=1)), 1, "all failed"),
    (report(Outcome(CHANGE, Result.STALE, exit_code=8)), 8, "the tenant moved"),
    (report(OK, Outcome(CHANGE, Result.REFUSED, exit_code=10)), 10, "not permitted outranks partial"),
    (report(Outcome(CHANGE, Result.WAITING, exit_code=4)), 4, "come back later"),
    (report(Outcome(CHANGE, Result.UNKNOWN, exit_code=6), plan=PLAN), 6, "no verdict outranks a finding"),
    (report(OK, interrupted=130), 130, "Ctrl-C"),
    (report(OK, interrupted=143), 143, "SIGTERM"),
]


@pytest.mark.parametrize(("run", "code", "reason"), CODES, ids=[row[2] for row in CODES])
def test_exit_codes_of_runs(run: RunReport, code: int, reason: str) -> None:
    assert run.exit_code == code, reason


@pytest.mark.parametrize("index", range(len(EXIT_PRIORITY) - 1))
def test_the_higher_code_wins(index: int) -> None:
    higher, lower = EXIT_PRIORITY[index], EXIT_PRIORITY[index + 1]
    assert worst_exit_code({higher, lower}) == higher


def test_a_code_outside_the_list_is_kept() -> None:
    assert worst_exit_code({64}) == 64
    assert worst_exit_code(set()) == 0
