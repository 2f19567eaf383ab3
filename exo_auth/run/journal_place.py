"""Where the journals lie, without asking the tenant (run)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.run.journal import FILE_NAME
from exo_auth.run.settings import Settings


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


def journal_of_run(settings: Settings, run_id: str) -> Path:
    """Find the journal that holds a run; raises InputError when none does."""
    places = journals_here(settings)
    needle = f'"run":"{run_id}"'.encode()
    for path in places:
        if path.is_file() and needle in path.read_bytes():
            return path
    raise InputError(f"no journal here holds run {run_id}", hint="exo-auth journal list names the runs")


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
