"""What the findings mean that only a sign-in shows (checks, pure)."""

from __future__ import annotations

from exo_auth.checks.entry import Entry, Profile

_CONNECTOR_PAGE = "learn.microsoft.com/powershell/module/exchange/set-outboundconnector"

ENTRIES = (
    Entry(
        "TENANT-UNREAD",
        "unknown",
        "the tenant did not tell",
        "What was not read is not known: connectors may be in order or not. It ends with exit code 6.",
        "Ask again; where the right is missing, let the role have the cmdlet, or leave it out with --only.",
        "learn.microsoft.com/powershell/exchange/find-exchange-cmdlet-permissions",
        example="Get-OutboundConnector: the role does not have the cmdlet",
    ),
    Entry(
        "CONNECTOR-STS-OFF",
        "warn",
        "an outbound connector without MTA-STS",
        "Mail by this connector goes to whoever answers, though the receiving domain publishes a policy against that.",
        "Set MtaStsMode back to Opportunistic, its default.",
        f"{_CONNECTOR_PAGE}, RFC 8461 §4",
        example="Set-OutboundConnector -Identity 'To Fabrikam' -MtaStsMode Opportunistic",
    ),
    Entry(
        "CONNECTOR-DANE-OFF",
        "warn",
        "an outbound connector without DANE",
        "Mail by this connector is delivered though the receiving host shows another certificate than its TLSA record.",
        "Set SmtpDaneMode back to Opportunistic, its default.",
        f"{_CONNECTOR_PAGE}, RFC 7672 §2.2",
        example="Set-OutboundConnector -Identity 'To Fabrikam' -SmtpDaneMode Opportunistic",
    ),
    Entry(
        "CONNECTOR-TLS-OPTIONAL",
        "info",
        "a partner connector that does not force TLS",
        "Without TlsSettings mail leaves in the clear when somebody on the way takes STARTTLS away.",
        "Probe the partner first (exo-auth tls probe), then force TLS (exo-auth tls connector set).",
        _CONNECTOR_PAGE,
        example="exo-auth tls connector set fabrikam.com --verify domain",
    ),
    Entry(
        "CONNECTOR-TLS-UNVERIFIED",
        "info",
        "a partner connector that takes any certificate",
        "EncryptionOnly encrypts, but to whoever answers; it helps against listeners, not against impostors.",
        "Ask for a certificate of the partner’s name, after exo-auth tls probe has seen one.",
        _CONNECTOR_PAGE,
        example="exo-auth tls connector set fabrikam.com --verify domain",
    ),
    Entry(
        "CONNECTOR-RELAY-MISSING",
        "warn",
        "a relayed domain without a connector",
        "Mail for recipients unknown here is looked up by MX, which leads back to Exchange Online: it loops and is lost.",
        "Make an outbound connector for the domain, or make the domain Authoritative once all recipients are here.",
        "learn.microsoft.com/exchange/mail-flow-best-practices/manage-accepted-domains",
        example="New-OutboundConnector -Name 'To on-premises' -RecipientDomains contoso.com -SmartHosts mail.contoso.com …",
    ),
    Entry(
        "CONNECTOR-UNFILTERED",
        "warn",
        "a gateway without enhanced filtering",
        "Every message comes from the gateway’s address, so SPF fails for all, and spoofing is told apart by chance.",
        "Turn on enhanced filtering on the inbound connector of the gateway.",
        "learn.microsoft.com/exchange/mail-flow-best-practices/use-connectors-to-configure-mail-flow/"
        "enhanced-filtering-for-connectors",
        ("ORCA-233",),
        "Set-InboundConnector -Identity 'From gateway' -EFSkipLastIP $true",
    ),
    Entry(
        "ARC-SEALER",
        "info",
        "no trusted ARC sealer behind a gateway",
        "A gateway that changes messages breaks their signatures; a seal it adds would vouch for what it saw before.",
        "Trust the gateway’s sealing domain where it seals; exo-auth message check names who sealed a message.",
        "RFC 8617 §5, learn.microsoft.com/defender-office-365/email-authentication-arc-configure",
        ("ORCA-243",),
        "Set-ArcConfig -Identity Default -ArcTrustedSealers gateway.example",
    ),
    Entry(
        "MX-OTHER-DOMAIN",
        "warn",
        "an exchanger with another domain’s name",
        "Exchange Online names a host after the domain it takes mail for; at another’s host mail may be refused.",
        "Compare with the MX that the admin centre shows for this domain (Settings, Domains).",
        "learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records",
        example="contoso.com MX 0 fabrikam-com.mail.protection.outlook.com",
    ),
    Entry(
        "SPF-SENDING-DISABLED",
        "warn",
        "SPF names senders that the tenant forbids",
        "The tenant may not send from the domain, yet SPF lets every tenant of Exchange Online pass for it.",
        "Publish that nobody sends: v=spf1 -all.",
        "RFC 7208 §10.1.2",
        ("SCuBA MS.EXO.2.2v3",),
        "contoso.com TXT v=spf1 -all",
    ),
    Entry(
        "DOMAIN-SENDING-ENABLED",
        "info",
        "a parked domain that may still send",
        "DNS says that nobody sends from the domain, but Exchange Online lets its users; their mail would be refused.",
        "Forbid it: Set-AcceptedDomain -Identity contoso.com -SendingFromDomainDisabled $true.",
        "learn.microsoft.com/powershell/module/exchange/set-accepteddomain",
        example="v=spf1 -all beside SendingFromDomainDisabled False",
        profiles={Profile.PARKED: "warn"},
    ),
)
