"""Transport rules and connectors (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule
from exo_auth.render.document import to_text
from exo_auth.render.table import Table
from exo_auth.render.times import iso


def rules_text(rules: Sequence[TransportRule], output: str, *, color: bool = False) -> str:
    """Write one line a rule, in the order in which they act."""
    if output == "json":
        return to_text({"schema": "exo-auth/tls-rules/1", "rules": [_rule_document(rule) for rule in rules]})
    columns = ("Priority", "Name", "State", "Mode", "TLS", "To", "From", "Header", "Then")
    return Table(columns, tuple(map(_rule_row, rules))).to_text(output, color=color)


def connectors_text(
    outbound: Sequence[OutboundConnector],
    inbound: Sequence[InboundConnector],
    output: str,
    *,
    color: bool = False,
) -> str:
    """Write one line a connector, first those by which mail leaves."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/tls-connectors/1",
                "outbound": [_outbound_document(one) for one in outbound],
                "inbound": [_inbound_document(one) for one in inbound],
            }
        )
    columns = ("Direction", "Name", "State", "Type", "Domains", "TLS", "Certificate", "Beside")
    rows = (*map(_outbound_row, outbound), *map(_inbound_row, inbound))
    return Table(columns, rows).to_text(output, color=color)


def _rule_row(rule: TransportRule) -> tuple[str, ...]:
    routes = f"by connector {rule.connector}" if rule.connector else ""
    stops = "stop" if rule.stops_processing else ""
    return (
        str(rule.priority),
        rule.name,
        rule.state,
        rule.mode,
        "required" if rule.requires_tls else "",
        _domains(
            _ends(rule, "RecipientDomainIs", "SentTo", "SentToMemberOf"),
            _ends(rule, "ExceptIfRecipientDomainIs", "ExceptIfSentTo", "ExceptIfSentToMemberOf"),
            rule.sent_to_scope,
        ),
        _domains(
            _ends(rule, "SenderDomainIs", "From", "FromMemberOf"),
            _ends(rule, "ExceptIfSenderDomainIs", "ExceptIfFrom", "ExceptIfFromMemberOf"),
            rule.from_scope,
        ),
        _headers(rule),
        ", ".join(filter(None, (routes, stops))),
    )


def _ends(rule: TransportRule, *names: str) -> tuple[str, ...]:
    """Give domains, addresses and groups of one end of the mail; groups are marked."""
    own = {
        "RecipientDomainIs": rule.recipient_domains,
        "SenderDomainIs": rule.sender_domains,
        "ExceptIfRecipientDomainIs": rule.except_recipient_domains,
        "ExceptIfSenderDomainIs": rule.except_sender_domains,
    }
    return tuple(
        f"members of {text}" if name.endswith("MemberOf") else text
        for name in names
        for text in own.get(name, rule.terms.get(name, ()))
    )


def _headers(rule: TransportRule) -> str:
    told = []
    for prefix, word in (("", ""), ("ExceptIf", "without ")):
        for stem, values in (("HeaderContains", "Words"), ("HeaderMatches", "Patterns")):
            header = rule.terms.get(f"{prefix}{stem}MessageHeader", ())
            told += [
                f"{word}{name}: {' or '.join(rule.terms.get(f'{prefix}{stem}{values}', ()))}"
                for name in header
            ]
    return ", ".join(told)


def _domains(named: tuple[str, ...], without: tuple[str, ...], scope: str) -> str:
    excepted = f"without {' '.join(without)}" if without else ""
    return ", ".join(filter(None, (scope, " ".join(named), excepted)))


def _outbound_row(one: OutboundConnector) -> tuple[str, ...]:
    beside = (
        "for transport rules" if one.is_rule_scoped else "",
        "test mode" if one.test_mode else "",
        f"via {' '.join(one.smart_hosts)}" if one.smart_hosts else "",
        f"MTA-STS {one.mta_sts_mode}" if one.mta_sts_mode not in ("", "Opportunistic") else "",
        f"DANE {one.smtp_dane_mode}" if one.smtp_dane_mode not in ("", "Opportunistic") else "",
    )
    return (
        "outbound",
        one.name,
        _state(enabled=one.enabled),
        one.connector_type,
        " ".join(one.recipient_domains),
        one.tls_settings or "opportunistic",
        one.tls_domain,
        ", ".join(filter(None, beside)),
    )


def _inbound_row(one: InboundConnector) -> tuple[str, ...]:
    beside = (
        "rejects other certificates" if one.restricts_to_certificate else "",
        f"rejects all but {' '.join(one.sender_addresses)}" if one.restricts_to_addresses else "",
    )
    return (
        "inbound",
        one.name,
        _state(enabled=one.enabled),
        one.connector_type,
        " ".join(one.sender_domains),
        "required" if one.require_tls else "opportunistic",
        one.certificate_name,
        ", ".join(filter(None, beside)),
    )


def _state(*, enabled: bool) -> str:
    return "Enabled" if enabled else "Disabled"


def _rule_document(rule: TransportRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "guid": rule.guid,
        "priority": rule.priority,
        "state": rule.state,
        "mode": rule.mode,
        "requires_tls": rule.requires_tls,
        "conditions": list(rule.conditions),
        "exceptions": list(rule.exceptions),
        "actions": list(rule.actions),
        "from_scope": rule.from_scope or None,
        "sent_to_scope": rule.sent_to_scope or None,
        "sender_domains": list(rule.sender_domains),
        "recipient_domains": list(rule.recipient_domains),
        "except_sender_domains": list(rule.except_sender_domains),
        "except_recipient_domains": list(rule.except_recipient_domains),
        "terms": {name: list(values) for name, values in rule.terms.items()},
        "connector": rule.connector or None,
        "stops_processing": rule.stops_processing,
        "comments": rule.comments,
        "activation": iso(rule.activation),
        "expiry": iso(rule.expiry),
        "changed": iso(rule.changed),
    }


def _outbound_document(one: OutboundConnector) -> dict[str, Any]:
    return {
        "name": one.name,
        "guid": one.guid,
        "enabled": one.enabled,
        "type": one.connector_type,
        "source": one.connector_source,
        "recipient_domains": list(one.recipient_domains),
        "use_mx_record": one.use_mx_record,
        "smart_hosts": list(one.smart_hosts),
        "tls_settings": one.tls_settings or None,
        "tls_domain": one.tls_domain or None,
        "rule_scoped": one.is_rule_scoped,
        "test_mode": one.test_mode,
        "mta_sts_mode": one.mta_sts_mode or None,
        "smtp_dane_mode": one.smtp_dane_mode or None,
        "comment": one.comment,
        "changed": iso(one.changed),
    }


def _inbound_document(one: InboundConnector) -> dict[str, Any]:
    return {
        "name": one.name,
        "guid": one.guid,
        "enabled": one.enabled,
        "type": one.connector_type,
        "source": one.connector_source,
        "sender_domains": list(one.sender_domains),
        "require_tls": one.require_tls,
        "restricts_to_certificate": one.restricts_to_certificate,
        "certificate_name": one.certificate_name or None,
        "restricts_to_addresses": one.restricts_to_addresses,
        "sender_addresses": list(one.sender_addresses),
        "comment": one.comment,
        "changed": iso(one.changed),
    }
