"""TLS with partners as changes: made, changed, left alone, taken away, and their inverse — a round trip for each kind."""

from __future__ import annotations

from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.facts.dnssec import DaneStatus, DnssecStatus
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.mail_flow import (
    ABSENT,
    DISABLE_DANE,
    ENABLE_DANE,
    ENABLE_DNSSEC,
    MARK,
    NEW_IN,
    NEW_OUT,
    NEW_RULE,
    SET_OUT,
    SET_RULE,
    MailFlow,
    PartnerWish,
    conflicts,
    feature_state,
    inbound_state,
    inverse,
    outbound_state,
    plan_feature,
    plan_partner,
    plan_removal,
    rule_state,
)

PARTNER = DomainName("fabrikam.com")
NAME = "exo-auth: TLS to fabrikam.com"


def rule(
    name: str = NAME, mode: str = "Audit", priority: int = 5, comments: str = MARK, **more: Any
) -> TransportRule:
    wanted: dict[str, Any] = {
        "recipient_domains": ("fabrikam.com",),
        "sent_to_scope": "NotInOrganization",
    } | more
    return TransportRule(name, "", priority, "Enabled", mode, requires_tls=True, comments=comments, **wanted)


def outbound(name: str = NAME, tls: str = "CertificateValidation", comment: str = MARK) -> OutboundConnector:
    return OutboundConnector(
        name, "", True, "Partner", "Default", ("fabrikam.com",), True, (), tls, "", False, comment=comment
    )


def inbound(enabled: bool = False, name: str = "mx.fabrikam.com") -> InboundConnector:
    return InboundConnector(
        NAME,
        "",
        enabled,
        "Partner",
        "Default",
        ("smtp:fabrikam.com;1",),
        True,
        True,
        False,
        name,
        comment=MARK,
    )


def planned(flow: MailFlow, **wish: Any) -> tuple[list[str], list[str]]:
    changes, blockages = plan_partner(flow, PartnerWish(PARTNER, **wish))
    return [change.cmdlet for change in changes], [blockage.reason for blockage in blockages]


CASES: list[tuple[MailFlow, dict[str, Any], list[str], str, str]] = [  # flow, wish, cmdlets, blockage, reason
    (MailFlow(), {}, [NEW_RULE], "", "there is none"),
    (MailFlow((rule(),)), {}, [], "", "it is as wanted"),
    (MailFlow((rule(),)), {"mode": "Enforce"}, [SET_RULE], "", "from auditing to enforcing"),
    (MailFlow((rule(comments="mine"),)), {"mode": "Enforce"}, [], "is not ours", "somebody else's"),
    (MailFlow((rule(comments="mine"),)), {"mode": "Enforce", "adopts": True}, [SET_RULE], "", "adopted"),
    (MailFlow((rule(comments="mine"),)), {}, [], "", "somebody else's does it already"),
    (
        MailFlow((rule("x", "Enforce", 0, "", stops_processing=True),)),
        {},
        [],
        "stops processing",
        "a rule before it",
    ),
    (
        MailFlow(outbound=(outbound("x", ""),)),
        {},
        [],
        "without demanding TLS",
        "a connector that carries the mail",
    ),
    (MailFlow(), {"how": "connector", "verify": "certificate"}, [NEW_OUT], "", "a connector"),
    (MailFlow(outbound=(outbound(),)), {"how": "connector", "verify": "certificate"}, [], "", "as wanted"),
    (MailFlow(outbound=(outbound(),)), {"how": "connector", "verify": "encryption"}, [SET_OUT], "", "laxer"),
    (
        MailFlow(outbound=(outbound("x"),)),
        {"how": "connector"},
        [],
        "carries mail for this domain",
        "another one",
    ),
    (
        MailFlow(),
        {"how": "connector", "inbound_certificate": "mx.fabrikam.com"},
        [NEW_OUT, NEW_IN],
        "",
        "both",
    ),
    (
        MailFlow(outbound=(outbound(tls="EncryptionOnly"),), inbound=(inbound(enabled=True),)),
        {"how": "connector", "inbound_certificate": "mx.fabrikam.com"},
        [],
        "",
        "one that a person switched on stays on",
    ),
]


@pytest.mark.parametrize(
    ("flow", "wish", "cmdlets", "blocked", "reason"), CASES, ids=[case[4] for case in CASES]
)
def test_what_is_planned(
    flow: MailFlow, wish: dict[str, Any], cmdlets: list[str], blocked: str, reason: str
) -> None:
    made, held = planned(flow, **wish)
    assert made == cmdlets, reason
    assert bool(held) == bool(blocked), held
    assert blocked in " ".join(held)


