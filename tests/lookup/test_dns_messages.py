"""The codec against dnspython, and against octets that nobody meant."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exo_auth.domain_name import DomainName
from exo_auth.lookup.wire import (
    OPT,
    TYPES,
    Caa,
    MalformedMessage,
    Message,
    Mx,
    Record,
    Soa,
    Tlsa,
    encode_query,
    parse_message,
)

HEADER = struct.Struct("!HHHHHH")
ANSWER, TRUNCATED = 0x8180, 0x8380
FIXED = struct.Struct("!HHIH")
A_NAME = b"\x01a\x07example\x00"


def quote(octets: bytes) -> str:
    return '"' + "".join(f"\\{b:03d}" for b in octets) + '"'


label = st.binary(min_size=1, max_size=63)
plain = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True).map(str.encode)
names = st.lists(st.one_of(plain, plain, label), min_size=1, max_size=3).map(
    lambda labels: dns.name.Name([*labels, b""])
)
texts = st.lists(st.binary(max_size=255), min_size=1, max_size=3)
octet = st.integers(0, 255)
digests = st.one_of(  # matching type and data; dnspython wants 32 octets of SHA-256
    st.binary(min_size=1, max_size=64).map(lambda data: f"0 {data.hex()}"),
    st.binary(min_size=32, max_size=32).map(lambda data: f"1 {data.hex()}"),
)
DATA = {  # the types that are read
    "A": st.ip_addresses(v=4).map(str),
    "AAAA": st.ip_addresses(v=6).map(str),
    "CNAME": names.map(dns.name.Name.to_text),
    "MX": st.tuples(st.integers(0, 65535), names).map(lambda mx: f"{mx[0]} {mx[1].to_text()}"),
    "TXT": texts.map(lambda chunks: " ".join(quote(chunk) for chunk in chunks)),
    "NS": names.map(dns.name.Name.to_text),
    "SOA": st.tuples(names, names, st.integers(0, 2**31)).map(
        lambda soa: f"{soa[0].to_text()} {soa[1].to_text()} {soa[2]} 2 3 4 {soa[2]}"
    ),
    "TLSA": st.tuples(octet, octet, digests).map(lambda tlsa: f"{tlsa[0]} {tlsa[1]} {tlsa[2]}"),
    "CAA": st.tuples(octet, st.from_regex(r"[A-Za-z0-9]{1,15}", fullmatch=True), st.binary(max_size=60)).map(
        lambda caa: f"{caa[0]} {caa[1]} {quote(caa[2])}"
    ),
    "PTR": names.map(dns.name.Name.to_text),
}
KEPT_RAW = {
    "DS": st.tuples(octet, st.binary(min_size=32, max_size=32)).map(lambda ds: f"{ds[0]} 13 2 {ds[1].hex()}"),
    "SRV": st.integers(0, 65535).map(lambda port: f"1 2 {port} a.example."),
}
rdata = st.one_of([st.tuples(st.just(rdtype), data) for rdtype, data in {**DATA, **KEPT_RAW}.items()])
records = st.lists(st.tuples(names, st.integers(0, 2**31 - 1), rdata), max_size=5)


@st.composite
def messages(draw: st.DrawFn) -> dns.message.Message:
    query = dns.message.make_query(
        draw(names), draw(st.sampled_from(list(TYPES))), use_edns=draw(st.booleans())
    )
    message = dns.message.make_response(query)
    message.set_rcode(draw(st.integers(0, 5)))
    for section in (message.answer, message.authority, message.additional):
        for owner, ttl, (rdtype, text) in draw(records):
            section.append(dns.rrset.from_text(owner, ttl, "IN", rdtype, text))
    return message


def name_of(text: str) -> dns.name.Name:
    return dns.name.from_text(text + ".")


def ours(records: tuple[Record, ...]) -> set[object]:
    """What we read, in terms that dnspython's reading can be compared with."""
    seen: set[object] = set()
    for record in records:
        data: object = record.data
        if isinstance(data, str):
            data = name_of(data)
        elif isinstance(data, Mx):
            data = (data.preference, name_of(data.host))
        elif isinstance(data, Soa):
            data = (name_of(data.primary), data.serial, data.minimum)
        elif isinstance(data, Tlsa):
            data = (data.usage, data.selector, data.matching, data.data)
        elif isinstance(data, Caa):
            data = (data.flags, data.tag.encode(), data.value)
        elif not isinstance(data, tuple | bytes):
            data = str(data)
        seen.add((name_of(record.owner), record.type, data))
    return seen


