"""Where chains of trust begin: the root zone's keys, or those of a file (lookup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.DS

from exo_auth.errors import InputError

Anchors: TypeAlias = Mapping[dns.name.Name, Sequence[dns.rdtypes.ANY.DS.DS]]

# https://data.iana.org/root-anchors/root-anchors.xml: the key of 2017, and that of 2024, which signs from 2026 on
_ROOT = """
. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
"""


def read_trust_anchors(path: Path) -> Anchors:
    """Read lines such as `example. IN DS 12345 13 2 ab12…` (`;` begins a comment); raises InputError."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the trust anchors of {path} cannot be read: {error}") from None
    anchors = parse_trust_anchors(text, str(path))
    if not anchors:
        raise InputError(f"{path} holds no trust anchor", hint="write lines like: . IN DS 20326 8 2 E06D…")
    return anchors


def parse_trust_anchors(text: str, where: str) -> Anchors:
    """Read the same from text; `where` is told in errors."""
    anchors: dict[dns.name.Name, list[dns.rdtypes.ANY.DS.DS]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition(";")[0].split()
        if not words:
            continue
        try:
            at = words.index("DS")
            owner = dns.name.from_text(words[0])
            data = dns.rdata.from_text(
                dns.rdataclass.IN,
                dns.rdatatype.DS,
                " ".join([*words[at + 1 : at + 4], "".join(words[at + 4 :])]),
            )
        except (ValueError, dns.exception.DNSException) as error:
            raise InputError(
                f"line {number} of {where} is no trust anchor: {error}",
                hint="write lines like: . IN DS 20326 8 2 E06D…",
            ) from None
        if isinstance(data, dns.rdtypes.ANY.DS.DS):
            anchors.setdefault(owner, []).append(data)
    return anchors


ROOT_ANCHORS = parse_trust_anchors(_ROOT, "the built-in anchors")
