"""`RecordSet` and `RecordChange`: what is to stand in DNS, whole sets at a time (plan, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from exo_auth.domain_name import DomainName
from exo_auth.plan.record_meaning import meaning

TTL = 3600  # seconds


class Part(StrEnum):
    """Which of a domain's records; the words of a playbook's `records`."""

    MX = "mx"
    AUTODISCOVER = "autodiscover"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    TLS_RPT = "tls-rpt"
    POLICY_HOST = "policy-host"  # the name under which an MTA-STS policy is hosted


@dataclass(frozen=True)
class RecordSet:
    """All records of one owner and type. TXT values are joined texts, names absolute without the trailing dot."""

    owner: DomainName
    type: str  # CNAME, TXT, MX, A, AAAA
    values: tuple[str, ...]  # MX as `0 host`
    ttl: int = TTL  # seconds


@dataclass(frozen=True)
class RecordChange:
    """One set before and after. `before` is the whole set as published, empty where there is none.

    `because` says why, `notes` what it costs and what receivers will do; `refusal` is set where the change must not
    be made now, with the reason.
    """

    owner: DomainName
    type: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    ttl: int = TTL
    refusal: str = ""

    @property
    def is_needed(self) -> bool:
        """Would anything be different?"""
        return not same_values(self.type, self.before, self.after)

    @property
    def is_readable(self) -> bool:
        """Is every value known octet by octet? Octets outside ASCII are read as U+FFFD, and would be lost as text."""
        return not any("\N{REPLACEMENT CHARACTER}" in value for value in (*self.before, *self.after))

    @property
    def as_set(self) -> RecordSet:
        """What is to stand there."""
        return RecordSet(self.owner, self.type, self.after, self.ttl)


def same_values(rdtype: str, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Compare two sets by what their values mean to those who read them; the order of values never counts."""
    return one == other or sorted(meaning(rdtype, value) for value in one) == sorted(
        meaning(rdtype, value) for value in other
    )


def merged(live: tuple[str, ...], own: tuple[str, ...], *, replaced: tuple[str, ...]) -> tuple[str, ...]:
    """Put our values into a shared set: those we replace go, all others stay in their order."""
    kept = tuple(value for value in live if value not in replaced)
    at = next((n for n, value in enumerate(live) if value in replaced), len(kept))
    return (*kept[:at], *(value for value in own if value not in kept), *kept[at:])
