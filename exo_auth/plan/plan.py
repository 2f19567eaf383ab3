"""`Plan`: changes in order, with a digest and a brake on too much at once (plan, pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import TooMuchChange
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Deferral
from exo_auth.plan.limits import SHARE_FLOOR, Limits

PLAN_LIFETIME = timedelta(hours=24)  # an older plan is refused: DNS has moved on by then


@dataclass(frozen=True)
class Plan:
    """What to do to one tenant. `considered` counts the domains that were looked at."""

    tenant: TenantRef
    made_at: datetime  # UTC, by the service's clock
    command: str  # what made it, such as `dkim rotate`
    policy: Mapping[str, Any]  # the settings that decided, as plain JSON values; part of the digest
    changes: tuple[Change, ...]
    deferrals: tuple[Deferral, ...] = ()
    blockages: tuple[Blockage, ...] = ()
    steady: tuple[DomainName, ...] = ()  # looked at, and right as they are
    considered: int = 0
    exceeds_limit: str | None = None  # the sentence with the numbers, when the plan is over a limit
    stages: tuple[str, ...] = ()  # of the playbook, in their order

    @property
    def digest(self) -> str:
        """SHA-256 over tenant, policy and each change's verb, target, before, after, cmdlet, gates and order.

        Clock readings, deferrals and wording are left out, so that the same decision made a minute later
        has the same digest.
        """
        body = {
            "tenant": [self.tenant.tenant_id, self.tenant.cloud],
            "policy": dict(self.policy),
            "changes": [
                [change.verb.value, change.target.ascii, change.cmdlet]
                + [dict(part) for part in (change.parameters, change.before, change.after)]
                + ([list(change.gates)] if change.gates else [])
                for change in self.changes
            ],
        }
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def expires_at(self) -> datetime:
        """The moment from which apply refuses this plan."""
        return self.made_at + PLAN_LIFETIME

    @property
    def is_empty(self) -> bool:
        """Is there nothing to send?"""
        return not self.changes


def limit_excess(changes: int, considered: int, limits: Limits) -> str | None:
    """Say which limit `changes` of `considered` domains breaks, with the numbers; None when it breaks none."""
    if changes > limits.changes_per_run:
        return f"{changes} changes in one run; the limit is {limits.changes_per_run} (--max-changes)"
    if considered >= SHARE_FLOOR and changes / considered > limits.share:
        return (
            f"{changes} of {considered} domains would change, {changes / considered:.0%}; "
            f"the limit is {limits.share:.0%} (--max-share)"
        )
    return None


def refuse_excess(plan: Plan) -> None:
    """Raise TooMuchChange when the plan is over a limit."""
    if plan.exceeds_limit:
        raise TooMuchChange(
            f"refused: {plan.exceeds_limit}",
            hint="raise the limit for this run, or choose fewer domains with -d",
        )
