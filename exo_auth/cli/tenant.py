"""`exo-auth tenant`: the tenants of the configuration (cli)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.options import Common, command
from exo_auth.cli.talk import note, progress, put, warner
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.run.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.command("list")
@command
def list_tenants(common: Common) -> None:
    """List the tenants of the configuration file.

    Example:  exo-auth tenant list
    """
    from exo_auth.render.tenant_text import tenants_text

    settings = common.settings()
    rows = [(one.name, one.tenant_id, one.initial_domain, one.cloud, one.where) for one in settings.tenants]
    put(tenants_text(rows, settings.output, color=common.color))


@app.command()
@command
def show(common: Common) -> None:
    """Show the tenant that is chosen here, and where that comes from. Nothing is asked of it.

    Example:  exo-auth tenant show -t contoso.onmicrosoft.com
    """
    from exo_auth.render.tenant_text import facts_text

    settings = common.settings()
    put(facts_text("tenant", _facts(settings), settings.output))


@app.command()
@command
def add(
    common: Common,
    name: Annotated[str, typer.Argument(metavar="NAME", help="How you call it.")],
    initial_domain: Annotated[
        str | None,
        typer.Option(
            "--initial-domain", envvar="EXO_AUTH_INITIAL_DOMAIN", help="Such as contoso.onmicrosoft.com."
        ),
    ] = None,
    tenant_id: Annotated[
        str | None, typer.Option("--tenant-id", envvar="EXO_AUTH_TENANT_ID", help="Its directory id.")
    ] = None,
) -> None:
    """Add a tenant to the configuration file; comments and order stay as they are.

    Example:  exo-auth tenant add contoso --initial-domain contoso.onmicrosoft.com
    """
    from exo_auth.run.config import chosen_file
    from exo_auth.run.tenant_entry import add_tenant

    if not initial_domain and not tenant_id:
        raise InputError("nothing says which tenant it is", hint="give --initial-domain or --tenant-id")
    file = chosen_file(common.config, os.environ)
    add_tenant(file, name, tenant_id=tenant_id, initial_domain=initial_domain, cloud=common.cloud)
    note(common, f"{name} is added to {file}; `exo-auth tenant test -t {name}` signs in to it")


@app.command()
@command
def test(common: Common) -> None:
    """Sign in and read the tenant's organization: is everything there that a run needs?

    Example:  exo-auth tenant test -t contoso
    """
    from exo_auth.render.tenant_text import facts_text
    from exo_auth.run.preflight import preflight
    from exo_auth.run.session import ReadingSession

    settings = common.settings()
    with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
        organization = session.reader.organization()
        preflight(session, WANTED)
        facts = {
            "tenant id": session.tenant_id,
            "organization": organization.name,
            "may run": ", ".join(WANTED),
        }
    put(facts_text("tenant-test", facts, settings.output))


WANTED = (
    "Get-AcceptedDomain",
    "Get-DkimSigningConfig",
    "New-DkimSigningConfig",
    "Rotate-DkimSigningConfig",
    "Set-DkimSigningConfig",
)


def _facts(settings: Settings) -> dict[str, str]:
    return {
        "tenant": settings.tenant,
        "tenant id": settings.tenant_id,
        "initial domain": settings.initial_domain,
        "cloud": settings.cloud.name,
        "authority": settings.cloud.authority,
        "exchange": settings.cloud.exchange_url,
        "sign-in": settings.auth.method,
        "from": str(settings.origin("tenant")),
        "state": str(settings.state_dir),
    }
