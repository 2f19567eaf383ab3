"""Where a tenant's journal lies, without asking the tenant (run)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from exo_auth.errors import InputError
from exo_auth.run.journal import FILE_NAME
from exo_auth.run.settings import Settings


def journal_file(settings: Settings, environment: Mapping[str, str]) -> Path:
    """Give the journal of the tenant that is named; of the only one there is, when none is named by its id.

    Raises InputError when several tenants have journals and the id is not known.
    """
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
