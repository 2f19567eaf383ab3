"""What may be sent next, and what must be looked at first: DKIM changes of one tenant on their way (run).

    queued ──▶ sending ──▶ sent ──▶ ended          ─▶ the write was answered   ─▶ a look shows it
                  │          └─ a look that must show it does not: hold, and look again
                  └─ no clear answer: hold, and look

Writes go one at a time; the listing that reads one back and the questions to DNS run beside the next. It rests on
these rules, which its tests hold in every order of events:

- A listing begun after a write was answered tells of that write, and of all before it. It reads them all back.
- A change is sent on a look that shows its `before`, was read less than FRESH_FOR ago, and misses at most
  MOST_UNPROVEN earlier writes; and on an answer of DNS, no older, that opens its gate.
- The first change goes alone, on a look of the last FRESH_AT_FIRST; no other is sent before a look shows what became of it.
- After any answer but a plain yes nothing is sent until a look begun later came through; nor while a change is
  awaited whose answer was unclear, or that a look does not show which should.
- Where somebody else changes a domain of the plan while this run is at work, the run sends nothing more.

Nothing is done here: the caller asks what it may start, starts it, and says how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from exo_auth.domain_name import DomainName
from exo_auth.errors import CmdletFailed, CnameMissing, ExoAuthError, PlanStale, TransportBroken
from exo_auth.facts.dns import MailDns
from exo_auth.facts.tenant import DkimSigningConfig, TenantFacts
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.dkim_state import Effect, differences, effect_of, snapshot_of
from exo_auth.plan.outcome import Outcome, Result
from exo_auth.run.dkim_outcomes import (
    applied,
    changed_by_another,
    closed_gate,
    is_unclear,
    moved_since,
    not_seen,
    skipped,
    unseen_by_exchange,
)
from exo_auth.run.hands import Listing, Patience
from exo_auth.run.trades import failure, why_stop

FRESH_FOR = timedelta(seconds=60)  # an older look, or answer of DNS, is no ground for a change
FRESH_AT_FIRST = timedelta(seconds=10)  # nor an older look for the first: others may have begun meanwhile
MOST_UNPROVEN = 5  # writes answered and not yet read back when another is sent
AHEAD = 4  # changes whose DNS is asked before their turn


@dataclass(frozen=True)
class Look:
    """What was read last, and when it was read by this machine's clock; `listing` is newer than `facts`."""

    facts: TenantFacts
    at: datetime
    listing: Listing | None = None

    def dkim_config(self, domain: DomainName) -> DkimSigningConfig | None:
        """Give a domain's configuration as it was read last."""
        return (self.listing or self.facts).dkim_config(domain)

    def made_old(self) -> Look:
        """Give the look as one that no change may be sent on: something was waited for since."""
        return replace(self, at=self.at - FRESH_FOR)


@dataclass(frozen=True)
class Clocks:
    """This machine's time, by which looks age, and the service's, by which gates are judged; both UTC."""

    local: Callable[[], datetime]
    service: Callable[[], datetime]


@dataclass(frozen=True)
class Ended:
    """The end of the change at `place`; `was_sent` tells whether the journal holds an intent for it."""

    place: int
    outcome: Outcome
    was_sent: bool = False


@dataclass(eq=False)
class _Sent:
    """A change under way: `write` is its number among the answered writes, from 1."""

    place: int
    change: Change
    dns: MailDns | None
    write: int = 0
    trouble: ExoAuthError | None = None
    waited: timedelta = timedelta(0)
    was_read: bool = False  # did a look that should show it come through?
    is_missed: bool = False  # and not show it?
    is_other: bool = False  # but a state that is neither the one before nor the one wanted?


