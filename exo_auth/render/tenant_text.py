"""Tenants, and facts about one thing as a list of names and values (render, pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exo_auth.render.document import to_text
from exo_auth.render.table import Table


def tenants_text(rows: Sequence[tuple[str, str, str, str, str]], output: str, *, color: bool = False) -> str:
    """Write configured tenants: name, id, initial domain, cloud, and where each is configured."""
    if output == "json":
        keys = ("name", "tenant_id", "initial_domain", "cloud", "where")
        return to_text(
            {"schema": "exo-auth/tenants/1", "tenants": [dict(zip(keys, row, strict=True)) for row in rows]}
        )
    return Table(("Name", "Tenant id", "Initial domain", "Cloud", "Configured at"), tuple(rows)).to_text(
        output, color=color
    )


def facts_text(name: str, facts: Mapping[str, str], output: str) -> str:
    """Write facts one below the other; as JSON their names have underscores."""
    if output == "json":
        values = {key.replace(" ", "_").replace("-", "_"): value for key, value in facts.items()}
        return to_text({"schema": f"exo-auth/{name}/1", **values})
    return Table((name, "value"), tuple(facts.items())).to_text(output)
