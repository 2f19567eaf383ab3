"""A cron schedule as sets of numbers, for schedulers that do not read cron (plan, pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from exo_auth.errors import InputError

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True)
class Field:
    """One field of a schedule: its smallest and largest number, and names that stand for numbers from `low` up."""

    low: int
    high: int
    names: tuple[str, ...] = ()

    def numbers(self, text: str) -> tuple[int, ...] | None:
        """Give the numbers that the text stands for, None for “*”; raises InputError."""
        if text == "*":
            return None
        found: set[int] = set()
        for part in text.split(","):
            span, slash, step = part.partition("/")
            first, dash, last = span.partition("-")
            low = self.low if span == "*" else self._number(first, text)
            high = (
                self.high
                if span == "*" or (slash and not dash)
                else self._number(last if dash else first, text)
            )
            width = self._step(step, text) if slash else 1
            found |= set(range(low, high + 1, width))
        return tuple(sorted(found))

    def _number(self, word: str, text: str) -> int:
        if word.upper() in self.names:
            return self.names.index(word.upper()) + self.low
        if not word.isascii() or not word.isdecimal() or not self.low <= int(word) <= self.high:
            raise _cannot(text)
        return int(word)

    def _step(self, word: str, text: str) -> int:
        if not word.isascii() or not word.isdecimal() or int(word) < 1:
            raise _cannot(text)
        return int(word)


MINUTE, HOUR, DAY, MONTH = Field(0, 59), Field(0, 23), Field(1, 31), Field(1, 12, MONTHS)
WEEKDAY = Field(0, 7, DAYS)


@dataclass(frozen=True)
class CronTimes:
    """When to start: every combination of these numbers; None is every one. Weekdays count from Sunday, 0."""

    minutes: tuple[int, ...] | None
    hours: tuple[int, ...] | None
    days: tuple[int, ...] | None
    months: tuple[int, ...] | None
    weekdays: tuple[int, ...] | None

    @property
    def times_of_day(self) -> tuple[tuple[int, int], ...]:
        """Give each (hour, minute) of a day."""
        hours = self.hours if self.hours is not None else tuple(range(24))
        minutes = self.minutes if self.minutes is not None else tuple(range(60))
        return tuple((hour, minute) for hour in hours for minute in minutes)


def cron_times(schedule: str) -> tuple[CronTimes, ...]:
    """Read the five fields of a schedule; raises InputError for what stands for no fixed numbers, such as L or #.

    Where both a day and a weekday are named, cron starts when either fits (POSIX crontab): that makes two of them.
    """
    minute, hour, day, month, weekday = schedule.split()
    weekdays = WEEKDAY.numbers(weekday)
    if weekdays is not None:
        weekdays = tuple(sorted({number % 7 for number in weekdays}))  # 7 is Sunday, too
    both = CronTimes(
        MINUTE.numbers(minute), HOUR.numbers(hour), DAY.numbers(day), MONTH.numbers(month), weekdays
    )
    if day.startswith("*") or weekday.startswith("*"):
        return (both,)
    return replace(both, weekdays=None), replace(both, days=None)


def _cannot(text: str) -> InputError:
    return InputError(f"“{text}” cannot be written for this scheduler", hint="use numbers in the schedule")
