"""What has moved since it was applied (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.domain_name import DomainName
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table

Row = tuple[DomainName, str, str, str, bool]  # domain, change, run, how it moved, was there no verdict


def drift_text(rows: Iterable[Row], compared: int, output: str) -> str:
    """Write one line for each thing that is not as it was applied."""
    found = list(rows)
    if output == "json":
        drifted = [
            {"domain": d.ascii, "change": key, "run": run, "detail": detail, "unknown": unknown}
            for d, key, run, detail, unknown in found
        ]
        return to_text({"schema": "exo-auth/drift/1", "compared": compared, "drifted": drifted})
    table = Table(
        ("Domain", "Change", "Run", "How it moved"),
        tuple((d.unicode, key, run, visible(detail)) for d, key, run, detail, _ in found),
    )
    if output != "table":
        return table.to_text(output)
    end = f"{compared} compared, {len(found)} moved"
    return "\n".join([table.to_text("table"), end]) if found else end
