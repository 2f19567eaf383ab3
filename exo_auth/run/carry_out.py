"""From a wish to a plan, and from a plan to a report: what every writing verb does (run)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from exo_auth.checks.domains import classify
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, PlanStale
from exo_auth.facts.dns import MailDns
from exo_auth.plan.dkim import Scene
from exo_auth.plan.mail_flow import DANE_CMDLETS, DNSSEC_CMDLETS
from exo_auth.plan.outcome import RunReport
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.plan.plan_file import OCTODNS, check_applyable, from_text
from exo_auth.run.apply import Run, apply_plan
from exo_auth.run.hands import Hands, Patience
from exo_auth.run.hooks import AfterChange, ToldJournal
from exo_auth.run.interrupt import Interrupt
from exo_auth.run.jitter import jitter
from exo_auth.run.journal import FILE_NAME, Journal, read
from exo_auth.run.observe import Observation, look_at_tenant, observe
from exo_auth.run.pipeline import Look
from exo_auth.run.preflight import preflight
from exo_auth.run.recover import recover
from exo_auth.run.run_id import new_run_id
from exo_auth.run.service_clock import utc_now
from exo_auth.run.session import ReadingSession, WritingSession
from exo_auth.run.settings import Settings
from exo_auth.run.stage_gates import GateKeeper
from exo_auth.run.stage_time import THROUGH, Arrival
from exo_auth.run.trades import Trade

Planner = Callable[[Scene], Plan]
Say = Callable[[str], None]

LONGEST_PLAN_FILE = 64 * 1024 * 1024  # octets


@dataclass(frozen=True)
class Prepared:
    """A plan with what it was made from, ready to be applied."""

    plan: Plan
    look: Look
    observation: Observation | None
    notes: tuple[str, ...] = ()
    arrivals: tuple[Arrival, ...] = ()  # to be noted by whoever applies
    members: Mapping[str, tuple[DomainName, ...]] = field(default_factory=dict)  # of each stage of a playbook
    approved: str = ""  # the digest of a saved plan, whatever its gates took out of it since

    @property
    def digest(self) -> str:
        """Give the digest by which somebody may have approved the plan."""
        return self.approved or self.plan.digest


def wait_for_our_turn(settings: Settings, say: Say, sleep: Callable[[float], None]) -> None:
    """Spread unattended runs of a fleet; the same tenant waits the same time all day, another on each machine.

    So two machines whose schedules name the same minute do not meet in the same second.
    """
    wait = jitter(
        f"{settings.issuer_tenant}|{socket.gethostname()}", datetime.now(UTC).date(), settings.jitter
    )
    if wait and not settings.cloud.is_sandbox:
        say(f"waiting {int(wait.total_seconds())} s, so that jobs do not all start at once (--no-jitter)")
        sleep(wait.total_seconds())


def make_plan(session: ReadingSession, patterns: Sequence[str], planner: Planner, say: Say) -> Prepared:
    """Observe, check the caller's rights, plan."""
    observation = observe(session, patterns, say)
    plan = planner(observation.scene)
    if session.settings.octodns_config is not None:
        from exo_auth.run.dns_changes import open_zones, with_publication

        plan = with_publication(plan, open_zones(session.settings), session.settings.limits)
    preflight(session, cmdlets_of(plan))
    return Prepared(plan, observation.look, observation, observation.recovery.notes)


def prepare_other(session: ReadingSession, plan: Plan) -> Prepared:
    """Look at the tenant, and check the caller's rights, for a plan that was made elsewhere."""
    look = look_at_tenant(session)
    preflight(session, cmdlets_of(plan))
    recovery = recover(read(session.state / FILE_NAME), look.facts, session.clock.now())
    return Prepared(plan, look, None, recovery.notes)


def load_plan(session: ReadingSession, file: Path, say: Say) -> Prepared:
    """Read a plan file, look at the tenant anew, and judge the plan's gates again; raises InputError or PlanStale."""
    try:
        if file.stat().st_size > LONGEST_PLAN_FILE:
            raise InputError(f"{file} is too large for a plan")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the plan {file} cannot be read: {error}", hint="make one with `exo-auth plan --out FILE`"
        ) from None
    plan = from_text(text, file=str(file))
    look = look_at_tenant(session)
    check_applyable(plan, tenant_id=session.tenant_id, now=session.clock.now())
    preflight(session, cmdlets_of(plan))
    recovery = recover(read(session.state / FILE_NAME), look.facts, session.clock.now())
    in_flight = [change for change in plan.changes if change.target in recovery.in_flight]
    if in_flight:
        raise PlanStale(
            f"an earlier run sent a change for {in_flight[0].target} whose end is not known yet",
            hint=f"make a new plan after {recovery.in_flight[in_flight[0].target]:%Y-%m-%d %H:%MZ}",
        )
    # The limits of the day it is applied count, too: the file may have been made under others.
    plan = replace(
        plan, exceeds_limit=limit_excess(len(plan.changes), plan.considered, session.settings.limits)
    )
    domains = classify(look.facts.accepted_domains, session.settings.cloud.initial_suffixes)
    keeper = GateKeeper(session, look.facts, domains, session.clock.now())
    return Prepared(keeper.hold(plan, say), look, None, recovery.notes, approved=plan.digest)


