"""Do connectors weaken what DNS promises? (checks, pure)

What concerns all mail of the tenant is told once, about its initial domain; what concerns one accepted domain is told
about that domain.
"""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.checks.catalogue import finding
from exo_auth.checks.finding import Finding
from exo_auth.domain_name import DomainName
from exo_auth.facts.connections import Connections, NotRead
from exo_auth.facts.mail_flow import OutboundConnector
from exo_auth.facts.tenant import AcceptedDomain

_RELAYED = ("internalrelay", "externalrelay")


def check_connections(tenant: DomainName, connections: Connections) -> tuple[Finding, ...]:
    """Judge what concerns all mail; `tenant` is the initial domain."""
    return (*_unread(tenant, connections), *_outbound(tenant, connections))


def _unread(tenant: DomainName, connections: Connections) -> Iterator[Finding]:
    for listing in (connections.outbound, connections.inbound, connections.arc_sealers):
        if isinstance(listing, NotRead):
            yield finding(
                "TENANT-UNREAD",
                tenant,
                f"{listing.cmdlet} gave no answer",
                seen=listing.why,
                wanted="the connectors and the trusted ARC sealers of the tenant",
            )


def _outbound(tenant: DomainName, connections: Connections) -> Iterator[Finding]:
    if isinstance(connections.outbound, NotRead):
        return
    for connector in connections.outbound:
        if connector.enabled:
            yield from _modes(tenant, connector)
            yield from _tls(tenant, connector)


def _modes(tenant: DomainName, connector: OutboundConnector) -> Iterator[Finding]:
    for code, parameter, value in (
        ("CONNECTOR-STS-OFF", "MtaStsMode", connector.mta_sts_mode),
        ("CONNECTOR-DANE-OFF", "SmtpDaneMode", connector.smtp_dane_mode),
    ):
        if value.lower() == "none":
            yield finding(
                code,
                tenant,
                f"the connector “{connector.name}” does not look at {'MTA-STS' if 'Sts' in parameter else 'DANE'}",
                seen=f"{parameter} None, {_reach(connector)}",
                wanted=f"{parameter} Opportunistic",
                remedy=f"Set-OutboundConnector -Identity '{_quoted(connector)}' -{parameter} Opportunistic",
            )


def _tls(tenant: DomainName, connector: OutboundConnector) -> Iterator[Finding]:
    if connector.connector_type.lower() != "partner":
        return
    if not connector.forces_tls:
        yield finding(
            "CONNECTOR-TLS-OPTIONAL",
            tenant,
            f"the connector “{connector.name}” delivers without TLS where none is offered",
            seen=f"TlsSettings empty, {_reach(connector)}",
            wanted="TlsSettings DomainValidation, where the partner is up to it",
        )
    elif connector.tls_settings.lower() == "encryptiononly":
        yield finding(
            "CONNECTOR-TLS-UNVERIFIED",
            tenant,
            f"the connector “{connector.name}” encrypts to whoever answers",
            seen=f"TlsSettings EncryptionOnly, {_reach(connector)}",
            wanted="TlsSettings CertificateValidation or DomainValidation",
        )


def check_domain_connections(
    accepted: AcceptedDomain, connections: Connections, *, gateway: str, comes_here: bool
) -> Iterator[Finding]:
    """Judge what concerns one domain: `gateway` is a foreign host in its MX, `comes_here` whether Exchange's is there."""
    if comes_here and accepted.domain_type.lower() in _RELAYED:
        yield from _relay(accepted, connections)
    if gateway and not comes_here:
        yield from _filtering(accepted.name, connections, gateway)
        yield from _sealers(accepted.name, connections, gateway)


def _relay(accepted: AcceptedDomain, connections: Connections) -> Iterator[Finding]:
    if isinstance(connections.outbound, NotRead):
        return
    if not any(_takes(connector, accepted.name) for connector in connections.outbound):
        yield finding(
            "CONNECTOR-RELAY-MISSING",
            accepted.name,
            "no connector takes the mail that is to be relayed",
            seen=f"DomainType {accepted.domain_type}, and the MX leads to Exchange Online",
            wanted=f"an enabled outbound connector for {accepted.name}",
        )


def _takes(connector: OutboundConnector, domain: DomainName) -> bool:
    """May the connector carry mail to the domain? One that rules choose may, as nobody can tell from here."""
    if not connector.enabled:
        return False
    return (
        connector.is_rule_scoped
        or connector.all_accepted_domains
        or any(_covers(pattern, domain) for pattern in connector.recipient_domains)
    )


def _covers(pattern: str, domain: DomainName) -> bool:
    if pattern.startswith("*."):
        return domain.ascii.endswith(pattern[1:])
    return pattern in ("*", domain.ascii)


def _filtering(domain: DomainName, connections: Connections, gateway: str) -> Iterator[Finding]:
    if isinstance(connections.inbound, NotRead):
        return
    enabled = [connector for connector in connections.inbound if connector.enabled]
    if not any(one.skips_last_address or one.skipped_addresses for one in enabled):
        yield finding(
            "CONNECTOR-UNFILTERED",
            domain,
            "Exchange Online judges SPF and DMARC by the gateway’s address, not by the sender’s",
            seen=f"MX {gateway}; no enabled inbound connector skips the gateway",
            wanted="EFSkipLastIP or EFSkipIPs on the connector of the gateway",
        )


def _sealers(domain: DomainName, connections: Connections, gateway: str) -> Iterator[Finding]:
    if connections.arc_sealers == ():
        yield finding(
            "ARC-SEALER",
            domain,
            "no ARC seal is trusted: signatures that the gateway breaks are lost",
            seen=f"MX {gateway}; ArcTrustedSealers empty",
            wanted="the gateway’s sealing domain, where it seals and changes messages",
        )


def _reach(connector: OutboundConnector) -> str:
    where = ", ".join(connector.recipient_domains) or "mail that rules send by it"
    return f"for {where}"


def _quoted(connector: OutboundConnector) -> str:
    return connector.name.replace("'", "''")
