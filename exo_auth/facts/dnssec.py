"""DNSSEC and inbound DANE of one accepted domain, as Exchange Online has it (facts, pure).

Words of the service are kept as they came; "" stands for what it did not tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exo_auth.domain_name import DomainName


@dataclass(frozen=True)
class Validation:
    """What the service found when it looked at one side of DNS itself."""

    status: str  # such as Passed or Failed; of DNS: how far DNSSEC is supported
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DnssecStatus:
    """The row of Get-DnssecStatusForVerifiedDomain; a validation is None where it was skipped or not told."""

    domain: DomainName
    feature_status: str  # Enabled, Disabled
    expected_mx: str  # as the service writes it: `@ 60 IN MX 10 contoso-com.e-v1.mx.microsoft`; "" for none
    dns: Validation | None = None
    mx: Validation | None = None
    actual_mx: tuple[str, ...] = ()  # as the service writes them
    mta_sts: Validation | None = None
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_enabled(self) -> bool:
        """Has the domain an exchanger in a signed zone?"""
        return self.feature_status.lower() == "enabled"

    @property
    def expected_host(self) -> str:
        """The host of the expected MX record, lower case; "" where there is none."""
        words = self.expected_mx.split()
        return words[-1].rstrip(".").lower() if words else ""


@dataclass(frozen=True)
class DaneStatus:
    """The row of Get-SmtpDaneInboundStatus."""

    domain: DomainName
    status: str  # Enabled, Disabled
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_enabled(self) -> bool:
        """Does Exchange publish TLSA records for the domain's exchanger?"""
        return self.status.lower() == "enabled"


@dataclass(frozen=True)
class FeatureChange:
    """What Enable- and Disable-… answered: `result` is Success or another word, `error` says why not."""

    domain: DomainName
    result: str
    mx_host: str = ""  # DnssecMxValue of Enable-DnssecForVerifiedDomain, lower case
    error: str = ""
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def succeeded(self) -> bool:
        """Did it? An empty answer to a write counts as yes: a refusal would have been an error."""
        return self.result.lower() in ("", "success") and not self.error
