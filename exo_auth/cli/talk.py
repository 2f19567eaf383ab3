"""What commands say beside their data: warnings and progress, on stderr (cli)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from exo_auth.cli.options import Common


def warner(common: Common) -> Callable[[str], None]:
    """Give a function that writes a warning to stderr, each text once."""
    said: set[str] = set()

    def warn(text: str) -> None:
        if text not in said and not common.quiet:
            said.add(text)
            print(f"warning: {text}", file=sys.stderr)

    return warn


def progress(common: Common) -> Callable[[str], None]:
    """Give a function that shows a step on stderr: on a terminal, or with --verbose."""
    shown = sys.stderr.isatty() and not common.no_progress and not os.environ.get("CI")
    if (not shown and not common.verbose) or common.quiet:
        return lambda _text: None
    return lambda text: print(f"· {text}", file=sys.stderr, flush=True)


def note(common: Common, text: str) -> None:
    """Say something worth knowing, on stderr."""
    if not common.quiet:
        print(text, file=sys.stderr)
