import itertools
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import (
    HOUR,
    NOW,
    TENANT,
    accepted,
    config,
    key_text,
    mail_dns,
    name,
    rotated,
    scene,
    selector_dns,
    target,
    without_cname,
)

from exo_auth.errors import TooMuchChange
from exo_auth.facts.dns import FailureReason, LookupFailed
from exo_auth.facts.tenant import DkimSigningConfig, SelectorKey
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dkim import (
    DkimPolicy,
    RotationPhase,
    Scene,
    plan_disable,
    plan_enable,
    plan_everything,
    plan_rotation,
    plan_upgrade,
    rotation_due_at,
)
from exo_auth.plan.dkim_state import Effect, differences, effect_of, snapshot_of
from exo_auth.plan.limits import Limits
from exo_auth.plan.outcome import plan_exit_codes
from exo_auth.plan.plan import Plan, limit_excess, refuse_excess
from exo_auth.plan.status import calendar, status_rows

DOMAIN = name("contoso.com")
DAY = timedelta(days=1)
TIMEOUT = LookupFailed(FailureReason.TIMEOUT, "no answer", temporary=True)
BROKEN = {DOMAIN: mail_dns(selector2=without_cname())}
UNKNOWN = {
    DOMAIN: mail_dns(selector1=replace(selector_dns("contoso.com", "selector1", key_text(1)), cname=TIMEOUT))
}


def short(bits: tuple[int, int], **changes: object) -> DkimSigningConfig:
    return config(
        selector1=SelectorKey("selector1", target("contoso.com", "selector1"), bits[0], key_text(1)),
        selector2=SelectorKey("selector2", target("contoso.com", "selector2"), bits[1], key_text(2)),
        **changes,
    )


def kinds(plan: Plan) -> list[str]:
    return (
        [f"{change.verb}" for change in plan.changes]
        + ["waiting" if part.is_waiting else "deferred" for part in plan.deferrals]
        + ["unknown" if part.is_unknown else "blocked" for part in plan.blockages]
        + ["steady" for _ in plan.steady]
    )


ROTATION = [  # scene, what the domain becomes, exit codes, reason
    (scene(config()), ["rotate"], {0}, "200 days old, limit 180"),
    (scene(config(age=10 * DAY)), ["steady"], {0}, "young"),
    (scene(config(age=180 * DAY)), ["rotate"], {0}, "exactly as old as the limit"),
    (scene(config(age=180 * DAY - timedelta(seconds=1))), ["steady"], {0}, "one second younger"),
    (scene(rotated(age=DAY)), ["deferred"], {0}, "pending is nothing to do"),
    (scene(rotated(age=5 * DAY)), ["steady"], {0}, "switched yesterday"),
    (scene(config(enabled=False)), ["deferred"], {0}, "nothing signs, nothing to rotate"),
    (scene(config(status="NoDKIMKeys")), ["deferred"], {0}, "no keys"),
    (scene(config(), dns=BROKEN), ["blocked"], {0, 3}, "the idle selector's CNAME is missing"),
    (scene(config(), dns=UNKNOWN), ["unknown"], {0, 6}, "DNS did not answer"),
    (scene(config(status="CnameMissing")), ["waiting"], {0, 4}, "due, and only time is missing"),
    (scene(config(age=DAY), dns=BROKEN), ["steady"], {0}, "not due: a defect is a matter of check"),
    (scene(config(age=DAY), dns=UNKNOWN), ["steady"], {0}, "not due: nothing to look up for"),
    (scene(config(key_created=None)), ["blocked"], {0, 3}, "no age, no rotation"),
    (
        scene(rotated(age=5 * DAY), policy=DkimPolicy(max_key_age=DAY)),
        ["steady"],
        {0},
        "the old key must outlive mail in transit",
    ),
    (scene(rotated(age=12 * DAY), policy=DkimPolicy(max_key_age=DAY)), ["rotate"], {0}, "... for seven days"),
]


@pytest.mark.parametrize(("at", "becomes", "codes", "reason"), ROTATION, ids=[row[3] for row in ROTATION])
def test_rotation(at: Scene, becomes: list[str], codes: set[int], reason: str) -> None:
    plan = plan_rotation(at)
    assert kinds(plan) == becomes, reason
    assert plan_exit_codes(plan) == codes, reason


