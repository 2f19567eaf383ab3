"""Whether a DKIM record may go: not while the tenant signs with what stands behind it (run)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Change, Verb
from exo_auth.run.hands import Listing

_SELECTOR = re.compile(r"selector[12](?=\._domainkey\.)")


@dataclass(frozen=True)
class KeysInUse:
    """Asks the tenant, whose `listing` is None where nobody is signed in."""

    listing: Callable[[], Listing] | None = None

    def held(self, change: Change) -> Blockage | None:
        """Say why a CNAME must stay; None for one that does not go, or that nobody signs with. Raises ExoAuthError.

        Mail that is signed with a key which receivers do not find fails DKIM, and where a DMARC policy acts it is lost.
        """
        owner = str(change.parameters["name"])
        selector = _SELECTOR.match(owner)
        after = {_host(value) for value in change.after["values"]}
        if selector is None or all(_host(value) in after for value in change.before["values"]):
            return None
        domain = DomainName.parse_lookup(owner.partition("._domainkey.")[2])
        if self.listing is None:
            reason = (
                f"{owner} CNAME: whether Exchange Online signs with this key is not known without a sign-in"
            )
            return Blockage(change.target, Verb.PUBLISH, reason, (), is_unknown=True)
        config = self.listing().dkim_config(domain)
        if config is None or not config.enabled:
            return None
        key = config.selector1 if selector[0] == "selector1" else config.selector2
        if key.cname_target is not None and key.cname_target.ascii in after:
            return None
        reason = (
            f"{owner} CNAME: Exchange Online signs for {domain}, and receivers find its keys there; "
            f"first exo-auth dkim disable -d {domain}"
        )
        return Blockage(change.target, Verb.PUBLISH, reason, (), is_unknown=False)


def _host(value: object) -> str:
    return str(value).lower().removesuffix(".")
