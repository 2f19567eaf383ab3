"""Transport rules and connectors of a tenant (facts, pure). Written by `exchange/decode_mail_flow.py` only.

Words of the service (`Enforce`, `DomainValidation`, …) are kept as they came, so that an unknown one survives. Domain
lists hold texts, lower case, because a wildcard such as `*.fabrikam.com` is no name. `extra` keeps every field that
has no name here, as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_ADDRESS_SPACE = re.compile(r"(?:smtp:)?(.*?)(?:;\d+)?", re.IGNORECASE)  # smtp:fabrikam.com;1


@dataclass(frozen=True)
class TransportRule:
    """One row of Get-TransportRule. `identity` is what the cmdlets that change it take: its GUID where it has one.

    `conditions`, `exceptions` and `actions` are the short names of what the rule is made of, such as
    `RecipientDomainIs` and `RouteMessageOutboundRequireTls`, also of those that have no field here. `terms` holds the
    values of senders, recipients, groups and headers, with their exceptions, by the cmdlet's name of each.
    """

    name: str
    guid: str
    priority: int  # 0 comes first
    state: str  # Enabled, Disabled
    mode: str  # Enforce, Audit, AuditAndNotify
    requires_tls: bool  # RouteMessageOutboundRequireTls
    conditions: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    from_scope: str = ""  # InOrganization, NotInOrganization, "" for any
    sent_to_scope: str = ""
    sender_domains: tuple[str, ...] = ()  # SenderDomainIs; sub-domains match, too
    recipient_domains: tuple[str, ...] = ()  # RecipientDomainIs; sub-domains match, too
    except_sender_domains: tuple[str, ...] = ()
    except_recipient_domains: tuple[str, ...] = ()
    connector: str = ""  # RouteMessageOutboundConnector
    stops_processing: bool = False
    error_action: str = ""  # Ignore, Defer
    sender_address_location: str = ""  # Header, Envelope, HeaderOrEnvelope
    comments: str = ""
    activation: datetime | None = None  # UTC
    expiry: datetime | None = None  # UTC
    changed: datetime | None = None  # UTC
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def identity(self) -> str:
        """What to call the rule in a cmdlet that changes it."""
        return self.guid or self.name

    @property
    def is_enabled(self) -> bool:
        """Is it switched on? A rule that is on may still only audit."""
        return self.state.lower() == "enabled"

    @property
    def is_enforced(self) -> bool:
        """Is it switched on, and does it act?"""
        return self.is_enabled and self.mode.lower() == "enforce"


@dataclass(frozen=True)
class OutboundConnector:
    """One row of Get-OutboundConnector."""

    name: str
    guid: str
    enabled: bool
    connector_type: str  # Partner, OnPremises
    connector_source: str  # Default, HybridWizard, Migrated, AdminUI
    recipient_domains: tuple[str, ...]  # with `*.` for sub-domains; empty where rules choose the connector
    use_mx_record: bool
    smart_hosts: tuple[str, ...]
    tls_settings: str  # EncryptionOnly, CertificateValidation, DomainValidation; "" for opportunistic TLS
    tls_domain: str  # the certificate's name under DomainValidation, maybe with `*.`
    is_rule_scoped: bool  # IsTransportRuleScoped
    test_mode: bool = False
    all_accepted_domains: bool = False
    mta_sts_mode: str = ""  # Opportunistic, None; "" where the service does not tell
    smtp_dane_mode: str = ""  # Opportunistic, Mandatory, None; "" where the service does not tell
    comment: str = ""
    changed: datetime | None = None  # UTC
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def identity(self) -> str:
        """What to call the connector in a cmdlet that changes it."""
        return self.guid or self.name

    @property
    def forces_tls(self) -> bool:
        """Does mail by this connector go over TLS or not at all?"""
        return bool(self.tls_settings)


@dataclass(frozen=True)
class InboundConnector:
    """One row of Get-InboundConnector. `address_spaces` are as they came, such as `smtp:fabrikam.com;1`."""

    name: str
    guid: str
    enabled: bool
    connector_type: str  # Partner, OnPremises
    connector_source: str
    address_spaces: tuple[str, ...]  # SenderDomains
    require_tls: bool
    restricts_to_certificate: bool  # RestrictDomainsToCertificate
    restricts_to_addresses: bool  # RestrictDomainsToIPAddresses
    certificate_name: str = ""  # TlsSenderCertificateName, maybe with `*.`
    sender_addresses: tuple[str, ...] = ()  # IPv4 addresses and ranges
    skips_last_address: bool = False  # EFSkipLastIP: enhanced filtering looks behind the gateway
    skipped_addresses: tuple[str, ...] = ()  # EFSkipIPs
    comment: str = ""
    changed: datetime | None = None  # UTC
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def identity(self) -> str:
        """What to call the connector in a cmdlet that changes it."""
        return self.guid or self.name

    @property
    def sender_domains(self) -> tuple[str, ...]:
        """The domains without kind and cost, lower case; `*` stands for all."""
        matches = (_ADDRESS_SPACE.fullmatch(space) for space in self.address_spaces)
        return tuple(match[1].lower() for match in matches if match)
