"""Answers that somebody on the way altered, from zones that are signed well: never an answer, never an absence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_zones import SignedWorld, needs_knot

from exo_auth.domain_name import DomainName
from exo_auth.facts.chain_of_trust import Judgement, Trust
from exo_auth.facts.dns import FailureReason, Found, LookupFailed, Missing, MissingKind
from exo_auth.lookup.dnssec import ValidatingResolver
from exo_auth.lookup.name_servers import Reply, Verdict
from exo_auth.lookup.resolver import StubResolver
from exo_auth.lookup.trust_anchors import read_trust_anchors
from exo_auth.lookup.wire import MalformedMessage, parse_message

pytestmark = needs_knot
Message = dns.message.Message
Forgery = Callable[[Message, Message], None]  # alters an answer; the second one may be copied from


class OnTheWay:
    """Passes signed answers on, but for one question, whose answer it alters with the help of another question's."""

    def __init__(self, inner: StubResolver, asked: tuple[str, str], forge: Forgery, other: tuple[str, str]):
        self._inner, self._asked, self._forge, self._other = inner, asked, forge, other

    async def signed(self, name: DomainName, rdtype: str) -> Verdict:
        """Answer as the server does, or altered."""
        reply = await self._inner.signed(name, rdtype)
        if (name.ascii, rdtype) != self._asked:
            return reply
        other = await self._inner.signed(DomainName(self._other[0]), self._other[1])
        assert isinstance(reply, Reply)
        assert isinstance(other, Reply)
        message = dns.message.from_wire(reply.message.octets)
        self._forge(message, dns.message.from_wire(other.message.octets))
        return reply._replace(message=parse_message(message.to_wire(max_size=65535)))


def ask(
    signed: SignedWorld, altered: tuple[str, str], forge: Forgery, other: tuple[str, str], name: str = ""
) -> tuple[Any, Judgement]:
    """Ask what is altered, or for the TXT of `name` behind it."""
    asked, rdtype = (DomainName(name), "TXT") if name else (DomainName(altered[0]), altered[1])

    async def go() -> tuple[Any, Judgement]:
        async with StubResolver((signed.address,), timeout=10.0) as inner:
            source = OnTheWay(inner, altered, forge, other)
            resolver = ValidatingResolver(source, read_trust_anchors(signed.anchors))
            return await resolver.resolve(asked, rdtype), await resolver.judge(asked, rdtype)

    return asyncio.run(go())


def rrset(name: str, rdtype: str, *values: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 300, "IN", rdtype, *values)


def only(section: list[dns.rrset.RRset], rdtype: str) -> list[dns.rrset.RRset]:
    return [one for one in section if dns.rdatatype.to_text(one.rdtype) == rdtype]


def other_target(message: Message, _other: Message) -> None:
    (alias,) = only(message.answer, "CNAME")
    message.answer[message.answer.index(alias)] = rrset(
        "a.sub.signed.test", "CNAME", "mallory.insecure.test."
    )


def second_target(message: Message, _other: Message) -> None:
    (alias,) = only(message.answer, "CNAME")
    alias.add(rrset("x", "CNAME", "mallory.insecure.test.")[0])


def without_alias(message: Message, _other: Message) -> None:
    message.answer = [one for one in message.answer if one.rdtype != dns.rdatatype.CNAME]


def without_rename(message: Message, _other: Message) -> None:
    message.answer = only(message.answer, "CNAME")


def renamed_elsewhere(message: Message, _other: Message) -> None:
    message.answer = [
        rrset("sub.signed.test", "DNAME", "insecure.test."),
        rrset("a.sub.signed.test", "CNAME", "a.insecure.test."),
    ]


def text_beside_alias(message: Message, _other: Message) -> None:
    message.answer.append(rrset("a.sub.signed.test", "TXT", '"forged"'))


def second_text(message: Message, _other: Message) -> None:
    message.answer[0].add(rrset("x", "TXT", '"v=spf1 +all"')[0])


def without_proof(message: Message, _other: Message) -> None:
    message.authority = []


def without_answer(message: Message, _other: Message) -> None:
    message.answer, message.authority = [], []


def gone(message: Message, other: Message) -> None:
    message.answer, message.authority = [], other.authority
    message.set_rcode(dns.rcode.NXDOMAIN)


def empty(message: Message, _other: Message) -> None:
    message.answer, message.authority = [], [rrset("signed.test", "SOA", "a. b. 1 2 3 4 5")]


def wildcard_stands_for_it(message: Message, other: Message) -> None:
    """Rename another answer's wildcard records, as the wildcard's own NSEC, to the name that was asked for."""
    message.answer = []
    message.authority = [one for one in other.authority if one.name.is_wild()]
    assert len(message.authority) == 2  # with its signature
    for one in message.authority:
        one.name = message.question[0].name


