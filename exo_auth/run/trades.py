"""How changes of other kinds than DKIM are made: looked at, sent, looked at again (run).

A `Trade` knows one kind of change. Its states are absolute, so that a change found in flight is compared with what is
there and never simply repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from exo_auth.errors import (
    CmdletFailed,
    ExoAuthError,
    JournalError,
    NotPermitted,
    SignInError,
    Throttled,
    TransportBroken,
)
from exo_auth.plan.change import Blockage, Change, Deferral
from exo_auth.plan.dependence import blocker
from exo_auth.plan.outcome import Outcome, Result, RunReport
from exo_auth.plan.plan import Plan, refuse_excess
from exo_auth.plan.plan_file import change_document
from exo_auth.run.hands import JournalKeeper, Patience
from exo_auth.run.service_clock import utc_now


class Trade(Protocol):
    """One kind of change."""

    def state(self, change: Change) -> Mapping[str, Any]:
        """Look now; the keys are those of the change's `before` and `after`. Raises ExoAuthError."""
        ...

    def closed_gate(self, change: Change) -> Outcome | None:
        """Ask once more, right before the change, whether its gate is open; None when it is."""
        ...

    def send(self, change: Change) -> None:
        """Make the change; raises ExoAuthError, after which only a look tells what was done."""
        ...


@dataclass(frozen=True)
class Tools:
    """What every trade shares: the journal, the run's name and reason, time and words."""

    journal: JournalKeeper
    run_id: str
    reason: str = ""
    say: Callable[[str], None] = lambda _text: None
    sleep: Callable[[float], None] = lambda _seconds: None
    is_stopped: Callable[[], bool] = lambda: False
    stop_code: Callable[[], int] = lambda: 130
    clock: Callable[[], datetime] = utc_now  # of the service, where it has one
    patience: Patience = field(default_factory=Patience)


def apply_with_trades(plan: Plan, trades: Mapping[str, Trade], tools: Tools) -> RunReport:
    """Apply a plan whose changes are all of these trades; one outcome for each, also when nothing was sent."""
    refuse_excess(plan)
    started = utc_now()
    outcomes: list[Outcome] = []
    stopped_by = ""
    for change in plan.changes:
        if not stopped_by and tools.is_stopped():
            stopped_by = "the run was interrupted before"
        if stopped_by:
            outcomes.append(Outcome(change, Result.SKIPPED, error=stopped_by))
            continue
        if (end := unfounded(change, outcomes)) is not None:
            outcomes.append(end)
            continue
        outcome, stopped_by = apply_with(trades[change.cmdlet], change, tools)
        outcomes.append(outcome)
    interrupted = tools.stop_code() if tools.is_stopped() else 0
    return RunReport(tools.run_id, plan, tuple(outcomes), started, utc_now(), interrupted)


def unfounded(change: Change, before: Iterable[Outcome]) -> Outcome | None:
    """Give the end of a change that must not be sent because one before it, on which it builds, was not made."""
    not_made = [one for one in before if one.result not in (Result.APPLIED, Result.ALREADY_SO)]
    needed = blocker(change, [one.change for one in not_made])
    if needed is None:
        return None
    # The run's exit code is that of the change before; one that was accepted has none, and time will tell.
    has_code = any(one.exit_code for one in not_made if one.change is needed)
    why = f"it builds on “{needed.title}”, which was not made"
    return Outcome(
        change, Result.SKIPPED, error=why, hint="run the command again", exit_code=0 if has_code else 4
    )


