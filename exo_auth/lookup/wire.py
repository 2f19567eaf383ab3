"""DNS messages: questions out, answers in (lookup; pure). RFC 1035 §4, EDNS of RFC 6891.

A name on the wire becomes text without the trailing dot, in lower case; every octet that is no visible ASCII
character, and a dot or backslash inside a label, becomes `\\DDD` in decimal (RFC 1035 §5.1), so that text and wire
convert both ways without loss and a dot always separates labels.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, NoReturn, Protocol, TypeAlias

from exo_auth.domain_name import DomainName

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "DS": 43,
    "DNSKEY": 48,
    "TLSA": 52,
    "CAA": 257,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
CLASS_IN = 1
OPT = 41
PAYLOAD = 1232  # octets over UDP that no path fragments, DNS flag day 2020

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")  # type, class
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_POINTED = struct.Struct("!HHHIH")  # the same behind an owner that is nothing but a pointer
_SOA_NUMBERS = struct.Struct("!IIIII")  # serial, refresh, retry, expire, minimum
_OPTION = struct.Struct("!HH")  # code, length
_PREFERENCE = struct.Struct("!H")
_AUTHORITATIVE, _TRUNCATED, _RECURSION_DESIRED = 0x0400, 0x0200, 0x0100
_RECURSION_AVAILABLE, _AUTHENTICATED, _CHECKING_DISABLED = 0x0080, 0x0020, 0x0010
_DNSSEC_OK = 0x8000  # in the TTL field of the OPT record, RFC 3225 §3
_EXTENDED_ERROR = 15  # EDNS option, RFC 8914 §2
_POINTER = 0xC0
_POINTED_TO = 0x3FFF
_LONGEST_LABEL = 63  # octets, RFC 1035 §2.3.4
_LONGEST_NAME = 255  # octets on the wire with the root label, RFC 1035 §2.3.4
_MOST_LABELS = 127  # in 255 octets
_QUESTION_AT = _HEADER.size

_ORDINARY_HEADER = _HEADER.pack(0, _AUTHENTICATED | _RECURSION_DESIRED, 1, 0, 0, 1)[2:]
_ORDINARY_EDNS = b"\0" + _FIXED.pack(OPT, PAYLOAD, 0, 0)  # RFC 6891 §6.1.2
_TYPE_AND_CLASS = {number: _QUESTION.pack(number, CLASS_IN) for number in TYPES.values()}
_ESCAPE = re.compile(r"\\(\d{3})", re.ASCII)
_ODD = re.compile(rb"[^!-~]|[.\\]")
_PLAIN = bytes(set(range(0x21, 0x7F)) - {0x5C})  # what stays itself in text; the dots are counted apart
_LENGTHS = tuple(bytes([size]) for size in range(_LONGEST_LABEL + 1))


_new = tuple.__new__  # what a NamedTuple's constructor comes down to, at half its cost


class MalformedMessage(ValueError):  # noqa: N818 - it names what came, not what this code did wrong
    """The octets are no DNS message."""


@dataclass(frozen=True, slots=True)
class Soa:
    """The part of an SOA that a resolver and a watcher of zones need."""

    primary: str
    serial: int
    minimum: int  # seconds
    refresh: int = 0  # seconds between looks of the secondaries


@dataclass(frozen=True, slots=True)
class Mx:
    """One mail exchanger."""

    preference: int
    host: str  # lower case, without the trailing dot; "" for the root


@dataclass(frozen=True, slots=True)
class Tlsa:
    """What a TLS server's certificate must match (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Caa:
    """Who may issue certificates (RFC 8659 §4.1); `tag` is in the case it was published in."""

    flags: int
    tag: str
    value: bytes


Data = str | tuple[bytes, ...] | Soa | Mx | Tlsa | Caa | IPv4Address | IPv6Address | bytes


Question: TypeAlias = tuple[str, int]  # a name as in `Record.owner`, and the number of a type


class Record(NamedTuple):
    """One resource record of class IN; `data` is a name, the strings of a TXT, an `Mx`, a `Soa`, … or raw octets."""

    owner: str
    type: int
    ttl: int  # seconds
    data: Data


