"""Plan, show, confirm, publish: what the writing commands of `exo-auth dns` share (cli)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from exo_auth.cli.consent import approved, need_consent
from exo_auth.cli.hooked import hooked
from exo_auth.cli.options import Common, OutputFormat, Writing
from exo_auth.cli.showing import check_formats, report_plan, report_run, show_plan, show_report
from exo_auth.cli.talk import note, progress, warner
from exo_auth.cli.writing import plan_exit_code

if TYPE_CHECKING:
    from exo_auth.cli.dns import Wishes
    from exo_auth.plan.plan import Plan
    from exo_auth.run.hands import Listing
    from exo_auth.run.keys_in_use import KeysInUse
    from exo_auth.run.settings import Settings


def plan_records(common: Common, settings: Settings, wishes: Wishes, domains: list[str] | None) -> Plan:
    """Look at DNS, the tenant and the provider, and plan what is missing."""
    from exo_auth.cli.dns import records_of
    from exo_auth.run.dns_changes import NO_TENANT, open_zones, plan_publication
    from exo_auth.run.record_gate import RecordGate, hold_out_of_order

    zones = open_zones(settings)
    found = records_of(common, settings, wishes, domains)
    for one in found:
        for text in one.notes:
            note(common, f"note: {one.domain.unicode}: {text}")
    plan = plan_publication(zones, found, settings.limits, datetime.now(UTC), NO_TENANT)
    return hold_out_of_order(plan, RecordGate(settings), frozenset({"MX"}))


def save_plan(common: Common, plan: Plan, out: str) -> None:
    """Write the plan to a file."""
    from exo_auth.plan.plan_file import to_text
    from exo_auth.run.private_file import write_private

    write_private(Path(out), to_text(plan), replace=True)
    note(common, f"the plan is saved in {out}; apply it with: exo-auth dns apply --plan {out}")


def saved_plan(file: str) -> Plan:
    """Read a plan file; raises InputError or PlanStale."""
    from exo_auth.run.dns_changes import read_plan

    return read_plan(Path(file), datetime.now(UTC))


def apply_records(common: Common, writing: Writing, settings: Settings, make: Callable[[], Plan]) -> None:
    """Make the plan under the lock, show it, ask, publish, and end with the exit code of it all."""
    from exo_auth.plan.choice import Choice
    from exo_auth.run.carry_out import check_digest
    from exo_auth.run.dns_changes import dns_lock, publish

    check_formats(settings, writing.report)
    need_consent(common, writing)
    lock = dns_lock(settings, writing.lock_timeout, partial(note, common))
    with hooked(common, settings, writing) as listeners, lock:
        plan = make()
        listeners.planned(plan)
        if writing.digest:
            check_digest(plan.digest, writing.digest)
        if writing.dry_run or writing.out or plan.is_empty:
            if writing.out:
                save_plan(common, plan, writing.out)
            show_plan(common, settings, plan)
            code = plan_exit_code(plan, detailed=writing.detailed_exitcode)
            raise typer.Exit(report_plan(common, writing.report, plan, code))
        if settings.output == OutputFormat.TABLE:
            show_plan(common, settings, plan)
        choice = Choice(plan, {})
        if plan.exceeds_limit is None:
            choice = approved(common, writing, settings, plan)
            listeners.before_apply(choice.chosen)
        report = publish(
            settings,
            choice.chosen,
            reason=writing.reason,
            say=progress(common),
            sleep=time.sleep,
            after_change=listeners.after_change,
            keys=_keys(common, settings),
        )
        report = choice.whole(report)
        listeners.applied(report)
        show_report(common, settings, report)
        raise typer.Exit(report_run(common, writing.report, report))


def undo_records(common: Common, writing: Writing, settings: Settings, run: str, only: str = "") -> None:
    """Put back the sets that a run published, whichever journal tells of it."""
    from exo_auth.run.dns_changes import open_zones, plan_undo
    from exo_auth.run.journal import read
    from exo_auth.run.journal_place import run_named
    from exo_auth.run.record_gate import RecordGate, hold_out_of_order

    journal, run_id = run_named(settings, run)

    def way_back() -> Plan:
        lines = tuple(read(journal))  # under the lock: the run may have been at work until now
        plan = plan_undo(open_zones(settings), lines, run_id, datetime.now(UTC), only)
        gate = RecordGate(settings, keys=_keys(common, settings))
        return hold_out_of_order(plan, gate, frozenset({"MX", "TXT", "CNAME"}))

    apply_records(common, writing, settings, way_back)


def _keys(common: Common, settings: Settings) -> KeysInUse:
    """Ask the tenant which keys it signs with, where there is one and a way to sign in; only when it matters."""
    from exo_auth.cli.check import is_of_tenant
    from exo_auth.run.keys_in_use import KeysInUse
    from exo_auth.run.session import ReadingSession

    def listing() -> Listing:
        with ReadingSession(settings, os.environ, warn=warner(common), say=progress(common)) as session:
            return session.reader.dkim_listing()

    return KeysInUse(listing if is_of_tenant(settings, no_sign_in=False) else None)
