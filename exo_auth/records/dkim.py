"""DKIM key records (records, pure): the TXT at `<selector>._domainkey.<domain>`.

v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA…;        RFC 6376 §3.6.1, RFC 8301, RFC 8463
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.der import DerError, RsaKey, read_rsa_key
from exo_auth.records.tag_list import WHITE, Tag, parse_tag_list

ED25519_KEY_LENGTH = 32  # octets, RFC 8463 §4.2
KNOWN_TAGS = frozenset("vhknpst")

_USUAL = re.compile(r"v=DKIM1; ?k=rsa; ?p=([A-Za-z0-9+/]+={0,2});?", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_HYPHENATED = re.compile(r"[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)  # RFC 6376 §2.10 hyphenated-word
_LOOKS = re.compile(
    r"\s*(v\s*=\s*DKIM1\s*(;|$)|(?!v\s*=)([a-z]\s*=[^;]*;\s*)*p\s*=)", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class DkimKeyRecord:
    """What a verifier learns from one key record. `public_key` is DER for RSA, 32 octets for Ed25519."""

    public_key: bytes  # b"" means that the key is revoked (RFC 6376 §3.6.1, p=)
    key_type: str = "rsa"
    hashes: tuple[str, ...] = ()  # () means all
    services: tuple[str, ...] = ("*",)
    flags: tuple[str, ...] = ()
    note: str = ""
    version: str | None = "DKIM1"  # None: the tag is absent, which means DKIM1
    unknown: tuple[tuple[str, str], ...] = ()  # tags this RFC does not define, as they came

    @property
    def is_revoked(self) -> bool:
        """Has the owner withdrawn the key? (`p=` without a value)"""
        return not self.public_key

    @property
    def is_testing(self) -> bool:
        """Does the owner ask verifiers to treat a failing signature as none? (`t=y`)"""
        return "y" in self.flags

    @cached_property
    def rsa_key(self) -> RsaKey | None:
        """The RSA key, None for a revoked or another type of key."""
        if self.key_type != "rsa" or self.is_revoked:
            return None
        return read_rsa_key(self.public_key)

    @property
    def key_size(self) -> int | None:
        """Bits of the key, None for a revoked key or an unknown type."""
        if self.key_type == "ed25519" and self.public_key:
            return ED25519_KEY_LENGTH * 8
        rsa = self.rsa_key
        return rsa.size if rsa else None

    @property
    def exponent(self) -> int | None:
        """The public exponent of an RSA key."""
        rsa = self.rsa_key
        return rsa.exponent if rsa else None

    @property
    def serves_email(self) -> bool:
        """May the key be used for mail? (`s=`, RFC 6376 §3.6.1)"""
        return "*" in self.services or "email" in self.services

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key's octets, in hexadecimal."""
        return hashlib.sha256(self.public_key).hexdigest()

    def same_key_as(self, other: DkimKeyRecord) -> bool:
        """Is it the same key, whatever container it came in?"""
        mine, theirs = self.rsa_key, other.rsa_key
        if mine is not None and theirs is not None:
            return mine == theirs
        return (self.key_type, self.public_key) == (other.key_type, other.public_key)


def looks_like(text: str) -> bool:
    """Was this text meant to be a key record? True also for many broken ones, so that they get a verdict."""
    return _LOOKS.match(text) is not None


def parse(text: str) -> DkimKeyRecord:
    """Read a key record; raises RecordSyntaxError with the position."""
    return _usual(text) or _any(text)


def _usual(text: str) -> DkimKeyRecord | None:
    """Read what nearly everybody publishes in one step; None for all else, faults among it."""
    match = _USUAL.fullmatch(text)
    if match is None:
        return None
    try:
        record = DkimKeyRecord(binascii.a2b_base64(match[1], strict_mode=True))
        return record if record.rsa_key else None
    except (binascii.Error, DerError):
        return None