def wildcards_text_for_it(message: Message, other: Message) -> None:
    asked = message.question[0].name
    for one in other.answer:
        one.name = asked
    message.answer, message.authority = other.answer, other.authority


NONE = ("a.signed.test", "TXT")
SUB = ("a.sub.signed.test", "TXT")
FORGERIES: list[tuple[tuple[str, str], Forgery, tuple[str, str], str, str]] = [  # last: what is told, reason
    (SUB, other_target, NONE, "is not what the DNAME above it says", "a forged CNAME below a DNAME"),
    (SUB, second_target, NONE, "is not what the DNAME above it says", "two CNAMEs below a DNAME"),
    (SUB, without_alias, NONE, "is not what the DNAME above it says", "a DNAME that seems to lead nowhere"),
    (SUB, without_rename, NONE, "CNAME of a.sub.signed.test is not signed", "a CNAME without its DNAME"),
    (SUB, renamed_elsewhere, NONE, "DNAME of sub.signed.test is not signed", "a forged DNAME"),
    (
        NONE,
        second_text,
        NONE,
        "TXT of a.signed.test: its signature",
        "a record slipped in beside a signed one",
    ),
    (NONE, gone, ("zzz.signed.test", "TXT"), "nothing signed proves", "proof of another name (NSEC gap)"),
    (NONE, gone, ("a.nsec3.test", "AAAA"), "nothing signed proves", "proof by another zone"),
    (NONE, empty, NONE, "nothing signed proves", "an absence that nobody signed"),
    (
        ("a.nsec3.test", "TXT"),
        gone,
        ("zzz.nsec3.test", "TXT"),
        "nothing signed proves",
        "proof of another hashed name",
    ),
    (
        ("x.wild.signed.test", "TXT"),
        without_proof,
        NONE,
        "comes from a wildcard, and nothing proves",
        "a wildcard's answer without proof",
    ),
    (
        ("x.wild.nsec3.test", "TXT"),
        without_proof,
        NONE,
        "comes from a wildcard, and nothing proves",
        "the same with hashed names",
    ),
    (
        ("there.wild.signed.test", "A"),
        wildcard_stands_for_it,
        ("x.wild.signed.test", "MX"),
        "nothing signed proves",
        "the wildcard's NSEC in the place of a name's own (RFC 4035 §5.4)",
    ),
    (
        ("there.wild.signed.test", "TXT"),
        wildcards_text_for_it,
        ("x.wild.signed.test", "TXT"),
        "comes from a wildcard, and nothing proves",
        "a wildcard's answer for a name that exists",
    ),
    (
        ("nsec3.test", "DNSKEY"),
        wildcards_text_for_it,
        ("ours.test", "DNSKEY"),
        "no DNSKEY of nsec3.test is the one",
        "keys of somebody else",
    ),
]


@pytest.mark.parametrize(
    ("asked", "forge", "other", "told", "reason"), FORGERIES, ids=[row[4] for row in FORGERIES]
)
def test_a_forgery_is_no_answer(
    signed: SignedWorld,
    asked: tuple[str, str],
    forge: Forgery,
    other: tuple[str, str],
    told: str,
    reason: str,
) -> None:
    answer, judgement = ask(signed, asked, forge, other)
    assert judgement.status is Trust.BOGUS, reason
    assert told in judgement.detail
    assert isinstance(answer, LookupFailed)
    assert answer.reason is FailureReason.BOGUS


def delegation_of_another(message: Message, other: Message) -> None:
    """Claim that the parent has no DS record, with the signed proof of it for another zone."""
    message.answer, message.authority = [], other.authority


def delegation_renamed(message: Message, other: Message) -> None:
    for one in other.authority:
        if one.name == dns.name.from_text("insecure.test."):
            one.name = message.question[0].name
    delegation_of_another(message, other)


def alias_for_delegation(message: Message, _other: Message) -> None:
    message.answer, message.authority = [rrset("signed.test", "CNAME", "insecure.test.")], []


@pytest.mark.parametrize(
    "forge", [delegation_of_another, delegation_renamed, alias_for_delegation, without_answer]
)
def test_nobody_can_take_a_zones_signatures_away(signed: SignedWorld, forge: Forgery) -> None:
    """What is signed must not pass for unsigned: then anything could be put in its place."""
    altered = ("signed.test", "DS")
    answer, judgement = ask(signed, altered, forge, ("insecure.test", "DS"), name="a.signed.test")
    assert judgement.status is Trust.BOGUS
    assert isinstance(answer, LookupFailed)


def forged_end(message: Message, _other: Message) -> None:
    message.answer.append(rrset("a.nsec3.test", "TXT", '"forged"'))


def ends_nowhere(message: Message, _other: Message) -> None:
    message.answer = [one for one in message.answer if one.name == message.question[0].name]
    message.set_rcode(dns.rcode.NXDOMAIN)