def test_a_rotation_says_what_will_be_and_why() -> None:
    (change,) = plan_rotation(scene(config())).changes
    assert change.after["selector_after_rotation"] == "selector2"
    assert change.parameters == {"KeySize": 2048}
    assert "200 days old (limit 180 days)" in change.because
    assert change.key == "rotate:contoso.com"
    assert change.before == snapshot_of(config())


def test_a_pending_rotation_says_until_when() -> None:
    (deferral,) = plan_rotation(scene(rotated(age=DAY))).deferrals
    assert deferral.retry_after == NOW + timedelta(hours=72)
    assert not deferral.is_waiting


def test_a_stuck_rotation_blocks_the_next() -> None:
    dns = {DOMAIN: mail_dns(selector2=selector_dns("contoso.com", "selector2", key_text(9)))}
    at = scene(rotated(age=200 * DAY), dns=dns)
    (blockage,) = plan_rotation(at).blockages
    assert blockage.findings[0].code == "DKIM-ROTATION-STUCK"
    assert status_rows(at)[0].phase == RotationPhase.STUCK.value


def test_a_change_in_flight_defers_the_domain() -> None:
    at = replace(scene(config()), in_flight={DOMAIN: NOW + HOUR})
    assert kinds(plan_rotation(at)) == ["waiting"]


ENABLING = [
    (scene(config(enabled=False, status="CnameMissing")), ["enable"], "both CNAMEs are live"),
    (scene(config()), ["steady"], "already on"),
    (scene(config(enabled=False), dns=BROKEN), ["blocked"], "a CNAME is missing"),
    (scene(config(enabled=False), dns=UNKNOWN), ["unknown"], "DNS did not answer"),
    (scene(domains=(accepted(),)), ["create"], "no configuration yet"),
    (scene(config(enabled=False, status="NoDKIMKeys")), ["enable"], "a row without keys gets them by Set"),
    (scene(domains=(accepted(is_initial=True),)), ["enable"], "the initial domain needs no CNAMEs of ours"),
    (scene(config(enabled=False, status="Frozen")), ["blocked"], "no write to an unknown status"),
]


@pytest.mark.parametrize(("at", "becomes", "reason"), ENABLING, ids=[row[2] for row in ENABLING])
def test_enabling(at: Scene, becomes: list[str], reason: str) -> None:
    assert kinds(plan_enable(at)) == becomes, reason


def test_keys_are_made_with_2048_bits_and_signing_off() -> None:
    (change,) = plan_enable(scene(domains=(accepted(),))).changes
    assert (change.cmdlet, change.parameters) == (
        "New-DkimSigningConfig",
        {"KeySize": 2048, "Enabled": False},
    )


DISABLING = [
    (scene(config()), ["disable"], "on"),
    (scene(config(enabled=False)), ["steady"], "off"),
    (scene(domains=(accepted(),)), ["steady"], "absent is off"),
    (scene(config(status="Frozen")), ["blocked"], "an unknown status"),
]


@pytest.mark.parametrize(("at", "becomes", "reason"), DISABLING, ids=[row[2] for row in DISABLING])
def test_disabling(at: Scene, becomes: list[str], reason: str) -> None:
    assert kinds(plan_disable(at)) == becomes, reason


UPGRADING = [
    (scene(config()), ["steady"], "both have 2048 bits"),
    (scene(short((1024, 1024), key_created=NOW - DAY, rotate_on=NOW - DAY)), ["rotate"], "both are short"),
    (scene(short((1024, 2048), key_created=NOW - DAY, rotate_on=NOW - DAY)), ["rotate"], "either counts"),
    (
        scene(short((1024, 1024), key_created=NOW - DAY, rotate_on=NOW + 3 * DAY)),
        ["deferred"],
        "the first is pending",
    ),
    (
        scene(short((1024, 2048), key_created=NOW - 5 * DAY, rotate_on=NOW - DAY)),
        ["waiting"],
        "the second waits for mail in transit",
    ),
    (
        scene(short((1024, 2048), key_created=NOW - 15 * DAY, rotate_on=NOW - 11 * DAY)),
        ["rotate"],
        "then it comes",
    ),
    (scene(short((1024, 1024)), dns=BROKEN), ["blocked"], "the gate holds"),
    (scene(config(enabled=False)), ["deferred"], "nothing signs"),
    (scene(domains=(accepted(),)), ["deferred"], "nothing there"),
]


