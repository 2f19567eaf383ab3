"""How one DKIM change stands before it is sent, and how it ended (run, pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exo_auth.checks import dkim as dkim_checks
from exo_auth.checks.dkim import NEGATIVE_CACHE, DkimFacts
from exo_auth.checks.readiness import ReadinessState, Step, readiness
from exo_auth.errors import (
    CnameMissing,
    Conflict,
    ExoAuthError,
    PlanStale,
    ProtocolError,
    TransportBroken,
)
from exo_auth.facts.dns import MailDns
from exo_auth.facts.tenant import DkimSigningConfig
from exo_auth.plan.change import Change, Verb
from exo_auth.plan.dkim_state import Effect, differences, effect_of, snapshot_of
from exo_auth.plan.outcome import Outcome, Result
from exo_auth.run.recover import SETTLING_TIME
from exo_auth.run.trades import failure

_STEPS = {
    Verb.CREATE: Step.CREATE,
    Verb.ENABLE: Step.ENABLE,
    Verb.DISABLE: Step.DISABLE,
    Verb.ROTATE: Step.ROTATE,
}
_CODES = {ReadinessState.WAITING: 4, ReadinessState.BLOCKED: 3, ReadinessState.UNKNOWN: 6}


def moved_since(change: Change, config: DkimSigningConfig | None) -> Outcome | None:
    """Compare what the plan was computed from with what is there now; None when they agree."""
    if effect_of(change, config) is Effect.DONE:
        return Outcome(change, Result.ALREADY_SO, evidence=snapshot_of(config))
    moved = differences(change.before, snapshot_of(config))
    if not moved:
        return None
    return Outcome(
        change,
        Result.STALE,
        evidence=snapshot_of(config),
        error=f"the tenant moved since the plan was made: {'; '.join(moved)}",
        hint="make a new plan",
        exit_code=8,
    )


def closed_gate(
    change: Change, config: DkimSigningConfig | None, dns: MailDns, now: datetime
) -> Outcome | None:
    """Judge DNS as it is right before the change; None when the gate is open, or there is none."""
    if change.verb is Verb.CREATE or config is None or not config.has_keys:
        return None
    facts = DkimFacts(change.target, config, dns, now)
    gate = readiness(change.target, _STEPS[change.verb], dkim_checks.check(facts))
    if gate.state is ReadinessState.READY:
        return None
    return Outcome(
        change,
        Result.WAITING if gate.state is ReadinessState.WAITING else Result.BLOCKED,
        error="the gate closed: " + "; ".join(finding.message for finding in gate.findings),
        hint="; ".join(finding.remedy for finding in gate.findings if finding.remedy),
        not_before=gate.not_before,
        exit_code=_CODES[gate.state],
    )


def applied(
    change: Change,
    config: DkimSigningConfig | None,
    trouble: ExoAuthError | None,
    dns: MailDns | None,
    now: datetime,
) -> Outcome:
    """Give the end of a change that was read back; `dns` tells for how long resolvers remember an absence."""
    said = ""
    if trouble is not None:
        how = "answered unclearly" if is_unclear(trouble) else "reported an error"
        said = f"{how}, seen in effect: {trouble}"
    ended = Outcome(change, Result.APPLIED, evidence=_evidence(config), error=said)
    if change.verb is not Verb.CREATE:
        return ended
    negative = getattr(dns.selector1.cname, "negative_ttl", None) if dns is not None else None
    return replace(
        ended,
        hint="publish the two CNAMEs, then run `exo-auth dkim enable` again",
        not_before=now + (negative or NEGATIVE_CACHE),
        exit_code=4,
    )


def not_seen(change: Change, trouble: ExoAuthError | None, now: datetime, *, was_read: bool) -> Outcome:
    """Give the end of a change that no look showed in time; `was_read` tells whether any look came through."""
    if trouble is None:
        return Outcome(
            change,
            Result.ACCEPTED,
            error="the service accepted the change, and reads do not show it yet",
            hint="look again in a few minutes; the next run does so by itself and does not send it again",
            not_before=now + SETTLING_TIME,
            exit_code=0 if was_read else 6,
        )
    if isinstance(trouble, Conflict):
        return failure(change, Result.FAILED, trouble)
    return Outcome(
        change,
        Result.UNKNOWN,
        error=f"sent, and no look since could tell whether it took effect: {trouble}",
        hint="it is not sent again; the next run finds out by looking",
        not_before=now + SETTLING_TIME,
        exit_code=6,
    )


def changed_by_another(change: Change, trouble: ExoAuthError | None, now: datetime) -> Outcome:
    """Give the end of a rotation after which the tenant shows neither the state before nor the one wanted."""
    said = f"; it was answered: {trouble}" if trouble is not None else ""
    return Outcome(
        change,
        Result.UNKNOWN if trouble is not None else Result.ACCEPTED,
        error="sent, and the tenant shows another state than before and than wanted: "
        f"somebody else changed it, too{said}",
        hint="find out who else rotates keys here, and look at `exo-auth dkim status` before anything else",
        not_before=now + SETTLING_TIME,
        exit_code=PlanStale.exit_code,
    )


def skipped(change: Change, why: str, exit_code: int = 0) -> Outcome:
    """Give the end of a change that was never tried; the code is 0 where another outcome has the one of the run."""
    return Outcome(change, Result.SKIPPED, error=why, exit_code=exit_code)


def unseen_by_exchange(change: Change, error: CnameMissing, now: datetime) -> Outcome:
    """Give the end of a change that Exchange refuses until its own resolver sees the CNAMEs."""
    return replace(
        failure(change, Result.WAITING, error),
        hint="Exchange Online does not see the CNAMEs yet and remembers that for a while; "
        "leave DNS as it is and run the command again later",
        not_before=now + NEGATIVE_CACHE,
    )


def is_unclear(error: ExoAuthError) -> bool:
    """May a write have taken effect although it ended so?"""
    return isinstance(error, TransportBroken | ProtocolError | Conflict)


def _evidence(config: DkimSigningConfig | None) -> Mapping[str, Any]:
    evidence = snapshot_of(config)
    if config is not None:
        evidence["status"] = config.status
        for key in (config.selector1, config.selector2):
            evidence[f"{key.selector}_cname"] = key.cname_target.ascii if key.cname_target else None
    return evidence
