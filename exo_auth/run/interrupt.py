"""Ctrl-C, SIGTERM and a terminal that goes end a run between two changes, never inside one (run)."""

from __future__ import annotations

import signal
import threading
from types import FrameType

EXIT_HUNG_UP = 129
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
if hasattr(signal, "SIGHUP"):  # Windows has none
    EXIT_CODES[signal.SIGHUP] = EXIT_HUNG_UP


class Interrupt:
    """While it is entered, the first signal is only remembered; a second Ctrl-C interrupts at once.

    The second one is safe, too: the journal then holds an intent without a result, as after a kill.
    """

    def __init__(self) -> None:
        self.exit_code = 0  # 129, 130 or 143 once a signal came
        self._former: dict[int, object] = {}

    @property
    def is_requested(self) -> bool:
        """Has somebody asked to stop?"""
        return self.exit_code != 0

    @property
    def signal_number(self) -> int:
        """The number of the signal that came, 0 while none did."""
        return self.exit_code - 128 if self.exit_code else 0

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in EXIT_CODES:
                if EXIT_CODES[number] == EXIT_HUNG_UP and signal.getsignal(number) == signal.SIG_IGN:
                    continue  # nohup: a terminal that goes is no reason to stop
                self._former[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]  # it came from signal.signal

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.is_requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.exit_code = EXIT_CODES[signal.Signals(number)]
