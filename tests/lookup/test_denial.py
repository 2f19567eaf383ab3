"""What NSEC and NSEC3 records prove, span by span; RFC 4035 §5.4, RFC 5155 §8, RFC 6840 §4."""

from __future__ import annotations

import base64

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from exo_auth.lookup.denial import Denial, denies_exact_name, read_denial

D = Denial
NSEC: list[tuple[tuple[str, ...], str, str, Denial, str]] = [  # records, name, type, proven, reason
    (("a.z. NSEC d.z. A",), "a.z.", "MX", D.NO_TYPE, "the name has other types"),
    (("a.z. NSEC d.z. A",), "a.z.", "A", D.UNPROVEN, "it has that one"),
    (("a.z. NSEC d.z. CNAME",), "a.z.", "A", D.UNPROVEN, "it is an alias: that should have been the answer"),
    (("a.z. NSEC d.z. A", "z. NSEC a.z. SOA"), "b.z.", "A", D.NO_NAME, "between two names, and no wildcard"),
    (("a.z. NSEC d.z. A",), "b.z.", "A", D.UNPROVEN, "a wildcard may answer: its absence is not proven"),
    (("z. NSEC a.z. SOA",), "b.z.", "A", D.UNPROVEN, "a gap: the span ends before the name"),
    (("d.z. NSEC f.z. A", "z. NSEC a.z. SOA"), "b.z.", "A", D.UNPROVEN, "a gap: the span begins after it"),
    (("a.z. NSEC d.z. A",), "d.z.", "A", D.UNPROVEN, "the end of a span is a name that exists"),
    (("x.z. NSEC z. A", "z. NSEC a.z. SOA"), "y.z.", "A", D.NO_NAME, "the last span wraps to the apex"),
    (("a.z. NSEC x.b.z. A",), "b.z.", "A", D.NO_TYPE, "an empty name between others"),
    (("a.z. NSEC d.z. A", "*.z. NSEC a.z. TXT"), "b.z.", "A", D.NO_TYPE, "the wildcard has other types"),
    (("a.z. NSEC d.z. A", "*.z. NSEC a.z. A"), "b.z.", "A", D.UNPROVEN, "the wildcard would answer"),
    (("a.z. NSEC d.z. NS",), "a.z.", "DS", D.UNSIGNED_DELEGATION, "a zone below without DS"),
    (("a.z. NSEC d.z. NS",), "a.z.", "A", D.UNPROVEN, "the parent's span says nothing of the zone below"),
    (
        ("a.z. NSEC d.z. NS", "z. NSEC a.z. SOA"),
        "x.a.z.",
        "A",
        D.UNPROVEN,
        "nor of names in it (RFC 6840 §4.1)",
    ),
    (("a.z. NSEC d.z. DNAME", "z. NSEC a.z. SOA"), "x.a.z.", "A", D.UNPROVEN, "nor of names below a DNAME"),
    (("a.z. NSEC d.z. NS SOA",), "a.z.", "DS", D.NO_TYPE, "the zone's own apex is no delegation"),
]


@pytest.mark.parametrize(("lines", "name", "rdtype", "proven", "reason"), NSEC, ids=[row[4] for row in NSEC])
def test_nsec(lines: tuple[str, ...], name: str, rdtype: str, proven: Denial, reason: str) -> None:
    rrsets = []
    for line in lines:
        owner, kind, data = line.split(" ", 2)
        rrsets.append(dns.rrset.from_text(owner, 300, "IN", kind, data))
    asked = dns.name.from_text(name)
    assert read_denial(rrsets, asked, dns.rdatatype.from_text(rdtype)) is proven, reason


def digest(name: str, iterations: int) -> str:
    return dns.dnssec.nsec3_hash(name, None, iterations, 1)


def beyond(hashed: str, by: int) -> str:
    """Give the hash that follows or precedes another by so much."""
    alphabet = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    number = int.from_bytes(base64.b32decode(hashed.encode().translate(alphabet))) + by
    back = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHIJKLMNOPQRSTUV")
    return base64.b32encode(number.to_bytes(20)).translate(back).decode()


def exactly(name: str, types: str, *, iterations: int = 0) -> dns.rrset.RRset:
    """Make the record of a name that exists, which covers hardly anything."""
    hashed = digest(name, iterations)
    return dns.rrset.from_text(
        f"{hashed}.z.", 300, "IN", "NSEC3", f"1 0 {iterations} - {beyond(hashed, 1)} {types}"
    )


