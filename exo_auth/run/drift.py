"""What has moved since it was applied: the journal's last word about each thing beside what is there now (run)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exo_auth.errors import ExoAuthError, InputError
from exo_auth.plan.change import Change
from exo_auth.plan.dkim_state import snapshot_of
from exo_auth.plan.mail_flow import DANE_CMDLETS, DNSSEC_CMDLETS, IN_CMDLETS, OUT_CMDLETS, RULE_CMDLETS
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan_file import OCTODNS, change_from_document
from exo_auth.run.journal import JournalLine
from exo_auth.run.recover import end_told_by
from exo_auth.run.trades import Trade, differences

FAMILIES = (RULE_CMDLETS, OUT_CMDLETS, IN_CMDLETS, DNSSEC_CMDLETS, DANE_CMDLETS)
WATCHED = ("enabled",)  # of DKIM: keys and selectors move by themselves


@dataclass(frozen=True)
class Drifted:
    """One thing that is not as it was applied. `is_unknown`: it could not be looked at."""

    run_id: str
    change: Change
    detail: str
    is_unknown: bool = False


def last_applied(lines: Iterable[JournalLine]) -> list[tuple[str, Change]]:
    """Give the last change that took effect about each thing, with its run; the oldest first."""
    intents: dict[int, tuple[str, Change]] = {}
    last: dict[tuple[str, ...], tuple[str, Change]] = {}
    for line in lines:
        if line.event == "intent":
            intents[line.number] = line.run_id, change_from_document(line.body["change"])
        elif end_told_by(line) == Result.APPLIED.value:
            sent = intents.get(int(line.body.get("intent", 0)))
            if sent is not None:
                last.pop(_thing(sent[1]), None)
                last[_thing(sent[1])] = sent
    return list(last.values())


def compare(
    applied: Iterable[tuple[str, Change]], trades: dict[str, Trade], configs: dict[str, object]
) -> list[Drifted]:
    """Look at each thing again; `configs` are the tenant's DKIM configurations by domain."""
    found = []
    for run_id, change in applied:
        try:
            told = _moved(change, trades, configs)
        except ExoAuthError as error:
            found.append(Drifted(run_id, change, str(error), is_unknown=True))
            continue
        if told:
            found.append(Drifted(run_id, change, told))
    return found


def _moved(change: Change, trades: dict[str, Trade], configs: dict[str, object]) -> str:
    trade = trades.get(change.cmdlet)
    if trade is not None:
        return "; ".join(differences(change.after, trade.state(change)))
    if change.cmdlet == OCTODNS:  # nobody looked, which is never “as it was”
        raise InputError(
            "the DNS host was not asked: no octoDNS configuration is given; set octodns_config (EXO_AUTH_OCTODNS)"
        )
    wanted = {key: value for key, value in change.after.items() if key in WATCHED}
    now = snapshot_of(configs.get(change.target.ascii))  # type: ignore[arg-type]
    return "; ".join(differences(wanted, now))


def _thing(change: Change) -> tuple[str, ...]:
    name = str(
        change.parameters.get("Identity", change.parameters.get("Name", change.parameters.get("name", "")))
    )
    family = next((str(number) for number, one in enumerate(FAMILIES) if change.cmdlet in one), "")
    if change.cmdlet == OCTODNS:
        family = f"dns:{change.parameters['type']}"
    return change.target.ascii, family, name
