"""TLS with a partner as changes: a transport rule, or connectors; DNSSEC and DANE of one's own domains (plan, pure).

Only rules and connectors that carry our mark are changed, unless one is adopted. States are plain JSON values, so that a
plan file can hold them and apply can compare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.dnssec import DaneStatus, DnssecStatus
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule
from exo_auth.plan.change import Blockage, Change, Verb

MARK = "managed-by=exo-auth"
TLS_SETTINGS = {
    "encryption": "EncryptionOnly",
    "certificate": "CertificateValidation",
    "domain": "DomainValidation",
}
NEW_RULE, SET_RULE, REMOVE_RULE = "New-TransportRule", "Set-TransportRule", "Remove-TransportRule"
NEW_OUT, SET_OUT, REMOVE_OUT = "New-OutboundConnector", "Set-OutboundConnector", "Remove-OutboundConnector"
NEW_IN, SET_IN, REMOVE_IN = "New-InboundConnector", "Set-InboundConnector", "Remove-InboundConnector"
ENABLE_DNSSEC, DISABLE_DNSSEC = "Enable-DnssecForVerifiedDomain", "Disable-DnssecForVerifiedDomain"
ENABLE_DANE, DISABLE_DANE = "Enable-SmtpDaneInbound", "Disable-SmtpDaneInbound"
RULE_CMDLETS = frozenset({NEW_RULE, SET_RULE, REMOVE_RULE})
OUT_CMDLETS = frozenset({NEW_OUT, SET_OUT, REMOVE_OUT})
IN_CMDLETS = frozenset({NEW_IN, SET_IN, REMOVE_IN})
DNSSEC_CMDLETS = frozenset({ENABLE_DNSSEC, DISABLE_DNSSEC})
DANE_CMDLETS = frozenset({ENABLE_DANE, DISABLE_DANE})
CMDLETS = RULE_CMDLETS | OUT_CMDLETS | IN_CMDLETS | DNSSEC_CMDLETS | DANE_CMDLETS
ABSENT = {"exists": False}


@dataclass(frozen=True)
class MailFlow:
    """What a tenant has: rules in the order in which they act, and connectors."""

    rules: tuple[TransportRule, ...] = ()
    outbound: tuple[OutboundConnector, ...] = ()
    inbound: tuple[InboundConnector, ...] = ()


@dataclass(frozen=True)
class PartnerWish:
    """Force TLS with a partner. `how` is rule or connector; `mode` of a rule is Audit or Enforce."""

    partner: DomainName
    how: str = "rule"
    mode: str = "Audit"
    verify: str = "encryption"
    tls_domain: str = ""
    inbound_certificate: str = ""  # also make an inbound connector that wants this name
    adopts: bool = False

    @property
    def name(self) -> str:
        """What our rule or connector is called."""
        return f"exo-auth: TLS to {self.partner.ascii}"[:64]


def rule_state(rule: TransportRule | None) -> dict[str, Any]:
    """Describe a rule by what we set."""
    if rule is None:
        return dict(ABSENT)
    return {
        "exists": True,
        "enabled": rule.is_enabled,
        "mode": rule.mode,
        "requires_tls": rule.requires_tls,
        "recipient_domains": sorted(rule.recipient_domains),
        "sent_to_scope": rule.sent_to_scope,
        "comments": rule.comments,
    }


def outbound_state(one: OutboundConnector | None) -> dict[str, Any]:
    """Describe an outbound connector by what we set."""
    if one is None:
        return dict(ABSENT)
    return {
        "exists": True,
        "enabled": one.enabled,
        "recipient_domains": sorted(one.recipient_domains),
        "use_mx": one.use_mx_record,
        "tls_settings": one.tls_settings,
        "tls_domain": one.tls_domain,
        "comment": one.comment,
    }


def inbound_state(one: InboundConnector | None) -> dict[str, Any]:
    """Describe an inbound connector by what we set."""
    if one is None:
        return dict(ABSENT)
    return {
        "exists": True,
        "enabled": one.enabled,
        "sender_domains": sorted(one.sender_domains),
        "require_tls": one.require_tls,
        "restricts_to_certificate": one.restricts_to_certificate,
        "certificate_name": one.certificate_name,
        "comment": one.comment,
    }


def plan_partner(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    """Give what forces TLS with a partner, and what is in the way."""
    if wish.how == "rule":
        return _plan_rule(flow, wish)
    changes, blockages = _plan_outbound(flow, wish)
    if wish.inbound_certificate:
        more, held = _plan_inbound(flow, wish)
        changes, blockages = [*changes, *more], [*blockages, *held]
    return changes, blockages


def plan_removal(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    """Take our rule and connectors for a partner away again."""
    changes: list[Change] = []
    blockages: list[Blockage] = []
    for kind, found, cmdlet, state, comment in (
        ("rule", _named(flow.rules, wish.name), REMOVE_RULE, rule_state, "comments"),
        ("connector", _named(flow.outbound, wish.name), REMOVE_OUT, outbound_state, "comment"),
        ("inbound connector", _named(flow.inbound, wish.name), REMOVE_IN, inbound_state, "comment"),
    ):
        if found is None:
            continue
        before: dict[str, Any] = state(found)
        if MARK not in str(before[comment]) and not wish.adopts:
            blockages.append(_foreign(wish, f"the {kind} “{wish.name}”"))
            continue
        because = f"the {kind} {wish.name} is taken away"
        undo = "undo makes it anew"
        changes.append(
            Change(
                Verb.REMOVE,
                wish.partner,
                before,
                dict(ABSENT),
                because,
                cmdlet,
                {"Identity": wish.name},
                undo,
            )
        )
    return changes, blockages


def conflicts(flow: MailFlow, wish: PartnerWish) -> tuple[str, ...]:
    """Tell what keeps a rule for this partner from acting: rules before it that stop, or route elsewhere."""
    told = []
    own = _named(flow.rules, wish.name)
    before = [rule for rule in flow.rules if own is None or rule.priority < own.priority]
    for rule in before:
        if not rule.is_enforced or not _may_match(rule, wish.partner):
            continue
        if rule.stops_processing:
            told.append(f"the rule “{rule.name}” (priority {rule.priority}) stops processing before it")
        if rule.connector:
            told.append(f"the rule “{rule.name}” routes by the connector “{rule.connector}”")
    for connector in flow.outbound:
        if (
            connector.enabled
            and not connector.forces_tls
            and wish.partner.ascii in connector.recipient_domains
        ):
            told.append(f"the connector “{connector.name}” carries this mail without demanding TLS")
    return tuple(told)


def plan_feature(cmdlet: str, domain: DomainName, enabled: bool, because: str) -> Change:
    """Switch DNSSEC or DANE of an accepted domain on or off."""
    turns_on = cmdlet in (ENABLE_DNSSEC, ENABLE_DANE)
    undo = {ENABLE_DNSSEC: DISABLE_DNSSEC, ENABLE_DANE: DISABLE_DANE}.get(cmdlet, "run the opposite")
    return Change(
        Verb.ENABLE if turns_on else Verb.DISABLE,
        domain,
        {"enabled": enabled},
        {"enabled": turns_on},
        because,
        cmdlet,
        {"DomainName": domain.ascii},
        undo,
    )


def feature_state(status: DnssecStatus | DaneStatus) -> dict[str, Any]:
    """Describe DNSSEC or DANE of a domain."""
    return {"enabled": status.is_enabled}


def inverse(change: Change) -> Change | str:
    """Give the change that takes one back, or why there is none."""
    because = f"as before: {change.because}"
    if change.cmdlet in (NEW_RULE, NEW_OUT, NEW_IN):
        cmdlet = change.cmdlet.replace("New-", "Remove-")
        identity = {"Identity": change.parameters["Name"]}
        return Change(Verb.REMOVE, change.target, change.after, dict(ABSENT), because, cmdlet, identity)
    if change.cmdlet in (SET_RULE, SET_OUT, SET_IN):
        return Change(
            Verb.UPDATE,
            change.target,
            {**change.before, **change.after},
            change.before,
            because,
            change.cmdlet,
            {"Identity": change.parameters["Identity"], **_parameters_of(change.cmdlet, change.before)},
        )
    if change.cmdlet in (REMOVE_RULE, REMOVE_OUT, REMOVE_IN):
        cmdlet = change.cmdlet.replace("Remove-", "New-")
        parameters = {"Name": change.parameters["Identity"], **_parameters_of(cmdlet, change.before)}
        return Change(Verb.CREATE, change.target, dict(ABSENT), change.before, because, cmdlet, parameters)
    opposite = {
        ENABLE_DNSSEC: DISABLE_DNSSEC,
        DISABLE_DNSSEC: ENABLE_DNSSEC,
        ENABLE_DANE: DISABLE_DANE,
        DISABLE_DANE: ENABLE_DANE,
    }
    if change.cmdlet in opposite:
        return plan_feature(opposite[change.cmdlet], change.target, bool(change.after["enabled"]), because)
    return f"{change.cmdlet} cannot be taken back"


def _plan_rule(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    blocked = [Blockage(wish.partner, Verb.CREATE, text, (), False) for text in conflicts(flow, wish)]
    wanted = {
        "enabled": True,
        "mode": wish.mode,
        "requires_tls": True,
        "recipient_domains": [wish.partner.ascii],
        "sent_to_scope": "NotInOrganization",
        "comments": MARK,
    }
    return _plan_object(
        wish,
        "rule",
        rule_state(_named(flow.rules, wish.name)),
        wanted,
        "comments",
        (NEW_RULE, SET_RULE),
        blocked,
    )


def _plan_outbound(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    wanted = {
        "enabled": True,
        "recipient_domains": [wish.partner.ascii],
        "use_mx": True,
        "tls_settings": TLS_SETTINGS[wish.verify],
        "tls_domain": wish.tls_domain,
        "comment": MARK,
    }
    blocked = [
        Blockage(
            wish.partner,
            Verb.CREATE,
            f"the connector “{other.name}” carries mail for this domain already",
            (),
            False,
        )
        for other in flow.outbound
        if other.name != wish.name and other.enabled and wish.partner.ascii in other.recipient_domains
    ]
    state = outbound_state(_named(flow.outbound, wish.name))
    return _plan_object(wish, "connector", state, wanted, "comment", (NEW_OUT, SET_OUT), blocked)


def _plan_inbound(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    wanted = {
        "enabled": False,  # a wrong one rejects real mail at once: a person switches it on
        "sender_domains": [wish.partner.ascii],
        "require_tls": True,
        "restricts_to_certificate": True,
        "certificate_name": wish.inbound_certificate,
        "comment": MARK,
    }
    state = inbound_state(_named(flow.inbound, wish.name))
    if state["exists"]:
        wanted["enabled"] = state["enabled"]
    return _plan_object(wish, "inbound connector", state, wanted, "comment", (NEW_IN, SET_IN), [])


def _plan_object(
    wish: PartnerWish,
    kind: str,
    state: Mapping[str, Any],
    wanted: Mapping[str, Any],
    comment: str,
    cmdlets: tuple[str, str],
    blocked: list[Blockage],
) -> tuple[list[Change], list[Blockage]]:
    """Make, change, or leave alone one rule or connector."""
    new, change = cmdlets
    if not state["exists"]:
        if blocked:
            return [], blocked
        after = {"exists": True, **wanted}
        parameters = {"Name": wish.name, **_parameters_of(new, after)}
        because = f"a {kind} makes TLS with {wish.partner.unicode} a must"
        return [
            Change(
                Verb.CREATE,
                wish.partner,
                dict(ABSENT),
                after,
                because,
                new,
                parameters,
                f"undo removes the {kind}",
            )
        ], []
    different = {key: value for key, value in wanted.items() if key != comment and state[key] != value}
    is_ours = MARK in str(state[comment])
    if not different and (is_ours or not wish.adopts):
        return [], blocked
    if not is_ours and not wish.adopts:
        return [], [*blocked, _foreign(wish, f"the {kind} “{wish.name}”")]
    different[comment] = state[comment] if is_ours else f"{state[comment]} {MARK}".strip()
    before = {key: state[key] for key in different}
    parameters = {"Identity": wish.name, **_parameters_of(change, different)}
    because = f"the {kind} {wish.name}: {', '.join(key for key in different if key != comment) or 'adopted'}"
    return [
        Change(Verb.UPDATE, wish.partner, before, different, because, change, parameters, "undo sets it back")
    ], []


def _parameters_of(cmdlet: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a state into the cmdlet's parameters."""
    names = _RULE_NAMES if cmdlet in RULE_CMDLETS else _OUT_NAMES if cmdlet in OUT_CMDLETS else _IN_NAMES
    found = {names[key]: value for key, value in state.items() if key in names}
    if cmdlet == SET_RULE:
        found.pop("Enabled", None)  # a rule is switched by cmdlets of its own
    if cmdlet in (NEW_OUT, NEW_IN):
        found["ConnectorType"] = "Partner"
    if cmdlet == NEW_RULE:
        found["SetAuditSeverity"] = "DoNotAudit"
    return {name: value for name, value in found.items() if value != ""}


