"""Signals that end a run between two changes."""

from __future__ import annotations

import signal

import pytest

from exo_auth.run.interrupt import Interrupt

ASKS = [
    (signal.SIGTERM, 143, "a service that is stopped"),
    (signal.SIGINT, 130, "Ctrl-C"),
    (signal.SIGHUP, 129, "a terminal that goes"),
]


@pytest.mark.parametrize(("number", "code", "reason"), ASKS, ids=[row[2] for row in ASKS])
def test_a_signal_is_remembered_and_the_former_handling_comes_back(
    number: signal.Signals, code: int, reason: str
) -> None:
    before = signal.getsignal(number)
    with Interrupt() as interrupt:
        signal.raise_signal(number)
        assert (interrupt.is_requested, interrupt.exit_code, interrupt.signal_number) == (True, code, number)
    assert signal.getsignal(number) == before, reason


def test_under_nohup_a_terminal_may_go() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupt.is_requested
    finally:
        signal.signal(signal.SIGHUP, former)
