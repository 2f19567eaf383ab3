"""Accepted domains (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.checks.domains import ClassifiedDomain
from exo_auth.render.document import domains_document, to_text
from exo_auth.render.table import Table


def domains_text(domains: Iterable[ClassifiedDomain], output: str, *, color: bool = False) -> str:
    """Write one line a domain."""
    found = list(domains)
    if output == "json":
        return to_text(domains_document(found))
    rows = tuple(
        (
            domain.name.unicode,
            domain.kind.value,
            domain.accepted.domain_type,
            "default" if domain.accepted.is_default else "",
            domain.note,
        )
        for domain in found
    )
    return Table(("Domain", "Kind", "Type", "Default", "Left alone because"), rows).to_text(
        output, color=color
    )
