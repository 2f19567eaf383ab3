"""Apply a plan: compare, check the gate, journal, send, read back — one change at a time (run).

The only module that writes to a tenant. A change is sent at most once: whatever the answer is, or when there is none,
the tenant is read until it tells, and what it does not tell stays open in the journal for the next run to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from exo_auth.checks import dkim as dkim_checks
from exo_auth.checks.dkim import NEGATIVE_CACHE, DkimFacts
from exo_auth.checks.readiness import Readiness, ReadinessState, Step, readiness
from exo_auth.errors import (
    CmdletFailed,
    CnameMissing,
    Conflict,
    ExchangeError,
    ExoAuthError,
    ProtocolError,
    TransportBroken,
)
from exo_auth.facts.tenant import DkimSigningConfig, TenantFacts
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.dkim_state import Effect, differences, effect_of, snapshot_of
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan, refuse_excess
from exo_auth.plan.plan_file import change_document
from exo_auth.run.hands import Hands
from exo_auth.run.recover import SETTLING_TIME, Recovery
from exo_auth.run.trades import Tools, apply_with, failure, why_stop

FRESH_FOR = timedelta(seconds=60)  # an older look at the tenant is repeated before the first change

_STEPS = {
    Verb.CREATE: Step.CREATE,
    Verb.ENABLE: Step.ENABLE,
    Verb.DISABLE: Step.DISABLE,
    Verb.ROTATE: Step.ROTATE,
}


@dataclass(frozen=True)
class Look:
    """What was read last, and when it was read by this machine's clock."""

    facts: TenantFacts
    at: datetime


@dataclass(frozen=True)
class Run:
    """Who applies what: the name in the journal, the person's reason, and what looking back found."""

    run_id: str
    reason: str = ""
    recovery: Recovery = field(default_factory=Recovery)


def apply_plan(plan: Plan, hands: Hands, look: Look, run: Run) -> RunReport:
    """Apply the changes in order; there is one outcome for each, also when nothing was sent.

    Raises TooMuchChange before anything is sent, and JournalError when the journal cannot be written: then
    nothing more is sent.
    """
    refuse_excess(plan)
    started = hands.local_clock()
    _note_resolutions(hands, run)
    outcomes: list[Outcome] = []
    stopped_by = ""
    for change in plan.changes:
        if not stopped_by and hands.is_stopped():
            stopped_by = "the run was interrupted before"
        if stopped_by:
            outcomes.append(Outcome(change, Result.SKIPPED, error=stopped_by))
            continue
        if change.cmdlet in hands.trades:
            outcome, stopped_by = apply_with(hands.trades[change.cmdlet], change, _tools(hands, run))
            outcomes.append(outcome)
            continue
        try:
            look = _fresh(hands, look)
            step = _Applied(hands, run, change, look).apply()
        except ExoAuthError as error:
            step = _Ended(failure(change, Result.FAILED, error), None, why_stop(error))
        outcomes.append(step.outcome)
        look = step.look or replace(look, at=look.at - FRESH_FOR)
        stopped_by = step.stop
    return RunReport(
        run_id=run.run_id,
        plan=plan,
        outcomes=tuple(outcomes),
        started_at=started,
        ended_at=hands.local_clock(),
        interrupted=hands.stop_code() if hands.is_stopped() else 0,
        notes=run.recovery.notes,
    )


def _tools(hands: Hands, run: Run) -> Tools:
    return Tools(
        hands.journal,
        run.run_id,
        run.reason,
        hands.say,
        hands.sleep,
        hands.is_stopped,
        hands.stop_code,
        hands.clock.now,
        hands.patience,
    )


@dataclass(frozen=True)
class _Ended:
    """How one change ended; `look` is what was read afterwards, `stop` why the run must not go on."""

    outcome: Outcome
    look: Look | None
    stop: str = ""


