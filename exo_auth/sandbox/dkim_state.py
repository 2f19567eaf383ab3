"""The state of one domain's DKIM in the sandbox, and what a domain looks like at the start (sandbox)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

WINDOW = timedelta(hours=96)
OTHER = {"selector1": "selector2", "selector2": "selector1"}


@dataclass(frozen=True)
class DomainSpec:
    """An accepted domain at the start. `cnames` is what stands in DNS: both, none, or one selector's name."""

    name: str
    listed: bool = True  # is there a DKIM configuration?
    enabled: bool = True
    key_sizes: tuple[int, int] = (2048, 2048)  # bits of selector1 and selector2
    age: timedelta = timedelta(days=200)  # of the newest key, at the start
    rotated: bool = False  # was the newest key made by a rotation?
    status: str | None = None  # another word than the model's own
    new_target_form: bool = True  # …-v1.dkim.mail.microsoft, or the older onmicrosoft.com
    letter: str = "n"
    suffix: str = ""  # what Microsoft appends where names clash
    cnames: str = "both"
    spf: str = "v=spf1 include:spf.protection.outlook.com -all"
    dmarc: str = "none"  # the policy, "" for no record
    policy: str = ""  # mode of the MTA-STS policy, "" for none
    initial: bool = False
    default: bool = False
    coexistence: bool = False
    domain_type: str = "Authoritative"
    sending_disabled: bool = False
    pending_removal: bool = False
    signed: bool = False  # is its zone signed with DNSSEC?


@dataclass
class DkimState:
    """What the service keeps for one domain with keys. `failed_look` starts the negative cache."""

    enabled: bool
    sizes: dict[str, int]
    keys: dict[str, str]  # base64 by selector
    created: datetime
    rotate_on: datetime
    before: str
    after: str
    last_checked: datetime
    status: str = "CnameMissing"
    forced_status: str | None = None
    changed: datetime | None = None
    failed_look: datetime | None = None
    rotations: int = 0  # that this sandbox has carried out
    extra: dict[str, Any] = field(default_factory=dict)

    def active(self, now: datetime) -> str:
        """Name the selector that signs at `now`."""
        return self.after if now >= self.rotate_on else self.before

    def copy(self) -> DkimState:
        """Give a state of its own that later writes do not reach."""
        return replace(self, sizes=dict(self.sizes), keys=dict(self.keys), extra=dict(self.extra))

    def to_state(self) -> dict[str, Any]:
        """Give the state as plain JSON values."""
        values = dict(self.__dict__)
        for name in ("created", "rotate_on", "last_checked", "changed", "failed_look"):
            moment = values[name]
            values[name] = moment.isoformat() if moment else None
        return values

    @classmethod
    def from_state(cls, values: dict[str, Any]) -> DkimState:
        """Take the state back from plain JSON values."""
        known = dict(values)
        for name in ("created", "rotate_on", "last_checked", "changed", "failed_look"):
            known[name] = datetime.fromisoformat(known[name]) if known[name] else None
        return cls(**known)
