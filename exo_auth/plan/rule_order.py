"""What keeps TLS with a partner from being forced, and what weakens it: other rules and connectors (plan, pure)."""

from __future__ import annotations

from fnmatch import fnmatchcase

from exo_auth.domain_name import DomainName
from exo_auth.facts.mail_flow import OutboundConnector, TransportRule
from exo_auth.plan.change import Deferral, Verb
from exo_auth.plan.partner_wish import MailFlow, PartnerWish

CONSEQUENCE = {
    "MtaStsMode": "a policy of the recipient in enforce is not honoured",
    "SmtpDaneMode": "TLSA records of the recipient are not looked at",
}


def choose_way(flow: MailFlow, wish: PartnerWish) -> tuple[str, str]:
    """Say what fits, and why: a connector where a certificate counts, or where ours carries the mail; else a rule."""
    if wish.verify != "encryption":
        return "connector", "no rule can demand a certificate"
    if wish.wants_inbound:
        return "connector", "what comes in is meant, too"
    if any(one.name == wish.name for one in flow.outbound):
        return "connector", "it carries this mail already"
    return "rule", "encryption alone is asked for, and a rule can audit first"


def conflicts(flow: MailFlow, wish: PartnerWish) -> tuple[str, ...]:
    """Tell what keeps a rule or connector of ours from acting: rules that stop before it, or another road."""
    rules = [
        rule
        for rule in _before(flow, wish)
        if rule.is_enforced and rule.name != wish.name and _may_meet(rule, wish)
    ]
    told = [
        f"the rule “{rule.name}” routes by the connector “{rule.connector}”: make the partner its exception, or let that "
        "connector demand TLS"
        for rule in rules
        if rule.connector and not _demands_tls(flow, rule.connector)
    ]
    if wish.how == "rule":
        told += [
            f"the rule “{rule.name}” (priority {rule.priority}) stops processing before it: --priority {rule.priority} "
            "puts ours first"
            for rule in rules
            if rule.stops_processing
        ]
    return (*told, *_carried_otherwise(flow, wish))


def weaknesses(flow: MailFlow, wish: PartnerWish) -> tuple[Deferral, ...]:
    """Warn of connectors for this partner that do not look at MTA-STS or DANE, also of ours if it is wished so."""
    told = []
    for connector in flow.outbound:
        is_ours = wish.how == "connector" and connector.name == wish.name
        if not is_ours and (not connector.enabled or not _carries_any(connector, wish)):
            continue
        modes = {
            "MtaStsMode": (wish.mta_sts_mode if is_ours else "") or connector.mta_sts_mode,
            "SmtpDaneMode": (wish.smtp_dane_mode if is_ours else "") or connector.smtp_dane_mode,
        }
        told += [_warning(wish, connector.name, name) for name, mode in modes.items() if mode == "None"]
    if wish.how == "connector" and all(one.name != wish.name for one in flow.outbound):
        wished = {"MtaStsMode": wish.mta_sts_mode, "SmtpDaneMode": wish.smtp_dane_mode}
        told += [_warning(wish, wish.name, name) for name, mode in wished.items() if mode == "None"]
    return tuple(told)


def _warning(wish: PartnerWish, connector: str, name: str) -> Deferral:
    reason = f"warning: {name} of the connector “{connector}” is None: {CONSEQUENCE[name]}; Opportunistic is the default"
    return Deferral(wish.partner, reason, None, verb=Verb.REPORT)


def _before(flow: MailFlow, wish: PartnerWish) -> list[TransportRule]:
    """Give the rules that act before ours would; a rule's connector goes before one for a domain, wherever it stands."""
    if wish.how == "connector":
        return list(flow.rules)
    own = next((rule.priority for rule in flow.rules if rule.name == wish.name), len(flow.rules))
    place = own if wish.priority is None else wish.priority
    return [rule for rule in flow.rules if rule.priority < place]


def _carried_otherwise(flow: MailFlow, wish: PartnerWish) -> list[str]:
    others = (
        one for one in flow.outbound if one.enabled and one.name != wish.name and _carries_any(one, wish)
    )
    if wish.how == "connector":
        return [f"the connector “{one.name}” carries mail for this domain already" for one in others]
    return [
        f"the connector “{one.name}” carries this mail without demanding TLS"
        for one in others
        if not one.forces_tls
    ]


def _demands_tls(flow: MailFlow, connector: str) -> bool:
    return any(one.forces_tls for one in flow.outbound if one.name.lower() == connector.lower())


def _carries_any(connector: OutboundConnector, wish: PartnerWish) -> bool:
    """Is a connector for one of the partner's domains? `*.fabrikam.com` is for names below it alone."""
    if connector.is_rule_scoped:
        return False
    return any(fnmatchcase(name, space) for name in wish.domains for space in connector.recipient_domains)


def _may_meet(rule: TransportRule, wish: PartnerWish) -> bool:
    """May the rule act on mail of the wish? Conditions that are not known here may always."""
    if rule.sent_to_scope.lower() == "inorganization":
        return False
    names = [DomainName(name) for name in wish.domains]
    if names and all(_within(name, rule.except_recipient_domains) for name in names):
        return False
    if not rule.recipient_domains or not names:
        return True
    return any(_within(name, rule.recipient_domains) for name in names)


def _within(name: DomainName, domains: tuple[str, ...]) -> bool:
    """Is a name one of the domains, or below one? The service matches sub-domains, too."""
    return any(name.ascii == domain or name.ascii.endswith(f".{domain}") for domain in domains)
