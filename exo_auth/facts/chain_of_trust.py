"""What validating signatures came to (facts, pure). RFC 4035 §4.3."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trust(StrEnum):
    """How far an answer may be believed."""

    SECURE = "secure"  # a chain of signatures leads from a trust anchor to it
    INSECURE = "insecure"  # it is proven that no chain leads there: the zone, or one above it, is not signed
    BOGUS = "bogus"  # there should be a chain, and it is broken
    INDETERMINATE = "indeterminate"  # what would decide it could not be looked up


@dataclass(frozen=True)
class Judgement:
    """The status of one answer; `detail` says why in words, and `zone` where the chain ends ("" for the root)."""

    status: Trust
    zone: str = ""
    detail: str = ""
