"""What became of changes of trades that an earlier run left in flight: looked at, and told in the journal (run)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exo_auth.errors import ExoAuthError
from exo_auth.plan.dkim_state import Effect
from exo_auth.run.journal import JournalLine
from exo_auth.run.recover import OpenChange, open_changes
from exo_auth.run.service_clock import utc_now
from exo_auth.run.trades import Tools, Trade, differences

_TOLD = {
    Effect.DONE: "it took effect",
    Effect.NOT_DONE: "it did not take effect; it may be planned again",
    Effect.OTHER: "there is another state than before and than wanted; somebody changed it since",
}


def settle(lines: Iterable[JournalLine], trades: Mapping[str, Trade], tools: Tools) -> tuple[str, ...]:
    """Look at each open change and write what became of it; give sentences for people. A failed look leaves it open."""
    told = []
    for opened in open_changes(lines):
        trade = trades.get(opened.change.cmdlet)
        if trade is None:
            continue
        what = f"{opened.change.key}, left in flight by run {opened.run_id}"
        try:
            effect = _effect(trade, opened)
        except ExoAuthError as error:
            told.append(f"{what}: could not be looked at: {error.message}")
            continue
        sentence = f"{what}: {_TOLD[effect]}"
        body: dict[str, object] = {
            "intent": opened.number,
            "effect": effect.value,
            "sentence": sentence,
        }
        now = tools.clock()
        tools.journal.append("resolved", run_id=tools.run_id, at=utc_now(), service_time=now, body=body)
        told.append(sentence)
    return tuple(told)


def _effect(trade: Trade, opened: OpenChange) -> Effect:
    state = trade.state(opened.change)
    if not differences(opened.change.after, state):
        return Effect.DONE
    return Effect.OTHER if differences(opened.change.before, state) else Effect.NOT_DONE
