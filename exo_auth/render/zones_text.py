"""The zones that may be written (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.domain_name import DomainName
from exo_auth.render.document import to_text
from exo_auth.render.table import Table

Home = tuple[DomainName, tuple[str, ...], tuple[str, ...]]  # zone, targets, classes of their providers


def zones_text(homes: Iterable[Home], output: str) -> str:
    """Write one line a zone."""
    found = list(homes)
    if output == "json":
        zones = [{"zone": z.ascii, "targets": list(t), "providers": list(p)} for z, t, p in found]
        return to_text({"schema": "exo-auth/dns-zones/1", "zones": zones})
    rows = tuple((z.unicode, ", ".join(t), ", ".join(p)) for z, t, p in found)
    return Table(("Zone", "Target", "Provider"), rows).to_text(output)