@pytest.mark.parametrize("forge", [forged_end, ends_nowhere, text_beside_alias])
def test_what_a_reply_says_about_other_names_is_not_read(signed: SignedWorld, forge: Forgery) -> None:
    """The end of an alias is asked for by its own name: only that answer is validated."""
    asked = SUB if forge is text_beside_alias else ("far.signed.test", "TXT")
    answer, judgement = ask(signed, asked, forge, NONE)
    assert judgement.status is Trust.SECURE
    assert isinstance(answer, Found)
    assert answer.values == ((b"a",),)


def other_rcode(message: Message, _other: Message) -> None:
    message.set_rcode(dns.rcode.NOERROR if message.rcode() == dns.rcode.NXDOMAIN else dns.rcode.NXDOMAIN)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (("a.signed.test", "AAAA"), MissingKind.NODATA),
        (("nothing.signed.test", "TXT"), MissingKind.NXDOMAIN),
        (("a.nsec3.test", "AAAA"), MissingKind.NODATA),
    ],
)
def test_the_proof_says_what_is_absent_not_the_rcode(
    signed: SignedWorld, asked: tuple[str, str], kind: MissingKind
) -> None:
    answer, judgement = ask(signed, asked, other_rcode, NONE)
    assert judgement.status is Trust.SECURE
    assert isinstance(answer, Missing)
    assert answer.kind is kind


def for_a_century(message: Message, _other: Message) -> None:
    for one in message.answer:
        one.ttl = 10**9


def test_a_ttl_is_believed_as_far_as_it_is_signed(signed: SignedWorld) -> None:
    answer, _ = ask(signed, NONE, for_a_century, NONE)
    assert isinstance(answer, Found)
    assert answer.ttl.total_seconds() == 300  # RFC 4035 §5.3.3


class Kept:
    """Answers with the replies it holds; `inner` is asked for the others, whose replies it keeps."""

    def __init__(self, replies: dict[tuple[str, str], Verdict], inner: StubResolver | None = None) -> None:
        self.replies = replies
        self._inner = inner

    async def signed(self, name: DomainName, rdtype: str) -> Verdict:
        """Answer from what is kept, as from a server."""
        if (name.ascii, rdtype) not in self.replies:
            if self._inner is None:
                return LookupFailed(FailureReason.TIMEOUT, "nobody answers", temporary=True)
            self.replies[name.ascii, rdtype] = await self._inner.signed(name, rdtype)
        return self.replies[name.ascii, rdtype]


WHOLE = [
    ("a.signed.test", "a record"),
    ("far.signed.test", "an alias into another zone"),
    ("x.wild.nsec3.test", "a wildcard"),
    ("nothing.nsec3.test", "no name, hashed"),
    ("a.sub.signed.test", "a DNAME"),
    ("nothing.signed.test", "no name"),
]


@pytest.mark.parametrize(("name", "reason"), WHOLE, ids=[row[1] for row in WHOLE])
def test_octets_changed_anywhere_on_the_chain_change_no_answer(
    signed: SignedWorld, name: str, reason: str
) -> None:
    """Either nothing of weight was hit, or there is no answer; never another one, and never an unsigned one."""
    anchors, asked = read_trust_anchors(signed.anchors), DomainName(name)
    replies: dict[tuple[str, str], Verdict] = {}

    async def record() -> Any:
        async with StubResolver((signed.address,), timeout=10.0) as inner:
            return await ValidatingResolver(Kept(replies, inner), anchors).resolve(asked, "TXT")

    right = asyncio.run(record())
    outcomes = set()

    @given(st.data())
    @settings(max_examples=60, deadline=None, database=None)
    def check(data: st.DataObject) -> None:
        hit = data.draw(st.sampled_from(sorted(replies)))
        reply = replies[hit]
        assert isinstance(reply, Reply)
        octets = bytearray(reply.message.octets)
        for _ in range(data.draw(st.integers(1, 3))):
            octets[data.draw(st.integers(2, len(octets) - 1))] = data.draw(st.integers(0, 255))
        try:
            message = parse_message(bytes(octets))
        except MalformedMessage:
            return
        altered = Kept({**replies, hit: reply._replace(message=message)})
        answer, judgement = asyncio.run(_followed(ValidatingResolver(altered, anchors), asked))
        outcomes.add(judgement.status)
        if judgement.status is Trust.SECURE:
            assert (type(answer), getattr(answer, "values", None), getattr(answer, "kind", None)) == (
                (type(right), getattr(right, "values", None), getattr(right, "kind", None))
            ), reason
        else:
            assert judgement.status in (Trust.BOGUS, Trust.INDETERMINATE)
            assert isinstance(answer, LookupFailed)

    check()
    assert Trust.BOGUS in outcomes


async def _followed(resolver: ValidatingResolver, name: DomainName) -> tuple[Any, Judgement]:
    return await resolver.resolve(name, "TXT"), await resolver.judge(name, "TXT")
