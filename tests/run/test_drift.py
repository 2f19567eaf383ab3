from __future__ import annotations

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.run.drift import compare


def test_a_record_that_nobody_could_look_at_is_no_verdict() -> None:
    name = "_dmarc.contoso.com"
    change = Change(
        Verb.PUBLISH,
        DomainName.parse("contoso.com"),
        {"values": []},
        {"values": ["v=DMARC1; p=none"]},
        "it was missing",
        OCTODNS,
        {"type": "TXT", "name": name},
    )
    (found,) = compare([("run", change)], {}, {})
    assert found.is_unknown
    assert "octoDNS" in found.detail
