"""Rules, connectors, DNSSEC and DANE: each step on a tenant over both transports, and the same step again."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bench import Bench
from stand_in_pwsh import write_stand_in

from exo_auth.domain_name import DomainName
from exo_auth.errors import CmdletFailed, Conflict, ExchangeError, NotFound, NotPermitted, ProtocolError
from exo_auth.exchange.client import ExchangeReader, ExchangeWriter
from exo_auth.run.session import WritingSession
from exo_auth.sandbox.scenarios import DEMO
from exo_auth.sandbox.serve import READER_APP_ID, Sandbox, SandboxOptions
from exo_auth.sandbox.switches import Switches

SIGNED = DomainName("fresh.example")
RULE = {
    "Name": "exo-auth: require TLS to fabrikam.com",
    "RecipientDomainIs": ["fabrikam.com"],
    "SentToScope": "NotInOrganization",
    "RouteMessageOutboundRequireTls": True,
    "Comments": "managed-by=exo-auth",
}
OUT = {
    "Name": "to fabrikam",
    "ConnectorType": "Partner",
    "RecipientDomains": ["fabrikam.com", "*.fabrikam.com"],
    "TlsSettings": "DomainValidation",
    "TlsDomain": "*.fabrikam.com",
    "Enabled": False,
}
IN = {
    "Name": "from fabrikam",
    "ConnectorType": "Partner",
    "SenderDomains": ["fabrikam.com"],
    "RequireTls": True,
    "RestrictDomainsToCertificate": True,
    "TlsSenderCertificateName": "mail.fabrikam.com",
    "Enabled": False,
}


@pytest.fixture(params=["rest", "powershell"])
def session(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[WritingSession]:
    """A session over the admin API, or over a stand-in for PowerShell; the tenant is the same."""
    folder = write_stand_in(tmp_path / "bin")
    bench.environment |= {"EXO_AUTH_TRANSPORT": request.param, "PATH": f"{folder}:{os.defpath}"}
    with bench.session() as session:
        yield session


@dataclass(frozen=True)
class Step:
    """One write, and what a look must show after it; `again` is what the same write raises, None for nothing."""

    write: Callable[[ExchangeWriter], object]
    look: Callable[[ExchangeReader], object]
    shown: object
    again: type[ExchangeError] | None
    reason: str


def rule(reader: ExchangeReader, name: str = RULE["Name"]) -> Any:  # type: ignore[assignment]
    return next((rule for rule in reader.transport_rules() if rule.name == name), None)


def outbound(reader: ExchangeReader) -> Any:
    return next((one for one in reader.outbound_connectors() if one.name == "to fabrikam"), None)


def inbound(reader: ExchangeReader) -> Any:
    return next((one for one in reader.inbound_connectors() if one.name == "from fabrikam"), None)


NAME = str(RULE["Name"])
TERMS = {
    "From": ["ceo@fresh.example"],
    "FromMemberOf": ["legal@fresh.example"],
    "FromScope": "InOrganization",
    "HeaderContainsMessageHeader": "X-Class",
    "HeaderContainsWords": ["secret", "restricted"],
    "ExceptIfSentToMemberOf": ["open@fresh.example"],
    "ExceptIfHeaderMatchesMessageHeader": "Subject",
    "ExceptIfHeaderMatchesPatterns": ["^a,b$"],
}
RULES = [
    Step(
        lambda w: w.new_transport_rule(RULE),
        lambda r: (rule(r).requires_tls, rule(r).is_enforced, rule(r).actions, rule(r).recipient_domains),
        (True, True, ("RouteMessageOutboundRequireTls",), ("fabrikam.com",)),
        Conflict,
        "a rule is made, on and last",
    ),
    Step(
        lambda w: w.new_transport_rule({**RULE, "Name": "first", "Priority": 0, "Enabled": False}),
        lambda r: [(one.name, one.priority, one.is_enabled) for one in r.transport_rules()],
        [("first", 0, False), (NAME, 1, True)],
        Conflict,
        "a rule goes to its place and pushes the others down",
    ),
    Step(
        lambda w: w.set_transport_rule(
            NAME, {"RecipientDomainIs": ["a.example", "b.example"], "Priority": 0}
        ),
        lambda r: (rule(r).recipient_domains, rule(r).priority, rule(r).comments),
        (("a.example", "b.example"), 0, "managed-by=exo-auth"),
        None,
        "a rule is changed where it is told to",
    ),
    Step(
        lambda w: w.set_transport_rule(NAME, {"SentToScope": None, "Comments": None}),
        lambda r: (rule(r).sent_to_scope, rule(r).conditions, rule(r).comments),
        ("", ("RecipientDomainIs",), ""),
        None,
        "what is set to null is gone",
    ),
    Step(
        lambda w: w.set_transport_rule(NAME, TERMS),
        lambda r: (rule(r).terms, rule(r).from_scope, rule(r).exceptions),
        (
            {
                "From": ("ceo@fresh.example",),
                "FromMemberOf": ("legal@fresh.example",),
                "HeaderContainsMessageHeader": ("X-Class",),
                "HeaderContainsWords": ("secret", "restricted"),
                "ExceptIfSentToMemberOf": ("open@fresh.example",),
                "ExceptIfHeaderMatchesMessageHeader": ("Subject",),
                "ExceptIfHeaderMatchesPatterns": ("^a,b$",),
            },
            "InOrganization",
            ("SentToMemberOf", "HeaderMatchesMessageHeader", "HeaderMatchesPatterns"),
        ),
        None,
        "conditions and exceptions of sender, group, header and scope",
    ),
    Step(
        lambda w: w.set_transport_rule(NAME, dict.fromkeys(TERMS)),
        lambda r: (rule(r).terms, rule(r).from_scope, rule(r).conditions),
        ({}, "", ("RecipientDomainIs",)),
        None,
        "and none of them",
    ),
    Step(
        lambda w: w.disable_transport_rule(NAME),
        lambda r: (rule(r).state, rule(r).is_enforced),
        ("Disabled", False),
        None,
        "a rule is switched off",
    ),
    Step(
        lambda w: w.enable_transport_rule(NAME, "Audit"),
        lambda r: (rule(r).is_enabled, rule(r).is_enforced),
        (True, False),
        None,
        "a rule is switched on, to watch only",
    ),
    Step(lambda w: w.remove_transport_rule(NAME), rule, None, NotFound, "a rule is removed"),
]
CONNECTORS = [
    Step(
        lambda w: w.new_outbound_connector(OUT),
        lambda r: (outbound(r).enabled, outbound(r).forces_tls, outbound(r).recipient_domains),
        (False, True, ("fabrikam.com", "*.fabrikam.com")),
        Conflict,
        "an outbound connector is made, off",
    ),
    Step(
        lambda w: w.set_outbound_connector(
            "to fabrikam", {"TlsSettings": "EncryptionOnly", "TlsDomain": None, "Enabled": True}
        ),
        lambda r: (outbound(r).enabled, outbound(r).tls_settings, outbound(r).tls_domain),
        (True, "EncryptionOnly", ""),
        None,
        "an outbound connector is changed and switched on",
    ),
    Step(
        lambda w: w.set_outbound_connector(
            "to fabrikam", {"MtaStsMode": "None", "SmtpDaneMode": "Mandatory"}
        ),
        lambda r: (outbound(r).mta_sts_mode, outbound(r).smtp_dane_mode),
        ("None", "Mandatory"),
        None,
        "an outbound connector's modes of MTA-STS and DANE are set",
    ),
    Step(
        lambda w: w.new_outbound_connector(
            {"Name": "for rules", "ConnectorType": "Partner", "IsTransportRuleScoped": True}
        ),
        lambda r: [(one.name, one.is_rule_scoped) for one in r.outbound_connectors()],
        [("for rules", True), ("to fabrikam", False)],
        Conflict,
        "a connector for transport rules is listed beside the others",
    ),
    Step(
        lambda w: w.remove_outbound_connector("to fabrikam"),
        outbound,
        None,
        NotFound,
        "an outbound connector is removed",
    ),
    Step(
        lambda w: w.new_inbound_connector(IN),
        lambda r: (inbound(r).sender_domains, inbound(r).enabled, inbound(r).require_tls),
        (("fabrikam.com",), False, True),
        Conflict,
        "an inbound connector is made, off",
    ),
    Step(
        lambda w: w.set_inbound_connector("from fabrikam", {"Enabled": True}),
        lambda r: (inbound(r).enabled, inbound(r).certificate_name),
        (True, "mail.fabrikam.com"),
        None,
        "an inbound connector is switched on",
    ),
    Step(
        lambda w: w.remove_inbound_connector("from fabrikam"),
        inbound,
        None,
        NotFound,
        "an inbound connector is removed",
    ),
]
HOST = "fresh-example.n-v1.mx.microsoft"
DNSSEC = [
    Step(
        lambda w: w.enable_dnssec(SIGNED),
        lambda r: (r.dnssec_status(SIGNED).is_enabled, r.dnssec_status(SIGNED).expected_host),
        (True, HOST),
        None,
        "an exchanger in a signed zone is made",
    ),
    Step(
        lambda w: w.enable_dane(SIGNED), lambda r: r.dane_status(SIGNED).is_enabled, True, None, "DANE is on"
    ),
    Step(
        lambda w: w.disable_dane(SIGNED),
        lambda r: r.dane_status(SIGNED).is_enabled,
        False,
        None,
        "DANE is off",
    ),
    Step(
        lambda w: w.disable_dnssec(SIGNED),
        lambda r: r.dnssec_status(SIGNED, looks_at_dns=False).expected_mx,
        "",
        None,
        "the exchanger is taken away",
    ),
]


@pytest.mark.parametrize("steps", [RULES, CONNECTORS, DNSSEC], ids=["rules", "connectors", "dnssec"])
def test_steps_and_the_same_again(bench: Bench, session: WritingSession, steps: list[Step]) -> None:
    for step in steps:
        step.write(session.writer)
        assert step.look(session.reader) == step.shown, step.reason
        state = bench.box.tenant.mail_flow.to_state()
        if step.again is None:
            step.write(session.writer)
        else:
            with pytest.raises(step.again):
                step.write(session.writer)
        assert _without_times(bench.box.tenant.mail_flow.to_state()) == _without_times(state), step.reason


def _without_times(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [{**item, "Changed": ""} if isinstance(item, dict) else item for item in items]
        for name, items in state.items()
    }


def test_what_enabling_dnssec_answers(session: WritingSession) -> None:
    change = session.writer.enable_dnssec(SIGNED)
    assert (change.succeeded, change.mx_host) == (True, HOST)
    status = session.reader.dnssec_status(SIGNED)
    assert status.mx is not None
    assert (status.mx.status, len(status.mx.errors)) == ("Failed", 1)
    assert status.actual_mx == ("@ 3600 IN MX 0 fresh-example.mail.protection.outlook.com",)
    assert status.mta_sts is not None


REFUSED: list[tuple[Callable[[ExchangeWriter], object], type[ExchangeError], str, str]] = [
    (lambda w: w.set_transport_rule("nobody", {"Priority": 0}), NotFound, "couldn't be found", "no such rule"),
    (lambda w: w.new_transport_rule({"Name": "empty"}), CmdletFailed, "at least one action", "no action"),
    (lambda w: w.new_transport_rule({**RULE, "Priority": 9}), CmdletFailed, "priority is invalid", "no place"),
    (lambda w: w.new_transport_rule({**RULE, "Mode": "Block"}), ProtocolError, "was not sent", "no such mode"),
    (lambda w: w.new_transport_rule({**RULE, "Name": "n" * 65}), ProtocolError, "64 is the most", "a long name"),
    (lambda w: w.new_transport_rule({**RULE, "RequireTLS": True}), ProtocolError, "not one of", "no parameter"),
    (lambda w: w.set_transport_rule(NAME, {"Enabled": True}), ProtocolError, "is not one of", "not with Set"),
    (lambda w: w.set_transport_rule(NAME, {"RecipientDomainIs": []}), ProtocolError, "None clears", "no list"),
    (lambda w: w.set_transport_rule(NAME, {"RecipientDomainIs": "a"}), ProtocolError, "not a list", "a text"),
    (lambda w: w.set_transport_rule(NAME, {"FromMemberOf": "a@b.example"}), ProtocolError, "not a list", "one group"),
    (lambda w: w.new_transport_rule({**RULE, "FromMemberOf": ["g@x.test"]}), NotFound, "couldn't be found", "no group"),
    (lambda w: w.new_transport_rule({**RULE, "HeaderContainsWords": ["a"]}), CmdletFailed, "together", "no header"),
    (lambda w: w.new_outbound_connector({**OUT, "MtaStsMode": "Mandatory"}), ProtocolError, "not one of", "no mode"),
    (lambda w: w.new_outbound_connector({"Name": "x"}), ProtocolError, "ConnectorType", "a kind is needed"),
    (lambda w: w.new_outbound_connector({**OUT, "TlsDomain": None}), CmdletFailed, "TlsDomain", "no name"),
    (lambda w: w.new_inbound_connector({**IN, "SenderDomains": ["a.*"]}), CmdletFailed, "wildcard", "no domain"),
    (lambda w: w.enable_dane(SIGNED), CmdletFailed, "DNSSEC isn't enabled", "too early"),
    (lambda w: w.enable_dnssec(DomainName("x.test")), CmdletFailed, "isn't a verified", "a foreign domain"),
]  # fmt: skip


@pytest.mark.parametrize(("write", "kind", "part", "reason"), REFUSED, ids=[row[3] for row in REFUSED])
def test_what_is_refused(
    bench: Bench,
    session: WritingSession,
    write: Callable[[ExchangeWriter], object],
    kind: type[ExchangeError],
    part: str,
    reason: str,
) -> None:
    before = bench.box.tenant.mail_flow.to_state()
    with pytest.raises(kind, match=part):
        write(session.writer)
    assert bench.box.tenant.mail_flow.to_state() == before, reason


def test_who_may_only_read_is_told_so(bench: Bench) -> None:
    with bench.session({"EXO_AUTH_CLIENT_ID": READER_APP_ID}) as session:
        assert session.reader.transport_rules() == ()
        assert "new-transportrule" not in session.reader.granted_cmdlets()
        with pytest.raises(NotPermitted, match="New-TransportRule"):
            session.writer.new_transport_rule(RULE)


FAULTS = [
    ("throttle", "Get-TransportRule", "a read is repeated"),
    ("reset-before", "Get-TransportRule", "a broken connection, too"),
    ("string-booleans", "Get-TransportRule", "booleans as words"),
    ("throttle", "New-TransportRule", "a throttled write was not executed, and is repeated"),
]


@pytest.mark.parametrize(("kind", "cmdlet", "reason"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_fault_on_the_way_changes_nothing(bench: Bench, kind: str, cmdlet: str, reason: str) -> None:
    bench.fault(kind, cmdlet=cmdlet)
    with bench.session() as session:
        session.writer.new_transport_rule(RULE)
        assert [one.requires_tls for one in session.reader.transport_rules()] == [True], reason


GUESSES = [
    "connector_filters=live",
    "empty_write_body=list",
    "not_found_status=400",
    "nested_needs_full=false",
]


@pytest.mark.parametrize("guess", GUESSES)
def test_a_guess_about_the_service_may_be_wrong(tmp_path: Path, guess: str) -> None:
    options = SandboxOptions(DEMO[:3], switches=Switches.parse((guess,)))
    with Sandbox(options) as box, Bench(box, tmp_path).session() as session:
        for step in (*RULES, *CONNECTORS, *DNSSEC):
            step.write(session.writer)
            assert step.look(session.reader) == step.shown, step.reason
            if step.again is NotFound:
                with pytest.raises(NotFound):
                    step.write(session.writer)
