"""What the examination found (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence

from exo_auth.render.document import to_text
from exo_auth.render.table import Table


def doctor_text(rows: Sequence[tuple[str, str, str, str]], output: str, *, color: bool = False) -> str:
    """Write one line for each thing: name, state, detail, hint."""
    if output == "json":
        keys = ("name", "state", "detail", "hint")
        return to_text(
            {"schema": "exo-auth/doctor/1", "lines": [dict(zip(keys, row, strict=True)) for row in rows]}
        )
    return Table(("What", "State", "Detail", "Hint"), tuple(rows)).to_text(output, color=color)
