"""The JSON Schemas that ship with the package (render)."""

from __future__ import annotations

import difflib
from importlib.resources import files

from exo_auth.errors import InputError


def schema_names() -> tuple[str, ...]:
    """Name the documents that have a schema."""
    folder = files("exo_auth.render") / "schemas"
    return tuple(
        sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))
    )


def schema_text(name: str) -> str:
    """Give the schema of one document; raises InputError for an unknown name."""
    names = schema_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise InputError(
            f"there is no document “{name}”",
            hint=f"did you mean {near[0]}?" if near else f"one of {', '.join(names)}",
        )
    return (files("exo_auth.render") / "schemas" / f"{name}.json").read_text(encoding="utf-8").rstrip("\n")
