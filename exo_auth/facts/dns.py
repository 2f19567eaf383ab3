"""What DNS said (facts, pure): one of `Found`, `Missing`, `LookupFailed`, so that no reader can mistake a
broken resolver for an absent record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.chain_of_trust import Judgement
from exo_auth.records.dkim import DkimKeyRecord

T = TypeVar("T", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True)
class Hop:
    """One CNAME that was followed: `owner` pointed to `target` for `ttl`."""

    owner: DomainName
    target: DomainName
    ttl: timedelta


@dataclass(frozen=True)
class Found(Generic[T]):
    """The question was answered. `via` holds the CNAMEs followed on the way, in order."""

    values: tuple[T, ...]
    ttl: timedelta
    via: tuple[Hop, ...] = ()
    server: str | None = None  # host:port that answered
    authenticated: bool = False  # validated with DNSSEC: by us as `judgement` says, else by the resolver (AD)
    judgement: Judgement | None = None  # where we followed the signatures ourselves

    def holding(self, values: tuple[U, ...]) -> Found[U]:
        """Give the same answer with its values read as another type."""
        return Found(values, self.ttl, self.via, self.server, self.authenticated, self.judgement)


class MissingKind(StrEnum):
    """How a record is absent."""

    NXDOMAIN = "nxdomain"  # the name does not exist, nor anything below it (RFC 8020)
    NODATA = "nodata"  # the name exists, without a record of this type


@dataclass(frozen=True)
class Missing:
    """The record is certainly absent. `negative_ttl` is how long caches may remember that (RFC 2308 §5)."""

    kind: MissingKind
    negative_ttl: timedelta | None = None
    via: tuple[Hop, ...] = ()
    server: str | None = None


class FailureReason(StrEnum):
    """Why no verdict could be had."""

    TIMEOUT = "timeout"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    BOGUS = "bogus"  # DNSSEC validation fails: the same question with CD=1 is answered
    NETWORK = "network"  # no route, port closed, no name server configured
    MALFORMED = "malformed"  # the answer violates the protocol
    LOOP = "loop"  # a CNAME chain that comes back to itself or is longer than the limit


@dataclass(frozen=True)
class LookupFailed:
    """Nothing is known. `temporary` tells whether asking again later can help by itself."""

    reason: FailureReason
    detail: str
    temporary: bool
    via: tuple[Hop, ...] = ()
    server: str | None = None


Answer: TypeAlias = Found[T] | Missing | LookupFailed


@dataclass(frozen=True)
class Txt:
    """One TXT record: its character-strings as they came; `text` is their concatenation (RFC 7208 §3.3)."""

    chunks: tuple[bytes, ...]

    @property
    def text(self) -> str:
        """The joined text; bytes outside ASCII become U+FFFD, so that a grammar refuses them at their place."""
        return b"".join(self.chunks).decode("ascii", errors="replace")


@dataclass(frozen=True)
class Seen(Generic[T]):
    """A record as published, beside what it parsed to: a malformed record is a fact like any other."""

    txt: Txt
    parsed: T | RecordSyntaxError


@dataclass(frozen=True)
class SelectorDns:
    """What DNS holds for one selector of one domain.

    `cname` asks for type CNAME at `owner` and follows nothing; `key` asks for TXT at `owner` and follows
    the chain (its `via`); `doubled` asks for CNAME at the owner with the zone appended twice, the classic
    slip of a DNS panel. `doubled` is None where `cname` was found, because the question is then moot.
    """

    selector: str  # "selector1" or "selector2"
    owner: DomainName
    cname: Answer[DomainName]
    key: Answer[Seen[DkimKeyRecord]]
    doubled: Answer[DomainName] | None = None


@dataclass(frozen=True)
class MailDns:
    """All DNS facts of one mail domain that `checks/` may look at.

    `wildcard` is the answer for TXT at a random label under `_domainkey`: Found means that a wildcard
    answers for every selector, so that "found" proves nothing there (RFC 6376 §6.1.2).
    """

    domain: DomainName
    selector1: SelectorDns
    selector2: SelectorDns
    wildcard: Answer[Txt]

    def selector(self, name: str) -> SelectorDns:
        """Give the selector of that name, case-insensitively; raises KeyError for a third one."""
        by_name = {"selector1": self.selector1, "selector2": self.selector2}
        return by_name[name.lower()]
