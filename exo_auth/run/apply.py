"""Apply a plan: compare, check the gate, journal, send, read back (run).

The only module that writes to a tenant. A change is sent at most once: whatever the answer is, or when there is none,
the tenant is read until it tells, and what it does not tell stays open in the journal for the next run to find out.
DKIM changes go through a `Pipeline`, which decides; here its decisions are carried out: writes, reads and DNS each in a
thread of their own, the journal in this one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import ExoAuthError
from exo_auth.facts.dns import MailDns
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.outcome import Outcome, RunReport
from exo_auth.plan.plan import Plan, refuse_excess
from exo_auth.plan.plan_file import change_document
from exo_auth.run.dkim_outcomes import skipped
from exo_auth.run.hands import Hands
from exo_auth.run.pipeline import Clocks, Ended, Look, Pipeline
from exo_auth.run.recover import Recovery
from exo_auth.run.trades import Tools, apply_with, unfounded, unnoted, why_stop

News = Callable[[], None]  # tells the pipeline what has ended

_HEARTBEAT = 0.5  # seconds; some platforms let no signal through while a thread waits for another


@dataclass(frozen=True)
class Run:
    """Who applies what: the name in the journal, the person's reason, and what looking back found."""

    run_id: str
    reason: str = ""
    recovery: Recovery = field(default_factory=Recovery)


def apply_plan(plan: Plan, hands: Hands, look: Look, run: Run) -> RunReport:
    """Apply the changes in order; there is one outcome for each, also when nothing was sent.

    Raises TooMuchChange before anything is sent, and JournalError when what an earlier run left cannot be noted.
    """
    refuse_excess(plan)
    started = hands.local_clock()
    _note_resolutions(hands, run)
    outcomes: list[Outcome] = []
    stopped_by, skip_code = "", 0
    for is_trade, group in groupby(plan.changes, key=lambda change: change.cmdlet in hands.trades):
        changes = tuple(group)
        if stopped_by:
            ended = [skipped(change, stopped_by, skip_code) for change in changes]
        elif is_trade:
            ended, stopped_by = _apply_trades(changes, hands, run, outcomes)
        else:
            held = [unfounded(change, outcomes) for change in changes]
            free = [change for change, end in zip(changes, held, strict=True) if end is None]
            batch = _Batch(free, hands, run, look)
            ends = iter(batch.apply())
            ended = [end or next(ends) for end in held]
            look, stopped_by, skip_code = batch.look, batch.stopped_by, batch.skip_code
        outcomes += ended
    return RunReport(
        run_id=run.run_id,
        plan=plan,
        outcomes=tuple(outcomes),
        started_at=started,
        ended_at=hands.local_clock(),
        interrupted=hands.stop_code() if hands.is_stopped() else 0,
        notes=run.recovery.notes,
    )


def _apply_trades(
    changes: Sequence[Change], hands: Hands, run: Run, before: Sequence[Outcome]
) -> tuple[list[Outcome], str]:
    """Apply changes of other kinds, each to its end before the next begins; `before` is what ended before them."""
    outcomes: list[Outcome] = []
    stopped_by = ""
    for change in changes:
        if not stopped_by and hands.is_stopped():
            stopped_by = "the run was interrupted before"
        if stopped_by:
            outcomes.append(skipped(change, stopped_by))
            continue
        if (end := unfounded(change, (*before, *outcomes))) is not None:
            outcomes.append(end)
            continue
        outcome, stopped_by = apply_with(hands.trades[change.cmdlet], change, _tools(hands, run))
        outcomes.append(outcome)
    return outcomes, stopped_by


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


