"""`RunAccount`: what a run tells the programs and people who listen to it (plan, pure).

It holds what a plan and a report hold, which is never a secret, and nothing of how the run signed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exo_auth.plan.outcome import Outcome, Result
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import to_document

SCHEMA = "exo-auth/run-account/1"
PREFIX = "EXO_AUTH_HOOK_"
LONGEST_VARIABLE = 30_000  # characters; Windows takes 32,767, and the document holds everything


class Moment(StrEnum):
    """When a hook is called; the words of `hooks:`."""

    BEFORE_PLAN = "before_plan"
    BEFORE_APPLY = "before_apply"
    AFTER_CHANGE = "after_change"
    ON_FAILURE = "on_failure"
    AFTER_RUN = "after_run"

    @property
    def may_refuse(self) -> bool:
        """Is the run refused when this hook fails?"""
        return self in (Moment.BEFORE_PLAN, Moment.BEFORE_APPLY)


@dataclass(frozen=True)
class RunAccount:
    """A run so far: what is not known yet is empty, and `exit_code` is None while it runs."""

    command: str  # such as `dkim rotate`
    tenant: str  # as it was named; "" where a run has none
    dry_run: bool = False
    job: str = ""  # the name of the job it belongs to
    plan: Plan | None = None
    run_id: str = ""
    outcomes: tuple[Outcome, ...] = ()
    exit_code: int | None = None
    error: str = ""
    hint: str = ""


def account_document(
    account: RunAccount, moment: Moment, sent: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Give the account as plain JSON values; `sent` is the change that was just sent, with its result."""
    return {
        "schema": SCHEMA,
        "moment": moment.value,
        "command": account.command,
        "tenant": account.tenant,
        "dry_run": account.dry_run,
        "job": account.job,
        "run": account.run_id,
        "exit_code": account.exit_code,
        "error": account.error,
        "hint": account.hint,
        "change": dict(sent) if sent is not None else None,
        "outcomes": [_outcome(outcome) for outcome in account.outcomes],
        "plan": to_document(account.plan) if account.plan is not None else None,
    }


def applied(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the outcomes of a run that changed something."""
    return [one for one in document["outcomes"] if one["result"] == Result.APPLIED.value]


def account_variables(document: Mapping[str, Any]) -> dict[str, str]:
    """Give the facts of a document as variables, for programs that read no JSON; longer ones are left out."""
    plan = document["plan"] or {}
    change = document["change"] or {}
    facts = {
        "NAME": document["moment"],
        "COMMAND": document["command"],
        "TENANT": document["tenant"],
        "DRY_RUN": "true" if document["dry_run"] else "false",
        "JOB": document["job"],
        "RUN": document["run"],
        "EXIT_CODE": "" if document["exit_code"] is None else str(document["exit_code"]),
        "ERROR": document["error"],
        "DIGEST": plan.get("digest", ""),
        "CHANGES": str(len(plan.get("changes", ()))),
        "DOMAINS": " ".join(dict.fromkeys(one["domain"] for one in plan.get("changes", ()))),
        "APPLIED": str(len(applied(document))),
        "DOMAIN": change.get("domain", ""),
        "VERB": change.get("verb", ""),
        "CMDLET": change.get("cmdlet", ""),
        "RESULT": change.get("result", ""),
    }
    return {
        f"{PREFIX}{name}": text.replace("\0", "")
        for name, text in facts.items()
        if len(text) <= LONGEST_VARIABLE
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    until = outcome.not_before
    return {
        "key": outcome.change.key,
        "domain": outcome.change.target.ascii,
        "verb": outcome.change.verb.value,
        "cmdlet": outcome.change.cmdlet,
        "result": outcome.result.value,
        "error": outcome.error,
        "hint": outcome.hint,
        "not_before": until.isoformat(timespec="seconds") if until is not None else None,
    }