class Message(NamedTuple):
    """An answer, as far as a stub resolver reads it. A truncated message keeps no records (RFC 2181 §9)."""

    id: int
    flags: int
    rcode: int  # with the upper bits from EDNS
    question: Question | None = None
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    extended_errors: tuple[tuple[int, str], ...] = ()  # RFC 8914: code and the server's words
    octets: bytes = b""  # the whole message as it came

    @property
    def authoritative(self) -> bool:
        """Does the server hold the zone itself?"""
        return bool(self.flags & _AUTHORITATIVE)

    @property
    def truncated(self) -> bool:
        """Did the answer not fit?"""
        return bool(self.flags & _TRUNCATED)

    @property
    def authenticated(self) -> bool:
        """Does the server say that it validated the answer with DNSSEC?"""
        return bool(self.flags & _AUTHENTICATED)

    @property
    def recursion_available(self) -> bool:
        """Does the server resolve names of others?"""
        return bool(self.flags & _RECURSION_AVAILABLE)


def encode_query(
    name: DomainName,
    rdtype: str,
    message_id: int,
    *,
    edns_payload: int | None = PAYLOAD,
    checking_disabled: bool = False,
    dnssec_ok: bool = False,
    recursion_desired: bool = True,
) -> bytes:
    """Write one question. `edns_payload` is in octets, None sends no EDNS; raises ValueError for a label over 63 octets."""
    # RFC 6840 §5.7: AD in a question says that the asker understands AD in the answer
    flags = (
        _AUTHENTICATED
        | (_RECURSION_DESIRED if recursion_desired else 0)
        | (_CHECKING_DISABLED if checking_disabled else 0)
    )
    wire = _HEADER.pack(message_id, flags, 1, 0, 0, 0 if edns_payload is None else 1) + _encode_name(
        name.ascii
    )
    if edns_payload is None:
        return wire + _QUESTION.pack(TYPES[rdtype], CLASS_IN)
    return wire + _type_and_edns(rdtype, edns_payload, dnssec_ok)


def ordinary_query(question: Question) -> tuple[bytes, bytes]:
    """Write what `encode_query` writes without options, but for the message id; gives it and the question inside it."""
    name, rdtype = question
    section = _encode_name(name) + _TYPE_AND_CLASS[rdtype]
    return _ORDINARY_HEADER + section + _ORDINARY_EDNS, section


@lru_cache(maxsize=256)
def _type_and_edns(rdtype: str, payload: int, dnssec_ok: bool) -> bytes:
    opt = b"\0" + _FIXED.pack(OPT, payload, _DNSSEC_OK if dnssec_ok else 0, 0)  # RFC 6891 §6.1.2
    return _QUESTION.pack(TYPES[rdtype], CLASS_IN) + opt


def _encode_name(text: str) -> bytes:
    if not text:
        return b"\0"
    if "\\" in text:
        labels = [_ESCAPE.sub(lambda m: chr(int(m[1])), label).encode("latin-1") for label in text.split(".")]
    else:
        labels = text.encode("latin-1").split(b".")
    try:
        return b"".join([_LENGTHS[len(label)] + label for label in labels]) + b"\0"
    except IndexError:
        raise ValueError(f"{text} has a label of more than {_LONGEST_LABEL} octets") from None


class Asked(Protocol):
    """A question whose repetition in an answer need not be read."""

    @property
    def question(self) -> Question: ...  # noqa: D102 - as in Message.question

    @property
    def section(self) -> bytes: ...  # noqa: D102 - its octets in the query


_Names = dict[int, tuple[str, int]]  # offset in the message → the name there and its octets on the wire


def parse_message(data: bytes, asked: Asked | None = None) -> Message:
    """Read an answer; raises MalformedMessage, whatever the octets are. Octets after the last record are ignored."""
    try:
        return _message(data, asked)
    except (struct.error, IndexError):
        raise MalformedMessage("the message ends too early") from None


def _message(data: bytes, asked: Asked | None) -> Message:
    number, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(data)
    if questions > 1:
        _refuse("more than one question")
    at = _QUESTION_AT
    names: _Names = {}
    question: Question | None = None
    if questions and asked is not None and data.startswith(asked.section, at):
        question = asked.question
        names[at] = question[0], len(asked.section) - _QUESTION.size
        at += len(asked.section)
    elif questions:
        name, at = _name(data, at, names)
        rdtype, rdclass = _QUESTION.unpack_from(data, at)
        if rdclass != CLASS_IN:
            _refuse("the question is not of class IN")
        question = (name, rdtype)
        at += 4
    if flags & _TRUNCATED:  # the rest may end anywhere
        return Message(number, flags, flags & 0xF, question, octets=data)
    answer, at = _records(data, at, answers, names) if answers else ((), at)
    authority, at = _records(data, at, authorities, names) if authorities else ((), at)
    upper, errors = _additional(data, at, additionals, names) if additionals else (0, ())
    rcode = (upper << 4) | (flags & 0xF)
    return _new(Message, (number, flags, rcode, question, answer, authority, errors, data))