@pytest.mark.parametrize(("at", "becomes", "reason"), UPGRADING, ids=[row[2] for row in UPGRADING])
def test_upgrading(at: Scene, becomes: list[str], reason: str) -> None:
    assert kinds(plan_upgrade(at)) == becomes, reason


EVERYTHING = [
    (scene(domains=(accepted(),)), ["create"], "first keys"),
    (scene(config(enabled=False)), ["enable"], "then signing"),
    (scene(short((1024, 1024), key_created=NOW - DAY, rotate_on=NOW - DAY)), ["rotate"], "then longer keys"),
    (scene(config()), ["rotate"], "then age"),
    (scene(config(age=DAY)), ["steady"], "then nothing"),
    (
        scene(domains=(accepted("contoso.onmicrosoft.com", is_initial=True),)),
        ["deferred"],
        "the initial one is left",
    ),
]


@pytest.mark.parametrize(("at", "becomes", "reason"), EVERYTHING, ids=[row[2] for row in EVERYTHING])
def test_the_next_step_of_each_domain(at: Scene, becomes: list[str], reason: str) -> None:
    assert kinds(plan_everything(at)) == becomes, reason


# The digest, the limits


def test_the_digest_is_the_decision_and_not_the_minute() -> None:
    plan = plan_rotation(scene(config()))
    assert replace(plan, made_at=NOW + HOUR).digest == plan.digest
    assert plan_rotation(scene(config(age=201 * DAY))).digest != plan.digest
    assert plan_rotation(scene(config(), policy=DkimPolicy(key_size=1024))).digest != plan.digest
    assert replace(plan, tenant=replace(TENANT, tenant_id="x")).digest != plan.digest


LIMITS = [  # changes, considered, limits, part of the sentence, reason
    (25, 1000, Limits(), None, "as many as allowed"),
    (26, 1000, Limits(), "26 changes in one run; the limit is 25", "one more"),
    (5, 9, Limits(), None, "a share of few domains says nothing"),
    (6, 10, Limits(), "6 of 10 domains would change, 60%; the limit is 50%", "from ten domains on it does"),
    (5, 10, Limits(), None, "half is allowed"),
    (0, 0, Limits(), None, "nothing"),
]


@pytest.mark.parametrize(
    ("changes", "considered", "limits", "part", "reason"), LIMITS, ids=[r[4] for r in LIMITS]
)
def test_limits_tell_their_numbers(
    changes: int, considered: int, limits: Limits, part: str | None, reason: str
) -> None:
    excess = limit_excess(changes, considered, limits)
    assert (excess is None) if part is None else (part in (excess or "")), reason


def test_a_plan_over_a_limit_is_refused() -> None:
    plan = plan_rotation(scene(config("a.com"), config("b.com"), limits=Limits(changes_per_run=1)))
    with pytest.raises(TooMuchChange, match="2 changes in one run; the limit is 1"):
        refuse_excess(plan)
    refuse_excess(replace(plan, exceeds_limit=None))


# Effects


def rotation(row: DkimSigningConfig) -> Change:
    return plan_rotation(scene(row)).changes[0]


