"""What demands TLS of a partner already is not weakened by words that nobody said (plan, pure)."""

from __future__ import annotations

from dataclasses import replace

from exo_auth.plan.change import Deferral, Verb
from exo_auth.plan.mail_flow import TLS_SETTINGS
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.rule_terms import terms_in

PARTNER_TERMS = frozenset({"RecipientDomainIs", "SentToScope"})  # which every rule for a partner has
STRICTNESS = tuple(TLS_SETTINGS)  # of what a connector demands, the weakest first


def no_weaker(flow: MailFlow, wish: PartnerWish) -> tuple[PartnerWish, tuple[Deferral, ...]]:
    """Raise a wish to what stands, in the parts that `keeps` names; what was raised is told."""
    return _rule(flow, wish) if wish.how == "rule" else _connector(flow, wish)


def _rule(flow: MailFlow, wish: PartnerWish) -> tuple[PartnerWish, tuple[Deferral, ...]]:
    found = next((one for one in flow.rules if one.name == wish.name), None)
    if found is None:
        return wish, ()
    if "terms" in wish.keeps:  # without one of them the rule would meet mail that a person left out
        terms = {name: value for name, value in terms_in(found).items() if name not in PARTNER_TERMS}
        wish = replace(wish, terms={**terms, **wish.terms})
    if "mode" not in wish.keeps or wish.mode != "Audit" or not found.is_enforced:
        return wish, ()
    told = f"the rule “{found.name}” is in {found.mode}, and stays so: weaken=allowed takes it back to Audit"
    return replace(wish, mode=""), (Deferral(wish.partner, told, None, verb=Verb.REPORT),)


def _connector(flow: MailFlow, wish: PartnerWish) -> tuple[PartnerWish, tuple[Deferral, ...]]:
    found = next((one for one in flow.outbound if one.name == wish.name), None)
    words = {setting: word for word, setting in TLS_SETTINGS.items()}
    now = words.get(found.tls_settings) if found is not None else None
    if "verify" not in wish.keeps or found is None or now is None:
        return wish, ()
    if STRICTNESS.index(now) <= STRICTNESS.index(wish.verify):
        return wish, ()
    told = f"the connector “{found.name}” verifies {now}, and goes on: {wish.verify} would be less; say so if it is meant"
    kept = replace(wish, verify=now, tls_domain=found.tls_domain)
    return kept, (Deferral(wish.partner, told, None, verb=Verb.REPORT),)