@dataclass(frozen=True)
class _Applied:
    """One change on its way."""

    hands: Hands
    run: Run
    change: Change
    look: Look

    def apply(self) -> _Ended:
        """Take the change through all its steps."""
        held = self._precondition(self.look)
        if held is None and (held := self._closed_gate(self.look)) is not None:
            # A gate that closed may only mean that the tenant moved since the last look.
            look = _read_back(self.hands, self.look)
            return _Ended(self._precondition(look) or self._closed_gate(look) or held, look)
        if held is not None:
            return _Ended(held, self.look)
        intent = self._journal("intent", {"change": change_document(self.change), "reason": self.run.reason})
        self.hands.say(f"{self.change.target.unicode}: {self.change.verb}, sending {self.change.cmdlet}")
        try:
            _send(self.change, self.hands)
        except (TransportBroken, ProtocolError, Conflict) as error:
            nothing_sent = isinstance(error, TransportBroken) and not error.sent
            ended = (
                self._ended(failure(self.change, Result.FAILED, error))
                if nothing_sent
                else self._observe_unknown(error)
            )
        except CnameMissing as error:
            ended = self._ended(self._wait_for_exchange(error))
        except CmdletFailed as error:
            ended = self._observe_refusal(error)
        except ExoAuthError as error:
            ended = self._ended(failure(self.change, Result.REFUSED, error), stop=why_stop(error))
        else:
            ended = self._verify()
        outcome = ended.outcome
        self._journal(
            "result",
            {
                "intent": intent,
                "result": outcome.result.value,
                "evidence": dict(outcome.evidence),
                "error": outcome.error,
            },
        )
        return ended

    def _precondition(self, look: Look) -> Outcome | None:
        """Compare what the plan was computed from with what is there now; None when they agree."""
        config = look.facts.dkim_config(self.change.target)
        if effect_of(self.change, config) is Effect.DONE:
            return Outcome(self.change, Result.ALREADY_SO, evidence=snapshot_of(config))
        moved = differences(self.change.before, snapshot_of(config))
        if not moved:
            return None
        return Outcome(
            self.change,
            Result.STALE,
            evidence=snapshot_of(config),
            error=f"the tenant moved since the plan was made: {'; '.join(moved)}",
            hint="make a new plan",
            exit_code=8,
        )

    def _closed_gate(self, look: Look) -> Outcome | None:
        """Ask DNS once more, right before the change; None when the gate is open."""
        gate = self._gate(look)
        if gate is None or gate.state is ReadinessState.READY:
            return None
        waiting = gate.state is ReadinessState.WAITING
        codes = {ReadinessState.WAITING: 4, ReadinessState.BLOCKED: 3, ReadinessState.UNKNOWN: 6}
        return Outcome(
            self.change,
            Result.WAITING if waiting else Result.BLOCKED,
            error="the gate closed: " + "; ".join(finding.message for finding in gate.findings),
            hint="; ".join(finding.remedy for finding in gate.findings if finding.remedy),
            not_before=gate.not_before,
            exit_code=codes[gate.state],
        )

    def _gate(self, look: Look) -> Readiness | None:
        domain = self.change.target
        accepted = look.facts.accepted(domain)
        if self.change.verb is Verb.CREATE or accepted is None or accepted.is_initial:
            return None
        config = look.facts.dkim_config(domain)
        if config is None or not config.has_keys:
            return None
        facts = DkimFacts(domain, config, self.hands.look_up(domain), self.hands.clock.now())
        return readiness(domain, _STEPS[self.change.verb], dkim_checks.check(facts))

    def _verify(self) -> _Ended:
        """Read back until the tenant shows the change."""
        look, effect = self._poll()
        if look is not None and effect is Effect.DONE:
            return _Ended(self._applied(look), look)
        return self._ended(
            Outcome(
                self.change,
                Result.ACCEPTED,
                error="the service accepted the change, and reads do not show it yet",
                hint="look again in a few minutes; the next run does so by itself and does not send it again",
                not_before=self.hands.clock.now() + SETTLING_TIME,
                exit_code=0 if look is not None else 6,
            )
        )

    def _observe_unknown(self, error: ExchangeError) -> _Ended:
        """Find out by reading whether a write whose answer is missing or contradictory took effect."""
        self.hands.say(
            f"{self.change.target.unicode}: no clear answer; looking at the tenant before anything else"
        )
        look, effect = self._poll()
        if look is not None and effect is Effect.DONE:
            return _Ended(
                replace(self._applied(look), error=f"answered unclearly, seen in effect: {error}"), look
            )
        if isinstance(error, Conflict):
            return self._ended(failure(self.change, Result.FAILED, error))
        return self._ended(
            Outcome(
                self.change,
                Result.UNKNOWN,
                error=f"sent, and no look since could tell whether it took effect: {error}",
                hint="it is not sent again; the next run finds out by looking",
                not_before=self.hands.clock.now() + SETTLING_TIME,
                exit_code=6,
            )
        )

    def _poll(self) -> tuple[Look | None, Effect | None]:
        """Read until the change shows; give the last look, None when reading failed, and what it shows."""
        patience = self.hands.patience
        waited = timedelta(0)
        look: Look | None = None
        effect: Effect | None = None
        while True:
            try:
                look = _read_back(self.hands, self.look)
            except ExoAuthError as error:
                self.hands.say(f"{self.change.target.unicode}: could not read back: {error}")
            else:
                effect = effect_of(self.change, look.facts.dkim_config(self.change.target))
                if effect is Effect.DONE:
                    return look, effect
            if waited >= patience.poll_for or self.hands.is_stopped():
                return look, effect  # the journal keeps it open: the next run looks again
            self.hands.say(f"{self.change.target.unicode}: not visible yet")
            self.hands.sleep(patience.poll_every.total_seconds())
            waited += patience.poll_every

    def _applied(self, look: Look) -> Outcome:
        config = look.facts.dkim_config(self.change.target)
        self.hands.say(f"{self.change.target.unicode}: {self.change.verb} is done and read back")
        waits = self.change.verb is Verb.CREATE
        return Outcome(
            self.change,
            Result.APPLIED,
            evidence=_evidence(config),
            hint="publish the two CNAMEs, then run `exo-auth dkim enable` again" if waits else "",
            not_before=self._after_creation() if waits else None,
            exit_code=4 if waits else 0,
        )

    def _after_creation(self) -> datetime:
        dns = self.hands.look_up(self.change.target)
        negative = getattr(dns.selector1.cname, "negative_ttl", None) or NEGATIVE_CACHE
        return self.hands.clock.now() + negative

    def _observe_refusal(self, error: CmdletFailed) -> _Ended:
        """Look once after a “no”: an error can stand beside a change that was made all the same."""
        try:
            look = _read_back(self.hands, self.look)
        except ExoAuthError:
            return self._ended(failure(self.change, Result.REFUSED, error))
        if effect_of(self.change, look.facts.dkim_config(self.change.target)) is Effect.DONE:
            return _Ended(
                replace(self._applied(look), error=f"reported an error, seen in effect: {error}"), look
            )
        return _Ended(failure(self.change, Result.REFUSED, error), look)

    def _wait_for_exchange(self, error: CnameMissing) -> Outcome:
        return replace(
            failure(self.change, Result.WAITING, error),
            hint="Exchange Online does not see the CNAMEs yet and remembers that for a while; "
            "leave DNS as it is and run the command again later",
            not_before=self.hands.clock.now() + NEGATIVE_CACHE,
        )

    def _ended(self, outcome: Outcome, stop: str = "") -> _Ended:
        return _Ended(outcome, None, stop)

    def _journal(self, event: str, body: Mapping[str, Any]) -> int:
        return _append(self.hands, self.run, event, body)


