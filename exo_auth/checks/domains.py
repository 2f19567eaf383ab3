"""What kind of domain an accepted domain is, and whether it should sign with its own name (checks, pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from exo_auth.domain_name import DomainName
from exo_auth.facts.tenant import AcceptedDomain

# Routing domains that signature and telephony services put into a tenant: no mail is sent from them,
# and their zones belong to the vendor.
VENDOR_SUFFIXES = (
    "call2teams.com",
    "codetwo.online",
    "excl.cloud",
    "exclaimer.cloud",
    "microsoftonline.com",
    "myteamsconnect.io",
    "signature365.net",
    "teams.dstny.com",
)


class DomainKind(StrEnum):
    """What a domain is there for."""

    CUSTOM = "custom"
    SUBDOMAIN = "subdomain"  # of another accepted domain; signs with a configuration of its own
    INITIAL = "initial"  # contoso.onmicrosoft.com: Microsoft signs it and runs its zone
    COEXISTENCE = "coexistence"  # contoso.mail.onmicrosoft.com: hybrid routing only
    VENDOR = "vendor"  # a routing domain of a third party
    NOT_SENDING = "not-sending"  # sending from it is switched off
    LEAVING = "leaving"  # its removal is under way


MANAGED_KINDS = frozenset({DomainKind.CUSTOM, DomainKind.SUBDOMAIN})
# A domain that may not send is no business of who signs, but may be forged like any other.
CHECKED_KINDS = MANAGED_KINDS | {DomainKind.NOT_SENDING}

_WHY_UNMANAGED = {
    DomainKind.INITIAL: "Microsoft publishes its records; name it with -d to work on it all the same",
    DomainKind.COEXISTENCE: "hybrid routing only: no mail is sent from it",
    DomainKind.VENDOR: "a routing domain of a third party",
    DomainKind.NOT_SENDING: "sending from it is switched off in the tenant",
    DomainKind.LEAVING: "it is being removed from the tenant",
}


@dataclass(frozen=True)
class ClassifiedDomain:
    """An accepted domain with its kind. `note` says why it is left alone, "" for one that is managed."""

    accepted: AcceptedDomain
    kind: DomainKind
    note: str = ""

    @property
    def name(self) -> DomainName:
        """The domain itself."""
        return self.accepted.name

    @property
    def is_managed(self) -> bool:
        """Should it sign with its own name, as far as the tenant shows?"""
        return self.kind in MANAGED_KINDS


def classify(
    rows: Iterable[AcceptedDomain], initial_suffixes: tuple[str, ...]
) -> tuple[ClassifiedDomain, ...]:
    """Classify the accepted domains of one tenant, in order of name."""
    ordered = sorted(rows, key=lambda row: row.name)
    names = {row.name for row in ordered}
    return tuple(
        ClassifiedDomain(row, kind, _WHY_UNMANAGED.get(kind, ""))
        for row in ordered
        for kind in [_kind(row, names, initial_suffixes)]
    )


def _kind(row: AcceptedDomain, names: set[DomainName], initial_suffixes: tuple[str, ...]) -> DomainKind:
    name = row.name.ascii
    if row.is_coexistence or any(name.endswith(f".mail.{suffix}") for suffix in initial_suffixes):
        return DomainKind.COEXISTENCE
    if row.is_initial or any(name.endswith(f".{suffix}") for suffix in initial_suffixes):
        return DomainKind.INITIAL
    if any(name.endswith(f".{suffix}") for suffix in VENDOR_SUFFIXES):
        return DomainKind.VENDOR
    if row.pending_removal:
        return DomainKind.LEAVING
    if row.sending_disabled:
        return DomainKind.NOT_SENDING
    parent = row.name.parent
    while parent is not None:
        if parent in names:
            return DomainKind.SUBDOMAIN
        parent = parent.parent
    return DomainKind.CUSTOM
