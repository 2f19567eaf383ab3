"""Around every run of a writing command: whoever listens hears of its start and of its end (cli)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from typer._click.globals import get_current_context

from exo_auth.cli.options import Common, Writing
from exo_auth.cli.talk import progress, warner
from exo_auth.errors import ExoAuthError

if TYPE_CHECKING:
    from exo_auth.plan.job import Event
    from exo_auth.run.listeners import Listeners
    from exo_auth.run.settings import Settings

EXIT_BUG = 1
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


@contextmanager
def hooked(common: Common, settings: Settings, writing: Writing) -> Iterator[Listeners]:
    """Tell the listeners that a run starts, and how it ended; raises HookRefused when one of them says no."""
    listeners = _listeners(common, settings, writing)
    code, trouble = 0, None
    try:
        with _terminated_politely():
            listeners.before_plan()
            yield listeners
    except typer.Exit as end:
        code = end.exit_code
        raise
    except ExoAuthError as error:
        code, trouble = error.exit_code, error
        raise
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
        raise
    except BaseException:
        code = EXIT_BUG
        raise
    finally:
        listeners.ended(code, trouble)


def _listeners(common: Common, settings: Settings, writing: Writing) -> Listeners:
    from exo_auth.plan.run_account import RunAccount
    from exo_auth.run.hooks import Hooks
    from exo_auth.run.listeners import Listeners

    stops_here = writing.dry_run or bool(writing.out)
    tenant = settings.initial_domain or settings.tenant
    return Listeners(
        RunAccount(_command(), tenant, dry_run=stops_here),
        Hooks(settings.hooks, os.environ, warn=warner(common), say=progress(common)),
        people=settings.notify if writing.yes and not stops_here else None,  # a person at a terminal sees it
        write_notice=_notice,
        environment=os.environ,
        warn=warner(common),
    )


def _notice(document: Mapping[str, Any], events: tuple[Event, ...]) -> tuple[str, str]:
    from exo_auth.render.notice_text import account_notice, notice_title

    return notice_title(str(document["command"]), events), account_notice(document)


def _command() -> str:
    """Name the command that runs, without its options."""
    context = get_current_context(silent=True)
    return context.command_path.partition(" ")[2] if context is not None else ""


@contextmanager
def _terminated_politely() -> Iterator[None]:
    """Let SIGTERM end the run as an exit, so that locks are let go and listeners hear of it.

    While changes are sent, `run.interrupt` takes the signal instead, and the change under way is finished.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise typer.Exit(EXIT_TERMINATED)
