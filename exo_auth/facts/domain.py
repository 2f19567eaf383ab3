"""All that DNS and the policy host say about one mail domain (facts, pure): what `checks/` judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.facts.dns import Answer, MailDns, Txt
from exo_auth.facts.spf import SpfNode


class Subject(StrEnum):
    """What can be looked at apart; the words of `check --only`."""

    DNS = "dns"
    MX = "mx"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    MTA_STS = "mta-sts"
    TLS_RPT = "tls-rpt"
    DANE = "dane"
    BIMI = "bimi"
    CONNECTORS = "connectors"  # of the tenant: needs a sign-in


ALL_SUBJECTS = frozenset(Subject)


@dataclass(frozen=True)
class ZoneStart:
    """The SOA of the zone a name lies in."""

    primary: str
    serial: int
    minimum: int  # seconds


@dataclass(frozen=True)
class Exchanger:
    """One MX record; `host` is "" for the root (RFC 7505)."""

    preference: int
    host: str  # lower case, without the trailing dot


@dataclass(frozen=True)
class TlsaRecord:
    """One TLSA record. RFC 6698 §2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True)
class CaaRecord:
    """One CAA record. RFC 8659 §4.1."""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True)
class MailHost:
    """A mail exchanger with its addresses; `tlsa` is None where it was not asked for."""

    name: str
    ipv4: Answer[IPv4Address]
    ipv6: Answer[IPv6Address]
    tlsa: Answer[TlsaRecord] | None = None


@dataclass(frozen=True)
class ReportDestination:
    """A host that a DMARC record sends reports to.

    `walk` leads to the host's organizational domain and `authorization` is the TXT at
    `<domain>._report._dmarc.<host>` (RFC 9990 §4); both are None where the host and the domain lie on one branch of
    the tree. `mx` and `address` tell whether the host takes mail.
    """

    tag: str  # rua or ruf
    uri: str
    host: DomainName
    walk: DmarcWalk | None
    authorization: Answer[Txt] | None
    mx: Answer[Exchanger]
    address: Answer[IPv4Address] | None = None  # asked only where there is no MX


@dataclass(frozen=True)
class DmarcFacts:
    """The walk of RFC 9989, what the name itself holds, and where reports go."""

    walk: DmarcWalk
    at_name: Answer[Txt]  # TXT at _dmarc.<domain>
    alias: Answer[DomainName] | None  # CNAME at the same name, asked where the TXT stands there itself
    psl_organizational: DomainName  # by the Public Suffix List, as RFC 7489 receivers find it
    destinations: tuple[ReportDestination, ...] = ()
    misplaced: Answer[Txt] | None = None  # TXT at _dmarc._dmarc.<domain>, a slip of DNS panels
    old_step: WalkStep | None = None  # at psl_organizational, where the walk did not come to it


class FetchFault(StrEnum):
    """Why a policy could not be had from one address."""

    UNREACHABLE = "unreachable"  # no route from here, or it is forbidden: nothing reached the host
    CONNECT_TIMEOUT = "connect-timeout"  # nothing came back: so look firewalls, here and there
    CONNECT = "connect"  # refused, or cut off
    TIMEOUT = "timeout"  # connected, and then silent
    CERTIFICATE_NAME = "certificate-name"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    TLS = "tls"
    REDIRECT = "redirect"
    STATUS = "status"
    TOO_LARGE = "too-large"
    PROTOCOL = "protocol"


NOT_REACHED = frozenset({FetchFault.UNREACHABLE, FetchFault.CONNECT_TIMEOUT})


@dataclass(frozen=True)
class Certificate:
    """What the policy host shows for itself."""

    not_after: datetime
    issuer: str  # organization of the issuer
    names: tuple[str, ...]


@dataclass(frozen=True)
class PolicyFetch:
    """One attempt to get the policy from one address of its host. `fault` is None when it was answered with 200."""

    address: str
    fault: FetchFault | None = None
    detail: str = ""
    status: int | None = None
    media_type: str = ""
    encoding: str = ""  # Content-Encoding, "" for none
    body: bytes = b""
    certificate: Certificate | None = None
    seconds: float | None = field(default=None, compare=False)  # from the first packet to the last octet
    tls: str = field(default="", compare=False)  # such as TLSv1.3

    @property
    def is_reached(self) -> bool:
        """Did anything come back from that address?"""
        return self.fault not in NOT_REACHED


@dataclass(frozen=True)
class MtaStsFacts:
    """The TXT record, and where it is there the policy host with one fetch for each of its addresses."""

    txt: Answer[Txt]
    host_ipv4: Answer[IPv4Address] | None = None
    host_ipv6: Answer[IPv6Address] | None = None
    caa: Answer[CaaRecord] | None = None
    fetches: tuple[PolicyFetch, ...] = ()


@dataclass(frozen=True)
class NameServerView:
    """What one authoritative server says about the zone; `failure` where it says nothing of use."""

    server: str  # its name
    address: str
    serial: int | None = None
    mx: frozenset[str] = frozenset()
    txt: frozenset[str] = frozenset()
    failure: str = ""


@dataclass(frozen=True)
class DomainFacts:
    """Everything about one domain. A part is None where it was not asked for."""

    domain: DomainName
    soa: Answer[ZoneStart] | None = None
    wildcard: Answer[Txt] | None = None  # TXT at a label below the domain that nobody uses
    txt: Answer[Txt] | None = None  # at the domain itself
    mx: Answer[Exchanger] | None = None
    hosts: tuple[MailHost, ...] = ()  # of mx, in order of preference
    spf: SpfNode | None = None
    dkim: MailDns | None = None
    dmarc: DmarcFacts | None = None
    mta_sts: MtaStsFacts | None = None
    tls_rpt: Answer[Txt] | None = None
    bimi: Answer[Txt] | None = None
    servers: tuple[NameServerView, ...] = ()
    seen_at: datetime | None = None  # when the look was over, UTC


def looked_at(part: Any) -> Any:
    """Give a part of the facts whose subject was asked for; an AssertionError says that it was not."""
    if part is None:
        raise AssertionError("the subject was not looked at")
    return part