EFFECTS = [
    (rotation(config()), rotated(age=HOUR), Effect.DONE, "swapped, window set anew"),
    (rotation(config()), config(), Effect.NOT_DONE, "as before"),
    (rotation(config()), config(enabled=False), Effect.OTHER, "somebody switched it off"),
    (rotation(config()), None, Effect.OTHER, "somebody removed it"),
    (
        rotation(rotated(age=200 * DAY)),
        config(age=150 * DAY, selector_before_rotation="selector2", selector_after_rotation="selector1"),
        Effect.DONE,
        "the way back",
    ),
    (plan_disable(scene(config())).changes[0], config(enabled=False), Effect.DONE, "off"),
    (plan_enable(scene(config(enabled=False))).changes[0], config(), Effect.DONE, "on"),
    (
        plan_enable(scene(domains=(accepted(),))).changes[0],
        config(enabled=False),
        Effect.DONE,
        "keys are there",
    ),
    (plan_enable(scene(domains=(accepted(),))).changes[0], None, Effect.NOT_DONE, "no keys yet"),
    (
        plan_enable(scene(domains=(accepted(),))).changes[0],
        config(status="NoDKIMKeys"),
        Effect.OTHER,
        "a row without keys",
    ),
]


@pytest.mark.parametrize(("change", "row", "effect", "reason"), EFFECTS, ids=[row[3] for row in EFFECTS])
def test_what_became_of_a_change(
    change: Change, row: DkimSigningConfig | None, effect: Effect, reason: str
) -> None:
    assert effect_of(change, row) is effect, reason


def test_differences_are_told_in_words() -> None:
    moved = differences(snapshot_of(config()), snapshot_of(config(enabled=False, key_created=None)))
    assert moved == ("enabled: true, now false", f"key_created: {(NOW - 200 * DAY).isoformat()}, now nothing")


# What is shown


def test_the_status_of_a_pending_domain_says_when_it_switches() -> None:
    (row,) = status_rows(scene(rotated(age=DAY)))
    assert (row.phase, row.active_selector, row.rotate_on) == ("pending", "selector1", NOW + 3 * DAY)
    assert "selector2 takes over at 2026-11-26 12:00Z" in row.note


def test_the_status_of_a_domain_without_keys() -> None:
    (row,) = status_rows(scene(domains=(accepted(),)))
    assert (row.phase, row.active_selector, row.key_age, row.due_at) == ("off", "", None, None)
    assert row.note.startswith("DKIM-NOT-CREATED")


def test_the_calendar_lists_switches_and_due_dates_in_order() -> None:
    at = scene(rotated("a.com", age=DAY), config("b.com", age=170 * DAY), config("c.com", enabled=False))
    assert [(entry.domain.ascii, entry.what) for entry in calendar(at)] == [
        ("a.com", "switch"),
        ("b.com", "rotation due"),
        ("b.com", "switch at the latest"),
        ("a.com", "rotation due"),
        ("a.com", "switch at the latest"),
    ]


def test_the_calendar_tells_of_a_closed_gate() -> None:
    assert calendar(scene(config(), dns=BROKEN))[0].note == "the gate is blocked today"


def test_no_age_no_due_date() -> None:
    assert rotation_due_at(config(rotate_on=None), DkimPolicy()) is None


# No sequence of nights rotates a domain twice within a window, or more often than the policy asks for.


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=40),
    st.integers(1, 200),
)
def test_nights_in_any_rhythm_never_rotate_early(gaps: list[int], limit_days: int) -> None:
    policy = DkimPolicy(max_key_age=limit_days * DAY)
    row, now = config(age=timedelta(0)), NOW
    rotations: list[datetime] = []
    for gap in gaps:
        now += gap * DAY
        plan = plan_rotation(scene(row, policy=policy, now=now))
        for change in plan.changes:
            rotations.append(now)
            row = replace(
                row,
                key_created=now,
                rotate_on=now + timedelta(hours=96),
                selector_before_rotation=change.after["selector_before_rotation"],
                selector_after_rotation=change.after["selector_after_rotation"],
            )
    at_least = max(limit_days * DAY, 11 * DAY)
    assert all(later - earlier >= at_least for earlier, later in itertools.pairwise(rotations))


def test_one_domain_ends_up_in_exactly_one_place() -> None:
    at = scene(config("a.com"), rotated("b.com"), config("c.com", age=DAY), dns={})
    plan = plan_rotation(at)
    places: list[Change | Deferral | Blockage] = [*plan.changes, *plan.deferrals, *plan.blockages]
    names = [part.target for part in places] + list(plan.steady)
    assert sorted(names) == list(at.chosen)
    assert not plan.is_empty
    assert Verb.ROTATE.sign == "~"
