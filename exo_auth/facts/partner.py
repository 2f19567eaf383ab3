"""What is known of a partner whom mail should reach over TLS or not at all (facts, pure)."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import DomainFacts
from exo_auth.facts.starttls import SmtpProbe


@dataclass(frozen=True)
class PartnerFacts:
    """A partner's DNS, and one probe for each address of each host that takes its mail.

    `dns.mx` is None where the partner was named by its host. Without an MX record `dns.hosts` holds the domain itself
    (RFC 5321 §5.1). `is_probed` is False where DNS alone was looked at.
    """

    dns: DomainFacts
    probes: tuple[SmtpProbe, ...] = ()
    is_probed: bool = True

    @property
    def domain(self) -> DomainName:
        """The partner's mail domain, or its host."""
        return self.dns.domain

    def probes_of(self, host: str) -> tuple[SmtpProbe, ...]:
        """Give what the addresses of one host did."""
        return tuple(probe for probe in self.probes if probe.host == host)
