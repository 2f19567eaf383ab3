"""A plan in a ticket: every change is told, and no value breaks the page."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from scenes import NOW, TENANT, accepted, config, name, scene

from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.dkim import plan_rotation
from exo_auth.plan.limits import Limits
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan
from exo_auth.render.plan_markdown import plan_markdown, report_markdown
from exo_auth.render.plan_text import plan_text
from exo_auth.render.powershell_text import powershell_line

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = st.lists(
    st.sampled_from(
        ["|", "\\", "`", "<", ">", "*", "_", "#", "[", "]", "(", ")", "&", "~", "\n", "\r", "\x1b"]
    )
    | st.sampled_from(["a", " ", "-", "+", "!", "=", ";", "é", "\u202e", "</details>", "<script>"]),
    max_size=30,
).map("".join)
THOUSAND = [f"d{number:04}.example" for number in range(1000)]


@cache
def big_plan() -> Plan:
    return plan_rotation(
        scene(
            *(config(text, timedelta(days=200 + number % 7)) for number, text in enumerate(THOUSAND)),
            domains=tuple(accepted(text) for text in THOUSAND),
            limits=Limits(2000, 1.0),
        )
    )


def shapes(text: str) -> list[tuple[str, list[int]]]:
    """Give the blocks of a page, and the numbers of cells of each table's rows."""
    found: list[tuple[str, list[int]]] = []
    rows: list[int] = []
    for token in READER.parse(text):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append(0)
        elif token.type in ("td_open", "th_open"):
            rows[-1] += 1
        elif token.type == "table_close":
            found.append(("table", rows))
        elif (token.level == 0 and token.type.endswith("_open")) or token.type in (
            "fence",
            "html_block",
            "hr",
        ):
            found.append((f"{token.type} {token.tag}", []))
    return found


def words(text: str) -> str:
    """Give what a reader sees."""
    return "".join(_seen(token) for token in READER.parse(text))


def _seen(token: Token) -> str:
    if token.children is not None:
        return "".join(_seen(child) for child in token.children) + "\n"
    return token.content


def plan_with(reason: str, value: str) -> Plan:
    record = Change(
        Verb.PUBLISH,
        name("a.example"),
        {"values": []},
        {"values": [value]},
        reason,
        "octodns",
        {"name": "_x.a.example", "type": "TXT", "ttl": 3600},
        undo=reason,
    )
    return Plan(
        TENANT,
        NOW,
        "playbook",
        {},
        (record, replace(record, target=name("b.example"))),
        (
            Deferral(name("c.example"), reason, NOW, is_waiting=True),
            Deferral(name("d.example"), reason, None),
        ),
        (Blockage(name("e.example"), Verb.PUBLISH, reason, (), is_unknown=False),),
        considered=5,
    )


TAME = shapes(plan_markdown(plan_with("a reason", "a value")))


@given(HOSTILE, HOSTILE)
@settings(deadline=None)  # a busy machine is no wrong result
def test_no_value_changes_the_shape_of_the_page(reason: str, value: str) -> None:
    text = plan_markdown(plan_with(f"x{reason}x", f"x{value}x"))
    assert shapes(text) == TAME
    assert "\x1b" not in text
    assert READER.render(text).count("<script>") == 0


@pytest.mark.parametrize(
    "value", ["a|b", r"a\|b", "a`b", r"a\b", "v=DMARC1; p=none; rua=mailto:a@b.example!10m", "<b>&amp;</b>"]
)
def test_a_value_is_read_as_it_is(value: str) -> None:
    assert value in words(plan_markdown(plan_with("x", value)))
    assert value in words(plan_markdown(plan_with(value, "x")))


def test_a_thousand_rotations_are_short_to_read_and_whole_to_apply() -> None:
    plan = big_plan()
    assert len(plan.changes) == 1000
    assert len(plan_text(plan).splitlines()) < 20
    whole = plan_text(plan, whole=True)
    text = plan_markdown(plan, "exo-auth apply rotate-dkim --digest x --yes")
    for change in plan.changes:
        assert f"~ {change.target.ascii}  rotate: {change.because}" in whole
        assert powershell_line(change) in whole
        assert change.target.ascii in text
    assert "1000 domains, such as d0000.example  rotate: the key is 200 days old" in plan_text(plan)


def test_cmdlets_that_differ_in_the_domain_alone_become_one_loop_that_names_each() -> None:
    text = plan_markdown(big_plan())
    assert "ForEach-Object { Rotate-DkimSigningConfig -Identity $_ -KeySize 2048 }" in text
    (block,) = re.findall(r"```powershell\n(.*?)```", text, re.DOTALL)
    assert re.findall(r"'([^']+)'", block) == THOUSAND


def test_cmdlets_that_differ_otherwise_stand_as_they_are() -> None:
    plan = big_plan()
    some = tuple(
        replace(
            change, parameters={"Identity": f"rule of {change.target}", "Comments": f"for {change.target}"}
        )
        for change in plan.changes[:20]
    )
    text = plan_markdown(replace(plan, changes=some))
    assert all(powershell_line(change) in text for change in some)


def test_when_those_that_wait_are_ready_is_told_for_the_first_and_the_last() -> None:
    waiting = tuple(
        Deferral(name(text), "a rotation is pending", NOW + timedelta(days=number % 3), is_waiting=True)
        for number, text in enumerate(THOUSAND[:60])
    )
    text = plan_text(replace(big_plan(), changes=(), deferrals=waiting))
    assert "not before 2026-11-23 12:00Z for the first, 2026-11-25 12:00Z for the last" in text


def test_a_plan_without_changes_promises_nothing() -> None:
    text = plan_markdown(
        replace(big_plan(), changes=(), deferrals=(Deferral(name("a.example"), "not due", None),))
    )
    assert "## What was found" in text
    assert not re.search("Digest|Valid until|ready for every change|applies exactly", text)


def test_a_report_names_what_did_not_go_well_first() -> None:
    plan = replace(big_plan(), changes=big_plan().changes[:3])
    ends = (
        Outcome(plan.changes[0], Result.APPLIED),
        Outcome(plan.changes[1], Result.REFUSED, error="no | never", hint="ask", exit_code=1),
        Outcome(plan.changes[2], Result.WAITING, not_before=NOW, exit_code=4),
    )
    report = RunReport(
        "2026-11-23T12-00-00Z-abcd", plan, ends, NOW, NOW, notes=("old.example: it took effect",)
    )
    text = report_markdown(report)
    first, _, rest = text.partition("## Changes")
    assert "d0001.example" in first
    assert "d0002.example" in first
    assert "d0000.example" not in first
    assert "d0000.example" in rest
    assert "no | never; ask" in words(text)
    assert "exo-auth undo 2026-11-23T12-00-00Z-abcd" in text
    assert shapes(text)[-2][1] == [5, 5, 5, 5]
    interrupted = report_markdown(replace(report, outcomes=ends[1:2], interrupted=143))
    assert "**Interrupted**" in interrupted
    assert "exo-auth undo" not in interrupted