_RULE_NAMES = {
    "enabled": "Enabled",
    "mode": "Mode",
    "requires_tls": "RouteMessageOutboundRequireTls",
    "recipient_domains": "RecipientDomainIs",
    "sent_to_scope": "SentToScope",
    "comments": "Comments",
}
_OUT_NAMES = {
    "enabled": "Enabled",
    "recipient_domains": "RecipientDomains",
    "use_mx": "UseMXRecord",
    "tls_settings": "TlsSettings",
    "tls_domain": "TlsDomain",
    "comment": "Comment",
}
_IN_NAMES = {
    "enabled": "Enabled",
    "sender_domains": "SenderDomains",
    "require_tls": "RequireTls",
    "restricts_to_certificate": "RestrictDomainsToCertificate",
    "certificate_name": "TlsSenderCertificateName",
    "comment": "Comment",
}


def _named(objects: Iterable[Any], name: str) -> Any:
    return next((one for one in objects if one.name == name), None)


def _foreign(wish: PartnerWish, what: str) -> Blockage:
    return Blockage(
        wish.partner, Verb.UPDATE, f"{what} is not ours: --adopt takes it over", (), is_unknown=False
    )


def _may_match(rule: TransportRule, partner: DomainName) -> bool:
    """May the rule act on mail to the partner? Conditions that are not known here may always."""
    if rule.sent_to_scope.lower() == "inorganization":
        return False
    if not rule.recipient_domains:
        return True
    return any(
        partner.ascii == domain or partner.ascii.endswith(f".{domain}") for domain in rule.recipient_domains
    )