def apply_with(trade: Trade, change: Change, tools: Tools) -> tuple[Outcome, str]:
    """Take one change through all its steps; give its end, and why the run must not go on ("" when it may)."""
    try:
        held = _held(trade, change)
        if held is not None:
            return held, ""
        intent = _journal(tools, "intent", {"change": change_document(change), "reason": tools.reason})
    except ExoAuthError as error:
        return failure(change, Result.FAILED, error), why_stop(error)
    tools.say(f"{change.target.unicode}: {change.verb}, sending {change.cmdlet}")
    outcome, stop = _sent(trade, change, tools)
    body = {
        "intent": intent,
        "result": outcome.result.value,
        "evidence": dict(outcome.evidence),
        "error": outcome.error,
    }
    try:
        _journal(tools, "result", body)
    except JournalError as error:
        return unnoted(outcome, error), stop or why_stop(error)
    return outcome, stop


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say which keys of a wanted state are otherwise in the one that was found."""
    return [
        f"{key} is {_shown(found.get(key))}, not {_shown(value)}"
        for key, value in wanted.items()
        if _plain(found.get(key)) != _plain(value)
    ]


def _held(trade: Trade, change: Change) -> Outcome | None:
    """Compare what the plan was computed from with what is there, and ask the gate; None when it may be sent."""
    state = trade.state(change)
    if not differences(change.after, state):
        return Outcome(change, Result.ALREADY_SO, evidence=dict(state))
    moved = differences(change.before, state)
    if moved:
        return Outcome(
            change,
            Result.STALE,
            evidence=dict(state),
            error=f"it moved since the plan was made: {'; '.join(moved)}",
            hint="make a new plan",
            exit_code=8,
        )
    return trade.closed_gate(change)


def _sent(trade: Trade, change: Change, tools: Tools) -> tuple[Outcome, str]:
    trouble: ExoAuthError | None = None
    try:
        trade.send(change)
    except ExoAuthError as error:
        trouble = error
        if isinstance(error, TransportBroken) and not error.sent:
            return failure(change, Result.FAILED, error), why_stop(error)
    state = _seen(trade, change, tools, patient=trouble is None or isinstance(trouble, TransportBroken))
    if state is not None and not differences(change.after, state):
        tools.say(f"{change.target.unicode}: {change.verb} is done and read back")
        said = f"reported an error, seen in effect: {trouble}" if trouble else ""
        return Outcome(change, Result.APPLIED, evidence=dict(state), error=said), ""
    if trouble is None:
        code = 0 if state is not None else 6
        text = "accepted, and reads do not show it yet"
        return Outcome(
            change, Result.ACCEPTED, error=text, hint="the next run looks again", exit_code=code
        ), ""
    if state is None or isinstance(trouble, TransportBroken):
        text = f"sent, and no look since could tell whether it took effect: {trouble}"
        hint = "it is not sent again before it was looked at"
        return Outcome(change, Result.UNKNOWN, error=text, hint=hint, exit_code=6), why_stop(trouble)
    kind = Result.REFUSED if isinstance(trouble, CmdletFailed) else Result.FAILED
    return failure(change, kind, trouble), why_stop(trouble)


def _seen(trade: Trade, change: Change, tools: Tools, *, patient: bool) -> Mapping[str, Any] | None:
    """Look until the change shows, or once where nothing speaks for it; None when looking failed."""
    waited = timedelta(0)
    state: Mapping[str, Any] | None = None
    while True:
        try:
            state = trade.state(change)
        except ExoAuthError as error:
            tools.say(f"{change.target.unicode}: could not read back: {error}")
        else:
            if not differences(change.after, state):
                return state
        if not patient or waited >= tools.patience.poll_for or tools.is_stopped():
            return state
        tools.say(f"{change.target.unicode}: not visible yet")
        tools.sleep(tools.patience.poll_every.total_seconds())
        waited += tools.patience.poll_every


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_shown, value)) or "nothing"
    return "nothing" if value in (None, "") else f"“{value}”" if isinstance(value, str) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted(map(str, value))
    return value


def held_as_outcome(change: Change, held: Blockage | Deferral) -> Outcome:
    """Give the end of a change that is not sent now: only time is missing, or a person has to look."""
    if isinstance(held, Deferral):
        return Outcome(change, Result.WAITING, error=held.reason, not_before=held.retry_after, exit_code=4)
    return Outcome(change, Result.BLOCKED, error=held.reason, exit_code=6 if held.is_unknown else 3)


def failure(change: Change, result: Result, error: ExoAuthError) -> Outcome:
    """Give the end of a change that an error ended."""
    return Outcome(change, result, error=str(error), hint=error.hint or "", exit_code=error.exit_code)


def unnoted(outcome: Outcome, error: ExoAuthError) -> Outcome:
    """Give the end of a change that was sent, and whose end could not be written to the journal."""
    said = f"{outcome.error}; " if outcome.error else ""
    return replace(
        outcome,
        error=f"{said}it was sent, and its end is not in the journal: {error.message}",
        hint="make room; the journal holds that it was announced, so that the next run looks what became of it",
        exit_code=error.exit_code,
    )


def why_stop(error: ExoAuthError) -> str:
    """Say why no other change can do better after this error, "" when one may."""
    if isinstance(error, NotPermitted | SignInError):
        return f"the change before was not permitted: {error.message}"
    if isinstance(error, Throttled | TransportBroken):
        return f"the service could not be reached: {error.message}"
    if isinstance(error, JournalError):
        return f"nothing is sent without a journal: {error.message}"
    return ""


def _journal(tools: Tools, event: str, body: Mapping[str, Any]) -> int:
    line = tools.journal.append(
        event, run_id=tools.run_id, at=utc_now(), service_time=tools.clock(), body=dict(body)
    )
    return line.number
