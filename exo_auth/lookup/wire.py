"""DNS messages: questions out, answers in (lookup; pure). RFC 1035 §4, EDNS of RFC 6891."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NoReturn

from exo_auth.domain_name import DomainName

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
CLASS_IN = 1
OPT = 41
PAYLOAD = 1232  # octets over UDP that no path fragments, DNS flag day 2020

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")  # type, class, TTL, length of the data
_RECURSION_DESIRED, _CHECKING_DISABLED = 0x0100, 0x0010
_RESPONSE, _TRUNCATED, _AUTHENTICATED = 0x8000, 0x0200, 0x0020
_POINTER = 0xC0
_LONGEST_NAME = 255  # octets on the wire, RFC 1035 §2.3.4


class MalformedMessage(ValueError):  # noqa: N818 - it names what came, not what this code did wrong
    """The octets are no DNS message."""


@dataclass(frozen=True, slots=True)
class Soa:
    """The part of an SOA that a resolver needs."""

    minimum: int  # seconds


@dataclass(frozen=True, slots=True)
class Mx:
    """One mail exchanger."""

    preference: int
    host: str  # lower case, without the trailing dot; "" for the root


Data = str | tuple[bytes, ...] | Soa | Mx | bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record. `data` is a name, the strings of a TXT, an `Mx`, a `Soa`, or raw octets."""

    owner: str  # lower case, without the trailing dot
    type: int
    ttl: int  # seconds
    data: Data


@dataclass(frozen=True, slots=True)
class Message:
    """An answer, as far as a stub resolver reads it."""

    id: int
    is_response: bool
    rcode: int  # with the upper bits from EDNS
    truncated: bool = False
    authenticated: bool = False
    question: tuple[str, int] | None = None  # name and type
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = field(default=())


def encode_query(
    name: DomainName, rdtype: str, message_id: int, *, edns: bool = True, checking_disabled: bool = False
) -> bytes:
    """Write one question; recursion is asked for."""
    flags = _RECURSION_DESIRED | (_CHECKING_DISABLED if checking_disabled else 0)
    header = _HEADER.pack(message_id, flags, 1, 0, 0, 1 if edns else 0)
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.labels)
    question = labels + b"\0" + struct.pack("!HH", TYPES[rdtype], CLASS_IN)
    opt = b"\0" + _FIXED.pack(OPT, PAYLOAD, 0, 0) if edns else b""
    return header + question + opt


def parse_message(data: bytes) -> Message:
    """Read an answer; raises MalformedMessage, whatever the octets are."""
    try:
        return _Reader(data).message()
    except struct.error:
        raise MalformedMessage("the message ends too early") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def message(self) -> Message:
        number, flags, questions, answers, authorities, additionals = self._unpack(_HEADER)
        if questions > 1:
            _refuse("more than one question")
        question = self._question() if questions else None
        answer = tuple(self._record()[0] for _ in range(answers))
        authority = tuple(self._record()[0] for _ in range(authorities))
        extended = 0
        for _ in range(additionals):
            record, raw_ttl = self._record()
            if record.type == OPT:
                extended = raw_ttl >> 24  # RFC 6891 §6.1.3
        return Message(
            id=number,
            is_response=bool(flags & _RESPONSE),
            rcode=(extended << 4) | (flags & 0xF),
            truncated=bool(flags & _TRUNCATED),
            authenticated=bool(flags & _AUTHENTICATED),
            question=question,
            answers=answer,
            authority=authority,
        )

    def _question(self) -> tuple[str, int]:
        name = self._name()
        rdtype, _ = self._unpack(struct.Struct("!HH"))
        return name, rdtype

    def _record(self) -> tuple[Record, int]:
        owner = self._name()
        rdtype, _rdclass, ttl, length = self._unpack(_FIXED)
        end = self._at + length
        if end > len(self._data):
            _refuse("a record ends after the message")
        data = self._rdata(rdtype, end)
        if self._at != end:
            _refuse("a record's data is longer or shorter than it says")
        # RFC 2181 §8: a TTL with the top bit set counts as zero
        return Record(owner, rdtype, 0 if ttl & 0x80000000 else ttl, data), ttl

    def _rdata(self, rdtype: int, end: int) -> Data:
        if rdtype in (TYPES["CNAME"], TYPES["NS"]):
            return self._name()
        if rdtype == TYPES["TXT"]:
            return self._strings(end)
        if rdtype == TYPES["MX"]:
            (preference,) = self._unpack(struct.Struct("!H"))
            return Mx(preference, self._name())
        if rdtype == TYPES["SOA"]:
            self._name()
            self._name()
            *_, minimum = self._unpack(struct.Struct("!IIIII"))
            return Soa(minimum)
        raw = self._data[self._at : end]
        self._at = end
        return raw

    def _strings(self, end: int) -> tuple[bytes, ...]:
        strings = []
        while self._at < end:
            length = self._data[self._at]
            start = self._at + 1
            if start + length > end:
                _refuse("a character-string ends after its record")
            strings.append(self._data[start : start + length])
            self._at = start + length
        return tuple(strings)

    def _name(self) -> str:
        labels: list[str] = []
        at, length, jumped_to = self._at, 0, len(self._data)
        resume: int | None = None
        while True:
            size = self._octet(at)
            if size & _POINTER == _POINTER:
                target = ((size & ~_POINTER) << 8) | self._octet(at + 1)
                resume = at + 2 if resume is None else resume
                if target >= min(at, jumped_to):  # only backwards, so that it must end (RFC 1035 §4.1.4)
                    _refuse("a compression pointer does not point backwards")
                at = jumped_to = target
                continue
            if size & _POINTER:
                _refuse("a label of an unknown kind")
            at += 1
            if size == 0:
                break
            length += size + 1
            if length >= _LONGEST_NAME or at + size > len(self._data):
                _refuse("a name is too long")
            labels.append(self._data[at : at + size].decode("latin-1").lower())
            at += size
        self._at = at if resume is None else resume
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
