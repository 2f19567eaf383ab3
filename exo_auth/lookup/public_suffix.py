"""Organizational domains as RFC 7489 receivers find them: by the Public Suffix List (lookup)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from exo_auth.domain_name import DomainName


def organizational_domain(name: DomainName) -> DomainName:
    """Give the name one label below the public suffix; the name itself where it is a suffix (RFC 7489 §3.2)."""
    found = _rules_below(name.ascii.rpartition(".")[2]).privatesuffix(name.ascii)
    return DomainName(found) if found else name


@cache
def _rules_below(top: str) -> Any:
    """Read the rules of one top-level domain; all of them together take a tenth of a second to prepare."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(source=_lines().get(top, ()), accept_unknown=True)


@cache
def _lines() -> dict[str, list[str]]:
    """Sort the lines of the list by their top-level domains, which are A-labels."""
    import publicsuffixlist

    lines: dict[str, list[str]] = {}
    for line in Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8").splitlines():
        rule = line.split(" ", 1)[0].rstrip()
        if rule and not rule.startswith("//"):
            top = rule.rpartition(".")[2].lower()
            lines.setdefault(top if top.isascii() else top.encode("idna").decode("ascii"), []).append(rule)
    return lines
