"""What the findings about forcing TLS with a partner mean (checks, pure).

The severities of certificates are those of a rule that asks for encryption alone, as RouteMessageOutboundRequireTls
does; `partner_tls.py` raises them where the certificate is to be validated.
"""

from __future__ import annotations

from exo_auth.checks.entry import Entry

_FORCED = "mail is queued, tried again for a day, and then comes back to its sender"

ENTRIES = (
    Entry(
        "TLS-STARTTLS-MISSING",
        "fail",
        "a host that offers no TLS",
        f"When TLS is forced and this host is the one that is reached, {_FORCED}.",
        "Ask the partner to offer STARTTLS on every exchanger, also on those of last resort; do not force TLS before.",
        "RFC 3207 §4",
        (),
        "mx2.fabrikam.com answers EHLO without STARTTLS",
    ),
    Entry(
        "TLS-STARTTLS-REFUSED",
        "fail",
        "a host that offers TLS and does not begin it",
        f"Often the host has no certificate, or cannot read it. When TLS is forced, {_FORCED}.",
        "Tell the partner what the host answers to STARTTLS.",
        "RFC 3207 §4",
        (),
        "454 4.7.0 TLS not available",
    ),
    Entry(
        "TLS-HANDSHAKE",
        "fail",
        "a host with which no TLS can be agreed",
        f"Exchange Online sends with TLS 1.2 and 1.3 only. When TLS is forced, {_FORCED}.",
        "Ask the partner for TLS 1.2 or later, and ciphers that are in use today.",
        "RFC 8996 §4, §5; RFC 9325 §3.1.1",
        (),
        "TLS 1.0 alone",
    ),
    Entry(
        "TLS-NOT-SMTP",
        "fail",
        "a host that does not speak SMTP",
        "Mail cannot be delivered there with TLS or without; a firewall may rewrite what is said.",
        "Ask the partner what answers on port 25 of this host.",
        "RFC 5321 §4.2",
        (),
        "SSH-2.0-OpenSSH_9.6",
    ),
    Entry(
        "TLS-CERT-NAME",
        "warn",
        "a certificate for another host",
        "A rule that asks for encryption does not look at it. A connector with DomainValidation, MTA-STS and DANE do, and refuse.",
        "Ask the partner for a certificate that names the exchanger; for DomainValidation give a name as TlsDomain that the certificate has.",
        "RFC 9525 §6",
        (),
        "mx.fabrikam.com shows a certificate for www.fabrikam.com",
    ),
    Entry(
        "TLS-CERT-EXPIRED",
        "warn",
        "a certificate that has run out",
        "A rule that asks for encryption does not look at it. A connector with CertificateValidation or DomainValidation does, and refuses.",
        "Ask the partner to renew it.",
        "RFC 5280 §6.1.3",
        (),
        "valid until 2026-11-01",
    ),
    Entry(
        "TLS-CERT-UNTRUSTED",
        "warn",
        "a certificate of an authority that nobody knows",
        "It is self-signed, of a private authority, or the intermediate is not served. Encryption alone does without; validation refuses.",
        "Ask the partner for a certificate of a public authority, served with its intermediate.",
        "RFC 5280 §6.1",
        (),
        "self-signed certificate",
    ),
    Entry(
        "TLS-CERT-EXPIRY",
        "warn",
        "a certificate that ends soon",
        "When it is not renewed in time, a connector that validates stops delivering.",
        "Ask the partner whether it renews by itself.",
        "RFC 5280 §4.1.2.5",
        (),
        "fewer than 14 days",
    ),
    Entry(
        "TLS-NO-HOST",
        "fail",
        "nobody takes the partner's mail",
        "There is no host to deliver to, so that nothing can be said about TLS.",
        "Check the name; for a partner named by its mail host use --as-host.",
        "RFC 5321 §5.1, RFC 7505 §3",
        (),
        "no MX record, and no address at the domain itself",
    ),
    Entry(
        "TLS-HOST-UNDECIDED",
        "unknown",
        "a host that did not show what it does",
        "It was out of reach, silent, busy, or takes nothing from this address. Exchange Online sends from other addresses and may fare better.",
        "Try again later, or from a network that may send mail.",
        "RFC 5321 §4.2.1",
        (),
        "421 4.3.2 too busy, try again later",
    ),
    Entry(
        "TLS-PORT-BLOCKED",
        "unknown",
        "no mail host at all can be reached from here",
        "Most clouds, hosters and access providers block outgoing connections to port 25, so that this machine cannot tell anything.",
        "Probe from a network that may send mail: Azure, AWS, Google Cloud and most access lines may not unless asked for.",
        "RFC 5068 §3.1",
        (),
        "no answer to the connection from any of 4 addresses",
    ),
    Entry(
        "TLS-ENFORCED-ALREADY",
        "info",
        "the partner makes senders use TLS already",
        "Exchange Online honours MTA-STS and DANE of the recipient by itself, and checks more than a transport rule does.",
        "A rule adds nothing but its own upkeep; keep it where a contract asks for one.",
        "RFC 8461 §5, RFC 7672 §2.2",
        (),
        "mode: enforce",
    ),
)
