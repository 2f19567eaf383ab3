"""Connectors beside DNS: what weakens MTA-STS, DANE and TLS, and what loses mail."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scenes import accepted, name

from exo_auth.checks.connections import check_connections, check_domain_connections
from exo_auth.checks.finding import Severity
from exo_auth.facts.connections import Connections, NotRead
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector
from exo_auth.run.snapshot_connections import connections_document, read_connections

TENANT = name("contoso.onmicrosoft.com")
SILENT = NotRead("Get-OutboundConnector", "the role does not have the cmdlet")


def outbound(**changes: Any) -> OutboundConnector:
    row = {
        "name": "To Fabrikam",
        "guid": "1",
        "enabled": True,
        "connector_type": "Partner",
        "connector_source": "Default",
        "recipient_domains": ("fabrikam.com",),
        "use_mx_record": True,
        "smart_hosts": (),
        "tls_settings": "DomainValidation",
        "tls_domain": "*.fabrikam.com",
        "is_rule_scoped": False,
        "mta_sts_mode": "Opportunistic",
        "smtp_dane_mode": "Opportunistic",
    }
    return OutboundConnector(**{**row, **changes})


def inbound(**changes: Any) -> InboundConnector:
    row = {
        "name": "From gateway",
        "guid": "2",
        "enabled": True,
        "connector_type": "Partner",
        "connector_source": "Default",
        "address_spaces": ("smtp:*;1",),
        "require_tls": True,
        "restricts_to_certificate": False,
        "restricts_to_addresses": True,
    }
    return InboundConnector(**{**row, **changes})


OF_THE_TENANT = [  # outbound connector, findings, reason
    ({}, [], "all is well"),
    ({"mta_sts_mode": "None"}, ["CONNECTOR-STS-OFF"], "MTA-STS is off"),
    ({"smtp_dane_mode": "None"}, ["CONNECTOR-DANE-OFF"], "DANE is off"),
    ({"smtp_dane_mode": "Mandatory"}, [], "more than the default is in order"),
    (
        {"mta_sts_mode": "", "smtp_dane_mode": ""},
        [],
        "the service does not tell: nothing is known to be wrong",
    ),
    (
        {"mta_sts_mode": "none", "smtp_dane_mode": "NONE"},
        ["CONNECTOR-STS-OFF", "CONNECTOR-DANE-OFF"],
        "words in any case",
    ),
    ({"mta_sts_mode": "None", "enabled": False}, [], "a connector that is off carries nothing"),
    ({"tls_settings": ""}, ["CONNECTOR-TLS-OPTIONAL"], "a partner without forced TLS"),
    ({"tls_settings": "EncryptionOnly"}, ["CONNECTOR-TLS-UNVERIFIED"], "encrypted to whoever answers"),
    ({"tls_settings": "CertificateValidation"}, [], "a certificate is asked for"),
    ({"tls_settings": "", "connector_type": "OnPremises"}, [], "one's own server is no partner"),
]


@pytest.mark.parametrize(
    ("changes", "wanted", "reason"), OF_THE_TENANT, ids=[row[2] for row in OF_THE_TENANT]
)
def test_what_concerns_all_mail(changes: dict[str, Any], wanted: list[str], reason: str) -> None:
    found = check_connections(TENANT, Connections((outbound(**changes),), ()))
    assert [one.code for one in found] == wanted, reason
    assert all(one.subject == TENANT and "fabrikam.com" in one.seen for one in found)


def test_the_remedy_can_be_pasted_whatever_the_name() -> None:
    (found,) = check_connections(TENANT, Connections((outbound(name="Bob's", mta_sts_mode="None"),), ()))
    assert found.remedy == "Set-OutboundConnector -Identity 'Bob''s' -MtaStsMode Opportunistic"


def test_what_was_not_read_is_unknown_and_nothing_else() -> None:
    found = check_connections(TENANT, Connections(SILENT, NotRead("Get-InboundConnector", "503")))
    assert [(one.code, one.severity) for one in found] == [("TENANT-UNREAD", Severity.UNKNOWN)] * 2
    relayed = accepted(domain_type="InternalRelay")
    unread = Connections(SILENT, SILENT, SILENT)
    assert list(check_domain_connections(relayed, unread, gateway="", comes_here=True)) == []
    assert (
        list(check_domain_connections(accepted(), unread, gateway="mx.gate.example", comes_here=False)) == []
    )


RELAY = [  # type, outbound connectors, is a connector missing, reason
    ("Authoritative", (), False, "all recipients are here"),
    ("InternalRelay", (), True, "nothing relays"),
    ("ExternalRelay", (), True, "... nor here"),
    ("InternalRelay", ({"recipient_domains": ("contoso.com",)},), False, "the domain itself"),
    ("InternalRelay", ({"recipient_domains": ("*",)},), False, "all domains"),
    ("InternalRelay", ({"recipient_domains": ("*.com",)},), False, "all below com"),
    ("InternalRelay", ({"recipient_domains": ("*.contoso.com",)},), True, "subdomains are not the domain"),
    ("InternalRelay", ({"recipient_domains": ("contoso.com",), "enabled": False},), True, "switched off"),
    (
        "InternalRelay",
        ({"recipient_domains": (), "all_accepted_domains": True},),
        False,
        "all accepted domains",
    ),
    ("InternalRelay", ({"recipient_domains": (), "is_rule_scoped": True},), False, "a rule may choose it"),
]


@pytest.mark.parametrize(("kind", "rows", "missing", "reason"), RELAY, ids=[row[3] for row in RELAY])
def test_a_relayed_domain_needs_a_connector(
    kind: str, rows: tuple[dict[str, Any], ...], missing: bool, reason: str
) -> None:
    connections = Connections(tuple(outbound(**row) for row in rows), ())
    found = check_domain_connections(accepted(domain_type=kind), connections, gateway="", comes_here=True)
    assert [one.code for one in found] == ["CONNECTOR-RELAY-MISSING"] * missing, reason
    elsewhere = check_domain_connections(
        accepted(domain_type=kind), connections, gateway="mx.here.example", comes_here=False
    )
    assert "CONNECTOR-RELAY-MISSING" not in {one.code for one in elsewhere}


GATEWAY = [  # inbound connectors, is filtering missing, reason
    ((), True, "no connector at all"),
    (({},), True, "one that judges the gateway"),
    (({"skips_last_address": True},), False, "the last address is skipped"),
    (({"skipped_addresses": ("192.0.2.0/24",)},), False, "the gateway's addresses are skipped"),
    (({"skips_last_address": True, "enabled": False},), True, "switched off"),
]


@pytest.mark.parametrize(("rows", "missing", "reason"), GATEWAY, ids=[row[2] for row in GATEWAY])
def test_a_gateway_needs_enhanced_filtering(
    rows: tuple[dict[str, Any], ...], missing: bool, reason: str
) -> None:
    connections = Connections((), tuple(inbound(**row) for row in rows), ("gate.example",))
    found = check_domain_connections(accepted(), connections, gateway="mx.gate.example", comes_here=False)
    assert [one.code for one in found] == ["CONNECTOR-UNFILTERED"] * missing, reason


SEALERS: list[tuple[Any, list[str]]] = [
    ((), ["ARC-SEALER"]),
    (("gate.example",), []),
    (NotRead("Get-ArcConfig", "503"), []),
]


@pytest.mark.parametrize(("sealers", "wanted"), SEALERS, ids=["none is trusted", "one is", "not read"])
def test_a_gateway_that_changes_messages_needs_a_trusted_seal(sealers: Any, wanted: list[str]) -> None:
    connections = Connections((), (inbound(skips_last_address=True),), sealers)
    found = check_domain_connections(accepted(), connections, gateway="mx.gate.example", comes_here=False)
    assert [one.code for one in found] == wanted
    told = [one.code for one in check_connections(TENANT, connections)]
    assert told == ["TENANT-UNREAD"] * isinstance(sealers, NotRead)


def test_connectors_survive_a_snapshot() -> None:
    every = Connections(
        (outbound(mta_sts_mode="None", smart_hosts=("a.example",)), outbound(guid="3", is_rule_scoped=True)),
        (inbound(skipped_addresses=("192.0.2.1",)),),
        ("gate.example",),
    )
    for connections in (every, Connections(SILENT, ()), Connections((), SILENT), Connections((), (), SILENT)):
        kept = read_connections(json.loads(json.dumps(connections_document(connections))))
        assert kept == connections