def _send(change: Change, hands: Hands) -> None:
    writer, domain = hands.writer, change.target
    if change.verb is Verb.CREATE:
        writer.create_dkim_config(domain, int(change.parameters["KeySize"]))
    elif change.verb is Verb.ENABLE:
        writer.enable_dkim(domain)
    elif change.verb is Verb.DISABLE:
        writer.disable_dkim(domain)
    elif change.verb is Verb.ROTATE:
        size = change.parameters.get("KeySize")
        writer.rotate_dkim(domain, int(size) if size is not None else None)
    else:
        raise AssertionError(f"{change.verb} is not applied here")  # check_applyable has refused it


def _read_back(hands: Hands, former: Look) -> Look:
    """List the DKIM configurations; the listing is also the fresh look before the next change."""
    configs = hands.reader.dkim_signing_configs()
    hands.clock.hear(hands.reader.last_service_clock)
    facts = replace(former.facts, dkim_configs=configs, service_clock=hands.reader.last_service_clock)
    return Look(facts, hands.local_clock())


def _fresh(hands: Hands, look: Look) -> Look:
    """Repeat a look that is too old to act on."""
    return look if hands.local_clock() - look.at < FRESH_FOR else _read_back(hands, look)


def _evidence(config: DkimSigningConfig | None) -> dict[str, Any]:
    evidence = snapshot_of(config)
    if config is not None:
        evidence["status"] = config.status
        for key in (config.selector1, config.selector2):
            evidence[f"{key.selector}_cname"] = key.cname_target.ascii if key.cname_target else None
    return evidence


def _note_resolutions(hands: Hands, run: Run) -> None:
    for resolution in run.recovery.resolutions:
        _append(
            hands,
            run,
            "resolved",
            {
                "intent": resolution.open.number,
                "effect": resolution.effect.value,
                "sentence": resolution.sentence,
            },
        )


def _append(hands: Hands, run: Run, event: str, body: Mapping[str, Any]) -> int:
    line = hands.journal.append(
        event,
        run_id=run.run_id,
        at=hands.local_clock(),
        service_time=hands.clock.now(),
        body=dict(body),
    )
    return line.number