def _records(data: bytes, at: int, count: int, names: _Names) -> tuple[tuple[Record, ...], int]:
    found = []
    reach = len(data)
    for _ in range(count):
        known = None
        if data[at] >= _POINTER:  # as in nearly every answer: the owner stands in the question
            pointer, rdtype, rdclass, ttl, length = _POINTED.unpack_from(data, at)
            known = names.get(pointer & _POINTED_TO)
        if known is not None:
            owner = known[0]
            at += 12
        else:
            owner, at = _name(data, at, names)
            rdtype, rdclass, ttl, length = _FIXED.unpack_from(data, at)
            at += 10
        end = at + length
        if end > reach:
            _refuse("a record ends after the message")
        if rdclass == CLASS_IN:
            read = _READERS.get(rdtype)
            value = data[at:end] if read is None else read(data, at, end, names)
            # RFC 2181 §8: a TTL with the top bit set counts as zero
            found.append(_new(Record, (owner, rdtype, 0 if ttl & 0x80000000 else ttl, value)))
        at = end
    return tuple(found), at


def _additional(data: bytes, at: int, count: int, names: _Names) -> tuple[int, tuple[tuple[int, str], ...]]:
    """Give the upper bits of the RCODE and the extended errors (RFC 6891 §6.1.3, RFC 8914)."""
    upper, seen = 0, False
    errors: tuple[tuple[int, str], ...] = ()
    for _ in range(count):
        at = (
            at + 1 if data[at] == 0 else _name(data, at, names)[1]
        )  # RFC 6891 §6.1.2: OPT is owned by the root
        rdtype, _payload, ttl, length = _FIXED.unpack_from(data, at)
        at += 10
        end = at + length
        if end > len(data):
            _refuse("a record ends after the message")
        if rdtype == OPT:
            if seen:
                _refuse("more than one OPT record")  # RFC 6891 §6.1.1
            upper, seen = ttl >> 24, True
            errors = _extended_errors(data, at, end) if length else ()
        at = end
    return upper, errors


def _extended_errors(data: bytes, at: int, end: int) -> tuple[tuple[int, str], ...]:
    errors = []
    while at < end:
        code, length = _OPTION.unpack_from(data, at)
        at += 4
        if at + length > end:
            _refuse("an EDNS option ends after its record")
        if code == _EXTENDED_ERROR and length >= 2:
            words = data[at + 2 : at + length].decode("utf-8", errors="replace")
            errors.append((int.from_bytes(data[at : at + 2]), words))
        at += length
    return tuple(errors)


def _name(data: bytes, at: int, names: _Names) -> tuple[str, int]:
    """Read a name: its text, and where it ends. A name read before in this message is not read again."""
    start, labels, tail = at, [], None
    while size := data[at]:
        if size > _LONGEST_LABEL:
            if size < _POINTER:
                _refuse("a label of an unknown kind")
            target = ((size & ~_POINTER) << 8) | data[at + 1]
            tail = names.get(target)
            if tail is None:
                if target >= start:  # only ever backwards, so that it ends (RFC 1035 §4.1.4)
                    _refuse("a compression pointer does not point backwards")
                tail = names[target] = _text_and_length(data, target)
            at += 1
            break
        labels.append(data[at + 1 : (at := at + 1 + size)])
    end = at + 1
    if not labels:
        return ("", end) if tail is None else (tail[0], end)
    text, length = _joined(labels)
    if tail is not None:
        length += tail[1] - 1  # its root label is counted already
        text = f"{text}.{tail[0]}" if tail[0] else text
    if length > _LONGEST_NAME:
        _refuse("a name is too long")
    names[start] = text, length
    return text, end


def _past_name(data: bytes, at: int) -> int:
    """Give where a name ends that nobody reads."""
    while size := data[at]:
        if size > _LONGEST_LABEL:
            if size < _POINTER:
                _refuse("a label of an unknown kind")
            return at + 2
        at += size + 1
    return at + 1


