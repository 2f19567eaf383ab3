"""Transport rules, connectors, DNSSEC and DANE of the sandbox, as the service is described."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from exo_auth.sandbox.admin_api import AdminApi
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.faults import Fault, Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.principal import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP, BadToken, Principal
from exo_auth.sandbox.serve import GLOBAL_READER, Sandbox, SandboxOptions
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.tenant import SandboxTenant

TENANT = "11111111-2222-3333-4444-555555555555"
PATH = f"/adminapi/beta/{TENANT}/InvokeCommand"
CALLERS = {
    "admin": Principal(
        TENANT, "app", roles=frozenset({MANAGE_AS_APP}), directory_roles=frozenset({EXCHANGE_ADMINISTRATOR})
    ),
    "reader": Principal(
        TENANT, "app", roles=frozenset({MANAGE_AS_APP}), directory_roles=frozenset({GLOBAL_READER})
    ),
}
INITIAL = DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True, default=True)
SPECS = (INITIAL, DomainSpec("signed.example", signed=True, letter="o"), DomainSpec("plain.example"))
RULE = {
    "Name": "TLS to fabrikam",
    "RecipientDomainIs": ["fabrikam.com"],
    "RouteMessageOutboundRequireTls": True,
}
OUT = {"Name": "To fabrikam", "ConnectorType": "Partner", "RecipientDomains": ["fabrikam.com"]}
IN = {"Name": "From fabrikam", "SenderDomains": ["fabrikam.com"]}


class Lab:
    """The admin API without sockets."""

    def __init__(self, switches: Switches) -> None:
        self.clock = SandboxClock()
        self.faults = Faults()
        self.mx: dict[str, tuple[tuple[int, str], ...]] = {}
        self.tenant = SandboxTenant(
            TENANT,
            INITIAL.name,
            SPECS,
            self.clock,
            switches,
            lambda _: None,
            lambda name: self.mx.get(name, ()),
        )
        verify: Callable[[str], Principal | BadToken] = lambda text: CALLERS.get(text, BadToken("?"))  # noqa: E731
        self.api = AdminApi(self.tenant, self.faults, self.clock, switches, verify, "https://127.0.0.1:1")

    def run(self, cmdlet: str, *, caller: str = "admin", level: str = "Full", **parameters: Any) -> Response:
        document = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        headers = {"authorization": f"Bearer {caller}", "x-serializationlevel": level}
        response = self.api.handle(Request("POST", PATH, {}, headers, json.dumps(document).encode()))
        assert response is not None
        return response

    def rows(self, cmdlet: str, **parameters: Any) -> list[dict[str, Any]]:
        return list(json.loads(self.run(cmdlet, **parameters).body)["value"])

    def names(self) -> list[str]:
        return [row["Name"] for row in self.rows("Get-TransportRule")]


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Lab:
    return Lab(getattr(request, "param", Switches()))


@pytest.fixture
def full(lab: Lab) -> Lab:
    """One of each, and two rules more."""
    for name in ("TLS to fabrikam", "second", "third"):
        assert lab.run("New-TransportRule", **{**RULE, "Name": name}).status == 200
    assert lab.run("New-OutboundConnector", **OUT).status == 200
    scoped = {"Name": "Scoped", "IsTransportRuleScoped": True, "ConnectorType": "Partner"}
    assert lab.run("New-OutboundConnector", **scoped).status == 200
    assert lab.run("New-InboundConnector", **IN).status == 200
    return lab


def reason(response: Response) -> str:
    return str(json.loads(response.body)["error"]["details"][0]["message"])


def bare(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if "@" not in name}


BAD = [  # cmdlet, parameters, status, part of the reason, why
    ("New-TransportRule", {**RULE, "Name": "tls TO fabrikam"}, 400, "already exists", "a name in another case"),
    ("New-TransportRule", {**RULE, "Name": "x" * 65}, 400, "1 to 64", "a name too long"),
    ("New-TransportRule", {"Name": "x"}, 400, "at least one action", "a rule that does nothing"),
    ("New-TransportRule", {"Name": "x", "StopRuleProcessing": True}, 400, "one action", "stopping is no action"),
    ("New-TransportRule", RULE | {"Name": None}, 400, "Transformation", "null for a name"),
    ("New-TransportRule", RULE | {"Name": "x", "Priority": 4}, 400, "and '3' (lowest", "below the last place"),
    ("New-TransportRule", RULE | {"Name": "x", "Priority": -1}, 400, "rule priority", "above the first place"),
    ("New-TransportRule", RULE | {"Name": "x", "Priority": "first"}, 400, "Transformation", "no number"),
    ("New-TransportRule", RULE | {"Name": "x", "Mode": "Block"}, 400, "Enforce, Audit, Aud", "no mode"),
    ("New-TransportRule", RULE | {"Name": "x", "SentToScope": "Outside"}, 400, "NotInOrgani", "no scope"),
    ("New-TransportRule", RULE | {"Name": "x", "ExpiryDate": "soon"}, 400, "Transformation", "no date"),
    ("New-TransportRule", RULE | {"Name": "x", "Comments": "c" * 1025}, 400, "1024", "a comment too long"),
    ("New-TransportRule", RULE | {"Name": "x", "RouteMessageOutboundConnector": "To fabrikam"}, 400, "isn't scoped", "not scoped"),
    ("New-TransportRule", RULE | {"Name": "x", "RecipientDomainIs": [True]}, 400, "Transformation", "no text"),
    ("New-TransportRule", RULE | {"Name": "x", "RequireTLS": True}, 400, "specified. RequireTLS", "no parameter"),
    ("New-TransportRule", RULE | {"Name": "x", "HeaderContainsWords": ["a"]}, 400, "used together", "no header"),
    ("New-TransportRule", RULE | {"Name": "x", "ExceptIfHeaderMatchesMessageHeader": "X"}, 400, "together", "no regex"),
    ("New-TransportRule", RULE | {"Name": "x", "HeaderContainsMessageHeader": ["X"], "HeaderContainsWords": ["a"]}, 400, "Transf", "two"),
    ("New-TransportRule", RULE | {"Name": "x", "FromMemberOf": ["g@nobody.example"]}, 404, "couldn't be found", "no group"),
    ("New-TransportRule", RULE | {"Name": "x", "FromScope": "Inside"}, 400, "InOrganization", "no scope of senders"),
    ("Set-TransportRule", {"Identity": "second", "Enabled": False}, 400, "specified. Enabled", "not with Set"),
    ("Set-TransportRule", {"Identity": "second", "Name": "third"}, 400, "already exists", "the name of another"),
    ("Set-TransportRule", {"Identity": "second", "Priority": 3}, 400, "and '2' (lowest", "below the last place"),
    ("Set-TransportRule", {"Identity": "second", "RouteMessageOutboundRequireTls": None}, 400, "one action", "emptied"),
    ("Set-TransportRule", {"Identity": "nobody"}, 404, "couldn't be found on", "no such rule"),
    ("Enable-TransportRule", {"Identity": "nobody"}, 404, "Ex6F9304|", "no such rule"),
    ("Disable-TransportRule", {"Identity": "nobody", "Confirm": False}, 404, "NotFound", "no such rule"),
    ("Remove-TransportRule", {"Identity": "nobody", "Confirm": False}, 404, "NotFound", "no such rule"),
    ("Get-TransportRule", {"Identity": "nobody"}, 404, "NotFound", "no such rule"),
    ("New-OutboundConnector", OUT, 400, "already exists", "a name twice"),
    ("New-OutboundConnector", {"Name": "x"}, 400, "recipient domains", "for nobody"),
    ("New-OutboundConnector", OUT | {"Name": "x", "UseMXRecord": False}, 400, "SmartHosts", "no way out"),
    ("New-OutboundConnector", OUT | {"Name": "x", "SmartHosts": ["a.example"]}, 400, "UseMXRecord", "two ways"),
    ("New-OutboundConnector", OUT | {"Name": "x", "TlsDomain": "a.example"}, 400, "DomainValidation", "no use"),
    ("New-OutboundConnector", OUT | {"Name": "x", "TlsSettings": "DomainValidation"}, 400, "TlsDomain", "no name"),
    ("New-OutboundConnector", OUT | {"Name": "x", "TlsSettings": "Always"}, 400, "EncryptionOnly", "no setting"),
    ("New-OutboundConnector", OUT | {"Name": "x", "RecipientDomains": ["a.*.com"]}, 400, "wildcard", "inside"),
    ("Set-OutboundConnector", {"Identity": "To fabrikam", "RecipientDomains": None}, 400, "recipient", "emptied"),
    ("Set-OutboundConnector", {"Identity": "nobody"}, 404, "NotFound", "no such connector"),
    ("Remove-OutboundConnector", {"Identity": "nobody", "Confirm": False}, 404, "NotFound", "none such"),
    ("New-InboundConnector", {"Name": "x"}, 400, "missing mandatory parameters: SenderDomains", "from nobody"),
    ("New-InboundConnector", IN | {"Name": "x", "RestrictDomainsToCertificate": True}, 400, "TlsSenderC", "no name"),
    ("New-InboundConnector", IN | {"Name": "x", "RestrictDomainsToIPAddresses": True}, 400, "SenderIPA", "none"),
    ("New-InboundConnector", IN | {"Name": "x", "SenderIPAddresses": ["192.0.2.0/16"]}, 400, "/24", "too wide"),
    ("New-InboundConnector", IN | {"Name": "x", "SenderIPAddresses": ["2001:db8::1"]}, 400, "IPv4", "no IPv4"),
    ("New-InboundConnector", IN | {"Name": "x", "ConnectorType": "OnPremises", "RequireTls": True}, 400, "Partner", "kind"),
    ("Remove-InboundConnector", {"Identity": "nobody", "Confirm": False}, 404, "NotFound", "none such"),
    ("Enable-DnssecForVerifiedDomain", {"DomainName": "x.example"}, 400, "isn't a verified domain", "foreign"),
    ("Enable-SmtpDaneInbound", {"DomainName": "signed.example"}, 400, "DNSSEC isn't enabled", "too early"),
    ("Get-SmtpDaneInboundStatus", {}, 400, "missing mandatory", "no domain"),
]  # fmt: skip


@pytest.mark.parametrize(("cmdlet", "parameters", "status", "part", "why"), BAD)
def test_what_is_refused(
    full: Lab, cmdlet: str, parameters: dict[str, Any], status: int, part: str, why: str
) -> None:
    before = full.tenant.mail_flow.to_state()
    response = full.run(cmdlet, **parameters)
    assert response.status == status, why
    assert part in reason(response)
    assert full.tenant.mail_flow.to_state() == before, "a refusal changed something"


def test_the_three_hundred_and_first_rule_is_refused(lab: Lab) -> None:
    for number in range(300):
        assert lab.run("New-TransportRule", **RULE | {"Name": f"r{number}"}).status == 200
    assert "more than 300" in reason(lab.run("New-TransportRule", **RULE))


def test_rows_have_the_fields_of_the_services(full: Lab) -> None:
    (rule,) = full.rows("Get-TransportRule", Identity="tls to FABRIKAM")
    assert len(bare(rule)) == 200
    assert (rule["Priority"], rule["State"], rule["Mode"]) == (0, "Enabled", "Enforce")
    assert rule["Actions"] == [
        "Microsoft.Exchange.MessagingPolicies.Rules.Tasks.RouteMessageOutboundRequireTlsAction"
    ]
    assert rule["Exceptions"] is None
    (inbound,) = full.rows("Get-InboundConnector")
    assert len(bare(inbound)) == 42
    assert (inbound["SenderDomains"], inbound["RequireTls"]) == (["smtp:fabrikam.com;1"], True)
    (outbound,) = full.rows("Get-OutboundConnector")
    assert (outbound["TlsSettings"], outbound["MtaStsMode"]) == (None, "Opportunistic")
    assert "RequireTls" not in outbound
    assert "SenderDomains" not in outbound


def test_rules_are_found_by_name_guid_and_distinguished_name(full: Lab) -> None:
    (rule,) = full.rows("Get-TransportRule", Identity="second")
    for identity in ("SECOND", rule["Guid"], rule["DistinguishedName"]):
        assert full.rows("Get-TransportRule", Identity=identity)[0]["Name"] == "second"


def test_priorities_stay_dense(full: Lab) -> None:
    assert full.run("New-TransportRule", **RULE | {"Name": "new", "Priority": 1}).status == 200
    assert full.names() == ["TLS to fabrikam", "new", "second", "third"]  # pushed down
    assert full.run("Set-TransportRule", Identity="third", Priority=0).status == 200
    assert full.names() == ["third", "TLS to fabrikam", "new", "second"]
    assert full.run("Remove-TransportRule", Identity="new", Confirm=False).status == 200
    assert [row["Priority"] for row in full.rows("Get-TransportRule")] == [0, 1, 2]  # closed


def test_a_rule_is_switched_by_cmdlets_of_their_own(full: Lab) -> None:
    assert full.run("Disable-TransportRule", Identity="second", Confirm=False).body == b""
    assert [row["Name"] for row in full.rows("Get-TransportRule", State="Disabled")] == ["second"]
    full.run("Enable-TransportRule", Identity="second", Mode="Audit")
    (rule,) = full.rows("Get-TransportRule", Identity="second")
    assert (rule["State"], rule["Mode"]) == ("Enabled", "Audit")


def test_what_is_set_to_null_is_empty_again(full: Lab) -> None:
    full.run("Set-TransportRule", Identity="second", Comments="ours", ExceptIfSenderDomainIs=["a.example"])
    (rule,) = full.rows("Get-TransportRule", Identity="second")
    assert (rule["Comments"], rule["ExceptIfSenderDomainIs"]) == ("ours", ["a.example"])
    assert rule["Exceptions"] == ["Microsoft.Exchange.MessagingPolicies.Rules.Tasks.SenderDomainIsPredicate"]
    full.run("Set-TransportRule", Identity="second", Comments=None, ExceptIfSenderDomainIs=None)
    (rule,) = full.rows("Get-TransportRule", Identity="second")
    assert (rule["Comments"], rule["ExceptIfSenderDomainIs"], rule["Exceptions"]) == (None, None, None)


def test_powershell_coerces_what_it_can(lab: Lab) -> None:
    told = {
        "name": "x",
        "recipientdomainis": "a.example",
        "SentToScope": "Not",
        "RouteMessageOutboundRequireTls": "True",
    }
    assert lab.run("new-transportrule", **told).status == 200
    (rule,) = lab.rows("Get-TransportRule")
    assert (rule["RecipientDomainIs"], rule["SentToScope"]) == (["a.example"], "NotInOrganization")


CONFIRMED = [
    "Disable-TransportRule",
    "Remove-TransportRule",
    "Remove-OutboundConnector",
    "Remove-InboundConnector",
]
IDENTITIES = {
    "TransportRule": "second",
    "OutboundConnector": "To fabrikam",
    "InboundConnector": "From fabrikam",
}


@pytest.mark.parametrize("cmdlet", CONFIRMED)
def test_what_destroys_asks_first(full: Lab, cmdlet: str) -> None:
    identity = IDENTITIES[cmdlet.partition("-")[2]]
    before = full.tenant.mail_flow.to_state()
    asked = full.run(cmdlet, Identity=identity)
    assert asked.status == 200
    assert "Are you sure" in json.loads(asked.body)["@adminapi.confirmationmessage"]
    assert full.tenant.mail_flow.to_state() == before
    assert full.run(cmdlet, Identity=identity, WhatIf=True).status == 200
    assert full.tenant.mail_flow.to_state() == before
    assert full.run(cmdlet, Identity=identity, Confirm=False).body == b""
    assert full.tenant.mail_flow.to_state() != before


FILTERS = [  # switch, parameters, names, why
    ("docs", {}, ["To fabrikam"], "scoped ones are hidden"),
    ("docs", {"IsTransportRuleScoped": True}, ["Scoped"], "and only they are shown"),
    ("docs", {"IncludeTestModeConnectors": True}, ["To fabrikam", "test"], "test mode"),
    ("live", {}, ["To fabrikam", "Scoped", "test"], "as one live answer had it"),
]


@pytest.mark.parametrize(("switch", "parameters", "names", "why"), FILTERS)
def test_outbound_connectors_are_filtered(
    switch: str, parameters: dict[str, Any], names: list[str], why: str
) -> None:
    lab = Lab(Switches(connector_filters=switch))
    lab.run("New-OutboundConnector", **OUT)
    lab.run("New-OutboundConnector", Name="Scoped", IsTransportRuleScoped=True)
    lab.run("New-OutboundConnector", **OUT | {"Name": "test", "TestMode": True})
    assert [row["Name"] for row in lab.rows("Get-OutboundConnector", **parameters)] == names, why


def test_a_connector_that_a_rule_uses_stays(full: Lab) -> None:
    full.run("Set-TransportRule", Identity="second", RouteMessageOutboundConnector="scoped")
    refused = full.run("Remove-OutboundConnector", Identity="Scoped", Confirm=False)
    assert "used by the transport rule 'second'" in reason(refused)


def test_a_connector_is_changed_where_it_is_told_to(full: Lab) -> None:
    told = {"TlsSettings": "DomainValidation", "TlsDomain": "*.fabrikam.com", "Enabled": False, "Name": "Fab"}
    assert full.run("Set-OutboundConnector", Identity="To fabrikam", **told).status == 200
    (row,) = full.rows("Get-OutboundConnector")
    assert {name: row[name] for name in told} == told
    assert row["RecipientDomains"] == ["fabrikam.com"]
    assert full.run("Set-InboundConnector", Identity="From fabrikam", SenderDomains=["*"]).status == 200
    assert full.rows("Get-InboundConnector")[0]["SenderDomains"] == ["smtp:*;1"]


WRITING = [
    ("New-TransportRule", RULE),
    ("Remove-TransportRule", {"Identity": "second", "Confirm": False}),
    ("New-OutboundConnector", OUT),
    ("New-InboundConnector", IN),
    ("Enable-DnssecForVerifiedDomain", {"DomainName": "signed.example"}),
    ("Disable-SmtpDaneInbound", {"DomainName": "signed.example"}),
]


@pytest.mark.parametrize(("cmdlet", "parameters"), WRITING)
def test_who_may_read_may_not_write(full: Lab, cmdlet: str, parameters: dict[str, Any]) -> None:
    refused = full.run(cmdlet, caller="reader", **parameters)
    assert (refused.status, refused.body) == (403, b"\x00" * 470)
    assert full.run("Get-TransportRule", caller="reader").status == 200


def test_faults_know_rules_by_name(full: Lab) -> None:
    full.faults.add(Fault("refuse", cmdlet="Set-TransportRule", domain="second", value="no"))
    assert full.run("Set-TransportRule", Identity="third", Comments="x").status == 200
    assert full.run("Set-TransportRule", Identity="second", Comments="x").status == 400
    assert [entry.identity for entry in full.api.log][-2:] == ["third", "second"]


def test_writes_become_visible_late_while_a_lag_is_set(full: Lab) -> None:
    full.faults.add(Fault("lag", cmdlet="Remove-TransportRule", value="60"))
    full.run("Remove-TransportRule", Identity="second", Confirm=False)
    assert "second" in full.names()
    full.clock.advance(timedelta(seconds=61))
    assert "second" not in full.names()


# DNSSEC and DANE


def test_the_way_to_dane_and_back(lab: Lab) -> None:
    host = "signed-example.o-v1.mx.microsoft"
    domain = {"DomainName": "Signed.example"}
    assert lab.rows("Get-DnssecStatusForVerifiedDomain", **domain)[0]["DnssecFeatureStatus"] == {
        "Value": "Disabled"
    }
    (enabled,) = lab.rows("Enable-DnssecForVerifiedDomain", **domain)
    assert enabled == {"Result": "Success", "DnssecMxValue": host, "ErrorData": None}
    assert lab.rows("Enable-DnssecForVerifiedDomain", **domain) == [enabled]  # once more is no error
    (status,) = lab.rows("Get-DnssecStatusForVerifiedDomain", **domain)
    assert status["ExpectedMxRecord"] == {"Record": f"@ 60 IN MX 10 {host}"}
    assert (status["DnsValidation"]["DnssecSupport"], status["MxValidation"]["Status"]) == (
        "Supported",
        "Failed",
    )
    lab.mx["signed.example"] = ((10, host),)
    (status,) = lab.rows("Get-DnssecStatusForVerifiedDomain", SkipMtaStsValidation=True, **domain)
    assert status["MxValidation"]["Status"] == "Passed"
    assert "MtaStsValidation" not in status
    assert lab.tenant.mail_flow.published(host, "A") == "192.0.2.25"
    assert lab.tenant.mail_flow.published(f"_25._tcp.{host}", "TLSA") is None
    lab.run("Enable-SmtpDaneInbound", **domain)
    assert lab.rows("Get-SmtpDaneInboundStatus", **domain) == [{"Status": "Enabled"}]
    assert (lab.tenant.mail_flow.published(f"_25._tcp.{host}", "TLSA") or "").startswith("3 1 1 ")
    accepted = {row["DomainName"]: row["SmtpDaneStatus"] for row in lab.rows("Get-AcceptedDomain")}
    assert (accepted["signed.example"], accepted["plain.example"]) == ("Enabled", "Disabled")
    assert "Disable SMTP DANE" in reason(lab.run("Disable-DnssecForVerifiedDomain", **domain))
    lab.run("Disable-SmtpDaneInbound", **domain)
    lab.run("Disable-DnssecForVerifiedDomain", **domain)
    assert lab.tenant.mail_flow.published(host, "A") is None


def test_nested_results_come_whole_only_when_asked_for(lab: Lab) -> None:
    response = lab.run("Get-DnssecStatusForVerifiedDomain", level="Partial", DomainName="plain.example")
    (row,) = json.loads(response.body)["value"]
    assert isinstance(row["MxValidation"], str)


def test_what_was_made_is_kept(tmp_path: Any) -> None:
    options = SandboxOptions(SPECS, state_dir=tmp_path)
    with Sandbox(options) as box:
        box.tenant.mail_flow.run("New-TransportRule", RULE)
        box.tenant.mail_flow.run("Enable-DnssecForVerifiedDomain", {"DomainName": "signed.example"})
        state = box.tenant.mail_flow.to_state()
    with Sandbox(options) as box:
        assert box.tenant.mail_flow.to_state() == state
        box.reset()
        assert box.tenant.mail_flow.to_state()["rules"] == []
