"""Does an authenticated domain speak for the author domain? (checks, pure) RFC 9989 §4.4 and §4.10.2; RFC 7489 §3.1."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.checks.dmarc_policy import organizational_domain
from exo_auth.domain_name import DomainName
from exo_auth.facts.dmarc import DmarcWalk


@dataclass(frozen=True)
class Identifier:
    """A domain that SPF or DKIM authenticated, with its own walk and its organizational domain by the suffix list."""

    mechanism: str  # spf or dkim
    domain: DomainName
    walk: DmarcWalk
    psl_organizational: DomainName


@dataclass(frozen=True)
class Alignment:
    """Whether an identifier is aligned, by each model; None where DNS gave no verdict."""

    identifier: Identifier
    strict_rfc9989: bool
    strict_rfc7489: bool
    rfc9989: bool | None
    rfc7489: bool


def aligned_by_walk(author: DmarcWalk, domain: str, walk: DmarcWalk | None, *, strict: bool) -> bool | None:
    """Compare by the tree walk, None where a walk failed. RFC 9989 §4.10.2."""
    if strict or domain == author.author.ascii:
        return domain == author.author.ascii
    if walk is None or walk.failure or author.failure:
        return None
    return organizational_domain(walk) == organizational_domain(author)


def aligned_by_suffix(
    author: DomainName,
    author_organizational: DomainName | None,
    domain: str,
    organizational: DomainName | None,
    *,
    strict: bool,
) -> bool:
    """Compare by the Public Suffix List. RFC 7489 §3.1."""
    if strict:
        return domain == author.ascii
    return organizational is not None and organizational == author_organizational
