"""Each step on a tenant, twice: the second time changes nothing. And what a run costs."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench
from stand_in_pwsh import write_stand_in

from exo_auth.errors import InputError, NotPermitted, Refusal, TooMuchChange
from exo_auth.plan.dkim import plan_disable, plan_enable, plan_everything, plan_rotation, plan_upgrade
from exo_auth.plan.outcome import Result
from exo_auth.run.carry_out import Planner
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import (
    NO_PERMISSION_APP_ID,
    NO_ROLE_APP_ID,
    READER_APP_ID,
    Sandbox,
    SandboxOptions,
)
from exo_auth.sandbox.switches import Switches

DAY = timedelta(days=1)


def publish(bench: Bench) -> None:
    bench.box.publish_cnames("new.example")


def nothing(bench: Bench) -> None:
    """No preparation."""


STEPS: list[tuple[str, Planner, Callable[[Bench], None], str, int, str]] = [
    # domain, planner, before it, verb, exit code, reason
    ("new.example", plan_enable, nothing, "create", 4, "keys are made, signing off"),
    ("off.example", plan_enable, nothing, "enable", 0, "signing is switched on"),
    ("due-a.example", plan_rotation, nothing, "rotate", 0, "a due key, new form of target"),
    ("due-b.example", plan_rotation, nothing, "rotate", 0, "a due key, old form of target"),
    ("fresh.example", plan_disable, nothing, "disable", 0, "signing is switched off"),
    ("short.example", plan_upgrade, nothing, "rotate", 0, "the first of two rotations to 2048 bits"),
    ("contoso.onmicrosoft.com", plan_enable, nothing, "enable", 0, "the initial domain, which is not listed"),
    ("off.example", plan_everything, nothing, "enable", 0, "the next step a domain needs"),
]


def written(bench: Bench) -> list[object]:
    """What was asked of the tenant but looks; connecting the module is one."""
    looks = ("Get-", "EXOModuleFile")
    return [request for request in bench.box.requests if not request.cmdlet.startswith(looks)]


@pytest.fixture(params=["rest", "powershell"])
def both(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Bench:
    """The bench over the admin API, and over a stand-in for PowerShell."""
    folder = write_stand_in(tmp_path / "bin")
    bench.environment |= {"EXO_AUTH_TRANSPORT": request.param, "PATH": f"{folder}:{os.defpath}"}
    return bench


@pytest.mark.parametrize(
    ("domain", "planner", "prepare", "verb", "code", "reason"), STEPS, ids=[s[5] for s in STEPS]
)
def test_a_step_and_the_same_again(
    both: Bench,
    domain: str,
    planner: Planner,
    prepare: Callable[[Bench], None],
    verb: str,
    code: int,
    reason: str,
) -> None:
    bench = both
    prepare(bench)
    first = bench.run(domain, planner=planner)
    (outcome,) = first.outcomes
    assert (outcome.change.verb.value, outcome.result, first.exit_code) == (verb, Result.APPLIED, code), (
        reason
    )
    writes = written(bench)
    if verb != "create":
        again = bench.run(domain, planner=planner)
        assert (again.outcomes, again.exit_code) == ((), 0), reason
    else:
        assert bench.run(domain, planner=planner).exit_code == 3  # a person must publish the CNAMEs
    assert written(bench) == writes, "the second time wrote something"


def test_a_new_domain_from_nothing_to_signing(bench: Bench) -> None:
    created = bench.run("new.example", planner=plan_enable).outcomes[0]
    assert created.evidence["selector1_cname"].endswith("._domainkey.contoso.n-v1.dkim.mail.microsoft")
    assert created.evidence["selector1_key_size"] == 2048
    assert created.not_before is not None
    publish(bench)
    assert bench.run("new.example", planner=plan_enable).exit_code == 0
    assert bench.plan("new.example", planner=plan_everything).is_empty


def test_an_upgrade_takes_two_rotations_and_the_time_between(bench: Bench) -> None:
    assert bench.run("short.example", planner=plan_upgrade).exit_code == 0
    bench.box.advance(5 * DAY)
    assert bench.run("short.example", planner=plan_upgrade).exit_code == 4  # mail in transit
    bench.box.advance(7 * DAY)
    assert bench.run("short.example", planner=plan_upgrade).exit_code == 0
    bench.box.advance(12 * DAY)
    assert bench.plan("short.example", planner=plan_upgrade).steady
    assert bench.box.tenant.rotations("short.example") == 2


def test_a_year_of_nights_rotates_each_key_when_it_is_due_and_never_twice_in_a_window(bench: Bench) -> None:
    for _week in range(53):
        report = bench.run()
        assert all(outcome.result is Result.APPLIED for outcome in report.outcomes)
        bench.box.advance(7 * DAY)
    assert bench.rotations()["due-a.example"] == 3  # at once, and each 180 days
    assert bench.rotations()["fresh.example"] == 2
    assert bench.rotations()["off.example"] == 0


def test_an_enabling_that_exchange_does_not_see_yet_waits(bench: Bench) -> None:
    def hide() -> None:
        # Gone for Exchange's resolver at the moment of the cmdlet, there again when we look.
        bench.fault(
            "refuse", cmdlet="Set-DkimSigningConfig", value="CNAME record does not exist for this config. …"
        )

    report = bench.run("off.example", planner=plan_enable, between=hide)
    assert report.outcomes[0].result is Result.WAITING
    assert report.exit_code == 4
    assert report.outcomes[0].not_before is not None
    assert bench.run("off.example", planner=plan_enable).exit_code == 0


# What a run costs


@pytest.mark.parametrize("due", [0, 1, 7])
def test_planning_and_rotating_n_domains_costs_two_requests_and_two_for_each(
    tmp_path: Path, due: int
) -> None:
    specs = tuple(DomainSpec(f"d{number}.example") for number in range(due))
    initial = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True)
    with Sandbox(SandboxOptions((initial, *specs))) as box:
        bench = Bench(box, tmp_path)
        report = bench.run(environment={"EXO_AUTH_MAX_SHARE": "100%"})
        assert len(report.outcomes) == due
        assert len(box.requests) == 2 + 2 * due


def test_a_caller_without_an_administrators_role_costs_one_request_more(bench: Bench) -> None:
    bench.environment["EXO_AUTH_CLIENT_ID"] = READER_APP_ID
    with pytest.raises(NotPermitted) as caught:
        bench.run("due-a.example")
    assert caught.value.refusal is Refusal.CMDLET_NOT_GRANTED
    assert "Rotate-DkimSigningConfig" in str(caught.value)
    assert "Exchange Administrator" in (caught.value.hint or "")
    assert [request.cmdlet for request in bench.box.requests] == [
        "Get-AcceptedDomain",
        "Get-DkimSigningConfig",
        "EXOModuleFile",
    ]


@pytest.mark.parametrize(
    ("app", "refusal", "part"),
    [
        (NO_ROLE_APP_ID, Refusal.NO_ROLE, "Roles and administrators"),
        (NO_PERMISSION_APP_ID, Refusal.NO_PERMISSION, "Exchange.ManageAsApp"),
    ],
)
def test_missing_rights_are_named_with_their_remedy(
    bench: Bench, app: str, refusal: Refusal, part: str
) -> None:
    bench.environment["EXO_AUTH_CLIENT_ID"] = app
    with pytest.raises(NotPermitted) as caught:
        bench.run("due-a.example")
    assert caught.value.refusal is refusal
    assert part in (caught.value.hint or "")


# Brakes


def test_too_much_at_once_is_refused_with_the_numbers(bench: Bench) -> None:
    bench.environment["EXO_AUTH_MAX_CHANGES"] = "1"
    with pytest.raises(TooMuchChange, match="2 changes in one run; the limit is 1"):
        bench.run("due-*")
    assert sum(bench.rotations().values()) == 0


def test_somebody_else_who_rotates_at_the_same_moment_makes_it_one_rotation_not_two(bench: Bench) -> None:
    report = bench.run("due-a.example", between=lambda: bench.box.tenant.rotate("due-a.example", None))
    assert report.outcomes[0].result is Result.ALREADY_SO
    assert bench.box.tenant.rotations("due-a.example") == 1


def test_a_domain_the_tenant_does_not_accept_is_an_error(bench: Bench) -> None:
    with pytest.raises(InputError, match="not an accepted domain"):
        bench.run("stranger.example")


# What nobody knows about the service, both ways

SWITCHES = [
    ("empty_write_body=list", "a write answers with an empty list"),
    ("selector_case=capital", "Selector1 in the rotation fields"),
    ("nul_403_gzip=false", "a 403 that is plain zero bytes"),
    ("not_found_status=400", "a missing object is a 400"),
    ("unknown_identity=empty_object", "an unknown identity gives an empty object"),
    ("anchor_needed=true", "a request without anchor is refused"),
    ("blank_cnames_in_window=true", "the CNAME fields are blank while a rotation is pending"),
    ("hidden_initial_new_refused=false", "New takes the initial domain"),
    ("rotation_in_window=swaps", "a second rotation would not be refused"),
    ("domain_without_keys=listed", "domains without keys are listed"),
]


@pytest.mark.parametrize(("switch", "reason"), SWITCHES, ids=[row[1] for row in SWITCHES])
def test_a_guess_about_the_service_may_be_wrong(tmp_path: Path, switch: str, reason: str) -> None:
    specs = (
        DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
        DomainSpec("due.example"),
    )
    with Sandbox(SandboxOptions(specs, switches=Switches.parse((switch,)))) as box:
        bench = Bench(box, tmp_path)
        report = bench.run("due.example")
        assert [outcome.result for outcome in report.outcomes] == [Result.APPLIED], reason
        assert bench.run("due.example").exit_code == 0
        assert box.tenant.rotations("due.example") == 1


def test_a_domain_that_is_listed_without_keys_gets_them_and_then_signs(tmp_path: Path) -> None:
    specs = (
        DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
        DomainSpec("bare.example", listed=False, cnames="none"),
    )
    switches = Switches.parse(("domain_without_keys=listed",))
    with Sandbox(SandboxOptions(specs, switches=switches)) as box:
        bench = Bench(box, tmp_path)
        assert bench.plan("bare.example").deferrals[0].reason.startswith("signing is not switched on")
        first = bench.run("bare.example", planner=plan_enable)
        assert (first.outcomes[0].result, first.exit_code) == (Result.WAITING, 4)
        assert bench.run("bare.example", planner=plan_enable).exit_code == 3  # the CNAMEs are to be published
        box.publish_cnames("bare.example")
        box.advance(timedelta(minutes=31))  # Exchange remembers that they were absent
        assert bench.run("bare.example", planner=plan_enable).exit_code == 0
        assert bench.run("bare.example", planner=plan_enable).outcomes == ()