def _text_and_length(data: bytes, at: int) -> tuple[str, int]:
    """Read the name that a pointer leads to, over any number of further pointers."""
    labels, start, length, pointers = [], at, 1, 0
    while size := data[at]:
        if size >= _POINTER:
            pointers += 1
            target = ((size & ~_POINTER) << 8) | data[at + 1]
            if target >= start:  # only ever backwards, so that it ends (RFC 1035 §4.1.4)
                _refuse("a compression pointer does not point backwards")
            if pointers > _MOST_LABELS:
                _refuse("a name of more pointers than a name has labels")
            at = start = target
            continue
        if size > _LONGEST_LABEL:
            _refuse("a label of an unknown kind")
        length += size + 1
        if length > _LONGEST_NAME:
            _refuse("a name is too long")
        labels.append(data[at + 1 : (at := at + 1 + size)])
    return _joined(labels) if labels else ("", 1)


def _joined(labels: list[bytes]) -> tuple[str, int]:
    """Give the text of labels, and the octets that they take on the wire with a root label."""
    joined = b".".join(labels)
    if joined.translate(None, _PLAIN) or joined.count(b".") != len(labels) - 1:
        return ".".join([_label_text(label) for label in labels]), len(joined) + 2
    return joined.lower().decode("ascii"), len(joined) + 2


def _label_text(label: bytes) -> str:
    return _ODD.sub(lambda m: b"\\%03d" % m[0][0], label.lower()).decode("ascii")


def _host(data: bytes, at: int, end: int, names: _Names) -> str:
    host, at = _name(data, at, names)
    _ends(at, end)
    return host


def _strings(data: bytes, at: int, end: int, _names: _Names) -> tuple[bytes, ...]:
    strings = []
    while at < end:
        stop = at + 1 + data[at]
        strings.append(data[at + 1 : stop])
        at = stop
    if not strings:
        _refuse("a TXT record without a character-string")  # RFC 1035 §3.3.14: one or more
    _ends(at, end)
    return tuple(strings)


def _mx(data: bytes, at: int, end: int, names: _Names) -> Mx:
    (preference,) = _PREFERENCE.unpack_from(data, at)
    return Mx(preference, _host(data, at + 2, end, names))


def _soa(data: bytes, at: int, end: int, names: _Names) -> Soa:
    primary, at = _name(data, at, names)
    at = _past_name(data, at)  # of who is responsible, which nobody asks for
    serial, refresh, _retry, _expire, minimum = _SOA_NUMBERS.unpack_from(data, at)
    _ends(at + _SOA_NUMBERS.size, end)
    return Soa(primary, serial, minimum, refresh)


def _a(data: bytes, at: int, end: int, _names: _Names) -> IPv4Address:
    _ends(at + 4, end)
    return IPv4Address(data[at:end])


def _aaaa(data: bytes, at: int, end: int, _names: _Names) -> IPv6Address:
    _ends(at + 16, end)
    return IPv6Address(data[at:end])


def _tlsa(data: bytes, at: int, end: int, _names: _Names) -> Tlsa:
    if end - at < 3:
        _refuse("a TLSA record of less than 3 octets")
    return Tlsa(data[at], data[at + 1], data[at + 2], data[at + 3 : end])


def _caa(data: bytes, at: int, end: int, _names: _Names) -> Caa:
    if end - at < 2 or at + 2 + data[at + 1] > end:
        _refuse("a CAA record ends inside its tag")
    value_at = at + 2 + data[at + 1]
    tag = data[at + 2 : value_at]
    if not tag.isalnum():  # RFC 8659 §4.1: at least one, ASCII letters and digits
        _refuse("a CAA tag of something else than letters and digits")
    return Caa(data[at], tag.decode("ascii"), data[value_at:end])


_READERS: dict[int, Callable[[bytes, int, int, _Names], Data]] = {
    TYPES["CNAME"]: _host,
    TYPES["NS"]: _host,
    TYPES["PTR"]: _host,
    TYPES["TXT"]: _strings,
    TYPES["MX"]: _mx,
    TYPES["SOA"]: _soa,
    TYPES["A"]: _a,
    TYPES["AAAA"]: _aaaa,
    TYPES["TLSA"]: _tlsa,
    TYPES["CAA"]: _caa,
}


def _ends(at: int, end: int) -> None:
    if at != end:
        _refuse("a record's data is longer or shorter than it says")


def _refuse(why: str) -> NoReturn:
    raise MalformedMessage(why)
