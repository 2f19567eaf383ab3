"""The one grammar of all writing verbs: plan, show, confirm, apply, verify (cli)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from exo_auth.cli.consent import approved, need_consent
from exo_auth.cli.hooked import hooked
from exo_auth.cli.options import Common, OutputFormat, Policy, Writing, given
from exo_auth.cli.showing import (
    check_formats,
    report_plan,
    report_run,
    show_plan,
    show_report,
)
from exo_auth.cli.talk import note, progress, warner
from exo_auth.errors import TooMuchChange

if TYPE_CHECKING:
    from exo_auth.plan.outcome import RunReport
    from exo_auth.plan.plan import Plan
    from exo_auth.run.carry_out import Planner, Prepared
    from exo_auth.run.listeners import Listeners
    from exo_auth.run.session import WritingSession
    from exo_auth.run.settings import Settings

EXIT_CHANGES = 2


def write(
    common: Common, policy: Policy, writing: Writing, patterns: Sequence[str], planner: Planner
) -> None:
    """Make a plan for the chosen domains and carry it out, as far as the options say."""
    from exo_auth.run.carry_out import make_plan

    _run(common, policy, writing, lambda session: make_plan(session, patterns, planner, progress(common)))


def write_other(
    common: Common,
    writing: Writing,
    make: Callable[[WritingSession], Plan],
    wanted: Mapping[str, object] | None = None,
) -> None:
    """Make a plan of changes other than DKIM's, and carry it out; `wanted` are settings that options gave."""
    from exo_auth.run.carry_out import prepare_other

    _run(common, Policy(), writing, lambda session: prepare_other(session, make(session)), wanted)


def write_with(
    common: Common,
    policy: Policy,
    writing: Writing,
    prepare: Callable[[WritingSession], Prepared],
    wanted: Mapping[str, object],
) -> None:
    """Prepare a plan as told, and carry it out, as far as the options say; `wanted` are settings of a playbook."""
    _run(common, policy, writing, prepare, wanted)


def apply_saved(common: Common, policy: Policy, writing: Writing, file: str) -> None:
    """Carry out a plan that was saved before."""
    from exo_auth.run.carry_out import load_plan

    _run(common, policy, writing, lambda session: load_plan(session, Path(file), progress(common)))


def _run(
    common: Common,
    policy: Policy,
    writing: Writing,
    prepare: Callable[[WritingSession], Prepared],
    wanted: Mapping[str, object] | None = None,
) -> None:
    settings = writing_settings(common, policy, writing, wanted or {})
    need_consent(common, writing)
    with ExitStack() as stack:
        listeners = stack.enter_context(hooked(common, settings, writing))
        session = open_session(stack, common, settings, writing)
        finish(common, writing, settings, session, prepare(session), listeners)


def finish(
    common: Common,
    writing: Writing,
    settings: Settings,
    session: WritingSession,
    prepared: Prepared,
    listeners: Listeners,
) -> None:
    """Show the plan, and save it or carry it out."""
    from exo_auth.run.carry_out import check_digest, note_found

    plan = prepared.plan
    listeners.planned(plan)
    if writing.digest:
        check_digest(prepared.digest, writing.digest)
    stops_here = writing.dry_run or bool(writing.out)
    for text in prepared.notes:
        note(common, f"note: {text}")
    if stops_here or plan.is_empty:
        if not stops_here:
            note_found(session, prepared)
        if writing.out:
            _save(common, plan, writing.out)
        show_plan(common, settings, plan)
        code = plan_exit_code(plan, detailed=writing.detailed_exitcode)
        raise typer.Exit(report_plan(common, writing.report, plan, code))
    report = apply_shown(common, writing, settings, session, prepared, listeners)
    show_report(common, settings, report)
    raise typer.Exit(report_run(common, writing.report, report))


def apply_shown(
    common: Common,
    writing: Writing,
    settings: Settings,
    session: WritingSession,
    prepared: Prepared,
    listeners: Listeners,
) -> RunReport:
    """Show a plan that has changes, ask for consent, and carry it out; one that publishes holds the lock of DNS, too."""
    from exo_auth.plan.plan_file import OCTODNS

    with ExitStack() as stack:
        if any(change.cmdlet == OCTODNS for change in prepared.plan.changes):
            from exo_auth.run.dns_changes import dns_lock

            stack.enter_context(dns_lock(settings, writing.lock_timeout, partial(note, common)))
        return _apply_held(common, writing, settings, session, prepared, listeners)


def _apply_held(
    common: Common,
    writing: Writing,
    settings: Settings,
    session: WritingSession,
    prepared: Prepared,
    listeners: Listeners,
) -> RunReport:
    from exo_auth.plan.choice import Choice
    from exo_auth.run.carry_out import carry_out, looked_at_before

    plan = prepared.plan
    choice = Choice(plan, {})
    if settings.output == OutputFormat.TABLE:
        show_plan(common, settings, plan)
    if plan.exceeds_limit is None:
        choice = approved(common, writing, settings, plan)
        listeners.before_apply(choice.chosen)
    prepared = replace(prepared, plan=choice.chosen)
    waited = not writing.yes or bool(settings.hooks.before_apply)
    report = carry_out(
        session,
        looked_at_before(prepared) if waited else prepared,
        reason=writing.reason,
        say=progress(common),
        after_change=listeners.after_change,
    )
    report = choice.whole(report)
    listeners.applied(report)
    return report


def plan_exit_code(plan: Plan, *, detailed: bool) -> int:
    """Give the exit code of a plan that is only shown."""
    from exo_auth.plan.outcome import plan_exit_codes, worst_exit_code

    codes = plan_exit_codes(plan)
    if plan.exceeds_limit:
        codes.add(TooMuchChange.exit_code)
    if detailed and plan.changes:
        codes.add(EXIT_CHANGES)
    return worst_exit_code(codes)


def writing_settings(
    common: Common, policy: Policy, writing: Writing, wanted: Mapping[str, object]
) -> Settings:
    """Resolve the settings of a command that may write; raises InputError for options that do not go together."""
    settings = common.settings({**wanted, **given(policy)})
    check_formats(settings, writing.report)
    for warning in settings.warnings:
        warner(common)(warning)
    return settings


def open_session(stack: ExitStack, common: Common, settings: Settings, writing: Writing) -> WritingSession:
    """Wait for our turn, open a session, and take the tenant's lock if something may be written."""
    from exo_auth.run.carry_out import wait_for_our_turn
    from exo_auth.run.durations import parse_duration
    from exo_auth.run.lock import tenant_lock
    from exo_auth.run.session import WritingSession

    may_write = not (writing.dry_run or writing.out)
    if may_write and writing.yes and not writing.no_jitter and not sys.stderr.isatty():
        wait_for_our_turn(settings, lambda text: note(common, text), time.sleep)
    session = stack.enter_context(
        WritingSession(
            settings,
            os.environ,
            warn=warner(common),
            say=progress(common),
            prompt=lambda text: note(common, text),
        )
    )
    if may_write:
        wait = parse_duration(writing.lock_timeout) if writing.lock_timeout else settings.timeouts.lock
        command = " ".join(["exo-auth", *sys.argv[1:3]])
        say = partial(note, common)
        stack.enter_context(tenant_lock(session.state, command=command, wait=wait, say=say))
    return session


def _save(common: Common, plan: Plan, out: str) -> None:
    from exo_auth.plan.plan_file import to_text
    from exo_auth.run.private_file import write_private

    write_private(Path(out), to_text(plan), replace=True)
    note(common, f"the plan is saved in {out}; apply it with: exo-auth apply {out}")
