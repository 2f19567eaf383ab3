"""Rows of rules, connectors, DNSSEC and DANE become facts, strictly, and without loss of what is needed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from exo_auth.domain_name import DomainName
from exo_auth.errors import Correlation, ProtocolError
from exo_auth.exchange import decode_dnssec, decode_mail_flow
from exo_auth.exchange.transport import CmdletAnswer

WIRE = Path(__file__).parent.parent / "wire"
CALL = Correlation("Get-X", "tenant", "id")
DOMAIN = DomainName("contoso.com")


def answer(*rows: dict[str, Any]) -> CmdletAnswer:
    return CmdletAnswer(rows, CALL)


def row_of(golden: str, number: int = 0) -> dict[str, Any]:
    rows = json.loads((WIRE / f"{golden}.json").read_text(encoding="utf-8"))["response"]["body"]["value"]
    return {name: value for name, value in rows[number].items() if "@" not in name}


RULE, OUT, IN = (
    row_of("get-transport-rule"),
    row_of("get-outbound-connector"),
    row_of("get-inbound-connector"),
)
NEEDED = [  # decoder, row, fields that must not be missing
    *((decode_mail_flow.transport_rules, RULE, name) for name in ("Name", "Priority", "State", "Mode")),
    *((decode_mail_flow.transport_rules, RULE, name) for name in ("Conditions", "Actions", "RecipientDomainIs")),
    (decode_mail_flow.transport_rules, RULE, "RouteMessageOutboundRequireTls"),
    *((decode_mail_flow.outbound_connectors, OUT, name) for name in ("Name", "Enabled", "TlsSettings", "TlsDomain")),
    *((decode_mail_flow.outbound_connectors, OUT, name) for name in ("RecipientDomains", "IsTransportRuleScoped")),
    *((decode_mail_flow.inbound_connectors, IN, name) for name in ("Name", "Enabled", "RequireTls", "SenderDomains")),
    (decode_mail_flow.inbound_connectors, IN, "RestrictDomainsToCertificate"),
]  # fmt: skip


@pytest.mark.parametrize(("decode", "row", "field"), NEEDED, ids=[row[2] for row in NEEDED])
def test_a_field_that_decides_is_missed_by_name(decode: Any, row: dict[str, Any], field: str) -> None:
    with pytest.raises(ProtocolError, match=f"row 1: the field {field} is missing"):
        decode(answer({name: value for name, value in row.items() if name != field}))


BAD = [  # decoder, row, field, value, why
    (decode_mail_flow.transport_rules, RULE, "Priority", "first", "no number"),
    (decode_mail_flow.transport_rules, RULE, "Priority", None, "no place"),
    (decode_mail_flow.transport_rules, RULE, "RouteMessageOutboundRequireTls", None, "unknown is not False"),
    (decode_mail_flow.transport_rules, RULE, "RecipientDomainIs", [1], "no texts"),
    (decode_mail_flow.transport_rules, RULE, "State", None, "neither on nor off"),
    (decode_mail_flow.outbound_connectors, OUT, "Enabled", "perhaps", "neither on nor off"),
    (decode_mail_flow.inbound_connectors, IN, "SenderDomains", {"a": 1}, "no list"),
]


@pytest.mark.parametrize(("decode", "row", "field", "value", "why"), BAD, ids=[row[4] for row in BAD])
def test_a_value_of_another_kind_is_refused(
    decode: Any, row: dict[str, Any], field: str, value: Any, why: str
) -> None:
    with pytest.raises(ProtocolError, match=f"row 1: the field {field} is"):
        decode(answer({**row, field: value}))


def test_a_single_text_is_a_list_of_one_and_blanks_are_none() -> None:
    (rule,) = decode_mail_flow.transport_rules(
        answer({**RULE, "RecipientDomainIs": "A.example", "ExceptIfRecipientDomainIs": [" "], "Comments": ""})
    )
    assert (rule.recipient_domains, rule.except_recipient_domains) == (("a.example",), ())


def test_unknown_words_survive() -> None:
    (rule,) = decode_mail_flow.transport_rules(answer({**RULE, "Mode": "Pondering", "State": "Resting"}))
    assert (rule.mode, rule.state, rule.is_enabled, rule.is_enforced) == (
        "Pondering",
        "Resting",
        False,
        False,
    )
    (connector,) = decode_mail_flow.outbound_connectors(answer({**OUT, "TlsSettings": "Quantum"}))
    assert (connector.tls_settings, connector.forces_tls) == ("Quantum", True)


def test_modes_that_an_older_service_does_not_know_are_blank() -> None:
    row = {name: value for name, value in OUT.items() if name not in ("MtaStsMode", "SmtpDaneMode")}
    (connector,) = decode_mail_flow.outbound_connectors(answer(row))
    assert (connector.mta_sts_mode, connector.smtp_dane_mode) == ("", "")


def test_two_listings_of_the_same_connector_are_one() -> None:
    other = {**OUT, "Name": "A", "Guid": "27505237-00d3-8709-81e8-6a2af2046839"}
    found = decode_mail_flow.outbound_connectors(answer(OUT, other), answer(other))
    assert [connector.name for connector in found] == ["A", "To fabrikam.com"]


SPACES = [("smtp:Fabrikam.com;1", "fabrikam.com"), ("fabrikam.com", "fabrikam.com"), ("smtp:*;100", "*")]


@pytest.mark.parametrize(("space", "domain"), SPACES)
def test_sender_domains_are_read_out_of_address_spaces(space: str, domain: str) -> None:
    (connector,) = decode_mail_flow.inbound_connectors(answer({**IN, "SenderDomains": [space]}))
    assert (connector.address_spaces, connector.sender_domains) == ((space,), (domain,))


# DNSSEC and DANE

STATUS = row_of("get-dnssec-status")


def test_nested_results_that_come_as_type_names_tell_nothing() -> None:
    flat = {name: f"Microsoft.Exchange.Management.{name}" for name in STATUS}
    with pytest.raises(ProtocolError, match="DnssecFeatureStatus does not tell"):
        decode_dnssec.dnssec_status(DOMAIN, answer(flat))
    status = decode_dnssec.dnssec_status(DOMAIN, answer({**flat, "DnssecFeatureStatus": "Enabled"}))
    assert (status.is_enabled, status.expected_host, status.mx, status.errors) == (True, "", None, ())


@pytest.mark.parametrize("rows", [(), ({"Status": "Enabled"}, {"Status": "Enabled"})], ids=["none", "two"])
def test_one_row_is_needed(rows: tuple[dict[str, Any], ...]) -> None:
    for decode in (decode_dnssec.dnssec_status, decode_dnssec.dane_status):
        with pytest.raises(ProtocolError, match="rows instead of one"):
            decode(DOMAIN, answer(*rows))


DANE = [
    ({"Status": "Enabled"}, True),
    ({"SmtpDaneStatus": "Disabled"}, False),
    ({"SmtpDaneFeatureStatus": {"Value": "Enabled"}}, True),
]


@pytest.mark.parametrize(("row", "enabled"), DANE)
def test_the_status_of_dane_is_found_whatever_it_is_called(row: dict[str, Any], enabled: bool) -> None:
    assert decode_dnssec.dane_status(DOMAIN, answer(row)).is_enabled is enabled


def test_a_status_of_dane_that_is_none_is_refused() -> None:
    with pytest.raises(ProtocolError, match="does not tell whether DANE is enabled"):
        decode_dnssec.dane_status(DOMAIN, answer({"Colour": "blue"}))


# A real tenant


def sample(key: str) -> list[dict[str, Any]]:
    folder = os.environ.get("EXO_AUTH_CORPORA")
    if not folder:
        pytest.skip("EXO_AUTH_CORPORA names no folder with the corpora")
    text = (Path(folder) / "tenant" / "scubagear-sample-exchange.json").read_text(encoding="utf-8-sig")
    return list(json.loads(text)[key])


def test_the_rule_of_a_real_tenant_decodes() -> None:
    (row,) = sample("transport_rule")
    (rule,) = decode_mail_flow.transport_rules(answer(row))
    assert (rule.conditions, rule.actions, rule.from_scope) == (
        ("FromScope",),
        ("PrependSubject",),
        "NotInOrganization",
    )
    assert (rule.priority, rule.is_enforced, rule.requires_tls) == (0, True, False)
    assert rule.changed is not None
    assert rule.extra["PrependSubject"] == "[External]"


def test_the_inbound_connector_of_a_real_tenant_decodes() -> None:
    (connector,) = decode_mail_flow.inbound_connectors(answer(*sample("inbound_connectors")))
    assert (connector.sender_domains, connector.require_tls) == (("test.domain.com",), True)
    assert connector.connector_source == "AdminUI"


def test_the_sandbox_writes_the_fields_of_a_real_tenant() -> None:
    from exo_auth.sandbox.transport_rule_fields import CONTENT

    (row,) = sample("transport_rule")
    assert set(CONTENT) <= row.keys()
