"""A change as the cmdlet that would do it by hand (render, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.plan.change import Change
from exo_auth.plan.plan_file import OCTODNS

_NAMES_ITSELF = frozenset({"Identity", "Name", "DomainName"})  # parameters that say what is meant


def powershell_line(change: Change) -> str:
    """Write the command line, "" for a record: that is nothing of the tenant's."""
    if change.cmdlet == OCTODNS:
        return ""
    parameters = dict(change.parameters)
    if not _NAMES_ITSELF & parameters.keys():
        key = "DomainName" if change.cmdlet.startswith("New-Dkim") else "Identity"
        parameters = {key: change.target.ascii, **parameters}
    return " ".join([change.cmdlet, *(f"-{name} {_written(value)}" for name, value in parameters.items())])


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return ",".join(_written(one) for one in value) or "@()"
    text = str(value)
    plain = bool(text) and all(char.isalnum() or char in "._-" for char in text)
    return text if plain else "'" + text.replace("'", "''") + "'"
