"""Finds what Python writes about its own objects: no output may hold that."""

from __future__ import annotations

import re

_REPR = re.compile(
    r"""\b[A-Z][A-Za-z0-9]+\((?:[a-z_]+=|["'(b])  # Name(field=…, Name('…'
    |<(?:class|function|object|module|[a-z_]+(?:\.[a-z_]+)+)\b[^>]*(?:\ at\ 0x[0-9a-f]+)?>  # <exo_auth.… at 0x…>
    |\bdatetime\.[a-z]+\(|\bfrozenset\(|\bmappingproxy\(
    |(?<![\w'])b'  # octets
    """,
    re.VERBOSE,
)


def reprs_in(text: str) -> list[str]:
    """Give what looks like one, with some of what stands around it."""
    return [text[max(0, match.start() - 40) : match.end() + 60] for match in _REPR.finditer(text)]