def _any(text: str) -> DkimKeyRecord:
    tags = {tag.name: tag for tag in parse_tag_list(text)}
    first = next(iter(tags))
    version = tags.get("v")
    if version is not None and (first != "v" or version.value != "DKIM1"):
        # RFC 6376 §3.6.1: if present it must be first, and anything but DKIM1 discards the record
        raise RecordSyntaxError(
            f"v={version.value}" if first == "v" else "the tag v is not the first",
            position=version.position,
            expected="v=DKIM1 at the beginning",
        )
    if "p" not in tags:
        raise RecordSyntaxError("there is no key", position=len(text), expected="the tag p=")
    key_type = tags["k"].value if "k" in tags else "rsa"
    if key_type not in ("rsa", "ed25519"):
        raise RecordSyntaxError(
            f"the key type “{key_type}” is unknown", position=tags["k"].position, expected="rsa or ed25519"
        )
    record = DkimKeyRecord(
        public_key=_octets(tags["p"]),
        key_type=key_type,
        hashes=_words(tags.get("h"), ()),
        services=_words(tags.get("s"), ("*",)),
        flags=_words(tags.get("t"), ()),
        note=tags["n"].value if "n" in tags else "",
        version=version.value if version else None,
        unknown=tuple((tag.name, tag.value) for tag in tags.values() if tag.name not in KNOWN_TAGS),
    )
    _check_key(tags["p"], record)
    return record


def render(record: DkimKeyRecord) -> str:
    """Write a record the way Exchange Online publishes it: `v=DKIM1; k=rsa; p=…;`."""
    parts = [
        ("v", record.version),
        ("k", record.key_type),
        ("h", ":".join(record.hashes) or None),
        ("s", ":".join(record.services) if record.services != ("*",) else None),
        ("t", ":".join(record.flags) or None),
        ("n", record.note or None),
        *record.unknown,
        ("p", base64.b64encode(record.public_key).decode("ascii")),
    ]
    return " ".join(f"{name}={value};" for name, value in parts if value is not None)


def _octets(tag: Tag) -> bytes:
    text = "".join(tag.value.split())  # what is white in a tag's value is folding
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _fault_of_base64(tag, text) from None


def _fault_of_base64(tag: Tag, text: str) -> RecordSyntaxError:
    match = _BASE64.match(text)
    end = match.end() if match is not None else 0
    if end != len(text):
        return RecordSyntaxError(
            f"“{text[end]}” in the key", position=_position(tag, end), expected="base64 (A-Z a-z 0-9 + / =)"
        )
    return RecordSyntaxError(
        f"the key of {len(text)} characters is cut off",
        position=_position(tag, len(text)),
        expected="base64 in groups of four; a DNS panel may have cut the record at 255 characters",
    )


def _check_key(tag: Tag, record: DkimKeyRecord) -> None:
    size = len(record.public_key)
    if record.key_type == "ed25519" and size not in (0, ED25519_KEY_LENGTH):
        raise RecordSyntaxError(
            f"an Ed25519 key of {size} octets", position=tag.position, expected="32 octets"
        )
    try:
        record.rsa_key  # noqa: B018 - reading it is the check, and it is kept
    except DerError as error:
        raise RecordSyntaxError(
            f"the key is not a whole RSA key: {error}",
            position=_position(tag, len("".join(tag.value.split()))),
            expected="the base64 of an RSA public key in DER",
        ) from None


def _position(tag: Tag, index: int) -> int:
    """Where the `index`-th character that is no white space stands in the record."""
    seen = 0
    for offset, char in enumerate(tag.value):
        if char in WHITE:
            continue
        if seen == index:
            return tag.position + offset
        seen += 1
    return tag.position + len(tag.value)


def _words(tag: Tag | None, default: tuple[str, ...]) -> tuple[str, ...]:
    if tag is None:
        return default
    words = []
    offset = tag.position
    for raw in tag.value.split(":"):
        word = raw.strip(WHITE)
        if word != "*" and not _HYPHENATED.fullmatch(word):
            raise RecordSyntaxError(
                f"“{word}” in the tag {tag.name}", position=offset, expected="words joined by colons"
            )
        words.append(word)
        offset += len(raw) + 1
    return tuple(words)
