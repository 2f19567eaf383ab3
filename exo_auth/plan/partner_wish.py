"""What a tenant's mail flow has, and what is wished for mail to a partner (plan, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector, TransportRule


@dataclass(frozen=True)
class MailFlow:
    """What a tenant has: rules in the order in which they act, and connectors."""

    rules: tuple[TransportRule, ...] = ()
    outbound: tuple[OutboundConnector, ...] = ()
    inbound: tuple[InboundConnector, ...] = ()


@dataclass(frozen=True)
class PartnerWish:
    """Force TLS with a partner. `how` is rule or connector; empty words leave a thing as it is, or to its default.

    `recipients` are the domains that a rule is for: None for the partner's alone, () for all that `terms` match, by the
    cmdlet's names. Where it is (), `partner` only stands for the rule in the plan, and `called` names it.
    """

    partner: DomainName
    how: str = "rule"
    mode: str = ""  # Audit or Enforce; a new rule audits first
    verify: str = "encryption"
    tls_domain: str = ""
    inbound_certificate: str = ""  # also make an inbound connector that wants this name
    adopts: bool = False
    recipients: tuple[str, ...] | None = None
    terms: Mapping[str, Any] = field(default_factory=dict, hash=False)
    called: str = ""
    priority: int | None = None
    mta_sts_mode: str = ""  # Opportunistic or None
    smtp_dane_mode: str = ""  # Opportunistic, Mandatory or None
    requires_inbound_tls: bool = False  # also make an inbound connector that demands TLS
    inbound_enabled: bool | None = None
    keeps: frozenset[str] = frozenset()  # of mode, terms and verify: in which what stands is left

    @property
    def name(self) -> str:
        """What our rule or connector is called."""
        return self.called or f"exo-auth: TLS to {self.partner.ascii}"[:64]

    @property
    def domains(self) -> tuple[str, ...]:
        """The recipient domains, in ASCII."""
        return (self.partner.ascii,) if self.recipients is None else self.recipients

    @property
    def wants_inbound(self) -> bool:
        """Is an inbound connector part of it?"""
        return bool(self.inbound_certificate) or self.requires_inbound_tls
