"""DKIM keys and signatures in plain words, tag by tag (render, pure). RFC 6376 §3.5, §3.6.1."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from exo_auth.errors import RecordSyntaxError
from exo_auth.records import dkim, dkim_signature
from exo_auth.records.dkim import DkimKeyRecord
from exo_auth.records.dkim_signature import DkimSignature
from exo_auth.render.record_terms import Fault, RawTag, TakenApart, raw_tags
from exo_auth.render.times import moment

SHORTEST, WANTED = 1024, 2048  # bits, RFC 8301 §3.2

_ALGORITHMS = {
    "rsa-sha256": "RSA over SHA-256, which every verifier knows",
    "rsa-sha1": "RSA over SHA-1: obsolete, verifiers must not accept it (RFC 8301 §3.1)",
    "ed25519-sha256": "Ed25519 over SHA-256: some verifiers do not know it yet, sign with RSA as well (RFC 8463)",
}
_CANONICAL = {
    "simple": "must arrive as it was sent",
    "relaxed": "survives changes of white space and folding",
}


def dkim_key_apart(text: str) -> TakenApart:
    """Take a key record apart."""
    tags = tuple(raw_tags(text))
    try:
        record = dkim.parse(text)
    except RecordSyntaxError as error:
        terms = tuple(tag.term("" if tag.name == "p" else _key_meaning(tag, None)) for tag in tags)
        notes = ("a verifier cannot use this key: every signature made with it fails",)
        return TakenApart("dkim-key", text, terms, (Fault.of(error),), notes)
    terms = tuple(tag.term(_key_meaning(tag, record)) for tag in tags)
    return TakenApart("dkim-key", text, terms, (), tuple(_key_notes(record)))


def _key_meaning(tag: RawTag, record: DkimKeyRecord | None) -> str:
    if tag.name == "p":
        return _key(record) if record is not None else ""
    read = _KEY_TAGS.get(tag.name)
    return read(tag.value) if read is not None else "no tag that DKIM knows: ignored"


def _key(record: DkimKeyRecord) -> str:
    size = record.key_size
    if record.is_revoked:
        return "revoked: signatures with this key count as failed (RFC 6376 §3.6.1)"
    if record.key_type != "rsa" or size is None:
        return "the Ed25519 public key of 256 bits"
    if size < SHORTEST:
        return f"an RSA public key of {size} bits: too short, verifiers ignore it (RFC 8301 §3.2)"
    if size < WANTED:
        return f"the RSA public key of {size} bits: {WANTED} are wanted (RFC 8301 §3.2)"
    return f"the RSA public key of {size} bits"


def _key_type(value: str) -> str:
    return {"rsa": "an RSA key (the default)", "ed25519": "an Ed25519 key (RFC 8463)"}.get(value, "")


def _hashes(value: str) -> str:
    words = [word.strip() for word in value.split(":")]
    told = f"only signatures over {' or '.join(words)} count"
    return told if "sha256" in words else f"{told}: none that verifiers accept today (RFC 8301 §3.1)"


def _services(value: str) -> str:
    words = {word.strip() for word in value.split(":")}
    if "*" in words:
        return "for every service (the default)"
    return "for mail" if "email" in words else f"for {value} alone: verifiers of mail ignore the key"


def _flags(value: str) -> str:
    known = {
        "y": "a test: verifiers may treat failing signatures as if there were none",
        "s": "i= of the signature must hold the very domain of d=, and no subdomain",
    }
    return "; ".join(known.get(word.strip(), f"{word.strip()} is unknown") for word in value.split(":"))


_KEY_TAGS: dict[str, Callable[[str], str]] = {
    "v": lambda _value: "a DKIM key, for those who verify signatures of the domain",
    "k": _key_type,
    "h": _hashes,
    "s": _services,
    "t": _flags,
    "n": lambda _value: "a note for people; machines ignore it",
    "g": lambda _value: "obsolete since RFC 6376: ignored",
}


def _key_notes(record: DkimKeyRecord) -> Iterator[str]:
    if not record.is_revoked:
        yield f"fingerprint {record.fingerprint} (SHA-256 of the key)"
    if record.exponent is not None and record.exponent != 65537:
        yield f"the public exponent is {record.exponent}; 65537 is usual"
    if not record.serves_email:
        yield "the key is not for mail: signatures with it do not count"


def signature_apart(text: str) -> TakenApart:
    """Take a whole `DKIM-Signature:` header field apart."""
    start = 15 if dkim_signature.looks_like(text) else 0
    tags = tuple(raw_tags(text, start))
    by_name = {tag.name: tag.value for tag in tags}
    terms = tuple(tag.term(_signature_meaning(tag, by_name)) for tag in tags)
    try:
        signature = dkim_signature.parse(text)
    except RecordSyntaxError as error:
        notes = ("a verifier cannot read it: the signature counts as if it were not there",)
        return TakenApart("dkim-signature", text, terms, (Fault.of(error),), notes)
    return TakenApart("dkim-signature", text, terms, (), tuple(_signature_notes(signature)))


def _signature_meaning(tag: RawTag, values: dict[str, str]) -> str:
    if tag.name == "s":
        return f"the selector: the key stands at {tag.value}._domainkey.{values.get('d', '<d=>')}"
    read = _SIGNATURE_TAGS.get(tag.name)
    return read(tag.value) if read is not None else "no tag that DKIM knows: ignored"


def _canonicalization(value: str) -> str:
    head, _, body = value.lower().partition("/")
    body = body or "simple"  # RFC 6376 §3.5
    if head not in _CANONICAL or body not in _CANONICAL:
        return ""
    if head == body:
        return f"header and body: each {_CANONICAL[head]}"
    return f"the header {_CANONICAL[head]}, the body {_CANONICAL[body]}"


def _signed(value: str) -> str:
    names = [name.strip() for name in value.split(":")]
    twice = sorted(name for name, count in Counter(map(str.lower, names)).items() if count > 1)
    told = f"the {len(names)} header fields that are signed"
    return told + (f"; nobody can add another {', '.join(twice)}" if twice else "")


def _since_1970(what: str) -> Callable[[str], str]:
    def told(value: str) -> str:
        try:
            return f"{what} {moment(datetime.fromtimestamp(int(value), UTC))}"
        except (ValueError, OverflowError, OSError):  # no number, or a time that no calendar has
            return ""

    return told


def _octets(what: str) -> Callable[[str], str]:
    def told(value: str) -> str:
        try:
            size = len(base64.b64decode("".join(value.split()), validate=True))
        except (binascii.Error, ValueError):
            return ""
        return f"{what}, {size} octets"

    return told


_SIGNATURE_TAGS: dict[str, Callable[[str], str]] = {
    "v": lambda value: "version 1 of DKIM signatures" if value == "1" else "",
    "a": lambda value: _ALGORITHMS.get(value.lower(), ""),
    "c": _canonicalization,
    "d": lambda _value: "the domain that signs; DMARC compares it with the one in From",
    "h": _signed,
    "i": lambda _value: "on whose behalf it signs: a mailbox in, or a subdomain of, the signing domain",
    "l": lambda value: (
        f"only the first {value} octets of the body are signed: anybody can add text behind them"
    ),
    "q": lambda value: "the key is fetched from DNS (the default)" if value == "dns/txt" else "",
    "t": _since_1970("signed"),
    "x": _since_1970("does not count after"),
    "z": lambda _value: "copies of header fields, for finding faults; not checked",
    "bh": _octets("the hash of the body"),
    "b": _octets("the signature itself"),
}


def _signature_notes(signature: DkimSignature) -> Iterator[str]:
    if not signature.signs_from:
        yield "From is not signed: the signature does not count (RFC 6376 §5.4)"
    signed, ends = signature.signed_at, signature.expires_at
    if signed is not None and ends is not None and ends <= signed:
        yield "x is not later than t: the signature never counted (RFC 6376 §3.5)"
