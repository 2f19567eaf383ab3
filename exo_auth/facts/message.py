"""What a message shows, and what DNS and the cryptography say about it (facts, pure)."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dmarc import DmarcWalk
from exo_auth.facts.dns import Answer, Txt
from exo_auth.facts.spf import SpfResult
from exo_auth.records.authentication_results import AuthenticationResults
from exo_auth.records.dkim_signature import DkimSignature


@dataclass(frozen=True)
class SeenSignature:
    """One signature with its key; `verifies` is the word of the cryptography, None where it was not asked."""

    parsed: DkimSignature | RecordSyntaxError
    key: Answer[Txt] | None = None
    verifies: bool | None = None
    walk: DmarcWalk | None = None  # of d=, for alignment
    psl_organizational: DomainName | None = None


@dataclass(frozen=True)
class MessageFacts:
    """Everything about one message. `authors` are the domains of From; `spf_domain` the one that SPF judged."""

    authors: tuple[DomainName, ...]
    signatures: tuple[SeenSignature, ...]
    unread_signatures: int  # beyond the limit
    dmarc: DmarcWalk | None  # of the author domain
    psl_organizational: DomainName | None
    old_dmarc: DmarcWalk | None  # what RFC 7489 receivers find above it
    spf: SpfResult | None = None
    spf_domain: DomainName | None = None
    spf_walk: DmarcWalk | None = None
    spf_psl_organizational: DomainName | None = None
    trusted_results: str = ""  # the topmost Authentication-Results field of a trusted server
    trusted: AuthenticationResults | None = None  # the same, read
    envelope_source: str = ""  # where the envelope came from: given, or the name of a header field
    arc_sealers: tuple[str, ...] = ()  # d= of the ARC-Seal fields, the latest first
