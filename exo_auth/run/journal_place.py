"""Where the journals lie, without asking the tenant (run)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.run.journal import FILE_NAME
from exo_auth.run.settings import Settings

MOST_NAMED = 5  # runs that begin alike, in an error


def journal_of_dns(settings: Settings) -> Path:
    """Give the journal of records that were published without a tenant."""
    return settings.state_dir / "dns" / FILE_NAME


def journal_files(settings: Settings, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Give the journals that are there: of records published without a tenant, and of the tenant that is named.

    Of the only tenant there is, when none is named by its id. Raises InputError when several tenants have journals and
    the id is not known.
    """
    every = (journal_of_dns(settings), _of_tenant(settings, environment))
    return tuple(path for path in every if path.exists())


def journals_here(settings: Settings) -> tuple[Path, ...]:
    """Give every journal under the state directory: of records published without a tenant, and of all tenants."""
    return (journal_of_dns(settings), *sorted((settings.state_dir / "tenants").glob(f"*/{FILE_NAME}")))


def run_named(settings: Settings, name: str) -> tuple[Path, str]:
    """Find a run by its name, or the beginning of it, and give its journal and whole name.

    Raises InputError when no journal holds one, and when several begin so.
    """
    pattern = re.compile(rb'"run":"(' + re.escape(name).encode() + rb'[^"]*)"')
    found = {
        run.decode(): path
        for path in journals_here(settings)
        if path.is_file()
        for run in pattern.findall(path.read_bytes())
    }
    if not found or not name:
        raise InputError(f"no journal here holds run {name}", hint="exo-auth journal list names the runs")
    if len(found) > 1 and name not in found:
        few = ", ".join(sorted(found)[:MOST_NAMED])
        raise InputError(f"{len(found)} runs begin with “{name}”", hint=f"give more of the name: {few}")
    run_id = name if name in found else min(found)
    return found[run_id], run_id


def _of_tenant(settings: Settings, environment: Mapping[str, str]) -> Path:
    folder = settings.state_dir / "tenants"
    tenant_id = settings.tenant_id or environment.get("EXO_AUTH_TENANT_ID", "")
    if tenant_id:
        return folder / tenant_id.lower() / FILE_NAME
    found = sorted(folder.glob(f"*/{FILE_NAME}"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise InputError(
            f"{len(found)} tenants have journals here", hint=f"name one by its id with -t: {names}"
        )
    return found[0] if found else folder / settings.tenant / FILE_NAME