BEFORE = [  # a rule before ours, does it keep ours from acting
    ({"stops_processing": True}, True, "stops"),
    ({"stops_processing": True, "recipient_domains": ("other.example",)}, False, "is about somebody else"),
    ({"stops_processing": True, "recipient_domains": ("com",)}, True, "is about a name above"),
    ({"stops_processing": True, "sent_to_scope": "InOrganization"}, False, "is about mail that stays"),
    ({"connector": "Other"}, True, "routes elsewhere"),
    ({}, False, "only does something else"),
]


@pytest.mark.parametrize(("more", "told", "reason"), BEFORE, ids=[row[2] for row in BEFORE])
def test_rules_before_ours(more: dict[str, Any], told: bool, reason: str) -> None:
    flow = MailFlow((rule("First", "Enforce", 0, "", **more), rule(priority=1)))
    assert bool(conflicts(flow, PartnerWish(PARTNER))) is told, reason
    later = MailFlow((rule(priority=0), rule("Later", "Enforce", 1, "", **more)))
    assert not conflicts(later, PartnerWish(PARTNER))
    audited = MailFlow((rule("First", "Audit", 0, "", **more),))
    assert not conflicts(audited, PartnerWish(PARTNER))


def test_removal_leaves_what_is_not_ours() -> None:
    flow = MailFlow((rule(),), (outbound(comment="mine"),), (inbound(),))
    changes, blockages = plan_removal(flow, PartnerWish(PARTNER))
    assert [change.cmdlet for change in changes] == ["Remove-TransportRule", "Remove-InboundConnector"]
    assert [blockage.reason for blockage in blockages] == [
        f"the connector “{NAME}” is not ours: --adopt takes it over"
    ]
    assert len(plan_removal(flow, PartnerWish(PARTNER, adopts=True))[0]) == 3
    assert plan_removal(MailFlow(), PartnerWish(PARTNER)) == ([], [])


ROUND_TRIPS: list[tuple[MailFlow, dict[str, Any]]] = [
    (MailFlow(), {"mode": "Enforce"}),
    (MailFlow((rule(),)), {"mode": "Enforce"}),
    (
        MailFlow(),
        {
            "how": "connector",
            "verify": "domain",
            "tls_domain": "*.fabrikam.com",
            "inbound_certificate": "a.b",
        },
    ),
    (MailFlow(outbound=(outbound(),)), {"how": "connector", "verify": "encryption"}),
]


@pytest.mark.parametrize(("flow", "wish"), ROUND_TRIPS)
def test_the_inverse_leads_back(flow: MailFlow, wish: dict[str, Any]) -> None:
    changes, _ = plan_partner(flow, PartnerWish(PARTNER, **wish))
    assert changes
    for change in changes:
        back = inverse(change)
        assert isinstance(back, Change)
        assert {key: back.after[key] for key in change.before} == dict(change.before)
        again = inverse(back)
        assert isinstance(again, Change)
        assert {key: again.after[key] for key in change.after} == dict(change.after)


def test_a_removal_is_taken_back_by_making_it_anew() -> None:
    (change,), _ = plan_removal(MailFlow(outbound=(outbound(),)), PartnerWish(PARTNER))
    back = inverse(change)
    assert isinstance(back, Change)
    assert (back.verb, back.cmdlet, back.before) == (Verb.CREATE, NEW_OUT, ABSENT)
    assert back.parameters["ConnectorType"] == "Partner"
    assert back.parameters["TlsSettings"] == "CertificateValidation"


def test_features_and_their_inverse() -> None:
    change = plan_feature(ENABLE_DANE, PARTNER, enabled=False, because="why")
    assert (change.verb, change.before, change.after) == (Verb.ENABLE, {"enabled": False}, {"enabled": True})
    back = inverse(change)
    assert isinstance(back, Change)
    assert (back.cmdlet, back.after) == (DISABLE_DANE, {"enabled": False})
    assert feature_state(DaneStatus(PARTNER, "Enabled")) == {"enabled": True}
    assert feature_state(DnssecStatus(PARTNER, "Disabled", "")) == {"enabled": False}
    assert plan_feature(ENABLE_DNSSEC, PARTNER, enabled=False, because="").undo
    odd = Change(Verb.ROTATE, PARTNER, {}, {}, "", "Rotate-DkimSigningConfig")
    assert inverse(odd) == "Rotate-DkimSigningConfig cannot be taken back"


def test_states_of_nothing() -> None:
    assert rule_state(None) == outbound_state(None) == inbound_state(None) == {"exists": False}
    assert inbound_state(inbound())["sender_domains"] == ["fabrikam.com"]
