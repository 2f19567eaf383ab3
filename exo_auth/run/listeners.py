"""Everybody who hears of a run of a writing command: hooks, people, and the job it belongs to (run)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from exo_auth.errors import ExoAuthError
from exo_auth.plan.job import Event, events_of
from exo_auth.plan.outcome import RunReport
from exo_auth.plan.plan import Plan
from exo_auth.plan.run_account import Moment, RunAccount, account_document, applied
from exo_auth.run.hooks import Hooks
from exo_auth.run.notify import send, wanted
from exo_auth.run.settings import NotifySettings

JOB = "EXO_AUTH_JOB"  # names the job that a run belongs to; the job tells people, the run does not
RECORD = "EXO_AUTH_JOB_RECORD"  # where the run leaves its account for the job

WriteNotice = Callable[[Mapping[str, Any], tuple[Event, ...]], tuple[str, str]]


class Listeners:
    """Calls each of them at its moment. What goes wrong at the end is a warning: the run's own end counts."""

    def __init__(
        self,
        account: RunAccount,
        hooks: Hooks,
        *,
        people: NotifySettings | None,
        write_notice: WriteNotice,
        environment: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self._account = replace(account, job=environment.get(JOB, ""))
        self._hooks = hooks
        self._people = people
        self._write_notice = write_notice
        self._environment = environment
        self._warn = warn

    def before_plan(self) -> None:
        """A writing command starts; raises HookRefused."""
        self._call(Moment.BEFORE_PLAN)

    def before_apply(self, plan: Plan) -> None:
        """Something is about to be sent; raises HookRefused."""
        self._account = replace(self._account, plan=plan)
        self._call(Moment.BEFORE_APPLY)

    def planned(self, plan: Plan) -> None:
        """A plan was made that is not carried out now."""
        self._account = replace(self._account, plan=plan)

    def after_change(self, sent: Mapping[str, Any]) -> None:
        """A change was sent, and may have taken effect."""
        self._account = replace(self._account, run_id=str(sent["run"]))
        self._call(Moment.AFTER_CHANGE, sent)

    def applied(self, report: RunReport) -> None:
        """A plan was carried out, as far as it went; onboarding carries out several."""
        self._account = replace(
            self._account,
            plan=report.plan,
            run_id=report.run_id,
            outcomes=(*self._account.outcomes, *report.outcomes),
        )

    def ended(self, exit_code: int, error: ExoAuthError | None = None) -> None:
        """The run is over."""
        self._account = replace(
            self._account,
            exit_code=exit_code,
            error=error.message if error else "",
            hint=(error.hint or "") if error else "",
        )
        document = account_document(self._account, Moment.AFTER_RUN)
        events = events_of(exit_code, changed=bool(applied(document)))
        if Event.FAILURE in events:
            self._call(Moment.ON_FAILURE)
        self._call(Moment.AFTER_RUN)
        self._leave_record(document)
        self._tell_people(document, events)

    def _call(self, moment: Moment, sent: Mapping[str, Any] | None = None) -> None:
        if self._hooks.has(moment):
            self._hooks.call(moment, account_document(self._account, moment, sent))

    def _leave_record(self, document: Mapping[str, Any]) -> None:
        place = self._environment.get(RECORD)
        if not place:
            return
        try:
            Path(place).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            self._warn(f"the job gets no account of this run: {error}")

    def _tell_people(self, document: Mapping[str, Any], events: frozenset[Event]) -> None:
        if self._people is None or self._account.job:
            return
        heard = wanted(self._people.on, events)
        try:
            urls = self._people.secret("urls", self._environment)
            if urls is not None and heard:
                send(urls.reveal(), *self._write_notice(document, heard), self._people.timeout)
        except ExoAuthError as error:  # nobody was told: that must not hide how the run itself ended
            self._warn(str(error))