def around(name: str, *, opt_out: int = 0, iterations: int = 0) -> dns.rrset.RRset:
    """Make the record that covers one name, and hardly anything beside."""
    hashed = digest(name, iterations)
    return dns.rrset.from_text(
        f"{beyond(hashed, -1)}.z.", 300, "IN", "NSEC3", f"1 {opt_out} {iterations} - {beyond(hashed, 1)} A"
    )


APEX = exactly("z.", "SOA NS")
NSEC3: list[tuple[list[dns.rrset.RRset], str, str, Denial, str]] = [
    ([exactly("a.z.", "A")], "a.z.", "MX", D.NO_TYPE, "the name has other types"),
    ([exactly("a.z.", "A")], "a.z.", "A", D.UNPROVEN, "it has that one"),
    ([APEX, around("b.z."), around("*.z.")], "b.z.", "A", D.NO_NAME, "encloser, next closer name, wildcard"),
    ([around("b.z."), around("*.z.")], "b.z.", "A", D.UNPROVEN, "no encloser"),
    ([APEX, around("*.z.")], "b.z.", "A", D.UNPROVEN, "a gap: nothing covers the next closer name"),
    ([APEX, around("b.z.")], "b.z.", "A", D.UNPROVEN, "nothing covers the wildcard"),
    ([APEX, around("c.z."), around("*.z.")], "b.z.", "A", D.UNPROVEN, "a gap: another name is covered"),
    ([APEX, around("b.z."), exactly("*.z.", "TXT")], "b.z.", "A", D.NO_TYPE, "the wildcard has other types"),
    ([APEX, around("b.z."), exactly("*.z.", "A")], "b.z.", "A", D.UNPROVEN, "the wildcard would answer"),
    ([APEX, around("b.z."), around("*.z.")], "x.b.z.", "A", D.NO_NAME, "deeper below"),
    (
        [exactly("a.z.", "DNAME"), around("x.a.z."), around("*.a.z.")],
        "x.a.z.",
        "A",
        D.UNPROVEN,
        "below a DNAME nothing is denied (RFC 5155 §8.3)",
    ),
    (
        [exactly("a.z.", "NS"), around("x.a.z."), around("*.a.z.")],
        "x.a.z.",
        "A",
        D.UNPROVEN,
        "nor in a zone below",
    ),
    ([exactly("a.z.", "NS")], "a.z.", "DS", D.UNSIGNED_DELEGATION, "a zone below without DS"),
    ([APEX, around("a.z.", opt_out=1)], "a.z.", "DS", D.UNDECIDED, "opt-out"),
    (
        [exactly("z.", "SOA", iterations=151), around("b.z.", iterations=151)],
        "b.z.",
        "A",
        D.UNDECIDED,
        "too many iterations (RFC 9276 §3.2)",
    ),
    (
        [
            exactly("z.", "SOA", iterations=150),
            around("b.z.", iterations=150),
            around("*.z.", iterations=150),
        ],
        "b.z.",
        "A",
        D.NO_NAME,
        "as many as are believed",
    ),
    ([APEX, around("b.z.", iterations=1), around("*.z.")], "b.z.", "A", D.UNPROVEN, "two kinds of hashes"),
]


@pytest.mark.parametrize(
    ("rrsets", "name", "rdtype", "proven", "reason"), NSEC3, ids=[row[4] for row in NSEC3]
)
def test_nsec3(rrsets: list[dns.rrset.RRset], name: str, rdtype: str, proven: Denial, reason: str) -> None:
    asked = dns.name.from_text(name)
    assert read_denial(rrsets, asked, dns.rdatatype.from_text(rdtype)) is proven, reason


WILDCARDS: list[tuple[list[dns.rrset.RRset], Denial, str]] = [  # an answer for x.y.z from *.z
    ([dns.rrset.from_text("a.z.", 300, "IN", "NSEC", "z. A")], D.NO_NAME, "the name is between two"),
    ([dns.rrset.from_text("a.z.", 300, "IN", "NSEC", "b.z. A")], D.UNPROVEN, "it is not"),
    ([around("y.z.")], D.NO_NAME, "the next closer name is covered"),
    ([around("x.y.z.")], D.UNPROVEN, "only the name itself is: something may be between"),
    ([around("y.z.", opt_out=1)], D.UNDECIDED, "by a span with opt-out (RFC 5155 §9.2)"),
    ([around("y.z.", iterations=500)], D.UNDECIDED, "by a hash of too many iterations"),
]


@pytest.mark.parametrize(("rrsets", "proven", "reason"), WILDCARDS, ids=[row[2] for row in WILDCARDS])
def test_wildcards_that_apply(rrsets: list[dns.rrset.RRset], proven: Denial, reason: str) -> None:
    assert denies_exact_name(rrsets, dns.name.from_text("x.y.z."), 1) is proven, reason
