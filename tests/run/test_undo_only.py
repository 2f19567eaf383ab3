"""`undo RUN --only`: every change has a name of its own, which the journal shows."""

from __future__ import annotations

import pytest
from scenes import NOW, name

from exo_auth.plan.change import Change, Verb
from exo_auth.plan.mail_flow import ENABLE_DANE, ENABLE_DNSSEC, plan_feature, plan_partner
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.plan_file import OCTODNS, change_document
from exo_auth.render.journal_text import lines_text
from exo_auth.run.journal import JournalLine
from exo_auth.run.undo import narrowed

PARTNER, OURS = name("fabrikam.com"), name("contoso.com")
RULE, _ = plan_partner(MailFlow(), PartnerWish(PARTNER))
CONNECTORS, _ = plan_partner(
    MailFlow(), PartnerWish(PARTNER, how="connector", inbound_certificate="mx.fabrikam.com")
)
RUN = (
    *RULE,
    *CONNECTORS,
    Change(Verb.ENABLE, OURS, {}, {"enabled": True}, "", "Set-DkimSigningConfig", {"Enabled": True}),
    plan_feature(ENABLE_DNSSEC, OURS, False, "a test"),
    plan_feature(ENABLE_DANE, OURS, False, "a test"),
    *(
        Change(
            Verb.PUBLISH, OURS, {"values": []}, {"values": ["x"]}, "", OCTODNS, {"name": where, "type": "TXT"}
        )
        for where in ("contoso.com", "_dmarc.contoso.com")
    ),
)
NAMED = [  # key, what people read of it
    ("create:fabrikam.com:rule:exo-auth: TLS to fabrikam.com", "rule “exo-auth: TLS to fabrikam.com”"),
    (
        "create:fabrikam.com:connector:exo-auth: TLS to fabrikam.com",
        "connector “exo-auth: TLS to fabrikam.com”",
    ),
    (
        "create:fabrikam.com:inbound connector:exo-auth: TLS to fabrikam.com",
        "inbound connector “exo-auth: TLS to fabrikam.com”",
    ),
    ("enable:contoso.com", ""),
    ("enable:contoso.com:DNSSEC", "DNSSEC"),
    ("enable:contoso.com:DANE", "DANE"),
    ("publish:contoso.com:TXT:contoso.com", "contoso.com TXT"),
    ("publish:contoso.com:TXT:_dmarc.contoso.com", "_dmarc.contoso.com TXT"),
]


@pytest.mark.parametrize(("place", "key", "thing"), [(n, *row) for n, row in enumerate(NAMED)])
def test_one_change_is_named_by_its_key(place: int, key: str, thing: str) -> None:
    assert (RUN[place].key, RUN[place].thing) == (key, thing)
    assert narrowed(list(RUN), "run", key) == [RUN[place]]
    line = JournalLine(1, NOW, NOW, "run", "intent", {"change": change_document(RUN[place])})
    assert f"  {key}:" in lines_text({"tenant": (line,)}, "table")


def test_a_domain_names_all_its_changes() -> None:
    assert narrowed(list(RUN), "run", "Fabrikam.com") == [*RULE, *CONNECTORS]
    assert narrowed(list(RUN), "run", "") == list(RUN)
