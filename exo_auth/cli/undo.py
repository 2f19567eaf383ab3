"""`exo-auth undo`: take a run back (cli)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exo_auth.cli.completing import runs
from exo_auth.cli.dns import OctoDns
from exo_auth.cli.options import Common, Writing, command
from exo_auth.errors import InputError

if TYPE_CHECKING:
    from exo_auth.plan.plan import Plan
    from exo_auth.run.session import WritingSession


@command
def undo(
    common: Common,
    writing: Writing,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run of `journal list`, or the beginning of its name.", autocompletion=runs
        ),
    ],
    only: Annotated[
        str,
        typer.Option(
            "--only",
            metavar="CHANGE|DOMAIN",
            envvar="EXO_AUTH_UNDO_ONLY",
            help="One change by its key of `journal show`, or the changes of one domain or record.",
        ),
    ] = "",
    octodns: OctoDns = None,
) -> None:
    """Plan what takes a run back, show it, and carry it out; what has no way back is told with the reason.

    What has moved since that run is refused, not guessed. A run of `dns apply` goes back without a sign-in.

    Example:  exo-auth undo 2026-11-24T03-00-00Z-1a2b --only enable:contoso.com
    """
    from exo_auth.cli.dns_writing import undo_records
    from exo_auth.cli.writing import write_other
    from exo_auth.run.journal_place import journal_of_dns, run_named

    wanted: dict[str, object] = {"octodns_config": octodns} if octodns else {}
    settings = common.settings(wanted)
    journal, run_id = run_named(settings, run)
    if journal == journal_of_dns(settings):
        undo_records(common, writing, settings, run_id, only)
    else:
        write_other(common, writing, lambda session: _plan(session, run_id, only), wanted)


def _plan(session: WritingSession, run: str, only: str) -> Plan:
    from exo_auth.facts.tenant import TenantRef
    from exo_auth.run.journal import FILE_NAME, read
    from exo_auth.run.keys_in_use import KeysInUse
    from exo_auth.run.record_gate import RecordGate, hold_out_of_order
    from exo_auth.run.undo import plan_undo

    path = session.state / FILE_NAME
    if not path.exists():
        raise InputError("this tenant has no journal here", hint="give the --state-dir of that run")
    settings = session.settings
    tenant = TenantRef(session.tenant_id, settings.initial_domain or settings.tenant, settings.cloud.name)
    plan = plan_undo(read(path), run, tenant, session.clock.now(), only)
    gate = RecordGate(settings, session.clock.now, KeysInUse(session.reader.dkim_listing))
    return hold_out_of_order(plan, gate, frozenset({"CNAME"}))
