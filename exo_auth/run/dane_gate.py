"""The order of DANE, asked once more right before a change that could lose mail, whatever planned it (run)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import ExoAuthError
from exo_auth.plan.change import Change
from exo_auth.plan.dane_move import (
    FIRST,
    DaneScene,
    Part,
    why_dane_must_wait,
    why_dnssec_must_stay,
    why_host_must_wait,
    why_mx_must_stay,
)
from exo_auth.plan.mail_flow import DISABLE_DNSSEC, ENABLE_DANE
from exo_auth.plan.outcome import Outcome, Result
from exo_auth.run.dane_looks import look_at_dane
from exo_auth.run.session import ReadingSession
from exo_auth.run.trades import Trade, held_as_outcome

if TYPE_CHECKING:
    from exo_auth.publish.octodns_zones import OctoDnsZones

_WHY: Mapping[str, Callable[[DaneScene], Part]] = {
    ENABLE_DANE: why_dane_must_wait,
    DISABLE_DNSSEC: why_dnssec_must_stay,
}


class InOrder:
    """A trade whose changes are refused where they would break the order of DANE: also those of an undo."""

    def __init__(self, inner: Trade, session: ReadingSession, zones: OctoDnsZones | None) -> None:
        self._inner = inner
        self._session = session
        self._zones = zones

    def state(self, change: Change) -> Mapping[str, Any]:
        """Look as the inner trade does."""
        return self._inner.state(change)

    def send(self, change: Change) -> None:
        """Send as the inner trade does."""
        self._inner.send(change)

    def closed_gate(self, change: Change) -> Outcome | None:
        """Look at the domain anew; the inner trade's gate is asked after it."""
        why = _WHY.get(change.cmdlet) or (_mx_may_move(change) if _is_mx(change) else None)
        if why is None:
            return self._inner.closed_gate(change)
        try:
            held = why(look_at_dane(self._session, _domain(change), self._zones))
        except ExoAuthError as error:
            return Outcome(change, Result.BLOCKED, error=str(error), hint=error.hint or "", exit_code=6)
        if held is not None and not isinstance(held, Change):
            return held_as_outcome(change, held)
        return self._inner.closed_gate(change)


def _is_mx(change: Change) -> bool:
    return change.parameters.get("type") == "MX"


def _domain(change: Change) -> DomainName:
    return DomainName(str(change.parameters["name"])) if _is_mx(change) else change.target


def _mx_may_move(change: Change) -> Callable[[DaneScene], Part]:
    """A set of MX may go when it keeps the new host first, or DANE is off and forgotten; and put it first when told."""
    records = sorted(
        (int(value.split()[0]), value.split()[-1].lower()) for value in map(str, change.after["values"])
    )

    def why(scene: DaneScene) -> Part:
        leaves = (
            bool(scene.new_host) and scene.prefers_new and (not records or records[0][1] != scene.new_host)
        )
        if leaves:
            goes_to = records[0][1] if records else ""
            return why_mx_must_stay(scene) or (why_host_must_wait(scene, goes_to) if goes_to else None)
        arrives = bool(scene.new_host) and not scene.prefers_new and records[:1] == [(FIRST, scene.new_host)]
        return why_host_must_wait(scene, scene.new_host) if arrives else None

    return why
