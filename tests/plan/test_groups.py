"""What may stand under one heading of a long plan, and what may not."""

from dataclasses import replace
from typing import Any

import pytest
from scenes import NOW, TENANT, name

from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.groups import alike, by_stage
from exo_auth.plan.plan import Plan


def rotation(domain: str, **changes: Any) -> Change:
    change = Change(
        verb=Verb.ROTATE,
        target=name(domain),
        before={"selector": "selector1"},
        after={"selector": "selector2"},
        because="the key is 200 days old; selector2 takes over from selector1",
        cmdlet="Rotate-DkimSigningConfig",
        parameters={"KeySize": 2048},
        undo="not reversible",
    )
    return replace(change, **changes)


def record(domain: str, value: str, before: tuple[str, ...] = ()) -> Change:
    return Change(
        verb=Verb.PUBLISH,
        target=name(domain),
        before={"values": list(before)},
        after={"values": [value]},
        because=f"_dmarc.{domain} TXT: there is none",
        cmdlet="octodns",
        parameters={"name": f"_dmarc.{domain}", "type": "TXT", "ttl": 3600},
    )


A, B = rotation("a.example"), rotation("b.example")
HELD = Blockage(name("a.example"), Verb.ROTATE, "the CNAME of a.example is missing", (), is_unknown=False)
WAITS = Deferral(name("a.example"), "not before 3 days", None, is_waiting=True)
PAIRS: list[tuple[Any, Any, bool, str]] = [
    (A, B, True, "only the domain differs"),
    (A, replace(B, because=B.because.replace("200", "190")), True, "only a number in the reason differs"),
    (A, replace(B, because="selector1 takes over from selector2"), False, "another reason"),
    (A, replace(B, parameters={"KeySize": 1024}), False, "another command line would be sent"),
    (A, replace(B, cmdlet="Set-DkimSigningConfig"), False, "another cmdlet"),
    (A, replace(B, undo="exo-auth dkim disable"), False, "another way back"),
    (record("a.example", "v=DMARC1; p=none"), record("b.example", "v=DMARC1; p=none"), True, "same record"),
    (
        record("a.example", "v=DMARC1; p=none"),
        record("b.example", "v=DMARC1; p=reject"),
        False,
        "another value",
    ),
    (
        record("a.example", "v=spf1 ip4:192.0.2.1"),
        record("b.example", "v=spf1 ip4:192.0.2.2"),
        False,
        "an address",
    ),
    (
        record("a.example", "x"),
        record("b.example", "x", before=("y",)),
        False,
        "one replaces a record: ~, not +",
    ),
    (
        record("a.example", "selector1-a-example._domainkey.contoso.k-v1.dkim.mail.microsoft"),
        record("b.example", "selector1-b-example._domainkey.contoso.w-v1.dkim.mail.microsoft"),
        True,
        "the letter of a target tells nothing",
    ),
    (
        record("a.example", "v=STSv1; id=0123456789abcdef0123;"),
        record("b.example", "v=STSv1; id=fedcba98765432100123;"),
        True,
        "the id of a policy is another one for each",
    ),
    (
        HELD,
        replace(HELD, target=name("b.example"), reason="the CNAME of b.example is missing"),
        True,
        "same cause",
    ),
    (HELD, replace(HELD, is_unknown=True), False, "a look-up that failed is no missing record"),
    (WAITS, replace(WAITS, is_waiting=False), False, "waiting is not the same as nothing to do"),
]


@pytest.mark.parametrize(("one", "other", "together", "why"), PAIRS, ids=[row[3] for row in PAIRS])
def test_what_stands_under_one_heading(one: Any, other: Any, together: bool, why: str) -> None:
    assert len(alike([one, other])) == (1 if together else 2)


def test_stages_come_in_the_order_of_the_playbook_and_nothing_is_lost() -> None:
    parts = {
        "changes": (replace(A, stage="second"), replace(B, stage="third")),
        "deferrals": (replace(WAITS, stage="first"),),
        "blockages": (replace(HELD, stage="second"),),
    }
    plan = Plan(TENANT, NOW, "playbook", {}, **parts, stages=("first", "second", "none", "third"))  # type: ignore[arg-type]
    found = by_stage(plan)
    assert [part.stage for part in found] == ["first", "second", "third"]
    for key, values in parts.items():
        assert tuple(one for part in found for one in getattr(part, key)) == values
    assert by_stage(replace(plan, stages=())), "an old plan names no stages"
