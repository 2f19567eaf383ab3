"""Changes on their way, in every order of answers, looks, lags, refusals, strangers and kills."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from scenes import NOW, TENANT, accepted, config, mail_dns, name, without_cname

from exo_auth.domain_name import DomainName
from exo_auth.errors import (
    CmdletFailed,
    Conflict,
    ExchangeError,
    NotPermitted,
    ProtocolError,
    Refusal,
    Throttled,
    TransportBroken,
)
from exo_auth.facts.tenant import DkimSigningConfig, TenantFacts
from exo_auth.plan.change import Change
from exo_auth.plan.dkim import Scene, plan_rotation
from exo_auth.plan.dkim_state import differences, snapshot_of
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan_file import change_document
from exo_auth.run.hands import Patience
from exo_auth.run.journal import JournalLine
from exo_auth.run.pipeline import FRESH_AT_FIRST, FRESH_FOR, MOST_UNPROVEN, Clocks, Look, Pipeline
from exo_auth.run.recover import SETTLING_TIME, recover

NAMES = tuple(name(f"d{number}.example") for number in range(9))
ACCEPTED = tuple(accepted(domain.ascii) for domain in NAMES)
FIRST = {domain: config(domain.ascii) for domain in NAMES}
DNS = {domain: mail_dns(domain.ascii) for domain in NAMES}
WINDOW = timedelta(hours=96)
PATIENCE = Patience(timedelta(seconds=15), timedelta(seconds=30))

LOST = TransportBroken("no answer", sent=True)
ANSWERS = {  # what a write is answered with, and whether it may have taken effect all the same
    "yes": (None, True),
    "lost": (LOST, True),
    "garbled": (ProtocolError("what?"), True),
    "conflict": (Conflict("somebody is at it"), True),
    "no, but done": (CmdletFailed("an error beside the change"), True),
    "no": (CmdletFailed("no"), False),
    "unsent": (TransportBroken("no connection", sent=False), False),
    "busy": (Throttled("too busy", retry_after=None), False),
    "not permitted": (NotPermitted("you may not", refusal=Refusal.NO_ROLE), False),
}


def rotated(row: DkimSigningConfig, now: datetime) -> DkimSigningConfig:
    return replace(
        row,
        key_created=now,
        rotate_on=now + WINDOW,
        selector_before_rotation=row.selector_after_rotation,
        selector_after_rotation=row.selector_before_rotation,
    )


@dataclass
class Tenant:
    """The other side: what is there, what it was, and what our writes did to it."""

    now: datetime = NOW
    rows: dict[DomainName, DkimSigningConfig] = field(default_factory=lambda: dict(FIRST))
    history: list[dict[DomainName, DkimSigningConfig]] = field(default_factory=list)
    rotations: Counter[DomainName] = field(default_factory=Counter)

    def rotate(self, domain: DomainName) -> None:
        self.history.append(dict(self.rows))
        self.rows[domain] = rotated(self.rows[domain], self.now)
        self.rotations[domain] += 1

    def facts(self, rows: dict[DomainName, DkimSigningConfig] | None = None) -> TenantFacts:
        return TenantFacts(TENANT, ACCEPTED, tuple((rows or self.rows).values()), service_clock=self.now)


@dataclass
class Write:
    """A write under way at the service."""

    change: Change
    took_effect: bool = False


class Runs(RuleBasedStateMachine):
    """One administrator's runs, each killed or ended, over one tenant."""

    def __init__(self) -> None:
        super().__init__()
        self.tenant = Tenant()
        self.journal: list[JournalLine] = []
        self.late: list[Write] = []  # lost or killed, and perhaps still to take effect
        self.strangers: set[DomainName] = set()
        self.closed: set[DomainName] = set()
        self.begin()

    # One run

    def begin(self) -> None:
        facts = self.tenant.facts()
        back = recover(self.journal, facts, self.tenant.now)
        for found in back.resolutions:
            self.note("resolved", {"intent": found.open.number})
        plan = plan_rotation(Scene(facts, NAMES, DNS, self.tenant.now, in_flight=back.in_flight))
        self.changes = plan.changes
        clocks = Clocks(lambda: self.tenant.now, lambda: self.tenant.now)
        self.pipeline = Pipeline(plan.changes, Look(facts, self.tenant.now), clocks, PATIENCE)
        self.write: Write | None = None
        self.looking: tuple[int, dict[DomainName, DkimSigningConfig] | None] | None = None
        self.asking: DomainName | None = None
        self.intents: dict[int, int] = {}
        self.results: dict[int, Result] = {}
        self.sent: list[DomainName] = []
        self.answered: list[DomainName] = []
        self.doubtful: set[DomainName] = set()
        self.was_looked = False  # since the first answer
        self.strangers_now: set[DomainName] = set()  # domains that somebody else changed during this run
        self.start()

    def note(self, event: str, body: dict[str, object]) -> int:
        line = JournalLine(len(self.journal) + 1, self.tenant.now, self.tenant.now, "run", event, body)
        self.journal.append(line)
        return line.number

    def start(self) -> None:
        """What the caller does after each event: start what may be started, note what ended."""
        while (change := self.pipeline.next_write()) is not None:
            self.note_ended()
            assert self.write is None, "two writes at once"
            assert change.target not in self.sent, "sent twice in one run"
            assert not self.doubtful, "sent while the end of another was not known"
            assert len(self.answered) - len(self.proven()) <= MOST_UNPROVEN
            assert not self.answered or self.was_looked, "a second before the first was looked at"
            assert not self.met(), "sent although somebody else was seen at work"
            longest = FRESH_FOR if self.answered else FRESH_AT_FIRST
            assert self.tenant.now - self.pipeline.look.at < longest
            shown = snapshot_of(self.pipeline.look.dkim_config(change.target))
            assert not differences(change.before, shown), "sent although the look shows another state"
            self.intents[self.pipeline.place_sending] = self.note(
                "intent", {"change": change_document(change)}
            )
            self.sent.append(change.target)
            self.write = Write(change)
        if self.pipeline.next_look() is not None:
            assert self.looking is None, "two looks at once"
            self.looking = (len(self.answered), None)
        if (domain := self.pipeline.next_question()) is not None:
            assert self.asking is None
            self.asking = domain
        self.note_ended()

    def note_ended(self) -> None:
        for ended in self.pipeline.take_ended():
            assert ended.place not in self.results, "two ends"
            self.results[ended.place] = ended.outcome.result
            self.doubtful.discard(ended.outcome.change.target)
            if ended.was_sent:
                body = {"intent": self.intents[ended.place], "result": ended.outcome.result.value}
                self.note("result", body)
            else:
                assert ended.outcome.change.target not in self.sent
            if ended.outcome.result is Result.APPLIED:
                domain = ended.outcome.change.target
                assert self.tenant.rotations[domain] or domain in self.strangers, "called done, and is not"

    def proven(self) -> set[DomainName]:
        return {self.changes[place].target for place in self.results} & set(self.answered)

    def met(self) -> set[DomainName]:
        """Domains whose turn came after somebody else had changed them during this run."""
        found = {
            place for place, result in self.results.items() if result in (Result.ALREADY_SO, Result.STALE)
        }
        return {self.changes[place].target for place in found} & self.strangers_now

    # What happens

    @precondition(lambda self: self.write is not None and not self.write.took_effect)
    @rule()
    def a_write_takes_effect(self) -> None:
        self.effect(self.write)

    def effect(self, write: Write) -> None:
        write.took_effect = True
        self.tenant.rotate(write.change.target)

    @precondition(lambda self: self.write is not None)
    @rule(kind=st.sampled_from(("yes",) * 6 + tuple(ANSWERS)), is_late=st.booleans())
    def a_write_is_answered(self, kind: str, is_late: bool) -> None:
        error, may_have_run = ANSWERS[kind]
        write = self.write
        if not may_have_run and write.took_effect:
            return
        if kind in ("yes", "no, but done") and not write.took_effect:
            self.effect(write)
        if kind == "lost" and not write.took_effect and is_late:
            self.late.append(write)
        self.write = None
        self.answered.append(write.change.target)
        if error is not None and may_have_run:
            self.doubtful.add(write.change.target)
        self.pipeline.write_ended(error)
        self.start()

    @precondition(lambda self: self.looking is not None and self.looking[1] is None)
    @rule(lag=st.sampled_from((0, 0, 0, 1, 3)))
    def a_look_reads(self, lag: int) -> None:
        states = [*self.tenant.history, self.tenant.rows]
        self.looking = (self.looking[0], dict(states[max(0, len(states) - 1 - lag)]))

    @precondition(lambda self: self.looking is not None and self.looking[1] is not None)
    @rule()
    def a_look_ends(self) -> None:
        self.was_looked = self.was_looked or self.looking[0] > 0
        rows, self.looking = self.looking[1], None
        self.pipeline.look_ended(self.tenant.facts(rows), self.tenant.now)
        self.start()

    @precondition(lambda self: self.looking is not None)
    @rule(error=st.sampled_from((LOST, Throttled("busy", retry_after=None), ProtocolError("half a row"))))
    def a_look_fails(self, error: ExchangeError) -> None:
        self.looking = None
        self.pipeline.look_failed(error)
        self.start()

    @precondition(lambda self: self.asking is not None)
    @rule()
    def dns_answers(self) -> None:
        domain, self.asking = self.asking, None
        facts = DNS[domain]
        if domain in self.closed:
            facts = replace(facts, selector2=without_cname(domain.ascii))
        self.pipeline.dns_ended(facts, self.tenant.now)
        self.start()

    @precondition(lambda self: self.asking is not None)
    @rule()
    def dns_cannot_be_asked(self) -> None:
        self.asking = None
        self.pipeline.dns_ended(ExchangeError("no resolver"), self.tenant.now)
        self.start()

    @rule(domain=st.sampled_from(NAMES))
    def a_cname_goes_or_comes_back(self, domain: DomainName) -> None:
        self.closed ^= {domain}

    @precondition(lambda self: self.late)
    @rule()
    def a_lost_write_takes_effect_late(self) -> None:
        write = self.late.pop()
        if write.change.before["rotate_on"] == self.tenant.rows[write.change.target].rotate_on.isoformat():
            self.effect(write)

    @rule(domain=st.sampled_from(NAMES))
    def a_stranger_rotates(self, domain: DomainName) -> None:
        row = self.tenant.rows[domain]
        if (
            row.rotate_on < self.tenant.now
            and domain not in self.strangers
            and not self.tenant.rotations[domain]
        ):
            if self.write is not None and self.write.change.target == domain:
                return  # the service's own race; no client can see it
            self.strangers.add(domain)
            self.strangers_now.add(domain)
            self.tenant.history.append(dict(self.tenant.rows))
            self.tenant.rows[domain] = rotated(row, self.tenant.now)

    @rule(seconds=st.sampled_from((1, 20, 90)))
    def time_passes(self, seconds: int) -> None:
        self.tenant.now += timedelta(seconds=seconds)
        self.start()

    @precondition(lambda self: len(self.sent) > 2 and not self.pipeline.stopped_by)
    @rule()
    def somebody_presses_ctrl_c(self) -> None:
        self.pipeline.interrupt()
        self.start()

    @rule(until=st.sampled_from((timedelta(0), SETTLING_TIME)))
    def the_process_is_killed_and_begun_anew(self, until: timedelta) -> None:
        if self.write is not None and not self.write.took_effect:
            self.late.append(self.write)
        if until:  # by then the service has done it, or never does
            while self.late:
                self.a_lost_write_takes_effect_late()
        self.tenant.now += until
        self.begin()

    # What must hold

    @invariant()
    def nothing_is_rotated_twice(self) -> None:
        twice = {domain for domain, count in self.tenant.rotations.items() if count > 1}
        assert not twice, f"rotated twice: {twice}"

    @invariant()
    def it_never_stands_still(self) -> None:
        assert self.pipeline.is_over or self.pipeline.is_busy, "changes are left, and nothing is under way"

    def teardown(self) -> None:
        """Let everything be answered well: each change has one end, and a run after it finds the rest."""
        self.closed.clear()
        self.finish()
        places = set(self.results) | {ended.place for ended in self.pipeline.rest()}
        assert places == set(range(len(self.changes)))
        while self.late:
            self.a_lost_write_takes_effect_late()
        self.tenant.now += SETTLING_TIME
        self.begin()
        self.finish()
        assert all(self.tenant.rotations[domain] or domain in self.strangers for domain in NAMES), "lost"
        self.nothing_is_rotated_twice()

    def finish(self) -> None:
        for _ in range(400):
            if self.pipeline.is_over:
                return
            if self.write is not None:
                self.a_write_is_answered("yes", False)
            elif self.asking is not None:
                self.dns_answers()
            elif self.looking is not None and self.looking[1] is None:
                self.a_look_reads(0)
            elif self.looking is not None:
                self.a_look_ends()
        raise AssertionError("it does not end")


Runs.TestCase.settings = settings(
    max_examples=40, stateful_step_count=60, deadline=None, report_multiple_bugs=False
)
TestRuns = Runs.TestCase
