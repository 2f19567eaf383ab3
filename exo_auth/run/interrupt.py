"""Ctrl-C and SIGTERM end a run between two changes, never inside one (run)."""

from __future__ import annotations

import signal
import threading
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


class Interrupt:
    """While it is entered, the first signal is only remembered; a second Ctrl-C interrupts at once.

    The second one is safe, too: the journal then holds an intent without a result, as after a kill.
    """

    def __init__(self) -> None:
        self.exit_code = 0  # 130 or 143 once a signal came
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
                self._former[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]  # it came from signal.signal

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.is_requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.exit_code = EXIT_CODES[signal.Signals(number)]