class Pipeline:
    """The state of some DKIM changes; `stopped_by` says why no more of them is sent, `skip_code` what that ends with."""

    def __init__(
        self,
        changes: Sequence[Change],
        look: Look,
        clocks: Clocks,
        patience: Patience,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.look = look
        self.stopped_by = ""
        self.skip_code = 0
        self._changes = changes
        self._as_planned = _places_as_planned(changes, look)
        self._clocks = clocks
        self._patience = patience
        self._say = say
        self._interrupted = False
        self._ended: list[Ended] = []
        self._next = 0  # the first change that was neither sent nor ended
        self._answered = 0  # writes that were answered, or given up
        self._sending: _Sent | None = None
        self._sent: list[_Sent] = []
        self._looks = 0  # looks begun; the one the plan was made from is number 0
        self._is_looking = False
        self._seen = 0  # the number of the look that came through last …
        self._proves = 0  # … and how many writes had been answered when it began
        self._will_prove = 0  # the same of the look under way
        self._needs = 0  # no change is sent on a look with a smaller number
        self._pause = timedelta(0)  # before the next look
        self._rotated: tuple[Change, datetime] | None = None  # read back last, and when its switch comes
        self._second_opinion = -1  # the place of a change whose gate was found closed once
        self._asking: DomainName | None = None
        self._dns: dict[DomainName, tuple[MailDns | ExoAuthError, datetime]] = {}

    # What the caller wants to know

    @property
    def is_over(self) -> bool:
        """Has every change ended, and everything that was started?"""
        return not self.is_busy and not self._sent and not self._has_more

    @property
    def is_busy(self) -> bool:
        """Is anything under way whose end will be told?"""
        return self._sending is not None or self._is_looking or self._asking is not None

    @property
    def place_sending(self) -> int:
        """The place of the change that `next_write` gave last."""
        return self._next - 1

    def take_ended(self) -> list[Ended]:
        """Give what ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def rest(self) -> list[Ended]:
        """Give an end to each change that was never tried."""
        places = range(self._next, len(self._changes))
        return [
            Ended(place, skipped(self._changes[place], self.stopped_by, self.skip_code)) for place in places
        ]

    def stop(self, why: str) -> None:
        """Send nothing more; what is under way is brought to its end. "" stops nothing."""
        self.stopped_by = self.stopped_by or why

    def interrupt(self) -> None:
        """Somebody wants to leave: stop, and wait no longer for changes to show."""
        self._interrupted = True
        self.stop("the run was interrupted before")

    # What may be started now

    def next_write(self) -> Change | None:
        """Give the change to send now, None when none may be; changes that must not be sent end here."""
        if self._sending is not None or self._is_held():
            return None
        while self._has_more and self._may_go_on_now():
            change = self._changes[self._next]
            try:
                if self._end_unsent(change):
                    continue
            except ExoAuthError as error:
                self._end_next(failure(change, Result.FAILED, error))
                self.stop(why_stop(error))
                continue
            place = self._next
            if not self._is_ready(change):
                if self._next == place:
                    return None
                continue
            dns = self._dns.pop(change.target, None)
            self._sending = _Sent(self._next, change, dns[0] if dns and isinstance(dns[0], MailDns) else None)
            self._next += 1
            return change
        return None

    def next_look(self) -> timedelta | None:
        """Give the pause after which to list all configurations, None when no look is wanted now."""
        if self._is_looking or not self._wants_look():
            return None
        self._is_looking = True
        self._looks += 1
        self._will_prove = self._answered
        pause, self._pause = self._pause, timedelta(0)
        return pause

    def next_question(self) -> DomainName | None:
        """Give the domain about which DNS is to be asked now, None when none is."""
        if self._asking is not None or self.stopped_by or self._is_held():
            return None
        for change in self._changes[self._next : self._next + AHEAD]:
            if self._has_gate(change) and not self._has_dns(change):
                self._asking = change.target
                return self._asking
        return None

    # How it ended

    def not_sent(self, error: ExoAuthError) -> None:
        """The change that was to be sent was not: it could not be announced in the journal."""
        sent, self._sending = self._sending, None
        if sent is not None:
            self._ended.append(Ended(sent.place, failure(sent.change, Result.FAILED, error)))
        self.stop(why_stop(error))

    def write_ended(self, error: ExoAuthError | None) -> None:
        """The write under way was answered (None), refused, or got no clear answer."""
        sent, self._sending = self._sending, None
        if sent is None:
            raise AssertionError("no write was under way")
        self._answered += 1
        sent.write = self._answered
        if error is None:
            self._sent.append(sent)
            return
        self._needs = self._looks + 1
        is_certain = isinstance(error, TransportBroken) and not error.sent
        if is_certain:
            self._end(sent, failure(sent.change, Result.FAILED, error))
        elif isinstance(error, CnameMissing):
            self._end(sent, unseen_by_exchange(sent.change, error, self._clocks.service()))
        elif is_unclear(error) or isinstance(error, CmdletFailed):
            sent.trouble = error
            self._sent.append(sent)
            self._say(
                f"{sent.change.target.unicode}: no clear yes; looking at the tenant before anything else"
            )
        else:
            self._end(sent, failure(sent.change, Result.REFUSED, error))
            self.stop(why_stop(error))

    def look_ended(self, listing: Listing, at: datetime) -> None:
        """The look under way came through at `at`, by this machine's clock."""
        due = [sent for sent in self._sent if sent.write <= self._will_prove]
        try:
            effects = [effect_of(sent.change, listing.dkim_config(sent.change.target)) for sent in due]
            self._watch_last_rotation(listing)
        except ExoAuthError as error:  # a row that cannot be read is no look
            self.look_failed(error)
            return
        self._is_looking = False
        self.look = replace(self.look, at=at, listing=listing)
        self._seen, self._proves = self._looks, self._will_prove
        for sent, effect in zip(due, effects, strict=True):
            sent.was_read = True
            sent.is_other = effect is Effect.OTHER and sent.change.verb is Verb.ROTATE
            if sent.is_other:
                self._meet_another(sent.change)
            if effect is Effect.DONE:
                self._end_applied(sent, listing)
            else:
                self._say(f"{sent.change.target.unicode}: not visible yet")
                self._await(sent)

    def look_failed(self, error: ExoAuthError) -> None:
        """The look under way could not be had."""
        self._is_looking = False
        self._needs = self._looks + 1
        due = [sent for sent in self._sent if sent.write <= self._will_prove]
        for sent in due:
            self._say(f"{sent.change.target.unicode}: could not read back: {error}")
            self._await(sent)
        if not due and not self._sent and self._sending is None and self._has_more:
            self._end_next(failure(self._changes[self._next], Result.FAILED, error))
            self.stop(why_stop(error))

    def dns_ended(self, answer: MailDns | ExoAuthError, at: datetime) -> None:
        """DNS told about the domain asked for, at `at` by this machine's clock, or could not even be asked."""
        if self._asking is not None:
            self._dns[self._asking] = (answer, at)
        self._asking = None

    # Inside

    @property
    def _has_more(self) -> bool:
        return not self.stopped_by and self._next < len(self._changes)

    def _is_held(self) -> bool:
        """Must something be found out before anything is sent?"""
        return any(sent.trouble is not None or sent.is_missed for sent in self._sent)

    def _may_go_on_now(self) -> bool:
        """Is the last look good enough to act on, and not older than what is sent to the same domain?"""
        target = self._changes[self._next].target
        return self._is_good_look() and all(sent.change.target != target for sent in self._sent)

    def _is_good_look(self) -> bool:
        unproven = self._answered - self._proves
        most = MOST_UNPROVEN if self._proves else 0
        longest = FRESH_FOR if self._answered else FRESH_AT_FIRST
        return self._seen >= self._needs and unproven <= most and self._is_fresh(self.look.at, longest)

    def _is_fresh(self, at: datetime, longest: timedelta = FRESH_FOR) -> bool:
        return self._clocks.local() - at < longest

    def _end_unsent(self, change: Change) -> bool:
        """End the next change when it is done already, or out of date; was it?"""
        held = moved_since(change, self.look.dkim_config(change.target))
        if held is None:
            return False
        if self._next in self._as_planned:
            self._meet_another(change)
        self._end_next(held)
        return True

    def _watch_last_rotation(self, listing: Listing) -> None:
        """Look whether the rotation that was read back last is still the last one of its domain."""
        if self._rotated is None:
            return
        change, rotate_on = self._rotated
        config = listing.dkim_config(change.target)
        if config is not None and config.rotate_on is not None and config.rotate_on > rotate_on:
            self._meet_another(change)

    def _meet_another(self, change: Change) -> None:
        """Leave the tenant to whoever else is at work: two runs that take turns would meet in one domain at last."""
        if not self.stopped_by:
            self.skip_code = PlanStale.exit_code
        self.stop(f"somebody else changes this tenant now: {change.target} moved while this run was at work")

    def _is_ready(self, change: Change) -> bool:
        """Is the next change's gate open, as DNS tells now? A gate that stays closed ends the change."""
        if not self._has_gate(change):
            return True
        if not self._has_dns(change):
            return False
        answer = self._dns[change.target][0]
        if isinstance(answer, ExoAuthError):
            self._end_next(failure(change, Result.FAILED, answer))
            return False
        config = self.look.dkim_config(change.target)
        closed = closed_gate(change, config, answer, self._clocks.service())
        if closed is None:
            return True
        del self._dns[change.target]
        if self._second_opinion == self._next:
            self._end_next(closed)
        else:  # it may only mean that the tenant moved since the last look
            self._second_opinion = self._next
            self._needs = self._looks + 1
        return False

    def _has_gate(self, change: Change) -> bool:
        accepted = self.look.facts.accepted(change.target)
        return accepted is not None and not accepted.is_initial

    def _has_dns(self, change: Change) -> bool:
        known = self._dns.get(change.target)
        return known is not None and self._is_fresh(known[1])

    def _wants_look(self) -> bool:
        if any(sent.write > self._proves or sent.is_missed for sent in self._sent):
            return True
        return self._has_more and self._sending is None and not self._is_good_look()

    def _await(self, sent: _Sent) -> None:
        """Look for a change once more after a while, unless it was long enough, or the answer was a plain no."""
        if sent.trouble is not None and not is_unclear(sent.trouble):
            self._end(sent, failure(sent.change, Result.REFUSED, sent.trouble))
            return
        if sent.waited < self._patience.poll_for and not self._interrupted:
            sent.waited += self._patience.poll_every
            sent.is_missed = True
            self._pause = self._patience.poll_every
            return
        now = self._clocks.service()
        if sent.is_other:
            self._end(sent, changed_by_another(sent.change, sent.trouble, now))
            return
        self._end(sent, not_seen(sent.change, sent.trouble, now, was_read=sent.was_read))

    def _end_applied(self, sent: _Sent, listing: Listing) -> None:
        self._say(f"{sent.change.target.unicode}: {sent.change.verb} is done and read back")
        config = listing.dkim_config(sent.change.target)
        if sent.change.verb is Verb.ROTATE and config is not None and config.rotate_on is not None:
            self._rotated = sent.change, config.rotate_on
        self._end(sent, applied(sent.change, config, sent.trouble, sent.dns, self._clocks.service()))

    def _end(self, sent: _Sent, outcome: Outcome) -> None:
        if sent in self._sent:
            self._sent.remove(sent)
        self._ended.append(Ended(sent.place, outcome, was_sent=True))

    def _end_next(self, outcome: Outcome) -> None:
        self._ended.append(Ended(self._next, outcome))
        self._next += 1


def _places_as_planned(changes: Sequence[Change], look: Look) -> frozenset[int]:
    """Give the places of the changes whose domains stand as planned when the run begins, the first for each domain."""
    places: dict[DomainName, int] = {}
    for place, change in enumerate(changes):
        places.setdefault(change.target, place)
    return frozenset(place for place in places.values() if _stands_as_planned(changes[place], look))


def _stands_as_planned(change: Change, look: Look) -> bool:
    try:
        return not differences(change.before, snapshot_of(look.dkim_config(change.target)))
    except ExoAuthError:  # a row that cannot be read: said when its turn comes
        return False
