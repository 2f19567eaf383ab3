"""DNS records as changes of a plan, published through octoDNS, and taken back (run)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from exo_auth.checks.finding import DnsRecord
from exo_auth.checks.parked import names_no_sender
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError, PublishError
from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change, Deferral, Verb
from exo_auth.plan.limits import Limits
from exo_auth.plan.outcome import Outcome, RunReport
from exo_auth.plan.plan import Plan, limit_excess
from exo_auth.plan.plan_file import OCTODNS, check_applyable, from_text
from exo_auth.plan.record_set import RecordChange, RecordSet, same_values
from exo_auth.publish.octodns_zones import OctoDnsZones, ZoneHome
from exo_auth.run.durations import parse_duration
from exo_auth.run.hands import Patience
from exo_auth.run.hooks import AfterChange, ToldJournal
from exo_auth.run.in_flight import settle
from exo_auth.run.interrupt import Interrupt
from exo_auth.run.journal import Journal, JournalLine
from exo_auth.run.journal_place import journal_of_dns
from exo_auth.run.keys_in_use import KeysInUse
from exo_auth.run.lock import tenant_lock
from exo_auth.run.record_export import DomainRecords
from exo_auth.run.record_gate import RecordGate
from exo_auth.run.run_id import new_run_id
from exo_auth.run.settings import Settings
from exo_auth.run.trades import Tools, apply_with_trades, held_as_outcome
from exo_auth.run.undo import applied_by, narrowed

NO_TENANT = TenantRef("dns", "dns", "")
UNSEEN = frozenset({"DKIM-CNAME-MISSING", "DKIM-CNAME-WRONG"})
UNDO = "the set before is in the journal: exo-auth dns undo RUN puts it back"


class DnsTrade:
    """Publishes one set at a time."""

    def __init__(self, zones: OctoDnsZones, gate: RecordGate | None = None) -> None:
        self._zones = zones
        self._gate = gate

    def state(self, change: Change) -> Mapping[str, Any]:
        """Read the set from the provider."""
        home = self._home(change)
        name, rdtype = str(change.parameters["name"]), str(change.parameters["type"])
        return set_state(self._zones.live(home, fresh=True).get((name, rdtype)))

    def closed_gate(self, change: Change) -> Outcome | None:
        """Ask the order of records anew: a plan may be old, come from a file, or be an undo."""
        held = self._gate.held(change, parked=self._is_parked(change)) if self._gate is not None else None
        return held_as_outcome(change, held) if held is not None else None

    def send(self, change: Change) -> None:
        """Write the whole set."""
        values = tuple(map(str, change.after["values"]))
        owner = DomainName(str(change.parameters["name"]))
        ttl = int(change.after.get("ttl") or change.parameters["ttl"])
        one = RecordSet(owner, str(change.parameters["type"]), values, ttl)
        self._zones.write(self._home(change), [one])

    def _is_parked(self, change: Change) -> bool:
        apex = str(change.parameters["name"]).removeprefix("_dmarc.")
        live = self._zones.live(self._home(change)).get((apex, "TXT"))
        return live is not None and names_no_sender(live.values)

    def _home(self, change: Change) -> ZoneHome:
        home = self._zones.home_of(DomainName(str(change.parameters["name"])))
        if home is None:
            raise InputError(
                f"octoDNS writes no zone that holds {change.parameters['name']}",
                hint="exo-auth dns providers",
            )
        return home


def set_state(one: RecordSet | None) -> dict[str, Any]:
    """Describe a set as plain JSON values; `before` and `after` of a change hold the TTL where it matters."""
    return {
        "values": sorted(one.values) if one is not None else [],
        "ttl": one.ttl if one is not None else 0,
    }


def open_zones(settings: Settings) -> OctoDnsZones:
    """Open the octoDNS configuration that the settings name; raises InputError, ConfigError."""
    if settings.octodns_config is None:
        raise InputError(
            "no octoDNS configuration is named",
            hint="give --octodns FILE, or octodns_config in the configuration; `exo-auth dns export` prints records to paste",
        )
    return OctoDnsZones(Path(settings.octodns_config))


def plan_publication(
    zones: OctoDnsZones, found: Sequence[DomainRecords], limits: Limits, now: datetime, tenant: TenantRef
) -> Plan:
    """Plan the sets that are not there yet. Values of others in a shared set stay (the plan holds the whole set)."""
    changes: list[Change] = []
    blockages: list[Blockage] = []
    steady = []
    for one in found:
        mine: list[Change | Blockage] = []
        for change in one.changes:
            planned = planned_or_held(zones, one.domain, change) if change.is_needed else None
            if planned is not None:
                mine.append(planned)
        changes += [part for part in mine if isinstance(part, Change)]
        blockages += [part for part in mine if isinstance(part, Blockage)]
        if not mine:
            steady.append(one.domain)
    return Plan(
        tenant,
        now,
        "dns plan",
        {},
        tuple(changes),
        (),
        tuple(blockages),
        tuple(steady),
        len(found),
        limit_excess(len({change.target for change in changes}), len(found), limits),
    )


def planned_or_held(
    zones: OctoDnsZones, domain: DomainName, wanted: RecordChange
) -> Change | Blockage | None:
    """Give the change at the provider; one that cannot be asked holds back its own zones alone."""
    try:
        return planned_change(zones, domain, wanted)
    except PublishError as error:
        return Blockage(domain, Verb.PUBLISH, error.message, (), is_unknown=True)


def planned_change(zones: OctoDnsZones, domain: DomainName, wanted: RecordChange) -> Change | Blockage | None:
    """Give the change at the provider, a blockage, or None where the provider has it already."""
    if wanted.refusal:
        return Blockage(domain, Verb.PUBLISH, f"{wanted.owner} {wanted.type}: {wanted.refusal}", (), False)
    home = zones.home_of(wanted.owner)
    if home is None:
        return Blockage(domain, Verb.PUBLISH, f"octoDNS writes no zone that holds {wanted.owner}", (), False)
    live = zones.live(home).get((wanted.owner.ascii, wanted.type))
    before = live.values if live is not None else ()
    other = _conflict(zones, home, wanted)
    if other:
        return Blockage(domain, Verb.PUBLISH, other, (), False)
    after = _merged(before, wanted)
    if same_values(wanted.type, before, after):
        return None
    if fragile := _fragile(wanted.type, before):
        return Blockage(domain, Verb.PUBLISH, f"{wanted.owner} {wanted.type}: {fragile}", (), False)
    ttl = live.ttl if live is not None else wanted.ttl
    return publication(domain, RecordSet(wanted.owner, wanted.type, after, ttl), before, wanted.because)


def publication(
    domain: DomainName, wanted: RecordSet, before: Iterable[str], because: Iterable[str]
) -> Change:
    """Make the change of one set."""
    return Change(
        verb=Verb.PUBLISH if wanted.values else Verb.REMOVE,
        target=domain,
        before={"values": sorted(before)},
        after={"values": sorted(wanted.values)},
        because=f"{wanted.owner} {wanted.type}: {'; '.join(because) or 'it is to stand there'}",
        cmdlet=OCTODNS,
        parameters={"name": wanted.owner.ascii, "type": wanted.type, "ttl": wanted.ttl},
        undo=UNDO,
    )


def with_publication(plan: Plan, zones: OctoDnsZones, limits: Limits) -> Plan:
    """Put the records that hold changes of a tenant's plan into it: they are published, and the change waits for them.

    A later run finds them in DNS and goes on.
    """
    changes: list[Change] = []
    blockages: list[Blockage] = []
    deferrals = list(plan.deferrals)
    for blockage in plan.blockages:
        records = {(r.owner, r.type, r.value): r for one in blockage.findings for r in one.records}
        planned = [planned_change(zones, blockage.target, _replacing(zones, r)) for r in records.values()]
        mine = [part for part in planned if isinstance(part, Change)]
        if not any(planned) and _is_only_unseen(blockage):
            reason = f"{blockage.verb} follows when resolvers show the records: they are published"
            until = max(filter(None, (one.not_before for one in blockage.findings)), default=None)
            deferrals.append(Deferral(blockage.target, reason, until, is_waiting=True, verb=blockage.verb))
            continue
        if not mine or any(isinstance(part, Blockage) for part in planned):
            blockages.append(blockage)
            blockages += [part for part in planned if isinstance(part, Blockage)]
            continue
        changes += mine
        reason = f"{blockage.verb} follows when the records are published"
        deferrals.append(Deferral(blockage.target, reason, None, is_waiting=True, verb=blockage.verb))
    every = (*changes, *plan.changes)
    return replace(
        plan,
        changes=every,
        deferrals=tuple(deferrals),
        blockages=tuple(blockages),
        exceeds_limit=limit_excess(len({one.target for one in every}), plan.considered, limits),
    )


def _is_only_unseen(blockage: Blockage) -> bool:
    """Is all that holds a change records that resolvers do not show? Where the DNS host has them, time alone is missing."""
    codes = {finding.code for finding in blockage.findings}
    return not blockage.is_unknown and bool(codes) and codes <= UNSEEN


def _replacing(zones: OctoDnsZones, record: DnsRecord) -> RecordChange:
    """Give the change by which a record of ours replaces what stands at its name in the provider."""
    home = zones.home_of(record.owner)
    live = zones.live(home).get((record.owner.ascii, record.type)) if home is not None else None
    value = record.value.removesuffix(".")
    before = live.values if live else ()
    return RecordChange(
        record.owner, record.type, before, (value,), ("the tenant names it",), ttl=record.ttl_seconds
    )


def plan_undo(
    zones: OctoDnsZones, lines: Iterable[JournalLine], run_id: str, now: datetime, only: str = ""
) -> Plan:
    """Plan the sets as they were before a run; what has moved since is a blockage, not guessed.

    `only` names one change by its key, or a domain. Raises InputError for a run that published nothing.
    """
    published = [change for change in applied_by(lines, run_id) if change.cmdlet == OCTODNS]
    done = narrowed(published, run_id, only)
    changes: list[Change] = []
    blockages: list[Blockage] = []
    steady = []
    for one in reversed(done):
        back = _way_back(zones, one, run_id)
        if isinstance(back, Change):
            changes.append(back)
        elif isinstance(back, Blockage):
            blockages.append(back)
        else:
            steady.append(one.target)
    considered = len({one.target for one in done})
    return Plan(
        NO_TENANT,
        now,
        f"dns undo {run_id}",
        {},
        tuple(changes),
        (),
        tuple(blockages),
        tuple(dict.fromkeys(steady)),
        considered,
    )


def _way_back(zones: OctoDnsZones, done: Change, run_id: str) -> Change | Blockage | None:
    """Give the change that puts one set back; None where it never took effect, or is back already."""
    name, rdtype = str(done.parameters["name"]), str(done.parameters["type"])
    home = zones.home_of(DomainName(name))
    live = zones.live(home).get((name, rdtype)) if home is not None else None
    there = set_state(live)["values"]
    if home is not None and there == sorted(done.before["values"]):
        return None
    if home is None or there != sorted(done.after["values"]):
        text = f"{name} {rdtype} is not as that run left it: {', '.join(there) or 'absent'}"
        return Blockage(done.target, Verb.PUBLISH, text, (), is_unknown=False)
    if fragile := _fragile(rdtype, (*done.before["values"], *there)):
        return Blockage(done.target, Verb.PUBLISH, f"{name} {rdtype}: {fragile}", (), is_unknown=False)
    former = RecordSet(DomainName(name), rdtype, tuple(done.before["values"]), int(done.parameters["ttl"]))
    return publication(done.target, former, done.after["values"], (f"as before run {run_id}",))


def _fragile(rdtype: str, values: Iterable[str]) -> str:
    """Tell of a value that may come out otherwise when its set is written anew: providers of octoDNS differ in escapes."""
    if rdtype != "TXT":
        return ""
    risky = [value for value in values if not (value.isascii() and value.isprintable()) or "\\" in value]
    if not risky:
        return ""
    return f"{risky[0][:60]!r} of others stands in the set, and octoDNS may not keep it octet by octet: publish by hand"


def _merged(before: tuple[str, ...], wanted: RecordChange) -> tuple[str, ...]:
    """Apply our difference to the provider's set: what others put there since stays."""
    if wanted.type != "TXT":
        return wanted.after
    gone = [value for value in wanted.before if value not in wanted.after]
    new = [value for value in wanted.after if value not in wanted.before]
    kept = [value for value in before if value not in gone]
    return (*kept, *(value for value in new if value not in kept))


