"""Signed proofs that something does not exist, NSEC and NSEC3 (lookup; pure, through dnspython).

RFC 4035 §5.4, RFC 5155 §8; the records given here have been validated.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Any

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset

MOST_ITERATIONS = 150  # of the hash of NSEC3; zones with more are taken for unsigned (RFC 9276 §3.2)

_OPT_OUT = 1  # flag of NSEC3, RFC 5155 §3.1.2.1
_TO_EXTENDED_HEX = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")


class Denial(Enum):
    """What is proven about a name and a type."""

    NO_NAME = auto()
    NO_TYPE = auto()
    UNSIGNED_DELEGATION = auto()  # a zone begins there, and its parent has no DS for it
    UNDECIDED = auto()  # NSEC3 leaves it open by design: opt-out, or too many iterations
    UNPROVEN = auto()


def read_denial(rrsets: Sequence[dns.rrset.RRset], name: dns.name.Name, rdtype: int) -> Denial:
    """Say what validated NSEC or NSEC3 records of one zone prove about a name and a type."""
    proofs = _proofs(rrsets)
    if proofs.undecided:
        return Denial.UNDECIDED
    types = proofs.types_at(name)
    if types is not None:
        return _of_types(types, rdtype)
    encloser = proofs.closest_encloser(name)
    if encloser is None:
        return Denial.UNPROVEN
    if encloser == name:  # an empty name between others
        return Denial.NO_TYPE
    if isinstance(proofs, _Nsec3) and proofs.opts_out(_next_closer(name, encloser)):
        return Denial.UNDECIDED
    wildcard = dns.name.Name((b"*", *encloser.labels))
    at_wildcard = proofs.types_at(wildcard)
    if at_wildcard is not None:  # RFC 4035 §5.4: the wildcard holds other types
        return Denial.NO_TYPE if _of_types(at_wildcard, rdtype) is Denial.NO_TYPE else Denial.UNPROVEN
    return Denial.NO_NAME if proofs.is_covered(wildcard) else Denial.UNPROVEN


def denies_exact_name(rrsets: Sequence[dns.rrset.RRset], name: dns.name.Name, labels: int) -> Denial:
    """Say whether an answer from a wildcard of so many labels hides no better match: NO_NAME when that is proven.

    RFC 4035 §5.3.4, RFC 5155 §8.8; UNDECIDED as in §9.2.
    """
    proofs = _proofs(rrsets)
    if proofs.undecided:
        return Denial.UNDECIDED
    if isinstance(proofs, _Nsec):
        return Denial.NO_NAME if proofs.is_covered(name) else Denial.UNPROVEN
    closer = _next_closer(name, dns.name.Name(name.labels[-(labels + 1) :]))
    if not proofs.is_covered(closer):
        return Denial.UNPROVEN
    return Denial.UNDECIDED if proofs.opts_out(closer) else Denial.NO_NAME


def _proofs(rrsets: Sequence[dns.rrset.RRset]) -> _Nsec | _Nsec3:
    is_hashed = any(rrset.rdtype == dns.rdatatype.NSEC3 for rrset in rrsets)
    return _Nsec3(rrsets) if is_hashed else _Nsec(rrsets)


def _of_types(types: frozenset[int], rdtype: int) -> Denial:
    is_cut = dns.rdatatype.NS in types and dns.rdatatype.SOA not in types
    if rdtype in types or dns.rdatatype.CNAME in types:
        return Denial.UNPROVEN
    if is_cut:  # RFC 6840 §4.4: the parent speaks of nothing but DS there
        return Denial.UNSIGNED_DELEGATION if rdtype == dns.rdatatype.DS else Denial.UNPROVEN
    return Denial.NO_TYPE


def _ends_above(types: frozenset[int]) -> bool:
    """Does the zone say nothing about names below one with these types: another zone does, or a DNAME?"""
    return dns.rdatatype.DNAME in types or (dns.rdatatype.NS in types and dns.rdatatype.SOA not in types)


def _next_closer(name: dns.name.Name, encloser: dns.name.Name) -> dns.name.Name:
    return dns.name.Name(name.labels[-(len(encloser.labels) + 1) :])


def _ancestors(name: dns.name.Name) -> Iterator[dns.name.Name]:
    while True:
        yield name
        if name == dns.name.root:
            return
        name = name.parent()


def _bitmap(rdata: Any) -> frozenset[int]:
    return frozenset(
        window * 256 + octet * 8 + bit
        for window, octets in rdata.windows
        for octet, value in enumerate(octets)
        for bit in range(8)
        if value & (0x80 >> bit)
    )


class _Nsec:
    undecided = False

    def __init__(self, rrsets: Sequence[dns.rrset.RRset]) -> None:
        self._spans = [
            (rrset.name, rdata) for rrset in rrsets if rrset.rdtype == dns.rdatatype.NSEC for rdata in rrset
        ]

    def types_at(self, name: dns.name.Name) -> frozenset[int] | None:
        return next((_bitmap(rdata) for owner, rdata in self._spans if owner == name), None)

    def is_covered(self, name: dns.name.Name) -> bool:
        return self._covering(name) is not None

    def closest_encloser(self, name: dns.name.Name) -> dns.name.Name | None:
        covering = self._covering(name)
        if covering is None:
            return None
        owner, following = covering
        if following.is_subdomain(name):
            return name
        shared = max(_shared_labels(name, owner), _shared_labels(name, following))
        return dns.name.Name(name.labels[-shared:])

    def _covering(self, name: dns.name.Name) -> tuple[dns.name.Name, dns.name.Name] | None:
        for owner, rdata in self._spans:
            following = rdata.next
            is_between = owner < name < following if owner < following else owner < name  # the last one wraps
            is_above_cut = name.is_subdomain(owner) and _ends_above(_bitmap(rdata))
            if is_between and not is_above_cut:  # RFC 6840 §4.1
                return owner, following
        return None


def _shared_labels(one: dns.name.Name, other: dns.name.Name) -> int:
    return int(one.fullcompare(other)[2])


class _Nsec3:
    def __init__(self, rrsets: Sequence[dns.rrset.RRset]) -> None:
        self._spans: list[tuple[bytes, bytes, Any]] = [
            (rrset.name.labels[0].upper(), _extended_hex(rdata.next), rdata)
            for rrset in rrsets
            if rrset.rdtype == dns.rdatatype.NSEC3
            for rdata in rrset
        ]
        self._parameters = {(r.salt, r.iterations, r.algorithm) for _, _, r in self._spans}
        self.undecided = any(
            iterations > MOST_ITERATIONS or algorithm != 1 for _, iterations, algorithm in self._parameters
        )

    def types_at(self, name: dns.name.Name) -> frozenset[int] | None:
        hashed = self._hashed(name)
        return next((_bitmap(rdata) for owner, _, rdata in self._spans if owner == hashed), None)

    def is_covered(self, name: dns.name.Name) -> bool:
        return self._covering(name) is not None

    def opts_out(self, name: dns.name.Name) -> bool:
        covering = self._covering(name)
        return covering is not None and bool(covering.flags & _OPT_OUT)

    def closest_encloser(self, name: dns.name.Name) -> dns.name.Name | None:
        """Find the longest name above that exists, whose child on the way does not (RFC 5155 §8.3)."""
        closer: dns.name.Name | None = None
        for ancestor in _ancestors(name):
            types = self.types_at(ancestor)
            if types is not None and _ends_above(types):  # RFC 5155 §8.3: what is below is said elsewhere
                return None
            if types is not None:
                return ancestor if closer is not None and self.is_covered(closer) else None
            closer = ancestor
        return None

    def _covering(self, name: dns.name.Name) -> Any:
        hashed = self._hashed(name)
        for owner, following, rdata in self._spans:
            if owner < hashed < following if owner < following else hashed > owner or hashed < following:
                return rdata
        return None

    def _hashed(self, name: dns.name.Name) -> bytes:
        if len(self._parameters) != 1:
            return b""
        ((salt, iterations, algorithm),) = self._parameters
        return dns.dnssec.nsec3_hash(name, salt, iterations, algorithm).encode().upper()


def _extended_hex(octets: bytes) -> bytes:
    return base64.b32encode(octets).translate(_TO_EXTENDED_HEX).rstrip(b"=")