def theirs(section: list[dns.rrset.RRset]) -> set[object]:
    """The same from dnspython."""
    read = {
        TYPES["CNAME"]: lambda r: r.target,
        TYPES["NS"]: lambda r: r.target,
        TYPES["PTR"]: lambda r: r.target,
        TYPES["TXT"]: lambda r: tuple(r.strings),
        TYPES["MX"]: lambda r: (r.preference, r.exchange),
        TYPES["SOA"]: lambda r: (r.mname, r.serial, r.minimum),
        TYPES["TLSA"]: lambda r: (r.usage, r.selector, r.mtype, r.cert),
        TYPES["CAA"]: lambda r: (r.flags, r.tag, r.value),
        TYPES["A"]: lambda r: r.address,
        TYPES["AAAA"]: lambda r: str(ipaddress.ip_address(r.address)),
    }
    return {
        (rrset.name, int(rrset.rdtype), read.get(rrset.rdtype, lambda r: r.to_wire())(one))
        for rrset in section
        if rrset.rdclass == dns.rdataclass.IN
        for one in rrset
    }


def typed(seen: set[Any]) -> set[Any]:
    """Leave out what we keep raw: dnspython expands the names inside it."""
    return {entry for entry in seen if entry[1] in TYPES.values()}


@given(messages(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_reads_what_dnspython_writes(message: dns.message.Message, extended: bool) -> None:
    if extended and message.edns >= 0:
        message.set_rcode(dns.rcode.BADVERS)
    parsed = parse_message(message.to_wire(max_size=65535))
    assert (parsed.id, parsed.flags, parsed.rcode) == (message.id, message.flags, message.rcode())
    question = message.question[0]
    assert parsed.question is not None
    assert (name_of(parsed.question[0]), parsed.question[1]) == (question.name, question.rdtype)
    assert ours(parsed.answers) == theirs(message.answer)
    assert ours(parsed.authority) == theirs(message.authority)
    assert {r.ttl for r in parsed.answers} == {r.ttl for r in message.answer}


@given(messages(), st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_messages_are_refused_or_read_as_dnspython_reads_them(
    message: dns.message.Message, data: st.DataObject
) -> None:
    octets = bytearray(message.to_wire(max_size=65535))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets)
    try:
        parsed = parse_message(damaged)
    except MalformedMessage:
        return
    try:
        other = dns.message.from_wire(damaged, ignore_trailing=True, one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        return
    if not parsed.truncated and type(other) is dns.message.QueryMessage:
        assert typed(ours(parsed.answers)) == typed(theirs(other.answer))


def of_type(rdtype: str) -> st.SearchStrategy[dns.message.Message]:
    """Make answers with some records of one type, about the name that was asked for or another."""

    @st.composite
    def answers(draw: st.DrawFn) -> dns.message.Message:
        asked = draw(names)
        message = dns.message.make_response(dns.message.make_query(asked, rdtype))
        for text in draw(st.lists(DATA[rdtype], min_size=1, max_size=4)):
            owner = draw(st.one_of(st.just(asked), names))
            message.answer.append(
                dns.rrset.from_text(owner, draw(st.integers(0, 2**31 - 1)), "IN", rdtype, text)
            )
        return message

    return answers()


@pytest.mark.parametrize("rdtype", DATA)
def test_each_type_is_read_as_dnspython_reads_it_whole_and_mutated(rdtype: str) -> None:
    read_by_both = 0

    @given(of_type(rdtype), st.data())
    @settings(max_examples=60, deadline=None, database=None)
    def check(message: dns.message.Message, data: st.DataObject) -> None:
        nonlocal read_by_both
        octets = bytearray(message.to_wire(max_size=65535))
        assert ours(parse_message(bytes(octets)).answers) == theirs(message.answer)
        for _ in range(data.draw(st.integers(1, 3))):  # behind the header, which other tests mutate
            octets[data.draw(st.integers(HEADER.size, len(octets) - 1))] = data.draw(st.integers(0, 255))
        mutated = bytes(octets)
        try:
            other = dns.message.from_wire(mutated, ignore_trailing=True, one_rr_per_rrset=True)
        except (dns.exception.DNSException, ValueError, struct.error):
            return
        try:
            parsed = parse_message(mutated)
        except MalformedMessage:
            assert not other.question or other.question[0].rdclass != dns.rdataclass.IN, (
                "we refuse what it reads"
            )
            return
        assert typed(ours(parsed.answers)) == typed(theirs(other.answer))
        read_by_both += 1

    check()
    assert read_by_both


@given(st.binary(max_size=600))
@settings(max_examples=300, deadline=None)
def test_random_octets_end_in_a_message_or_a_refusal(octets: bytes) -> None:
    for data in (octets, HEADER.pack(7, ANSWER, 1, 2, 1, 1) + octets):
        try:
            assert isinstance(parse_message(data), Message)
        except MalformedMessage:
            continue


@given(names)
@settings(deadline=None)
def test_a_name_goes_out_as_it_came_in(name: dns.name.Name) -> None:
    question = name.to_wire() + struct.pack("!HH", 5, 1)
    text = parse_message(HEADER.pack(1, ANSWER, 1, 0, 0, 0) + question).question[0]
    sent = encode_query(DomainName(text), "CNAME", 1, edns_payload=None)
    assert dns.message.from_wire(sent).question[0].name == name
    assert text.isascii()
    assert text.isprintable()
    assert text.count(".") == len(name.labels) - 2


def one_record(rdtype: int, data: bytes, *, owner: bytes = A_NAME, length: int | None = None) -> bytes:
    size = len(data) if length is None else length
    return HEADER.pack(1, ANSWER, 0, 1, 0, 0) + owner + FIXED.pack(rdtype, 1, 60, size) + data


MALFORMED = {
    "nothing at all": b"",
    "half a header": b"\0\1\x81",
    "two questions": HEADER.pack(1, ANSWER, 2, 0, 0, 0) + (A_NAME + b"\0\x10\0\1") * 2,
    "a question of class CHAOS": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + A_NAME + b"\0\x10\0\3",
    "a question without its type": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + A_NAME,
    "more records announced than there are": HEADER.pack(1, ANSWER, 0, 65535, 0, 0),
    "a pointer to itself": HEADER.pack(1, ANSWER, 0, 1, 0, 0) + b"\xc0\x0c" + FIXED.pack(16, 1, 0, 1) + b"\0",
    "a pointer forward": HEADER.pack(1, ANSWER, 0, 1, 0, 0)
    + b"\xc0\x20"
    + FIXED.pack(16, 1, 0, 1)
    + b"\0" * 30,
    "two pointers at each other": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + b"\xc0\x0e\xc0\x0c\0\x10\0\1",
    "a pointer into a name that leads back": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + b"\x01a\xc0\x0c\0\x10\0\1",
    "a pointer cut in half": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + b"\xc0",
    "a label of kind 01": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + b"\x41a\0\0\x10\0\1",
    "a label of kind 10": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + b"\x81a\0\0\x10\0\1",
    "a name of 256 octets": HEADER.pack(1, ANSWER, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\x10\0\1",
    "a record that ends after the message": one_record(16, b"\1a", length=9),
    "a string that ends after its record": one_record(16, b"\5a"),
    "a TXT without strings": one_record(16, b""),
    "an A of three octets": one_record(1, b"\1\2\3"),
    "an AAAA of four octets": one_record(28, b"\1\2\3\4"),
    "a CNAME with octets left over": one_record(5, A_NAME + b"x"),
    "a CNAME longer than its record": one_record(5, A_NAME, length=4),
    "an MX without its host": one_record(15, b"\0\1"),
    "an SOA without its times": one_record(6, A_NAME * 2 + b"\0\0\0\1"),
    "a TLSA of two octets": one_record(52, b"\3\1"),
    "a CAA of one octet": one_record(257, b"\0"),
    "a CAA without a tag": one_record(257, b"\0\0letsencrypt.org"),
    "a CAA that ends inside its tag": one_record(257, b"\0\5issu"),
    "a CAA tag with a hyphen": one_record(257, b"\0\6is-sue;"),
    "a chain of pointers that takes long to follow": HEADER.pack(1, ANSWER, 0, 2, 0, 0)
    + b"\0"
    + FIXED.pack(99, 1, 0, 400)
    + b"\0\0"
    + b"".join(struct.pack("!H", 0xC017 + 2 * i) for i in range(199))
    + b"\xc1\xa5"
    + FIXED.pack(99, 1, 0, 0),
    "two OPT records": HEADER.pack(1, ANSWER, 0, 0, 0, 2) + (b"\0" + FIXED.pack(OPT, 1232, 0, 0)) * 2,
    "an EDNS option longer than its record": HEADER.pack(1, ANSWER, 0, 0, 0, 1)
    + b"\0"
    + FIXED.pack(OPT, 1232, 0, 4)
    + b"\0\x0f\0\x09",
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_are_refused(octets: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(octets)


def test_the_longest_name_is_read() -> None:
    labels = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"  # 255 octets
    parsed = parse_message(HEADER.pack(1, ANSWER, 1, 0, 0, 0) + labels + b"\0\x10\0\1")
    assert parsed.question is not None
    assert len(parsed.question[0]) == 253


def test_a_truncated_message_may_end_anywhere_and_keeps_no_records() -> None:
    head = HEADER.pack(9, TRUNCATED, 1, 3, 0, 0) + A_NAME + b"\0\x10\0\1"
    parsed = parse_message(head + b"\xc0\x0c\0\x10\0\1\0\0")
    assert parsed.truncated
    assert parsed.question == ("a.example", 16)
    assert parsed.answers == ()


def test_a_ttl_with_the_top_bit_set_counts_as_zero() -> None:
    octets = HEADER.pack(1, ANSWER, 0, 1, 0, 0) + A_NAME + FIXED.pack(16, 1, 0x80000001, 2) + b"\1x"
    assert parse_message(octets).answers == (Record("a.example", 16, 0, (b"x",)),)


def test_records_of_another_class_are_left_out() -> None:
    octets = HEADER.pack(1, ANSWER, 0, 1, 0, 0) + A_NAME + FIXED.pack(16, 3, 60, 0)
    assert parse_message(octets).answers == ()


def test_octets_after_the_last_record_are_ignored() -> None:
    assert parse_message(one_record(16, b"\1x") + b"padding").answers[0].data == (b"x",)


def test_extended_errors_are_read() -> None:
    option = b"\0\x0a\0\2ab" + b"\0\x0f\0\x05\0\x07old" + b"\0\x0f\0\1x"  # a cookie, error 7, one too short
    octets = HEADER.pack(1, ANSWER | 2, 0, 0, 0, 1) + b"\0" + FIXED.pack(OPT, 1232, 0, len(option)) + option
    assert parse_message(octets).extended_errors == ((7, "old"),)


@pytest.mark.parametrize(
    ("how", "payload", "flags", "dnssec"),
    [
        ({}, 1232, dns.flags.RD | dns.flags.AD, False),
        ({"edns_payload": 4096, "dnssec_ok": True}, 4096, dns.flags.RD | dns.flags.AD, True),
        ({"edns_payload": None}, None, dns.flags.RD | dns.flags.AD, False),
        ({"recursion_desired": False}, 1232, dns.flags.AD, False),
        ({"checking_disabled": True}, 1232, dns.flags.RD | dns.flags.AD | dns.flags.CD, False),
    ],
)
def test_a_question_is_read_by_dnspython(how: dict, payload: int | None, flags: int, dnssec: bool) -> None:
    name = DomainName.parse_lookup("selector1._domainkey.contoso.com")
    query = dns.message.from_wire(encode_query(name, "TXT", 4711, **how))
    assert (query.id, query.flags) == (4711, flags)
    assert query.question[0].to_text() == "selector1._domainkey.contoso.com. IN TXT"
    assert (query.payload if query.edns >= 0 else None) == payload
    assert bool(query.ednsflags & dns.flags.DO) is dnssec


def test_a_label_too_long_for_dns_is_not_sent() -> None:
    with pytest.raises(ValueError, match="more than 63"):
        encode_query(DomainName("a" * 64 + ".example"), "TXT", 1)


@pytest.mark.parametrize("flags", [0x8400, 0x8000])
def test_an_authoritative_answer_says_so(flags: int) -> None:
    assert parse_message(HEADER.pack(1, flags, 0, 0, 0, 0)).authoritative is bool(flags & 0x0400)


def test_names_are_shared_in_every_way_that_pointers_allow() -> None:
    """The tail of the question, a name inside another record's data, and a pointer to a pointer."""
    question = b"\x03www\x01a\x07example\x00"  # www at 12, a at 16, the root at 26
    octets = (
        HEADER.pack(1, ANSWER, 1, 3, 0, 0)
        + question
        + b"\0\x0f\0\1"
        + b"\xc0\x0c" + FIXED.pack(15, 1, 60, 9) + b"\0\x0a\x04MAIL\xc0\x10"  # its host at 45
        + b"\xc0\x2d" + FIXED.pack(5, 1, 60, 2) + b"\xc0\x32"  # a pointer to the pointer at 50
        + b"\xc0\x1a" + FIXED.pack(2, 1, 60, 3) + b"\x01x\0"
    )  # fmt: skip
    assert parse_message(octets).answers == (
        Record("www.a.example", 15, 60, Mx(10, "mail.a.example")),
        Record("mail.a.example", 5, 60, "a.example"),
        Record("", 2, 60, "x"),
    )
