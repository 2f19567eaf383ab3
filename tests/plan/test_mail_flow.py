"""TLS with partners as changes: made, changed, left alone, taken away, and their inverse — a round trip for each kind."""

from __future__ import annotations

from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
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
    feature_state,
    inbound_state,
    inverse,
    outbound_state,
    plan_feature,
    plan_partner,
    plan_removal,
    rule_state,
    without_rule,
)
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.rule_order import choose_way, conflicts, weaknesses
from exo_auth.plan.rule_terms import TermWords, terms_of

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
    (MailFlow((rule(mode="Enforce"),)), {}, [], "", "what is enforced stays so unless told"),
    (MailFlow((rule(mode="Enforce"),)), {"mode": "Audit"}, [SET_RULE], "", "back to auditing"),
    (MailFlow((rule(),)), {"terms": {"From": ["a@b.example"]}}, [SET_RULE], "", "a condition more"),
    (MailFlow((rule(terms={"From": ("a@b.example",)}),)), {}, [SET_RULE], "", "a condition that goes"),
    (MailFlow((rule(),)), {"priority": 0}, [SET_RULE], "", "another place"),
    (
        MailFlow((rule("x", "Enforce", 0, "", stops_processing=True),)),
        {"priority": 0},
        [NEW_RULE],
        "",
        "before it",
    ),
    (
        MailFlow((rule("x", "Enforce", 0, "", connector="C"),)),
        {"how": "connector"},
        [],
        "routes by",
        "a rule's road",
    ),
    (
        MailFlow((rule("x", "Enforce", 0, "", connector="C"),), (outbound("c"),)),
        {},
        [NEW_RULE],
        "",
        "a rule's connector that demands TLS itself",
    ),
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
    ({"stops_processing": True, "except_recipient_domains": ("fabrikam.com",)}, False, "leaves them out"),
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


def test_what_is_not_kept_is_not_made_anew() -> None:
    flow = MailFlow(
        (rule(conditions=("RecipientDomainIs", "SubjectContainsWords"), actions=("StopRuleProcessing",)),)
    )
    (change,), _ = plan_removal(flow, PartnerWish(PARTNER))
    reason = "it cannot be made anew: StopRuleProcessing, SubjectContainsWords are not kept here"
    assert (inverse(change), change.undo) == (reason, reason)


def test_rules_below_one_that_goes_move_up() -> None:
    flow = MailFlow((rule("a", priority=0), rule(priority=1), rule("b", priority=2)))
    assert [(one.name, one.priority) for one in without_rule(flow, NAME).rules] == [("a", 0), ("b", 1)]
    assert without_rule(flow, "nobody") is flow


WAYS = [
    (MailFlow(), {}, "rule", "encryption is a rule's"),
    (MailFlow(), {"verify": "certificate"}, "connector", "certificates are a connector's"),
    (MailFlow(), {"requires_inbound_tls": True}, "connector", "so is mail from them"),
    (MailFlow(outbound=(outbound(),)), {}, "connector", "ours carries it already"),
    (MailFlow(outbound=(outbound("x"),)), {}, "rule", "somebody else's is left alone"),
]


@pytest.mark.parametrize(("flow", "wish", "way", "reason"), WAYS, ids=[row[3] for row in WAYS])
def test_what_fits(flow: MailFlow, wish: dict[str, Any], way: str, reason: str) -> None:
    assert choose_way(flow, PartnerWish(PARTNER, how="", **wish))[0] == way, reason


def lax(name: str = "x", spaces: tuple[str, ...] = ("fabrikam.com",), **modes: str) -> OutboundConnector:
    return OutboundConnector(name, "", True, "Partner", "Default", spaces, True, (), "", "", False, **modes)


WEAK = [  # connectors, wish, how many warnings
    ((), {}, 0, "nothing"),
    ((lax(mta_sts_mode="None"),), {}, 1, "one that carries the mail"),
    ((lax(mta_sts_mode="None", smtp_dane_mode="None"),), {}, 2, "both"),
    ((lax(spaces=("*",), smtp_dane_mode="None"),), {}, 1, "one that carries all"),
    ((lax(spaces=("*.fabrikam.com",), smtp_dane_mode="None"),), {}, 0, "one for names below alone"),
    ((lax(smtp_dane_mode="Mandatory", mta_sts_mode="Opportunistic"),), {}, 0, "as strict as can be"),
    ((), {"how": "connector", "mta_sts_mode": "None"}, 1, "what is wished"),
    ((lax(NAME, mta_sts_mode="None"),), {"how": "connector"}, 1, "what ours has"),
    ((lax(NAME, mta_sts_mode="None"),), {"how": "connector", "mta_sts_mode": "Opportunistic"}, 0, "mended"),
]


@pytest.mark.parametrize(("connectors", "wish", "count", "reason"), WEAK, ids=[row[3] for row in WEAK])
def test_weaknesses(
    connectors: tuple[OutboundConnector, ...], wish: dict[str, Any], count: int, reason: str
) -> None:
    told = weaknesses(MailFlow(outbound=connectors), PartnerWish(PARTNER, **wish))
    assert len(told) == count, reason
    assert all("is None" in one.reason for one in told)


def test_words_become_terms() -> None:
    words = TermWords(
        senders=("a@b.example",),
        recipient_scope="InOrganization",
        header="X: a, b",
        header_pattern="Subject: ^a,b:c$",
    )
    assert terms_of(words) == {
        "From": ["a@b.example"],
        "SentToScope": "InOrganization",
        "HeaderContainsMessageHeader": "X",
        "HeaderContainsWords": ["a", "b"],
        "HeaderMatchesMessageHeader": "Subject",
        "HeaderMatchesPatterns": ["^a,b:c$"],
    }
    assert terms_of(TermWords(recipient_groups=("g@b.example",)), excepts=True) == {
        "ExceptIfSentToMemberOf": ["g@b.example"]
    }
    for bad in (
        TermWords(header="X"),
        TermWords(header=": a"),
        TermWords(header="X: ,"),
        TermWords(sender_scope="x"),
    ):
        with pytest.raises(InputError):
            terms_of(bad)


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
    (
        MailFlow((rule(terms={"From": ("a@b.example",)}),)),
        {"terms": {"SentTo": ["c@fabrikam.com"]}, "priority": 0},
    ),
    (MailFlow(), {"terms": {"ExceptIfFromMemberOf": ["g@b.example"]}, "priority": 0}),
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
