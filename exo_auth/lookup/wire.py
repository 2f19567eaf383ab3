"""DNS messages: questions out, answers in (lookup; pure). RFC 1035 §4, EDNS of RFC 6891.

A name on the wire becomes text without the trailing dot, in lower case; every octet that is no visible ASCII
character, and a dot or backslash inside a label, becomes `\\DDD` in decimal (RFC 1035 §5.1), so that text and wire
convert both ways without loss and a dot always separates labels.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn

from exo_auth.domain_name import DomainName

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
CLASS_IN = 1
OPT = 41
PAYLOAD = 1232  # octets over UDP that no path fragments, DNS flag day 2020

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")  # type, class
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_SOA_TIMES = struct.Struct("!IIIII")
_OPTION = struct.Struct("!HH")  # code, length
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
_RECURSION_AVAILABLE, _AUTHENTICATED, _CHECKING_DISABLED = 0x0080, 0x0020, 0x0010
_DNSSEC_OK = 0x8000  # in the TTL field of the OPT record, RFC 3225 §3
_EXTENDED_ERROR = 15  # EDNS option, RFC 8914 §2
_POINTER = 0xC0
_LONGEST_NAME = 255  # octets on the wire with the root label, RFC 1035 §2.3.4

_NAMES = frozenset({TYPES["CNAME"], TYPES["NS"], TYPES["PTR"]})
_ESCAPE = re.compile(r"\\(\d{3})", re.ASCII)
_ODD = re.compile(rb"[^!-~]|[.\\]")


class MalformedMessage(ValueError):  # noqa: N818 - it names what came, not what this code did wrong
    """The octets are no DNS message."""


@dataclass(frozen=True, slots=True)
class Soa:
    """The part of an SOA that a resolver needs."""

    primary: str
    minimum: int  # seconds


@dataclass(frozen=True, slots=True)
class Mx:
    """One mail exchanger."""

    preference: int
    host: str  # lower case, without the trailing dot; "" for the root


Data = str | tuple[bytes, ...] | Soa | Mx | IPv4Address | IPv6Address | bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of class IN; `data` is a name, the strings of a TXT, an `Mx`, a `Soa`, … or raw octets."""

    owner: str
    type: int
    ttl: int  # seconds
    data: Data


@dataclass(frozen=True, slots=True)
class Message:
    """An answer, as far as a stub resolver reads it. A truncated message keeps no records (RFC 2181 §9)."""

    id: int
    flags: int
    rcode: int  # with the upper bits from EDNS
    question: tuple[str, int] | None = None  # name and type
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    extended_errors: tuple[tuple[int, str], ...] = ()  # RFC 8914: code and the server's words

    @property
    def is_response(self) -> bool:
        """Is it an answer, not a question?"""
        return bool(self.flags & _RESPONSE)

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
) -> bytes:
    """Write one question; recursion is asked for. `edns_payload` is in octets, None sends no EDNS."""
    # RFC 6840 §5.7: AD in a question says that the asker understands AD in the answer
    flags = _RECURSION_DESIRED | _AUTHENTICATED | (_CHECKING_DISABLED if checking_disabled else 0)
    header = _HEADER.pack(message_id, flags, 1, 0, 0, 0 if edns_payload is None else 1)
    question = _encode_name(name) + _QUESTION.pack(TYPES[rdtype], CLASS_IN)
    if edns_payload is None:
        return header + question
    return header + question + b"\0" + _FIXED.pack(OPT, edns_payload, _DNSSEC_OK if dnssec_ok else 0, 0)


def parse_message(data: bytes) -> Message:
    """Read an answer; raises MalformedMessage, whatever the octets are. Octets after the last record are ignored."""
    try:
        return _Reader(data).message()
    except struct.error:
        raise MalformedMessage("the message ends too early") from None


