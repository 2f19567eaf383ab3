"""How often, after how long, and when not."""

from datetime import timedelta

import pytest

from exo_auth.errors import CmdletFailed, ProtocolError, Throttled, TransportBroken
from exo_auth.exchange.errors_on_wire import Failure
from exo_auth.exchange.retry import Repeater, RetryLimits, may_repeat

BUSY = Failure(Throttled("busy"), repeatable=True)
UNSENT = Failure(TransportBroken("refused", sent=False), repeatable=True)
SENT = Failure(TransportBroken("reset", sent=True), repeatable=True)
GARBLED = Failure(ProtocolError("garbled"), repeatable=True)
SAID_NO = Failure(CmdletFailed("no"))


@pytest.mark.parametrize(
    ("result", "read", "write"),
    [
        (BUSY, True, True),  # nothing was executed
        (UNSENT, True, True),  # nothing was sent
        (SENT, True, False),  # perhaps executed
        (GARBLED, True, False),  # perhaps executed
        (SAID_NO, False, False),  # it will say no again
        (Failure(TransportBroken("certificate", sent=False)), False, False),  # hopeless
        ("a success", False, False),
    ],
)
def test_only_what_surely_did_nothing_is_repeated_for_a_write(result, read, write):
    assert may_repeat(result, is_write=False) is read
    assert may_repeat(result, is_write=True) is write


class Time:
    def __init__(self):
        self.now = 0.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def run(results, *, chance=1.0, is_write=False, **limits):
    time, script = Time(), list(results)
    repeater = Repeater(RetryLimits(**limits), time.sleep, lambda: time.now, lambda: chance)
    last = repeater.run(lambda: script.pop(0), is_write=is_write, deadline=repeater.deadline())
    return last, time.slept


def test_the_waits_double_up_to_the_cap():
    last, slept = run([SENT] * 9, retries=8, total=10_000)
    assert last is SENT
    assert slept == [2, 4, 8, 16, 32, 64, 120, 120]


def test_the_first_success_ends_it():
    assert run([SENT, GARBLED, "rows"], chance=0.25) == ("rows", [0.5, 1.0])


def test_a_longer_wish_of_the_service_wins_and_a_shorter_one_does_not():
    wish = Failure(Throttled("busy"), repeatable=True, retry_after=timedelta(seconds=50))
    assert run([wish, "rows"])[1] == [50]
    short = Failure(Throttled("busy"), repeatable=True, retry_after=timedelta(seconds=1))
    assert run([short, "rows"])[1] == [2]


def test_no_wait_goes_beyond_the_deadline():
    last, slept = run([SENT] * 9, total=13)
    assert last is SENT
    assert slept == [2, 4]  # 8 more would end after 13


def test_an_error_that_is_raised_passes_through():
    def attempt():
        raise ZeroDivisionError

    time = Time()
    repeater = Repeater(RetryLimits(), time.sleep, lambda: time.now, lambda: 1.0)
    with pytest.raises(ZeroDivisionError):
        repeater.run(attempt, is_write=False, deadline=100)
    assert time.slept == []
