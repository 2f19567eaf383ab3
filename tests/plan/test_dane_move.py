"""The way to inbound DANE and back: each step at each point of it, and a walk over all of it that never strands mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Deferral
from exo_auth.plan.dane_move import (
    DaneScene,
    DaneStep,
    Moved,
    Part,
    dane_step,
    needs_step,
    why_dane_must_wait,
    why_dnssec_must_stay,
    why_mx_must_stay,
)
from exo_auth.plan.mail_flow import DISABLE_DANE, DISABLE_DNSSEC, ENABLE_DANE, ENABLE_DNSSEC
from exo_auth.plan.plan_file import OCTODNS

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OLD, NEW = "contoso-com.mail.protection.outlook.com", "contoso-com.o-v1.mx.microsoft"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def scene(**more: Any) -> DaneScene:
    """A domain at the start, in a signed zone that octoDNS writes."""
    start = DaneScene(
        DomainName("contoso.com"),
        NOW,
        new_host="",
        dnssec_on=False,
        dane_on=False,
        zone_signed=True,
        mx=((0, OLD),),
        mx_ttl=3600,
        writes_dns=True,
        former_host=OLD,
    )
    return replace(start, **more)


ON: dict[str, Any] = {"dnssec_on": True, "new_host": NEW, "mx_ttl": 60}
BOTH = ((0, OLD), (20, NEW))
SWAPPED = ((0, NEW), (30, OLD))
ALONE = ((0, NEW),)
ENDED: dict[str, Any] = {**ON, "mx": ALONE, "mx_ttl": 3600, "dane_on": True}
S = DaneStep

STEPS: list[tuple[DaneStep, dict[str, Any], str, str]] = [  # step, scene, what comes of it, reason
    (S.LOWER_TTL, {}, f"0 {OLD} ttl 60", "the TTL is lowered"),
    (S.LOWER_TTL, {"mx_ttl": 60}, "through", "it is low"),
    (
        S.LOWER_TTL,
        {"mx_ttl": 60, "moved": Moved(NOW - MINUTE, 3600)},
        "not before 12:59",
        "the old TTL is waited for",
    ),
    (
        S.LOWER_TTL,
        {"mx_ttl": 60, "moved": Moved(NOW - HOUR, 3600)},
        "through",
        "nobody remembers the old one",
    ),
    (S.LOWER_TTL, {"zone_signed": False}, "not signed with DNSSEC", "an unsigned zone"),
    (
        S.LOWER_TTL,
        {"zone_signed": False, "unsigned_because": "com has no DS record for contoso.com"},
        "not signed with DNSSEC (com has no DS record",
        "an unsigned zone, as we found ourselves",
    ),
    (
        S.LOWER_TTL,
        {"mx": ((0, OLD), (5, "mx.other.example"))},
        "one record of preference 0 or 10",
        "two exchangers",
    ),
    (S.LOWER_TTL, {"mx": ((5, OLD),)}, "one record of preference 0 or 10", "an odd preference"),
    (S.LOWER_TTL, {"mx": ()}, "now: nothing", "no exchanger"),
    (
        S.LOWER_TTL,
        {"policy_mode": "enforce"},
        "serve it in testing first",
        "a policy that cannot name the host yet",
    ),
    (S.LOWER_TTL, {"policy_mode": "testing"}, f"0 {OLD} ttl 60", "a policy that only tests"),
    (S.LOWER_TTL, {"writes_dns": False}, f"publish at contoso.com: MX 0 {OLD}, TTL 60", "a person publishes"),
    (S.LOWER_TTL, ON, "through", "DNSSEC is on: it is past this"),
    (S.LOWER_TTL, ENDED, "through", "all is done, and the TTL is high again"),
    (S.DNSSEC, {"mx_ttl": 60}, ENABLE_DNSSEC, "DNSSEC is switched on"),
    (S.DNSSEC, {"mx_ttl": 60, "zone_signed": False}, "not signed with DNSSEC", "not in an unsigned zone"),
    (S.DNSSEC, ENDED, "through", "it is on"),
    (S.SECOND_MX, ON, f"0 {OLD}, 20 {NEW} ttl 60", "the new host is the second choice"),
    (S.SECOND_MX, {**ON, "mx": BOTH}, "through", "it is told"),
    (S.SECOND_MX, {**ON, "writes_dns": False}, f"MX 0 {OLD} and 20 {NEW}", "a person publishes"),
    (S.SWAP_MX, {**ON, "mx": BOTH}, f"0 {NEW}, 30 {OLD} ttl 60", "the new host becomes the first choice"),
    (
        S.SWAP_MX,
        {**ON, "mx": BOTH, "policy_mode": "enforce"},
        "does not name",
        "not while a policy forbids it",
    ),
    (
        S.SWAP_MX,
        {**ON, "mx": BOTH, "policy_mode": "enforce", "policy_allows": frozenset({NEW, OLD})},
        f"0 {NEW}, 30 {OLD} ttl 60",
        "a policy that names both",
    ),
    (S.SWAP_MX, {**ON, "mx": ((0, OLD), (0, NEW))}, f"0 {NEW}, 30 {OLD} ttl 60", "equal is not first"),
    (S.SWAP_MX, {**ON, "mx": SWAPPED}, "through", "it is first"),
    (
        S.SWAP_MX,
        {**ON, "mx": BOTH, "policy_mode": "testing", "policy_forgotten": NOW + HOUR},
        "not before 13:00",
        "senders may remember another policy",
    ),
    (
        S.SWAP_MX,
        {**ON, "mx": BOTH, "policy_mode": "testing", "policy_forgotten": NOW},
        f"0 {NEW}, 30 {OLD}",
        "none does any more",
    ),
    (S.DROP_OLD_MX, {**ON, "mx": SWAPPED}, f"0 {NEW} ttl 3600", "the old host goes"),
    (
        S.DROP_OLD_MX,
        {**ON, "mx": SWAPPED, "moved": Moved(NOW, 60)},
        "not before 12:01",
        "the set before is waited for",
    ),
    (S.DROP_OLD_MX, {**ON, "mx": ALONE}, "through", "it is gone"),
    (S.DANE, {**ON, "mx": ALONE}, ENABLE_DANE, "DANE is switched on"),
    (S.DANE, {**ON, "mx": ((10, NEW),)}, ENABLE_DANE, "the cmdlet's own sample has 10"),
    (S.DANE, {**ON, "mx": SWAPPED}, "must lead to", "not while another host takes mail"),
    (S.DANE, {**ON, "mx": ((5, NEW),)}, "at 0 or 10", "not at an odd preference"),
    (S.DANE, {**ON, "mx": ALONE, "zone_signed": False}, "not signed", "not in an unsigned zone"),
    (S.DANE, {}, "DNSSEC is not enabled", "not before DNSSEC"),
    (S.DANE, ENDED, "through", "it is on"),
    (S.VERIFY, {**ENDED, "tlsa_shows": True}, "through", "TLSA records show"),
    (S.VERIFY, {**ENDED, "dane_since": NOW - MINUTE}, "not before 12:29", "they take half an hour"),
    (S.VERIFY, {**ENDED, "dane_since": NOW - HOUR}, "no TLSA record shows", "they never came"),
    (S.VERIFY, ENDED, "no TLSA record shows", "nobody knows since when DANE is on"),
    (
        S.VERIFY,
        {**ENDED, "tlsa_shows": True, "complaint": "MX is wrong"},
        "MX is wrong",
        "Exchange Online objects",
    ),
    (S.DANE_OFF, ENDED, DISABLE_DANE, "DANE is switched off first"),
    (S.DANE_OFF, {**ON, "mx": ALONE}, "through", "it is off"),
    (S.MX_BACK, ENDED, "DANE is on", "not while DANE is on"),
    (
        S.MX_BACK,
        {**ON, "mx": ALONE, "dane_since": NOW - MINUTE},
        "not before 12:59",
        "TLSA records are remembered",
    ),
    (S.MX_BACK, {**ON, "mx": ALONE}, f"0 {OLD}, 30 {NEW} ttl 60", "mail goes back"),
    (S.MX_BACK, {**ON, "mx": ALONE, "former_host": ""}, "is not known", "to where?"),
    (
        S.MX_BACK,
        {**ON, "mx": ALONE, "policy_mode": "enforce"},
        "does not name",
        "a policy forbids the former host",
    ),
    (
        S.MX_BACK,
        {**ON, "mx": ALONE, "policy_mode": "testing", "policy_forgotten": NOW + HOUR},
        "remember the MTA-STS policy",
        "the same on the way back",
    ),
    (S.MX_BACK, {**ON, "mx": BOTH}, "through", "mail goes there already"),
    (S.MX_BACK, {}, "through", "it never moved"),
    (S.DROP_NEW_MX, {**ON, "mx": ((0, OLD), (30, NEW))}, f"0 {OLD} ttl 3600", "the new host goes"),
    (
        S.DROP_NEW_MX,
        {**ON, "mx": ((0, OLD), (30, NEW)), "moved": Moved(NOW, 3600)},
        "not before 13:00",
        "not while anybody remembers it alone",
    ),
    (S.DROP_NEW_MX, {**ON, "mx": ((0, OLD),)}, "through", "it is gone"),
    (S.DNSSEC_OFF, {**ON}, DISABLE_DNSSEC, "DNSSEC is switched off last"),
    (S.DNSSEC_OFF, {**ON, "mx": BOTH}, "MX still leads to", "not while mail may go there"),
    (S.DNSSEC_OFF, {**ON, "mx": ()}, "MX leads nowhere", "not without an exchanger"),
    (S.DNSSEC_OFF, {**ON, "moved": Moved(NOW, 60)}, "not before 12:01", "not while anybody remembers it"),
    (S.DNSSEC_OFF, ENDED, "DANE is on", "not while DANE is on"),
    (S.DNSSEC_OFF, {}, "through", "it is off"),
]


def told(part: Part) -> str:
    """What came of a step, in one text."""
    if part is None:
        return "through"
    if isinstance(part, Change):
        is_set = part.cmdlet == OCTODNS
        return f"{', '.join(part.after['values'])} ttl {part.after['ttl']}" if is_set else part.cmdlet
    when = part.retry_after if isinstance(part, Deferral) else None
    return f"{part.reason}; not before {when:%H:%M}" if when else part.reason


@pytest.mark.parametrize(
    ("step", "more", "part", "reason"), STEPS, ids=[f"{row[0]}-{row[3]}" for row in STEPS]
)
def test_each_step(step: DaneStep, more: dict[str, Any], part: str, reason: str) -> None:
    assert part in told(dane_step(scene(**more), step)), reason


ASKED: list[tuple[DaneStep, dict[str, Any], bool, str]] = [
    (S.POLICY, {**ON, "mx": BOTH}, False, "no policy"),
    (S.POLICY, {**ON, "mx": BOTH, "policy_mode": "testing"}, True, "file and id may be those of before"),
    (S.POLICY, {**ON, "mx": SWAPPED, "policy_mode": "testing"}, False, "after the swap"),
    (S.PROBE, {**ON, "mx": BOTH}, True, "before the swap"),
    (S.PROBE, {**ON, "mx": SWAPPED}, False, "after it"),
    (S.ENFORCE, {**ENDED, "policy_mode": "testing"}, True, "a policy that only tests"),
    (S.ENFORCE, {**ENDED, "policy_mode": "enforce"}, True, "the id of one in enforce"),
    (S.ENFORCE, {**ENDED, "policy_mode": "none"}, False, "one that was taken back"),
    (S.ENFORCE, ENDED, False, "none"),
    (S.POLICY_BACK, {**ENDED, "policy_mode": "enforce"}, True, "before mail goes back"),
    (S.POLICY_BACK, {**ON, "mx": BOTH, "policy_mode": "enforce"}, False, "after it"),
    (S.POLICY_BACK, ENDED, False, "none to name it"),
]


@pytest.mark.parametrize(
    ("step", "more", "needed", "reason"), ASKED, ids=[f"{row[0]}-{row[3]}" for row in ASKED]
)
def test_steps_that_ask_somebody_else(
    step: DaneStep, more: dict[str, Any], needed: bool, reason: str
) -> None:
    assert needs_step(scene(**more), step) is needed, reason
    assert dane_step(scene(**more), step) is None


FORWARD = (S.LOWER_TTL, S.DNSSEC, S.SECOND_MX, S.SWAP_MX, S.DROP_OLD_MX, S.DANE, S.VERIFY)
BACK = (S.DANE_OFF, S.MX_BACK, S.DROP_NEW_MX, S.DNSSEC_OFF)


def applied(before: DaneScene, change: Change) -> DaneScene:
    """The domain after a change."""
    if change.cmdlet == OCTODNS:
        records = sorted((int(value.split()[0]), value.split()[1]) for value in change.after["values"])
        moved = Moved(before.now, int(change.before["ttl"]))
        return replace(before, mx=tuple(records), mx_ttl=int(change.after["ttl"]), moved=moved)
    if change.cmdlet in (ENABLE_DANE, DISABLE_DANE):
        is_on = change.cmdlet == ENABLE_DANE
        return replace(before, dane_on=is_on, dane_since=before.now, tlsa_shows=is_on)
    is_on = change.cmdlet == ENABLE_DNSSEC
    return replace(before, dnssec_on=is_on, new_host=NEW if is_on else "")


@given(st.lists(st.tuples(st.sampled_from((FORWARD, BACK)), st.integers(0, 5000)), min_size=1, max_size=40))
def test_no_order_of_runs_strands_mail(runs: list[tuple[tuple[DaneStep, ...], int]]) -> None:
    """Whoever turns round wherever: mail has a host that is there, and DANE is never on for another one."""
    now = scene()
    for steps, seconds in runs:
        part = next((part for step in steps if (part := dane_step(now, step)) is not None), None)
        if isinstance(part, Change):
            now = applied(now, part)
        assert now.mx, "mail has no way"
        assert NEW not in now.hosts or now.dnssec_on, "mail goes to a host that is gone"
        assert not now.dane_on or now.has_moved, "senders ask for TLSA records of a host without"
        now = replace(now, now=now.now + timedelta(seconds=seconds))


@pytest.mark.parametrize("steps", [FORWARD, BACK], ids=["forward", "back"])
def test_the_whole_way(steps: tuple[DaneStep, ...]) -> None:
    now = scene() if steps is FORWARD else scene(**ENDED)
    taken = []
    for _ in range(30):
        part = next((part for step in steps if (part := dane_step(now, step)) is not None), None)
        if isinstance(part, Change):
            taken.append(part.cmdlet)
            now = applied(now, part)
        assert not isinstance(part, Blockage), part
        now = replace(now, now=now.now + HOUR)
    expected = {
        FORWARD: [OCTODNS, ENABLE_DNSSEC, OCTODNS, OCTODNS, OCTODNS, ENABLE_DANE],
        BACK: [DISABLE_DANE, OCTODNS, OCTODNS, DISABLE_DNSSEC],
    }
    assert taken == expected[steps]


def test_gates_before_a_change_of_whatever_plan() -> None:
    ended = scene(**ENDED)
    assert why_dane_must_wait(scene(**{**ON, "mx": ALONE})) is None
    assert why_mx_must_stay(ended) is not None
    assert why_dnssec_must_stay(ended) is not None
    assert why_dnssec_must_stay(scene(**ON)) is None