def _encode_name(name: DomainName) -> bytes:
    labels = [_ESCAPE.sub(lambda m: chr(int(m[1])), label).encode("latin-1") for label in name.labels]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _label_text(label: bytes) -> str:
    return _ODD.sub(lambda m: b"\\%03d" % m[0][0], label.lower()).decode("ascii")


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def message(self) -> Message:
        number, flags, questions, answers, authorities, additionals = self._unpack(_HEADER)
        if questions > 1:
            _refuse("more than one question")
        question = self._question() if questions else None
        if flags & _TRUNCATED:  # the rest may end anywhere
            return Message(number, flags, flags & 0xF, question)
        answer = self._records(answers)
        authority = self._records(authorities)
        upper, errors = self._additional(additionals)
        return Message(number, flags, (upper << 4) | (flags & 0xF), question, answer, authority, errors)

    def _question(self) -> tuple[str, int]:
        name = self._name()
        rdtype, rdclass = self._unpack(_QUESTION)
        if rdclass != CLASS_IN:
            _refuse("the question is not of class IN")
        return name, rdtype

    def _records(self, count: int) -> tuple[Record, ...]:
        found = []
        for _ in range(count):
            owner, rdtype, rdclass, ttl, end = self._head()
            data = self._rdata(rdtype, end) if rdclass == CLASS_IN else self._raw(end)
            if self._at != end:
                _refuse("a record's data is longer or shorter than it says")
            if rdclass == CLASS_IN:
                # RFC 2181 §8: a TTL with the top bit set counts as zero
                found.append(Record(owner, rdtype, 0 if ttl & 0x80000000 else ttl, data))
        return tuple(found)

    def _additional(self, count: int) -> tuple[int, tuple[tuple[int, str], ...]]:
        """Give the upper bits of the RCODE and the extended errors (RFC 6891 §6.1.3, RFC 8914)."""
        upper, seen = 0, False
        errors: tuple[tuple[int, str], ...] = ()
        for _ in range(count):
            _owner, rdtype, _rdclass, ttl, end = self._head()
            if rdtype != OPT:
                self._at = end
                continue
            if seen:
                _refuse("more than one OPT record")  # RFC 6891 §6.1.1
            upper, errors, seen = ttl >> 24, self._extended_errors(end), True
        return upper, errors

    def _extended_errors(self, end: int) -> tuple[tuple[int, str], ...]:
        errors = []
        while self._at < end:
            code, length = self._unpack(_OPTION)
            if self._at + length > end:
                _refuse("an EDNS option ends after its record")
            value = self._raw(self._at + length)
            if code == _EXTENDED_ERROR and length >= 2:
                errors.append((int.from_bytes(value[:2]), value[2:].decode("utf-8", errors="replace")))
        return tuple(errors)

    def _head(self) -> tuple[str, int, int, int, int]:
        """Read a record up to its data: owner, type, class, TTL, and where the data ends."""
        owner = self._name()
        rdtype, rdclass, ttl, length = self._unpack(_FIXED)
        end = self._at + length
        if end > len(self._data):
            _refuse("a record ends after the message")
        return owner, rdtype, rdclass, ttl, end

    def _rdata(self, rdtype: int, end: int) -> Data:
        if rdtype in _NAMES:
            return self._name()
        if rdtype == TYPES["TXT"]:
            return self._strings(end)
        if rdtype == TYPES["MX"]:
            (preference,) = self._unpack(struct.Struct("!H"))
            return Mx(preference, self._name())
        if rdtype == TYPES["SOA"]:
            primary = self._name()
            self._name()
            return Soa(primary, self._unpack(_SOA_TIMES)[4])
        raw = self._raw(end)
        if rdtype == TYPES["A"]:
            return IPv4Address(raw) if len(raw) == 4 else _refuse("an A record not of 4 octets")
        if rdtype == TYPES["AAAA"]:
            return IPv6Address(raw) if len(raw) == 16 else _refuse("an AAAA record not of 16 octets")
        return raw

    def _raw(self, end: int) -> bytes:
        raw = self._data[self._at : end]
        self._at = end
        return raw

    def _strings(self, end: int) -> tuple[bytes, ...]:
        strings = []
        while self._at < end:
            length = self._data[self._at]
            self._at += 1
            if self._at + length > end:
                _refuse("a character-string ends after its record")
            strings.append(self._raw(self._at + length))
        if not strings:
            _refuse("a TXT record without a character-string")  # RFC 1035 §3.3.14: one or more
        return tuple(strings)

    def _name(self) -> str:
        labels: list[str] = []
        at, length, reach = self._at, 1, len(self._data)
        resume: int | None = None
        while size := self._octet(at):
            if size & _POINTER == _POINTER:
                target = ((size & ~_POINTER) << 8) | self._octet(at + 1)
                resume = at + 2 if resume is None else resume
                if target >= min(at, reach):  # only ever backwards, so that it ends (RFC 1035 §4.1.4)
                    _refuse("a compression pointer does not point backwards")
                at = reach = target
                continue
            if size & _POINTER:
                _refuse("a label of an unknown kind")
            start, at = at + 1, at + 1 + size
            length += size + 1
            if length > _LONGEST_NAME or at > len(self._data):
                _refuse("a name is too long")
            labels.append(_label_text(self._data[start:at]))
        self._at = at + 1 if resume is None else resume
        return ".".join(labels)

    def _octet(self, at: int) -> int:
        if at >= len(self._data):
            _refuse("the message ends inside a name")
        return self._data[at]

    def _unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        values = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return values


def _refuse(why: str) -> NoReturn:
    raise MalformedMessage(why)
