"""What Exchange Online said about one tenant (facts, pure). Written by `exchange/decode.py` only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.connections import Connections


@dataclass(frozen=True, order=True)
class TenantRef:
    """Which tenant: the key of every plan and every journal line."""

    tenant_id: str  # GUID, lower case
    initial_domain: str  # such as contoso.onmicrosoft.com; "" while nothing has been read yet
    cloud: str  # Cloud.name

    def __str__(self) -> str:
        return self.initial_domain or self.tenant_id


@dataclass(frozen=True)
class AcceptedDomain:
    """One row of Get-AcceptedDomain; `extra` keeps every field not named here, as it came."""

    name: DomainName
    domain_type: str  # Authoritative, InternalRelay, ExternalRelay
    is_default: bool
    is_initial: bool
    is_coexistence: bool  # the tenant's *.mail.onmicrosoft.com
    match_subdomains: bool
    pending_removal: bool
    sending_disabled: bool  # SendingFromDomainDisabled
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class SelectorKey:
    """One of the two selectors of a DKIM configuration, as the tenant has it."""

    selector: str  # "selector1" or "selector2"
    cname_target: DomainName | None  # None while Exchange leaves the field blank
    key_size: int | None  # bits
    public_key: str  # the TXT text Exchange says it publishes; "" where it has none


@dataclass(frozen=True)
class DkimSigningConfig:
    """One row of Get-DkimSigningConfig. Times are UTC.

    `status` keeps the service's word (`Valid`, `CnameMissing`, `NoDKIMKeys`); an unknown word blocks writes.
    Selector names are lower case. `extra` keeps every field not named here, as it came.
    """

    domain: DomainName
    enabled: bool
    status: str
    selector1: SelectorKey
    selector2: SelectorKey
    key_created: datetime | None  # KeyCreationTime: birth of the newest key
    rotate_on: datetime | None  # RotateOnDate: in the past, the normal resting state
    selector_before_rotation: str  # signs until rotate_on
    selector_after_rotation: str  # signs from rotate_on
    is_default: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def selector(self, name: str) -> SelectorKey:
        """Give the selector of that name; raises KeyError for a third one."""
        return {"selector1": self.selector1, "selector2": self.selector2}[name.lower()]

    def active_selector(self, now: datetime) -> str:
        """Name the selector that signs at `now`: After from `rotate_on` on, Before until then."""
        if self.rotate_on is None or now >= self.rotate_on:
            return self.selector_after_rotation
        return self.selector_before_rotation

    def inactive_selector(self, now: datetime) -> str:
        """Name the selector that the next rotation switches to."""
        return "selector2" if self.active_selector(now) == "selector1" else "selector1"

    @property
    def has_keys(self) -> bool:
        """Has Exchange made keys? A row with NoDKIMKeys means no, as does a missing row."""
        return self.status.lower() != "nodkimkeys"

    @property
    def key_sizes(self) -> tuple[int | None, int | None]:
        """Bits of selector1's and selector2's key."""
        return (self.selector1.key_size, self.selector2.key_size)


KNOWN_STATUSES = frozenset({"valid", "cnamemissing", "nodkimkeys"})  # compared in lower case


@dataclass(frozen=True)
class TenantFacts:
    """Everything read from one tenant in one look.

    `granted_cmdlets` is what the caller may run, None when it was not asked. `service_clock` is the time the
    service stated with its answer: rotation windows are judged by it, not by this machine's clock.
    """

    tenant: TenantRef
    accepted_domains: tuple[AcceptedDomain, ...]
    dkim_configs: tuple[DkimSigningConfig, ...]
    granted_cmdlets: frozenset[str] | None = None
    service_clock: datetime | None = None
    warnings: tuple[str, ...] = ()
    connections: Connections | None = None  # None where nobody asked

    def accepted(self, domain: DomainName) -> AcceptedDomain | None:
        """Give the accepted domain of that name."""
        return self._accepted.get(domain)

    def dkim_config(self, domain: DomainName) -> DkimSigningConfig | None:
        """Give the signing configuration of that domain, None where the tenant lists none."""
        return self._configs.get(domain)

    # A plan of a thousand domains asks thousands of times. Of rows with one name the first counts.
    @cached_property
    def _accepted(self) -> dict[DomainName, AcceptedDomain]:
        return {row.name: row for row in reversed(self.accepted_domains)}

    @cached_property
    def _configs(self) -> dict[DomainName, DkimSigningConfig]:
        return {row.domain: row for row in reversed(self.dkim_configs)}
