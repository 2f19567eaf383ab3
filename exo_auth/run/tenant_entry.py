"""Add a tenant to the configuration file without touching what a person wrote there (run)."""

from __future__ import annotations

import re
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.run.config import validate
from exo_auth.run.private_file import write_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_HEAD = re.compile(r"^tenants:[ \t]*(#.*)?$", re.MULTILINE)


def add_tenant(
    file: Path, name: str, *, tenant_id: str | None, initial_domain: str | None, cloud: str | None
) -> None:
    """Write the entry and check the whole file; raises InputError and leaves the file as it was."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"“{name}” is no name for a tenant", hint="letters, digits, dots, hyphens, underscores"
        )
    text = file.read_text(encoding="utf-8") if file.exists() else "version: 1\n"
    if re.search(rf"^  ['\"]?{re.escape(name)}['\"]?:", text, re.MULTILINE):
        raise InputError(
            f"{file} has a tenant “{name}” already", hint="choose another name, or edit the file"
        )
    values = {"tenant_id": tenant_id, "initial_domain": initial_domain, "cloud": cloud}
    entry = f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in values.items() if value)
    head = _HEAD.search(text)
    if head is not None:
        text = f"{text[: head.end()]}\n{entry.rstrip()}{text[head.end() :]}"
    elif re.search(r"^tenants:", text, re.MULTILINE):
        raise InputError(
            f"the tenants of {file} stand on one line", hint="write them one below the other first"
        )
    else:
        text = f"{text.rstrip()}\n\ntenants:\n{entry}"
    _checked(file, text)
    write_private(file, text, replace=True, make_folder=True)


def _checked(file: Path, text: str) -> None:
    trial = file.with_name(f"{file.name}.trial")
    write_private(trial, text, replace=True, make_folder=True)
    try:
        errors = validate(trial)
    finally:
        trial.unlink()
    if errors:
        raise InputError(f"the entry does not fit: {errors[0].message.replace(str(trial), str(file))}")
