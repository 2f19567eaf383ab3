"""DKIM signatures (records, pure): the value of a `DKIM-Signature:` header field.

v=1; a=rsa-sha256; c=relaxed/relaxed; d=contoso.com; s=selector1; h=From:To; bh=…; b=…        RFC 6376 §3.5
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.tag_list import WHITE, Tag, parse_tag_list

ALGORITHMS = ("rsa-sha256", "rsa-sha1", "ed25519-sha256")
NEEDED = ("v", "a", "b", "bh", "d", "h", "s")  # RFC 6376 §3.5

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,76}", re.ASCII)
_WITHOUT_WHITE = {ord(char): None for char in WHITE}


@dataclass(frozen=True)
class DkimSignature:
    """One signature. Times are seconds since 1970; `body_length` is None where the whole body is signed."""

    domain: str
    selector: str
    algorithm: str
    headers: tuple[str, ...]  # lower case
    signature: bytes
    body_hash: bytes
    canonicalization: str = "simple/simple"
    identity: str = ""  # i=, "" for @domain
    body_length: int | None = None
    signed_at: int | None = None
    expires_at: int | None = None

    @property
    def signs_from(self) -> bool:
        """Is From among the signed header fields? It must be (RFC 6376 §5.4)."""
        return "from" in self.headers


def looks_like(text: str) -> bool:
    """Is this a whole `DKIM-Signature:` header field?"""
    return text[:15].lower() == "dkim-signature:"


def parse(text: str) -> DkimSignature:
    """Read a field, with or without its name; raises RecordSyntaxError."""
    offset = 15 if looks_like(text) else 0
    tags = {tag.name: tag for tag in parse_tag_list(" " * offset + text[offset:])}
    for name in NEEDED:
        if name not in tags:
            raise RecordSyntaxError(f"no {name}=", position=len(text), expected=f"the tag {name}=")
    if tags["v"].value != "1":
        raise _wrong(tags["v"], "1")
    algorithm = tags["a"].value.lower()
    if algorithm not in ALGORITHMS:
        raise _wrong(tags["a"], " or ".join(ALGORITHMS))
    headers = tuple(part.strip(WHITE).lower() for part in tags["h"].value.split(":"))
    if not all(headers):
        raise _wrong(tags["h"], "names of header fields between colons")
    return DkimSignature(
        _name(tags["d"]),
        _name(tags["s"]),
        algorithm,
        headers,
        _octets(tags["b"]),
        _octets(tags["bh"]),
        _canonicalization(tags.get("c")),
        tags["i"].value if "i" in tags else "",
        _number(tags.get("l")),
        _number(tags.get("t")),
        _number(tags.get("x")),
    )


def render(signature: DkimSignature) -> str:
    """Write the value of the field on one line."""
    parts = [
        ("v", "1"),
        ("a", signature.algorithm),
        ("c", signature.canonicalization),
        ("d", signature.domain),
        ("s", signature.selector),
        ("i", signature.identity or None),
        ("l", signature.body_length),
        ("t", signature.signed_at),
        ("x", signature.expires_at),
        ("h", ":".join(signature.headers)),
        ("bh", base64.b64encode(signature.body_hash).decode()),
        ("b", base64.b64encode(signature.signature).decode()),
    ]
    return "; ".join(f"{name}={value}" for name, value in parts if value is not None)


def _wrong(tag: Tag, expected: str) -> RecordSyntaxError:
    return RecordSyntaxError(f"{tag.name}={tag.value[:40]}", position=tag.position, expected=expected)


def _name(tag: Tag) -> str:
    if not _DOMAIN.fullmatch(tag.value) or len(tag.value) > 253:
        raise _wrong(tag, "a domain name")
    return tag.value.lower()


def _octets(tag: Tag) -> bytes:
    try:
        return base64.b64decode(tag.value.translate(_WITHOUT_WHITE), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(tag, "base64") from None


def _number(tag: Tag | None) -> int | None:
    if tag is None:
        return None
    if not _NUMBER.fullmatch(tag.value):  # at most 76 digits, RFC 6376 §3.5
        raise _wrong(tag, "a number")
    return int(tag.value)


def _canonicalization(tag: Tag | None) -> str:
    if tag is None:
        return "simple/simple"
    head, slash, body = tag.value.lower().partition("/")
    if head not in ("simple", "relaxed") or (slash and body not in ("simple", "relaxed")):
        raise _wrong(tag, "simple or relaxed, for header and body")
    return f"{head}/{body or 'simple'}"
