"""From rows to the facts of `facts/mail_flow.py`: the only place that knows their field names (pure)."""

from __future__ import annotations

from typing import TypeVar

from exo_auth.exchange.decode import rows_of
from exo_auth.exchange.fields import Row
from exo_auth.exchange.mail_flow_cmdlets import (
    GET_ARC,
    GET_INBOUND_CONNECTOR,
    GET_OUTBOUND_CONNECTOR,
    GET_TRANSPORT_RULE,
)
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule

_TERMS = (
    "From",
    "FromMemberOf",
    "SentTo",
    "SentToMemberOf",
    "HeaderContainsMessageHeader",
    "HeaderContainsWords",
    "HeaderMatchesMessageHeader",
    "HeaderMatchesPatterns",
)
_BOTH = (*_TERMS, *(f"ExceptIf{name}" for name in (*_TERMS, "FromScope", "SentToScope")))

Connector = TypeVar("Connector", OutboundConnector, InboundConnector)


def transport_rules(answer: CmdletAnswer) -> tuple[TransportRule, ...]:
    """Decode Get-TransportRule, in the order of priority; raises ProtocolError with row and field."""
    rules = (_transport_rule(row) for row in rows_of(GET_TRANSPORT_RULE, answer))
    return tuple(sorted(rules, key=lambda rule: rule.priority))


def outbound_connectors(*answers: CmdletAnswer) -> tuple[OutboundConnector, ...]:
    """Decode one or more answers of Get-OutboundConnector, each connector once; raises ProtocolError."""
    rows = [row for answer in answers for row in rows_of(GET_OUTBOUND_CONNECTOR, answer)]
    return _each_once(tuple(_outbound_connector(row) for row in rows))


def inbound_connectors(answer: CmdletAnswer) -> tuple[InboundConnector, ...]:
    """Decode Get-InboundConnector; raises ProtocolError with row and field."""
    return _each_once(tuple(_inbound_connector(row) for row in rows_of(GET_INBOUND_CONNECTOR, answer)))


def arc_sealers(answer: CmdletAnswer) -> tuple[str, ...]:
    """Decode Get-ArcConfig: domains, lower case; none where there is no row. Raises ProtocolError."""
    found: dict[str, None] = {}
    for row in rows_of(GET_ARC, answer):
        row.require("ArcTrustedSealers")
        for text in row.texts("ArcTrustedSealers"):  # a list, or one text with commas
            found.update(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    return tuple(found)


def _each_once(connectors: tuple[Connector, ...]) -> tuple[Connector, ...]:
    by_identity = {connector.identity.lower(): connector for connector in connectors}
    return tuple(sorted(by_identity.values(), key=lambda connector: connector.name.lower()))


def _transport_rule(row: Row) -> TransportRule:
    # A rule whose conditions were not told would read as one for all mail.
    row.require("Priority", "State", "Mode", "Conditions", "Actions", "RecipientDomainIs")
    return TransportRule(
        name=row.text("Name"),
        guid=row.text("Guid", "").lower(),
        priority=row.number("Priority"),
        state=row.text("State"),
        mode=row.text("Mode"),
        requires_tls=row.boolean("RouteMessageOutboundRequireTls"),
        conditions=_short(row.texts("Conditions"), "Predicate"),
        exceptions=_short(row.texts("Exceptions"), "Predicate"),
        actions=_short(row.texts("Actions"), "Action"),
        from_scope=row.text("FromScope", ""),
        sent_to_scope=row.text("SentToScope", ""),
        sender_domains=_domains(row, "SenderDomainIs"),
        recipient_domains=_domains(row, "RecipientDomainIs"),
        except_sender_domains=_domains(row, "ExceptIfSenderDomainIs"),
        except_recipient_domains=_domains(row, "ExceptIfRecipientDomainIs"),
        connector=row.text("RouteMessageOutboundConnector", ""),
        stops_processing=row.boolean("StopRuleProcessing", False),
        error_action=row.text("RuleErrorAction", ""),
        sender_address_location=row.text("SenderAddressLocation", ""),
        comments=row.text("Comments", ""),
        activation=row.moment("ActivationDate"),
        expiry=row.moment("ExpiryDate"),
        changed=row.moment("WhenChanged"),
        terms={name: values for name in _BOTH if (values := _values(row, name))},
        extra=row.rest(),
    )


def _outbound_connector(row: Row) -> OutboundConnector:
    # A missing TlsSettings must not read as "TLS is not forced".
    row.require("TlsSettings", "TlsDomain", "RecipientDomains", "SmartHosts")
    return OutboundConnector(
        name=row.text("Name"),
        guid=row.text("Guid", "").lower(),
        enabled=row.boolean("Enabled"),
        connector_type=row.text("ConnectorType"),
        connector_source=row.text("ConnectorSource", ""),
        recipient_domains=_domains(row, "RecipientDomains"),
        use_mx_record=row.boolean("UseMXRecord"),
        smart_hosts=row.texts("SmartHosts"),
        tls_settings=row.text("TlsSettings", ""),
        tls_domain=row.text("TlsDomain", "").lower(),
        is_rule_scoped=row.boolean("IsTransportRuleScoped"),
        test_mode=row.boolean("TestMode", False),
        all_accepted_domains=row.boolean("AllAcceptedDomains", False),
        mta_sts_mode=row.text("MtaStsMode", ""),  # since February 2026
        smtp_dane_mode=row.text("SmtpDaneMode", ""),
        comment=row.text("Comment", ""),
        changed=row.moment("WhenChangedUTC"),
        extra=row.rest(),
    )


def _inbound_connector(row: Row) -> InboundConnector:
    row.require("SenderDomains", "TlsSenderCertificateName", "SenderIPAddresses")
    return InboundConnector(
        name=row.text("Name"),
        guid=row.text("Guid", "").lower(),
        enabled=row.boolean("Enabled"),
        connector_type=row.text("ConnectorType"),
        connector_source=row.text("ConnectorSource", ""),
        address_spaces=row.texts("SenderDomains"),
        require_tls=row.boolean("RequireTls"),
        restricts_to_certificate=row.boolean("RestrictDomainsToCertificate"),
        restricts_to_addresses=row.boolean("RestrictDomainsToIPAddresses"),
        certificate_name=row.text("TlsSenderCertificateName", "").lower(),
        sender_addresses=row.texts("SenderIPAddresses"),
        skips_last_address=row.boolean("EFSkipLastIP", False),
        skipped_addresses=row.texts("EFSkipIPs"),
        comment=row.text("Comment", ""),
        changed=row.moment("WhenChangedUTC"),
        extra=row.rest(),
    )


def _domains(row: Row, name: str) -> tuple[str, ...]:
    return tuple(text.lower() for text in row.texts(name))


def _values(row: Row, name: str) -> tuple[str, ...]:
    """Read a term, which may come as one text or a list; whatever else it holds is kept as a text."""
    value = row.any(name)
    items = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return tuple(text for item in items if (text := str(item).strip()))


def _short(classes: tuple[str, ...], suffix: str) -> tuple[str, ...]:
    """Cut `Microsoft.….SentToScopePredicate` down to SentToScope."""
    return tuple(name.rpartition(".")[2].removesuffix(suffix) for name in classes)
