"""Plan the inverse of a run: what it changed, in the reverse order, through the same engine (run)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Verb
from exo_auth.plan.mail_flow import CMDLETS, inverse
from exo_auth.plan.outcome import Result
from exo_auth.plan.plan import Plan
from exo_auth.plan.plan_file import OCTODNS, change_from_document
from exo_auth.run.journal import JournalLine
from exo_auth.run.recover import OPEN_RESULTS, end_told_by

NO_WAY_BACK = {
    Verb.ROTATE: "a rotation cannot be taken back: the old key stays valid until the next one",
    Verb.CREATE: "keys that are off change no mail: nothing to take back",
    Verb.UPDATE: "key sizes are changed by rotations alone",
}
_DKIM = "-DkimSigningConfig"


def plan_undo(
    lines: Iterable[JournalLine], run_id: str, tenant: TenantRef, now: datetime, only: str = ""
) -> Plan:
    """Plan the way back from a run; `only` names one change by its key, or a domain. Raises InputError for what is unknown.

    What has no way back is a blockage with the reason. Whether anything moved since is compared by apply.
    """
    done = narrowed(applied_by(lines, run_id), run_id, only)
    changes: list[Change] = []
    blockages: list[Blockage] = []
    for change in reversed(done):
        back = _inverse(change)
        if isinstance(back, Change):
            changes.append(back)
        else:
            blockages.append(Blockage(change.target, change.verb, back, (), is_unknown=False))
    return Plan(
        tenant,
        now,
        f"undo {run_id}",
        {},
        tuple(changes),
        (),
        tuple(blockages),
        (),
        len({c.target for c in done}),
    )


def narrowed(done: list[Change], run_id: str, only: str) -> list[Change]:
    """Keep one change by its key, or all of a domain or a record by its name; all where nothing is named.

    Raises InputError when nothing is left.
    """
    if not done:
        raise InputError(f"run {run_id} changed nothing", hint="exo-auth journal list tells what runs did")
    wanted = only if ":" in only or not only else _name(only)
    kept = [
        change
        for change in done
        if wanted in ("", change.key, change.target.ascii, str(change.parameters.get("name", "")).lower())
    ]
    if not kept:
        raise InputError(
            f"no change {only} of run {run_id} took effect",
            hint=f"its changes are {', '.join(change.key for change in done)}",
        )
    return kept


def _name(text: str) -> str:
    return (DomainName.parse_lookup(text) if "_" in text else DomainName.parse(text)).ascii


def applied_by(lines: Iterable[JournalLine], run_id: str) -> list[Change]:
    """Give the changes of a run that took effect, or may have, in their order.

    A change of DNS or mail flow whose end is not known names whole states, so that its inverse sends nothing where it
    never took effect.
    """
    intents: dict[int, Change] = {}
    ends: dict[int, str] = {}
    for line in lines:
        if line.event == "intent" and line.run_id == run_id:
            intents[line.number] = change_from_document(line.body["change"])
        elif end := end_told_by(line):
            ends[int(line.body.get("intent", 0))] = end
    return [change for number, change in intents.items() if _may_have_acted(change, ends.get(number))]


def _may_have_acted(change: Change, end: str | None) -> bool:
    if end is None or end in OPEN_RESULTS:
        return not change.cmdlet.endswith(_DKIM)
    return end == Result.APPLIED.value


def as_before(change: Change) -> str:
    """Say why a change is taken back; an undo of an undo says it once."""
    return f"as before: {change.because.removeprefix('as before: ')}"


def _inverse(change: Change) -> Change | str:
    if change.cmdlet in CMDLETS:
        return inverse(change)
    if change.cmdlet == OCTODNS:
        verb = Verb.PUBLISH if change.before["values"] else Verb.REMOVE
        because = as_before(change)
        return Change(verb, change.target, change.after, change.before, because, OCTODNS, change.parameters)
    return _inverse_of_dkim(change)


def _inverse_of_dkim(change: Change) -> Change | str:
    """Signing is switched back; the states of DKIM hold more than that, so that only what matters is compared."""
    if change.verb is Verb.ENABLE:
        return _switch(change, Verb.DISABLE, on=False)
    if change.verb is Verb.DISABLE:
        return _switch(change, Verb.ENABLE, on=True)
    return NO_WAY_BACK.get(change.verb, f"{change.cmdlet} cannot be taken back")


def _switch(change: Change, verb: Verb, *, on: bool) -> Change:
    before = {**change.before, "enabled": not on}
    because = as_before(change)
    opposite = f"exo-auth dkim {change.verb} -d {change.target.unicode}"
    return Change(
        verb, change.target, before, {"enabled": on}, because, f"Set{_DKIM}", {"Enabled": on}, opposite
    )
