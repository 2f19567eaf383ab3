"""What check_host() found out (facts, pure). RFC 7208 §2.6, §4."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SpfStep:
    """One term on the way to the result: whose record, which term, did it match."""

    domain: str
    term: str
    matched: bool
    depth: int  # 0 is the domain asked about, 1 an include of it …


@dataclass(frozen=True)
class SpfResult:
    """The result with how it came about. `problem` explains permerror, temperror and none."""

    result: str  # none, neutral, pass, fail, softfail, temperror, permerror
    explanation: str = ""  # for fail: the domain's own words, or the default
    path: tuple[SpfStep, ...] = ()
    lookups: int = 0  # terms that asked DNS, RFC 7208 §4.6.4
    void_lookups: int = 0
    problem: str = ""
