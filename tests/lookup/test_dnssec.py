"""Chains of trust, whole and broken, in zones that a real Knot serves and mostly signs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import dns.name
import dns.rdatatype
import pytest
from signed_zones import SignedWorld, needs_knot

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.chain_of_trust import Judgement, Trust
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind
from exo_auth.lookup.denial import Denial, denies_exact_name, read_denial
from exo_auth.lookup.dnssec import ValidatingResolver
from exo_auth.lookup.resolver import StubResolver
from exo_auth.lookup.trust_anchors import parse_trust_anchors, read_trust_anchors

YEAR = 365 * 86400.0


def ask(signed: SignedWorld, name: str, rdtype: str, *, later: float = 0.0) -> tuple[Any, Judgement]:
    async def go() -> tuple[Any, Judgement]:
        async with StubResolver((signed.address,), timeout=10.0) as source:
            resolver = ValidatingResolver(
                source, read_trust_anchors(signed.anchors), lambda: time.time() + later
            )
            asked = DomainName(name)
            return await resolver.resolve(asked, rdtype), await resolver.judge(asked, rdtype)

    return asyncio.run(go())


SECURE = [  # name, type, what is found (None: nothing), reason
    ("signed.test", "MX", Found, "the apex"),
    ("a.signed.test", "TXT", Found, "a name below"),
    ("_25._tcp.mx.signed.test", "TLSA", Found, "what DANE needs"),
    ("a.ours.test", "TXT", Found, "signed by another signer"),
    ("alias.signed.test", "TXT", Found, "an alias in the zone"),
    ("alias.signed.test", "CNAME", Found, "the alias itself"),
    ("far.signed.test", "TXT", Found, "an alias of a name in another signed zone"),
    ("x.wild.signed.test", "TXT", Found, "a wildcard, with the proof that it applies (RFC 4035 §5.3.4)"),
    ("x.wild.nsec3.test", "TXT", Found, "the same with hashed names"),
    ("a.sub.signed.test", "TXT", Found, "a DNAME, whose CNAME is not signed (RFC 6672 §5.3.1)"),
    ("nothing.signed.test", "TXT", MissingKind.NXDOMAIN, "no such name"),
    ("a.signed.test", "AAAA", MissingKind.NODATA, "no such type"),
    ("empty.signed.test", "TXT", MissingKind.NODATA, "an empty name between others"),
    ("x.wild.signed.test", "MX", MissingKind.NODATA, "the wildcard has no such type"),
    ("nothing.nsec3.test", "TXT", MissingKind.NXDOMAIN, "no such name, hashed"),
    ("a.nsec3.test", "AAAA", MissingKind.NODATA, "no such type, hashed"),
    ("x.wild.nsec3.test", "MX", MissingKind.NODATA, "the hashed wildcard has no such type"),
    (
        "nothing.limit.test",
        "TXT",
        MissingKind.NXDOMAIN,
        "hashed as often as is still believed (RFC 9276 §3.2)",
    ),
    ("iterated.test", "TXT", Found, "what is there needs no hash"),
    ("nothing", "TXT", MissingKind.NXDOMAIN, "no such top-level domain"),
]


@needs_knot
@pytest.mark.parametrize(("name", "rdtype", "seen", "reason"), SECURE, ids=[row[3] for row in SECURE])
def test_a_whole_chain(signed: SignedWorld, name: str, rdtype: str, seen: Any, reason: str) -> None:
    answer, judgement = ask(signed, name, rdtype)
    assert judgement.status is Trust.SECURE, (reason, judgement)
    if seen is Found:
        assert answer.authenticated, reason
    else:
        assert isinstance(answer, Missing)
        assert answer.kind is seen, reason


INSECURE = [
    ("a.insecure.test", "TXT", "test has no DS record for insecure.test"),
    ("nothing.insecure.test", "TXT", "no DS record"),
    ("out.signed.test", "TXT", "no DS record for insecure.test"),  # a secure alias of an unsigned name
    ("a.child.optout.test", "TXT", "optout.test leave open whether child.optout.test is"),  # RFC 5155 §6
    (
        "nothing.iterated.test",
        "TXT",
        "iterated.test leave open whether nothing.iterated.test is",
    ),  # RFC 9276 §3.2
    ("a.iterated.test", "AAAA", "iterated.test leave open whether a.iterated.test is"),
    ("iterated.test", "AAAA", "iterated.test leave open whether iterated.test exists"),
    ("x.wild.optout.test", "TXT", "optout.test leave open whether x.wild.optout.test is"),  # RFC 5155 §9.2
]


@needs_knot
@pytest.mark.parametrize(("name", "rdtype", "told"), INSECURE)
def test_a_chain_that_ends_by_intent(signed: SignedWorld, name: str, rdtype: str, told: str) -> None:
    answer, judgement = ask(signed, name, rdtype)
    assert judgement.status is Trust.INSECURE
    assert told in judgement.detail
    assert not isinstance(answer, LookupFailed)
    assert not getattr(answer, "authenticated", False)


BOGUS = [
    ("mismatch.test", "MX", "no DNSKEY of mismatch.test is the one that the DS record of its parent names"),
    ("a.expired.test", "TXT", "its signature has expired on 20"),
    ("a.tampered.test", "TXT", "its signature by tampered.test does not fit"),
    ("lost.signed.test", "TXT", "TXT of a.tampered.test"),
    ("stripped.test", "TXT", "stripped.test publishes no DNSKEY"),
    ("unproven.test", "AAAA", "nothing signed proves that unproven.test has no AAAA"),
    ("nothing.unproven.test", "TXT", "neither a DS record for nothing.unproven.test nor its absence"),
]


@needs_knot
@pytest.mark.parametrize(("name", "rdtype", "told"), BOGUS)
def test_a_broken_chain_is_no_answer_and_never_an_absence(
    signed: SignedWorld, name: str, rdtype: str, told: str
) -> None:
    answer, judgement = ask(signed, name, rdtype)
    assert judgement.status is Trust.BOGUS
    assert told in judgement.detail
    assert isinstance(answer, LookupFailed)
    assert (answer.reason, answer.temporary) == (FailureReason.BOGUS, False)
    assert told in answer.detail


def test_nothing_proves_nothing() -> None:
    name = dns.name.from_text("x.wild.test.")
    assert read_denial([], name, dns.rdatatype.TXT) is Denial.UNPROVEN
    assert denies_exact_name([], name, 2) is Denial.UNPROVEN


@needs_knot
@pytest.mark.parametrize(
    ("later", "told"), [(YEAR, "has expired on"), (-YEAR, "is not valid before")], ids=["late", "early"]
)
def test_signatures_are_held_to_the_clock(signed: SignedWorld, later: float, told: str) -> None:
    answer, judgement = ask(signed, "a.signed.test", "TXT", later=later)
    # the root's are wrong already: that is rather this machine's clock than the domain's fault
    assert judgement.status is Trust.INDETERMINATE
    assert told in judgement.detail
    assert "is the clock right?" in judgement.detail
    assert isinstance(answer, LookupFailed)
    assert answer.reason is not FailureReason.BOGUS


@needs_knot
def test_a_root_that_is_not_ours_proves_nothing(signed: SignedWorld) -> None:
    async def go() -> Judgement:
        async with StubResolver((signed.address,), timeout=10.0) as source:
            return await ValidatingResolver(source).judge(DomainName("a.signed.test"), "TXT")

    judgement = asyncio.run(go())
    assert (judgement.status, judgement.zone) == (Trust.INDETERMINATE, "")
    assert "is the one that the trust anchor names" in judgement.detail


def test_a_resolver_that_strips_dnssec_is_no_fault_of_the_domain(dns_lab: Any) -> None:
    """Many forwarders know no DNSKEY: then nothing is known, and nobody is to renew signatures."""

    def script(q: Any) -> Any:
        if q.type == "TXT":
            return q.reply(f'{q.name}. 60 IN TXT "x"')
        return q.reply(authority=(dns_lab.soa,))

    server = dns_lab.serve(script)

    async def go() -> Any:
        return await ValidatingResolver(dns_lab.resolver(server)).resolve(DomainName("a.example"), "TXT")

    answer = asyncio.run(go())
    assert isinstance(answer, LookupFailed)
    assert (answer.reason, answer.temporary) == (FailureReason.SERVFAIL, True)
    assert "the root zone publishes no DNSKEY" in answer.detail
    assert "does the resolver pass DNSSEC on" in answer.detail


@needs_knot
def test_a_chain_is_asked_for_once(signed: SignedWorld) -> None:
    async def go() -> tuple[int, int]:
        async with StubResolver((signed.address,), timeout=10.0) as source:
            resolver = ValidatingResolver(source, read_trust_anchors(signed.anchors))
            names = ["signed.test", "a.signed.test", "mx.signed.test"]
            await resolver.resolve_all([(DomainName(name), "TXT") for name in names])
            first = source.questions
            await resolver.resolve(DomainName("x.wild.signed.test"), "TXT")
            return first, source.questions - first

    first, later = asyncio.run(go())
    # DNSKEY of three zones, DS of two cuts and of two names that are none, and three answers
    assert first <= 10 + 3  # those under way at the same moment may be asked twice
    assert later <= 4


def test_what_cannot_be_looked_up_is_neither_secure_nor_absent(dns_lab: Any) -> None:
    server = dns_lab.serve(lambda q: q.reply(rcode="REFUSED"))

    async def go() -> Any:
        resolver = ValidatingResolver(dns_lab.resolver(server, attempts=1))
        name = DomainName("a.example")
        return await resolver.resolve(name, "TXT"), await resolver.judge(name, "TXT")

    answer, judgement = asyncio.run(go())
    assert judgement.status is Trust.INDETERMINATE
    assert isinstance(answer, LookupFailed)


def test_anchors_are_read_as_they_are_written() -> None:
    text = (
        "; ours\nexample. 3600 IN DS 1 13 2 " + "ab" * 16 + " " + "cd" * 16 + "\n\n. IN DS 2 8 2 " + "00" * 32
    )
    anchors = parse_trust_anchors(text, "a file")
    assert sorted(str(name) for name in anchors) == [".", "example."]


@pytest.mark.parametrize("line", [". IN DS", ". IN DS 1 8 2 xyz", "nothing of the kind", ".. IN DS 1 8 2 ab"])
def test_what_is_no_anchor_is_told_with_its_line(line: str) -> None:
    with pytest.raises(InputError, match="line 2 of a file"):
        parse_trust_anchors("\n" + line, "a file")


@pytest.mark.parametrize("content", [None, b"", b"; nothing\n", b"\xff"])
def test_a_file_without_anchors_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "anchors").write_bytes(content)
    with pytest.raises(InputError):
        read_trust_anchors(tmp_path / "anchors")