def _conflict(zones: OctoDnsZones, home: ZoneHome, wanted: RecordChange) -> str:
    """Tell what forbids the set: a CNAME stands alone at its name (RFC 1034 §3.6.2)."""
    at_name = {rdtype for owner, rdtype in zones.live(home) if owner == wanted.owner.ascii}
    if wanted.type == "CNAME" and (others := at_name - {"CNAME"}):
        return f"{wanted.owner} has {', '.join(sorted(others))}: a CNAME must stand alone; remove it first"
    if wanted.type != "CNAME" and "CNAME" in at_name:
        return f"{wanted.owner} is a CNAME, so nothing else may stand there"
    return ""


def read_plan(file: Path, now: datetime) -> Plan:
    """Read a saved plan of DNS records; raises InputError, or PlanStale when it is too old."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the plan {file} cannot be read: {error}", hint="exo-auth dns plan --out FILE"
        ) from None
    plan = from_text(text, file=str(file))
    check_applyable(plan, tenant_id=NO_TENANT.tenant_id, now=now)
    return plan


@contextmanager
def dns_lock(settings: Settings, wait: str | None, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of DNS changes; raises LockHeld. Whoever holds a tenant's lock, too, took that one before."""
    seconds = parse_duration(wait) if wait else settings.timeouts.lock
    command = " ".join(["exo-auth", *sys.argv[1:3]])
    with tenant_lock(journal_of_dns(settings).parent, command=command, wait=seconds, say=say):
        yield


def publish(
    settings: Settings,
    plan: Plan,
    *,
    reason: str,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
    after_change: AfterChange = lambda _sent: None,
    keys: KeysInUse | None = None,
) -> RunReport:
    """Apply a plan of DNS records, and tell of each change. The caller holds the lock."""
    journal = Journal.open(journal_of_dns(settings))
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        tools = Tools(
            ToldJournal(journal, after_change),
            new_run_id(),
            reason,
            say,
            sleep,
            lambda: interrupt.is_requested,
            lambda: interrupt.exit_code,
            patience=Patience(timedelta(seconds=2), timedelta(seconds=30)),
        )
        trades = {OCTODNS: DnsTrade(open_zones(settings), RecordGate(settings, keys=keys or KeysInUse()))}
        notes = settle(journal.lines, trades, tools)
        return replace(apply_with_trades(plan, trades, tools), notes=notes)
