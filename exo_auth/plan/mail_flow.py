"""TLS with a partner as changes: a transport rule, or connectors; DNSSEC and DANE of one's own domains (plan, pure).

Only rules and connectors that carry our mark are changed, unless one is adopted. States are plain JSON values, so that a
plan file can hold them and apply can compare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.dnssec import DaneStatus, DnssecStatus
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule
from exo_auth.plan.change import Blockage, Change, Verb
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.rule_order import conflicts
from exo_auth.plan.rule_terms import TERMS, other_parts, terms_in, wanted_terms

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


def rule_state(rule: TransportRule | None) -> dict[str, Any]:
    """Describe a rule by what we set; `others` names what else it is made of."""
    if rule is None:
        return dict(ABSENT)
    return {
        "exists": True,
        "enabled": rule.is_enabled,
        "mode": rule.mode,
        "requires_tls": rule.requires_tls,
        "priority": rule.priority,
        "comments": rule.comments,
        "others": other_parts(rule),
        **terms_in(rule),
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
        "mta_sts_mode": one.mta_sts_mode,
        "smtp_dane_mode": one.smtp_dane_mode,
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
    if wish.wants_inbound:
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
        named = {"Identity": wish.name}
        undo = _no_way_to_make(before) or "undo makes it anew"
        changes.append(Change(Verb.REMOVE, wish.partner, before, dict(ABSENT), because, cmdlet, named, undo))
    return changes, blockages


def without_rule(flow: MailFlow, name: str) -> MailFlow:
    """Give what is there after a rule is gone: those below it move up."""
    gone = _named(flow.rules, name)
    if gone is None:
        return flow
    kept = [rule for rule in flow.rules if rule is not gone]
    moved = (
        replace(rule, priority=rule.priority - 1) if rule.priority > gone.priority else rule for rule in kept
    )
    return replace(flow, rules=tuple(moved))


def _no_way_to_make(state: Mapping[str, Any]) -> str:
    """Say why something could not be made as it was: a rule without one of its conditions would meet more mail."""
    others = state.get("others", ())
    return f"it cannot be made anew: {', '.join(others)} are not kept here" if others else ""


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
    because = f"as before: {change.because.removeprefix('as before: ')}"
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
        if why_not := _no_way_to_make(change.before):
            return why_not
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
    found = _named(flow.rules, wish.name)
    state = rule_state(found)
    terms = {
        **({"RecipientDomainIs": list(wish.domains)} if wish.domains else {}),
        "SentToScope": "NotInOrganization",
        **wish.terms,
    }
    wanted = {
        "enabled": True,
        "mode": wish.mode or state.get("mode", "Audit"),
        "requires_tls": True,
        **wanted_terms(terms, state),
        "comments": MARK,
    }
    if wish.priority is not None:
        wanted["priority"] = wish.priority
    blocked = [Blockage(wish.partner, Verb.CREATE, text, (), False) for text in conflicts(flow, wish)]
    return _plan_object(wish, "rule", state, wanted, "comments", (NEW_RULE, SET_RULE), blocked)


def _plan_outbound(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    wanted = {
        "enabled": True,
        "recipient_domains": [wish.partner.ascii],
        "use_mx": True,
        "tls_settings": TLS_SETTINGS[wish.verify],
        "tls_domain": wish.tls_domain,
        "comment": MARK,
    }
    wanted |= {"mta_sts_mode": wish.mta_sts_mode} if wish.mta_sts_mode else {}
    wanted |= {"smtp_dane_mode": wish.smtp_dane_mode} if wish.smtp_dane_mode else {}
    blocked = [Blockage(wish.partner, Verb.CREATE, text, (), False) for text in conflicts(flow, wish)]
    state = outbound_state(_named(flow.outbound, wish.name))
    return _plan_object(wish, "connector", state, wanted, "comment", (NEW_OUT, SET_OUT), blocked)


def _plan_inbound(flow: MailFlow, wish: PartnerWish) -> tuple[list[Change], list[Blockage]]:
    wanted = {
        "sender_domains": [wish.partner.ascii],
        "require_tls": True,
        "restricts_to_certificate": bool(wish.inbound_certificate),
        "certificate_name": wish.inbound_certificate,
        "comment": MARK,
    }
    state = inbound_state(_named(flow.inbound, wish.name))
    # A wrong one rejects real mail at once: a person switches it on.
    wanted["enabled"] = state.get("enabled", False) if wish.inbound_enabled is None else wish.inbound_enabled
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
        wanted = {key: value for key, value in wanted.items() if value is not None}
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
    different = {key: value for key, value in wanted.items() if key != comment and state.get(key) != value}
    is_ours = MARK in str(state[comment])
    if blocked or (not different and (is_ours or not wish.adopts)):
        return [], blocked
    if not is_ours and not wish.adopts:
        return [], [*blocked, _foreign(wish, f"the {kind} “{wish.name}”")]
    different[comment] = state[comment] if is_ours else f"{state[comment]} {MARK}".strip()
    before = {key: state.get(key) for key in different}
    parameters = {"Identity": wish.name, **_parameters_of(change, different)}
    because = f"the {kind} {wish.name}: {', '.join(key for key in different if key != comment) or 'adopted'}"
    return [
        Change(Verb.UPDATE, wish.partner, before, different, because, change, parameters, "undo sets it back")
    ], []


def _parameters_of(cmdlet: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a state into the cmdlet's parameters; with Set- null clears what is empty."""
    names = _RULE_NAMES if cmdlet in RULE_CMDLETS else _OUT_NAMES if cmdlet in OUT_CMDLETS else _IN_NAMES
    found = {names[key]: value for key, value in state.items() if key in names}
    if cmdlet == SET_RULE:
        found.pop("Enabled", None)  # a rule is switched by cmdlets of its own
    if cmdlet in (NEW_OUT, NEW_IN):
        found["ConnectorType"] = "Partner"
    if cmdlet == NEW_RULE:
        found["SetAuditSeverity"] = "DoNotAudit"
    if cmdlet.startswith("New-"):
        return {name: value for name, value in found.items() if value not in ("", None, [])}
    # The modes are words that null does not clear; what did not tell them has none to go back to.
    found = {name: value for name, value in found.items() if value or not name.endswith("Mode")}
    return {name: None if value in ("", []) else value for name, value in found.items()}


_RULE_NAMES = {
    "enabled": "Enabled",
    "mode": "Mode",
    "requires_tls": "RouteMessageOutboundRequireTls",
    "priority": "Priority",
    "comments": "Comments",
    **{name: name for name in TERMS},
}
_OUT_NAMES = {
    "enabled": "Enabled",
    "recipient_domains": "RecipientDomains",
    "use_mx": "UseMXRecord",
    "tls_settings": "TlsSettings",
    "tls_domain": "TlsDomain",
    "mta_sts_mode": "MtaStsMode",
    "smtp_dane_mode": "SmtpDaneMode",
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