class _Batch:
    """DKIM changes that follow each other in a plan, carried out as their pipeline decides."""

    def __init__(self, changes: Sequence[Change], hands: Hands, run: Run, look: Look) -> None:
        self._changes = changes
        self._hands = hands
        self._run = run
        clocks = Clocks(hands.local_clock, hands.clock.now)
        self._pipeline = Pipeline(changes, look, clocks, hands.patience, hands.say)
        self._intents: dict[int, int] = {}  # journal lines by the place of their change
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()

    @property
    def look(self) -> Look:
        """What was read last."""
        return self._pipeline.look

    @property
    def stopped_by(self) -> str:
        """Why nothing more may be sent; "" when it may."""
        return self._pipeline.stopped_by

    @property
    def skip_code(self) -> int:
        """The exit code of what is skipped therefore."""
        return self._pipeline.skip_code

    def apply(self) -> list[Outcome]:
        """Take the changes to their end; one outcome for each, in their order."""
        outcomes: dict[int, Outcome] = {}
        while True:
            if self._hands.is_stopped():
                self._pipeline.interrupt()
            self._start()
            outcomes |= {ended.place: self._noted(ended) for ended in self._pipeline.take_ended()}
            if self._pipeline.is_over:
                break
            self._hear()
        outcomes |= {ended.place: ended.outcome for ended in self._pipeline.rest()}
        return [outcomes[place] for place in range(len(self._changes))]

    def _start(self) -> None:
        """Start whatever may be started; the write first: all else has time while it is under way."""
        while (change := self._pipeline.next_write()) is not None:
            if self._is_announced(change):
                self._begin(partial(self._write, change))
        if (pause := self._pipeline.next_look()) is not None:
            self._begin(partial(self._read_back, pause))
        if (domain := self._pipeline.next_question()) is not None:
            self._begin(partial(self._ask_dns, domain))

    def _is_announced(self, change: Change) -> bool:
        """Write the intent to the journal; without that nothing is sent."""
        body = {"change": change_document(change), "reason": self._run.reason}
        try:
            self._intents[self._pipeline.place_sending] = _append(self._hands, self._run, "intent", body)
        except ExoAuthError as error:
            self._pipeline.not_sent(error)
            return False
        limit = self._hands.answer_limit
        patience = (
            f"; the answer may take {limit.total_seconds():g} s" if limit and "-" in change.cmdlet else ""
        )
        self._hands.say(f"{change.target.unicode}: {change.verb}, sending {change.cmdlet}{patience}")
        return True

    def _noted(self, ended: Ended) -> Outcome:
        """Write the end of a change that was sent to the journal."""
        outcome = ended.outcome
        if not ended.was_sent:
            return outcome
        body = {
            "intent": self._intents[ended.place],
            "result": outcome.result.value,
            "evidence": dict(outcome.evidence),
            "error": outcome.error,
        }
        try:
            _append(self._hands, self._run, "result", body)
        except ExoAuthError as error:
            self._pipeline.stop(why_stop(error))
            return unnoted(outcome, error)
        return outcome

    # Each of these runs in a thread of its own, and gives what is to be told to the pipeline in this one.

    def _write(self, change: Change) -> News:
        try:
            _send(change, self._hands)
        except ExoAuthError as error:
            return partial(self._pipeline.write_ended, error)
        return partial(self._pipeline.write_ended, None)

    def _read_back(self, pause: timedelta) -> News:
        hands = self._hands
        if pause:
            hands.sleep(pause.total_seconds())
        try:
            listing = hands.reader.dkim_listing()
        except ExoAuthError as error:
            return partial(self._pipeline.look_failed, error)
        hands.clock.hear(hands.reader.last_service_clock)
        return partial(self._pipeline.look_ended, listing, hands.local_clock())

    def _ask_dns(self, domain: DomainName) -> News:
        try:
            answer: MailDns | ExoAuthError = self._hands.look_up(domain)
        except ExoAuthError as error:
            answer = error
        return partial(self._pipeline.dns_ended, answer, self._hands.local_clock())

    def _begin(self, job: Callable[[], News]) -> None:
        # A daemon: a second Ctrl-C must not wait for an answer. The journal then tells what was under way.
        threading.Thread(target=self._do, args=(job,), daemon=True).start()

    def _do(self, job: Callable[[], News]) -> None:
        try:
            news = job()
        except BaseException as error:  # noqa: BLE001 - a fault of the program belongs to the thread that reports
            news = partial(_raise, error)
        self._news.put(news)

    def _hear(self) -> None:
        """Wait until something that was started has ended, and tell the pipeline."""
        if not self._pipeline.is_busy:
            raise AssertionError("changes are left, and nothing is under way")
        with suppress(queue.Empty):
            self._news.get(timeout=_HEARTBEAT)()


def _raise(error: BaseException) -> None:
    raise error


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


def _note_resolutions(hands: Hands, run: Run) -> None:
    for resolution in run.recovery.resolutions:
        _append(hands, run, "resolved", resolution.body)


def _append(hands: Hands, run: Run, event: str, body: Mapping[str, Any]) -> int:
    line = hands.journal.append(
        event,
        run_id=run.run_id,
        at=hands.local_clock(),
        service_time=hands.clock.now(),
        body=dict(body),
    )
    return line.number