def looked_at_before(prepared: Prepared) -> Prepared:
    """Let the tenant be looked at again where a person or a hook took their time: others may have begun meanwhile."""
    return replace(prepared, look=prepared.look.made_old())


def check_digest(made: str, digest: str) -> None:
    """Raise PlanStale unless the plan made now is the one whose digest was approved."""
    wanted = digest.strip().lower()
    if len(wanted) < 8 or not made.startswith(wanted):
        raise PlanStale(
            f"the plan made now has the digest {made[:16]}, not {wanted[:16]}: the tenant moved since",
            hint="look at the new plan, and approve its digest",
        )


def carry_out(
    session: WritingSession,
    prepared: Prepared,
    *,
    reason: str,
    say: Say,
    patience: Patience | None = None,
    open_journal: Callable[[Path], Journal] = Journal.open,
    after_change: AfterChange = lambda _sent: None,
) -> RunReport:
    """Apply the plan, and tell of each change that was sent. The caller holds the tenant's lock."""
    note_arrivals(session, prepared)
    journal = open_journal(session.state / FILE_NAME)
    recovery = recover(journal.lines, prepared.look.facts, session.clock.now())
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        hands = Hands(
            reader=session.reader,
            writer=session.writer,
            look_up=lambda domain: _one(session, domain),
            journal=ToldJournal(journal, after_change),
            clock=session.clock,
            say=say,
            answer_limit=session.write_limit,
            is_stopped=lambda: interrupt.is_requested,
            stop_code=lambda: interrupt.exit_code,
            sleep=session.sleep,
            patience=patience or Patience(),
            trades=_trades(session, prepared.plan),
        )
        return apply_plan(prepared.plan, hands, prepared.look, Run(new_run_id(), reason, recovery))


def note_found(session: ReadingSession, prepared: Prepared) -> None:
    """Note what looking found where there is nothing to change. The caller holds the tenant's lock."""
    note_arrivals(session, prepared)
    path = session.state / FILE_NAME
    recovery = recover(read(path), prepared.look.facts, session.clock.now()).only_looked_at()
    if not recovery.resolutions:
        return
    journal, run_id = Journal.open(path), new_run_id()
    for one in recovery.resolutions:
        now = session.clock.now()
        journal.append("resolved", run_id=run_id, at=utc_now(), service_time=now, body=one.body)


def note_arrivals(session: ReadingSession, prepared: Prepared) -> None:
    """Note in the journal which domains came to a stage that waits. The caller holds the tenant's lock."""
    if not prepared.arrivals:
        return
    journal, run_id = Journal.open(session.state / FILE_NAME), new_run_id()
    for one in prepared.arrivals:
        body = {"domain": one.domain.ascii, "stage": one.stage}
        journal.append(THROUGH, run_id=run_id, at=utc_now(), service_time=prepared.plan.made_at, body=body)


def cmdlets_of(plan: Plan) -> set[str]:
    """Name what the plan sends to the tenant: records are published elsewhere."""
    return {change.cmdlet for change in plan.changes if change.cmdlet != OCTODNS}


def _trades(session: WritingSession, plan: Plan) -> dict[str, Trade]:
    from exo_auth.run.dane_gate import InOrder
    from exo_auth.run.mail_flow_changes import mail_flow_trades

    trades = mail_flow_trades(session.reader, session.writer)
    zones = None
    sent = {change.cmdlet for change in plan.changes}
    has_zones = session.settings.octodns_config is not None
    if OCTODNS in sent or (has_zones and not sent.isdisjoint(DNSSEC_CMDLETS | DANE_CMDLETS)):
        from exo_auth.run.dns_changes import DnsTrade, open_zones
        from exo_auth.run.keys_in_use import KeysInUse
        from exo_auth.run.record_gate import RecordGate

        zones = open_zones(session.settings)
        keys = KeysInUse(session.reader.dkim_listing)
        trades[OCTODNS] = DnsTrade(zones, RecordGate(session.settings, session.clock.now, keys))
    return {cmdlet: InOrder(trade, session, zones) for cmdlet, trade in trades.items()}


def _one(session: ReadingSession, domain: DomainName) -> MailDns:
    return session.look_up([domain])[domain]
