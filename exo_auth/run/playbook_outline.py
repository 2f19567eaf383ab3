"""What a playbook is made of, read without its variables' values: for completion in a shell (run)."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.run import yaml_nodes
from exo_auth.run.playbook import playbook_text


@dataclass(frozen=True)
class Outline:
    """The names of a playbook's stages, in their order, and of its variables."""

    stages: tuple[str, ...]
    variables: tuple[str, ...]


def outline(playbook: str) -> Outline:
    """Read the outline of a playbook, by path or name; raises InputError, or ConfigError for what is not YAML."""
    text, file = playbook_text(playbook)
    entries = yaml_nodes.parse(text, file).entries
    stages = []
    for stage in entries["stages"].value.items if "stages" in entries else ():
        named = stage.entries.get("name") or stage.entries.get("do")
        stages += [named.value.text] if named else []
    if not stages and "do" in entries:
        stages = [entries["do"].value.text]
    variables = entries["variables"].value.entries if "variables" in entries else {}
    return Outline(tuple(stages), tuple(variables))
