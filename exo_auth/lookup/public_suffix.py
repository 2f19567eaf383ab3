"""Organizational domains as RFC 7489 receivers find them: by the Public Suffix List (lookup)."""

from __future__ import annotations

from functools import cache
from typing import Any

from exo_auth.domain_name import DomainName


def organizational_domain(name: DomainName) -> DomainName:
    """Give the name one label below the public suffix; the name itself where it is a suffix (RFC 7489 §3.2)."""
    found = _public_suffix_list().privatesuffix(name.ascii)
    return DomainName(found) if found else name


@cache
def _public_suffix_list() -> Any:
    from publicsuffixlist import PublicSuffixList  # reads the list once; nobody else pays for it

    return PublicSuffixList(accept_unknown=True)
