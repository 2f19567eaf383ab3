"""What a mail host does when it is asked for TLS (facts, pure). RFC 3207."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exo_auth.facts.domain import Certificate


class SmtpFault(StrEnum):
    """Where the way to a verified connection ended."""

    CONNECT_TIMEOUT = (
        "connect-timeout"  # nothing came back: so look firewalls, and networks that block port 25
    )
    CONNECT_REFUSED = "connect-refused"
    UNREACHABLE = "unreachable"  # no route from here, or it is forbidden
    TIMEOUT = "timeout"  # connected, and then silent
    CLOSED = "closed"  # connected, and then cut off
    BUSY = "busy"  # a reply of 4xx: not now
    REJECTED = "rejected"  # a reply of 5xx: not from here
    PROTOCOL = "protocol"  # it does not speak SMTP
    NO_STARTTLS = "no-starttls"  # it offers none
    STARTTLS_REFUSED = "starttls-refused"  # it offers STARTTLS and does not begin
    HANDSHAKE = "handshake"  # it begins, and no TLS comes of it
    CERTIFICATE_NAME = "certificate-name"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"


NOT_CONNECTED = frozenset({SmtpFault.CONNECT_TIMEOUT, SmtpFault.CONNECT_REFUSED, SmtpFault.UNREACHABLE})
NO_VERDICT = NOT_CONNECTED | {SmtpFault.TIMEOUT, SmtpFault.CLOSED, SmtpFault.BUSY, SmtpFault.REJECTED}


@dataclass(frozen=True)
class SmtpProbe:
    """One attempt at one address of a host. `fault` is None when TLS was agreed and the certificate counts.

    `tls_version` is "" unless TLS was agreed, be it with a certificate that does not count: then mail can be
    encrypted, and nobody knows for whom. `certificate` is what was shown, also when it does not count.
    """

    host: str
    address: str
    port: int
    fault: SmtpFault | None = None
    detail: str = ""
    banner: str = ""  # the first line, without its code
    extensions: tuple[str, ...] = ()  # keywords of EHLO, upper case
    tls_version: str = ""  # such as TLSv1.3
    cipher: str = ""
    certificate: Certificate | None = None
    name_matches: bool | None = None  # does the certificate name the host? None where none was seen

    @property
    def encrypts(self) -> bool:
        """Was TLS agreed, whatever the certificate says?"""
        return bool(self.tls_version)

    @property
    def is_undecided(self) -> bool:
        """Did the attempt end before the host could show what it does?"""
        return self.fault in NO_VERDICT
