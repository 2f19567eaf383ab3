"""Which change of a plan builds on which: what must not be sent when the one before it was not made (plan, pure).

A plan's order has reasons: CNAMEs before signing, the host of a policy before the record that announces it, and in an
`undo` all of it the other way round. So the order counts in both directions.
"""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.errors import RecordSyntaxError
from exo_auth.plan.change import Change
from exo_auth.plan.plan_file import OCTODNS
from exo_auth.records import dmarc, spf
from exo_auth.records.dmarc import Policy


def builds_on(change: Change, earlier: Change) -> bool:
    """Must `change` not be sent when `earlier`, which stands before it in the plan, was not made?

    It must not within one domain: where either goes to the tenant, where both say which way mail comes (MX and
    MTA-STS), and where one is a DMARC policy that acts, and the other what such mail passes by. Else records are
    published each for itself.
    """
    if change.target != earlier.target:
        return False
    if OCTODNS not in (change.cmdlet, earlier.cmdlet) or change.cmdlet != earlier.cmdlet:
        return True
    if _routes_mail(change) and _routes_mail(earlier):
        return True  # RFC 8461 §5: senders deliver to no host that the policy does not name
    return any(
        _enforces_dmarc(one) and _authenticates_mail(other)
        for one, other in ((change, earlier), (earlier, change))
    )  # RFC 7489 §6.3: what passes neither SPF nor DKIM is not delivered


def blocker(change: Change, not_made: Iterable[Change]) -> Change | None:
    """Give the first of the changes that were not made, and stood before it, on which a change builds."""
    return next((one for one in not_made if builds_on(change, one)), None)


def _routes_mail(change: Change) -> bool:
    name, rdtype = _owner_and_type(change)
    return rdtype in ("MX", "TLSA") or name.startswith(("mta-sts.", "_mta-sts."))


def _authenticates_mail(change: Change) -> bool:
    name, _ = _owner_and_type(change)
    return "._domainkey." in name or any(spf.looks_like(text) for text in _texts(change))


def _enforces_dmarc(change: Change) -> bool:
    """Does a DMARC policy stand there before or after that asks receivers to refuse or set aside?"""
    return _owner_and_type(change)[0].startswith("_dmarc.") and any(map(_is_enforced, _texts(change)))


def _is_enforced(text: str) -> bool:
    try:
        found = dmarc.parse(text)
    except RecordSyntaxError:
        return False
    policies = (found.policy, found.subdomain_policy, found.nonexistent_policy)
    return any(policy not in (None, Policy.NONE) for policy in policies)


def _owner_and_type(change: Change) -> tuple[str, str]:
    return str(change.parameters.get("name", "")), str(change.parameters.get("type", ""))


def _texts(change: Change) -> list[str]:
    return [str(value) for state in (change.before, change.after) for value in state.get("values", ())]
