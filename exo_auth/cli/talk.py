"""What commands say beside their data: warnings and progress, on stderr (cli)."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from exo_auth.cli.options import Common

ERASE_LINE = "\r\x1b[2K"


def warner(common: Common) -> Callable[[str], None]:
    """Give a function that writes a warning to stderr, each text once."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said and not common.quiet:
            said.add(text)
            tell(f"{_erase()}warning: {text}")

    return warn


def progress(common: Common) -> Callable[[str], None]:
    """Give a function that shows a step on stderr: in one line on a terminal, line by line with --verbose."""
    if common.quiet:
        return lambda _text: None
    if common.verbose:
        return lambda text: tell(f"· {text}")
    if (
        not sys.stderr.isatty()
        or common.no_progress
        or os.environ.get("CI")
        or os.environ.get("TERM") == "dumb"
    ):
        return lambda _text: None
    atexit.register(clear_progress)
    return _show_in_one_line


def tell(text: str, end: str = "\n") -> None:
    """Write to stderr; where nobody reads it any more the run goes on, because a change may be under way."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:  # a pipe or a terminal that is gone, or a file on a full disk
        leave_unread(sys.stderr)


def leave_unread(stream: TextIO) -> None:
    """Let what goes to a stream whose reader is gone lead nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def clear_progress() -> None:
    """Take the line of progress away, so that what follows stands alone."""
    if _Shown.is_shown:
        tell(ERASE_LINE, end="")
        _Shown.is_shown = False


def note(common: Common, text: str) -> None:
    """Say something worth knowing, on stderr."""
    if not common.quiet:
        tell(f"{_erase()}{text}")


class _Shown:
    """Is a line of progress on the terminal now?"""

    is_shown = False


def _show_in_one_line(text: str) -> None:
    width = shutil.get_terminal_size().columns
    tell(f"{ERASE_LINE}· {text}"[: width + len(ERASE_LINE) - 1], end="")
    _Shown.is_shown = True


def _erase() -> str:
    erase = ERASE_LINE if _Shown.is_shown else ""
    _Shown.is_shown = False
    return erase


def put(text: str) -> None:
    """Write data to stdout, at once, so that it stands in order with what goes to stderr."""
    clear_progress()
    _write(text, end="\n")


def put_part(text: str) -> None:
    """Write a part of the data to stdout as it is, at once."""
    if text:
        clear_progress()
        _write(text, end="")


def _write(text: str, end: str) -> None:
    try:
        print(text, end=end, flush=True)
    except OSError as gone:
        if gone.errno == errno.EIO:  # what Linux says of a terminal that is gone
            raise BrokenPipeError from None
        raise
