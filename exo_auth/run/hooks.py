"""Programs of the user that are called around a run: with facts, a time limit, and without a secret (run)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from exo_auth.errors import HookRefused, InputError
from exo_auth.plan.outcome import Result
from exo_auth.plan.run_account import Moment, account_variables
from exo_auth.run.child import run_child
from exo_auth.run.config_schema import PREFIX
from exo_auth.run.hands import JournalKeeper
from exo_auth.run.journal import JournalLine
from exo_auth.run.settings import HookSettings

# What a program needs to run at all. A hook gets no other variable unless `hooks.keep` names it: secrets lie in variables.
KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *(
        "SYSTEMROOT",
        "COMSPEC",
        "PATHEXT",
        "TEMP",
        "TMP",
        "USERPROFILE",
        "APPDATA",
        "LOCALAPPDATA",
        "PROGRAMFILES",
    ),
)
MAY_HAVE_CHANGED = {Result.APPLIED.value, Result.ACCEPTED.value, Result.UNKNOWN.value}

AfterChange = Callable[[Mapping[str, Any]], None]


class Hooks:
    """Calls the configured programs; one that is not configured costs nothing."""

    def __init__(
        self,
        settings: HookSettings,
        environment: Mapping[str, str],
        *,
        warn: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._warn = warn
        self._say = say

    def has(self, moment: Moment) -> bool:
        """Is a program configured for this moment?"""
        return bool(self._line(moment))

    def call(self, moment: Moment, document: Mapping[str, Any]) -> None:
        """Run the program of that moment; raises HookRefused where it may refuse, and warns where it may not."""
        if not self.has(moment):
            return
        trouble = self._run(moment, document)
        if trouble and moment.may_refuse:
            raise HookRefused(
                f"the hook {moment} {trouble}",
                hint="nothing was sent; run that program by hand to see more, or take it out of hooks:",
            )
        if trouble:
            self._warn(f"the hook {moment} {trouble}")

    def _run(self, moment: Moment, document: Mapping[str, Any]) -> str:
        """Give what went wrong, "" for nothing."""
        line = self._line(moment)
        limit = self._settings.timeout
        self._say(f"calling the hook {moment}")
        try:
            ended = run_child(
                line,
                environment=self._variables(document),
                stdin=json.dumps(document, ensure_ascii=False),
                limit=limit,
                echo=self._say,
            )
        except InputError as error:
            return f"failed: {error.message}"
        if ended.timed_out:
            return f"({line[0]}) was ended after {limit.total_seconds():g} s, its time limit"
        if ended.exit_code:
            said = next((text for text in reversed(ended.output.splitlines()) if text.strip()), "")
            return f"({line[0]}) ended with {ended.exit_code}" + (f": {said.strip()}" if said else "")
        return ""

    def _line(self, moment: Moment) -> tuple[str, ...]:
        line: tuple[str, ...] = getattr(self._settings, moment.value)
        return line

    def _variables(self, document: Mapping[str, Any]) -> dict[str, str]:
        wanted = (*KEPT, *(name for name in self._settings.keep if not name.startswith(PREFIX)))
        kept = {name: self._environment[name] for name in wanted if name in self._environment}
        return {**kept, **account_variables(document)}


class ToldJournal:
    """A journal that tells of each change once its result is on the disk; what was sure not to happen is not told."""

    def __init__(self, journal: JournalKeeper, after_change: AfterChange) -> None:
        self._journal = journal
        self._after_change = after_change
        self._intents: dict[int, Mapping[str, Any]] = {}

    def append(
        self, event: str, *, run_id: str, at: datetime, service_time: datetime, body: dict[str, Any]
    ) -> JournalLine:
        """Write one line, and tell of a change that was sent."""
        line = self._journal.append(event, run_id=run_id, at=at, service_time=service_time, body=body)
        if event == "intent":
            self._intents[line.number] = body["change"]
        elif event == "result" and body["result"] in MAY_HAVE_CHANGED:
            change = self._intents.get(body["intent"], {})
            told = {key: body.get(key) for key in ("result", "evidence", "error")}
            self._after_change({**change, **told, "run": run_id})
        return line
