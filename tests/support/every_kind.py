"""Every kind of change there is: what was before, what is wanted, and the plans that come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import Bench
from scenes import name

from exo_auth.facts.tenant import TenantRef
from exo_auth.plan.change import Blockage, Change
from exo_auth.plan.dkim import plan_disable, plan_enable, plan_rotation
from exo_auth.plan.mail_flow import (
    DISABLE_DANE,
    DISABLE_DNSSEC,
    ENABLE_DANE,
    ENABLE_DNSSEC,
    IN_CMDLETS,
    plan_feature,
    plan_partner,
    plan_removal,
    without_rule,
)
from exo_auth.plan.outcome import RunReport
from exo_auth.plan.partner_wish import MailFlow, PartnerWish
from exo_auth.plan.plan import Plan
from exo_auth.plan.record_set import RecordChange
from exo_auth.run.carry_out import carry_out, make_plan, prepare_other
from exo_auth.run.dns_changes import open_zones, planned_change
from exo_auth.run.journal import FILE_NAME, Journal, read
from exo_auth.run.lock import tenant_lock
from exo_auth.run.session import WritingSession
from exo_auth.run.undo import plan_undo
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.serve import Sandbox

ZONE, SIGNED = "zone.example", "signed.example"
DOMAINS = (
    DomainSpec("contoso.onmicrosoft.com", listed=False, cnames="none", initial=True),
    DomainSpec(ZONE),
    DomainSpec("signing.example"),
    DomainSpec("silent.example", enabled=False),
    DomainSpec("new.example", listed=False, cnames="none"),
    DomainSpec("due.example"),
    DomainSpec(SIGNED, signed=True),
)
DKIM = {
    "disable": ("signing.example", plan_disable),
    "enable": ("silent.example", plan_enable),
    "create": ("new.example", plan_enable),
    "rotate": ("due.example", plan_rotation),
}
LEAVE, REMOVE = "leave", "remove"


@dataclass(frozen=True)
class Wishes:
    """For each object what there is before (None for nothing), and what is wanted then."""

    rules: list[tuple[str | None, bool, str]] = field(default_factory=list)  # mode, is it on, wanted mode
    outbound: list[tuple[tuple[str, str] | None, tuple[str, str] | str]] = field(default_factory=list)
    inbound: list[tuple[tuple[str, bool] | None, tuple[str, bool] | str]] = field(default_factory=list)
    records: list[tuple[list[str] | None, list[str] | str]] = field(default_factory=list)
    dnssec: tuple[str, str] = ("off", "off")  # off, dnssec or dane, and the next
    dkim: tuple[str, ...] = ()
    foreign_rule: bool = False  # does somebody else's rule act first?


ENCRYPTION, CERTIFICATE = ("encryption", ""), ("certificate", "")
KINDS = {  # each makes one change
    "a rule is made": Wishes(rules=[(None, True, "Audit")]),
    "a rule is changed": Wishes(rules=[("Audit", True, "Enforce")]),
    "a rule is switched on": Wishes(rules=[("Audit", False, "Audit")]),
    "a rule is taken away": Wishes(rules=[("Enforce", True, REMOVE)]),
    "an outbound connector is made": Wishes(outbound=[(None, CERTIFICATE)]),
    "an outbound connector is changed": Wishes(outbound=[(ENCRYPTION, CERTIFICATE)]),
    "an outbound connector is taken away": Wishes(outbound=[(ENCRYPTION, REMOVE)]),
    "an inbound connector is made": Wishes(inbound=[(None, ("mx.a.example", False))]),
    "an inbound connector is changed": Wishes(inbound=[(("mx.a.example", False), ("mx.a.example", True))]),
    "an inbound connector is taken away": Wishes(inbound=[(("mx.a.example", True), REMOVE)]),
    "a record is published": Wishes(records=[(None, ["one"])]),
    "a record is changed": Wishes(records=[(["one"], ["two"])]),
    "a record is taken away": Wishes(records=[(["one", "two"], REMOVE)]),
    "DNSSEC is switched on": Wishes(dnssec=("off", "dnssec")),
    "DNSSEC is switched off": Wishes(dnssec=("dnssec", "off")),
    "DANE is switched on": Wishes(dnssec=("dnssec", "dane")),
    "DANE is switched off": Wishes(dnssec=("dane", "dnssec")),
    "signing is switched on": Wishes(dkim=("enable",)),
    "signing is switched off": Wishes(dkim=("disable",)),
    "keys are made": Wishes(dkim=("create",)),
    "keys are rotated": Wishes(dkim=("rotate",)),
}


class World:
    """The tenant, and the plans that wishes come to."""

    def __init__(self, box: Sandbox, state: Path, wishes: Wishes | None = None) -> None:
        self.box = box
        self.wishes = wishes or Wishes()
        self.bench = Bench(box, state)
        self.bench.environment |= {"EXO_AUTH_MAX_SHARE": "100%", "EXO_AUTH_MAX_CHANGES": "100"}

    def state(self) -> dict[str, Any]:
        """Everything there is, but when and as which object it was made, and what the service saw when it looked."""
        volatile = {"Guid", "Created", "Changed", "changed", "last_checked", "status"}
        flow = self.box.tenant.mail_flow.to_state()
        plain = {
            kind: [{key: value for key, value in one.items() if key not in volatile} for one in flow[kind]]
            for kind in ("rules", "outbound", "inbound")
        }
        for kind in ("outbound", "inbound"):  # they have no order; rules act in theirs
            plain[kind].sort(key=lambda one: str(one["Name"]))
        dkim = {
            domain: {key: value for key, value in state.items() if key not in volatile}
            for domain, state in self.box.tenant.to_state().items()
        }
        zones = sorted(map(repr, (one for one in self.box.zones.to_state() if one["type"] != "SOA")))
        return {**plain, "dnssec": flow["dnssec"], "dane": flow["dane"], "dkim": dkim, "zones": zones}

    def prepare(self, wishes: Wishes) -> None:
        """Bring about what is there before."""
        run = self.box.tenant.mail_flow.run
        if wishes.foreign_rule:
            run("New-TransportRule", {"Name": "Of others", "RouteMessageOutboundRequireTls": True})
        for number, (mode, is_on, _) in enumerate(wishes.rules):
            self.make(rule(number, mode) if mode else None)
            if mode and not is_on:
                run("Disable-TransportRule", {"Identity": rule(number).name, "Confirm": False})
        for number, (out, _) in enumerate(wishes.outbound):
            self.make(outbound(number, out) if out else None)
        for number, (inn, _) in enumerate(wishes.inbound):
            self.make(inbound(number, inn) if inn else None)
        for number, (values, _) in enumerate(wishes.records):
            for value in values or ():
                self.box.publish_txt(owner(number), value)
        features = {"off": (), "dnssec": (ENABLE_DNSSEC,), "dane": (ENABLE_DNSSEC, ENABLE_DANE)}
        for cmdlet in features[wishes.dnssec[0]]:
            run(cmdlet, {"DomainName": SIGNED})
        if "dane" in wishes.dnssec:  # it is switched on only where mail comes in by the new host alone
            (status,) = run("Get-DnssecStatusForVerifiedDomain", {"DomainName": SIGNED})
            self.box.zones.publish_mx(SIGNED, status["ExpectedMxRecord"]["Record"].split()[-1])

    def make(self, wish: PartnerWish | None) -> None:
        if wish is None:
            return
        changes, _ = plan_partner(MailFlow(), wish)
        change = changes[-1]
        self.box.tenant.mail_flow.run(change.cmdlet, change.parameters)

    def plan(self, session: WritingSession, wishes: Wishes) -> Plan:
        changes = [*self.of_mail_flow(session, wishes), *self.of_records(session, wishes)]
        steps = {
            ("off", "dnssec"): (ENABLE_DNSSEC, False),
            ("dnssec", "dane"): (ENABLE_DANE, False),
            ("dnssec", "off"): (DISABLE_DNSSEC, True),
            ("dane", "dnssec"): (DISABLE_DANE, True),
        }
        if step := steps.get(wishes.dnssec):
            changes.append(plan_feature(step[0], name(SIGNED), step[1], "a test"))
        for verb in wishes.dkim:
            domain, planner = DKIM[verb]
            changes += make_plan(session, [domain], planner, self.bench.said.append).plan.changes
        return Plan(self.tenant(session), session.clock.now(), "test", {}, tuple(changes), considered=1)

    def tenant(self, session: WritingSession) -> TenantRef:
        return TenantRef(session.tenant_id, session.settings.tenant, session.settings.cloud.name)

    def of_mail_flow(self, session: WritingSession, wishes: Wishes) -> list[Change]:
        reader = session.reader
        flow = MailFlow(reader.transport_rules(), reader.outbound_connectors(), reader.inbound_connectors())
        changes: list[Change] = []
        for number, (_, _, goal) in enumerate(wishes.rules):
            if goal == REMOVE:
                changes += plan_removal(flow, rule(number))[0]
                flow = without_rule(flow, rule(number).name)
            elif goal != LEAVE:
                changes += plan_partner(flow, rule(number, goal))[0]
        for number, (_, goal) in enumerate(wishes.outbound):
            changes += planned(flow, outbound(number, goal), goal)
        for number, (_, goal) in enumerate(wishes.inbound):
            made = planned(flow, inbound(number, goal), goal)
            changes += [change for change in made if change.cmdlet in IN_CMDLETS]
        return changes

    def of_records(self, session: WritingSession, wishes: Wishes) -> list[Change]:
        zones = open_zones(session.settings)
        changes = []
        for number, (there, goal) in enumerate(wishes.records):
            if goal == LEAVE:
                continue
            after = () if goal == REMOVE else tuple(goal)
            wanted = RecordChange(name(owner(number)), "TXT", tuple(there or ()), after)
            change = planned_change(zones, name(ZONE), wanted)
            assert not isinstance(change, Blockage), change
            changes += [change] if change is not None else []
        return changes

    def apply(self, session: WritingSession, plan: Plan, open_journal: Any = Journal.open) -> RunReport:
        with tenant_lock(session.state, command="test"):
            prepared, say = prepare_other(session, plan), self.bench.said.append
            return carry_out(session, prepared, reason="a test", say=say, open_journal=open_journal)

    def undo(self, session: WritingSession, run_id: str) -> tuple[Plan, RunReport]:
        lines = read(session.state / FILE_NAME)
        plan = plan_undo(lines, run_id, self.tenant(session), session.clock.now())
        return plan, self.apply(session, plan)


def rule(number: int, mode: str = "") -> PartnerWish:
    return PartnerWish(name(f"rule{number}.example"), mode=mode)


def outbound(number: int, goal: Any = REMOVE) -> PartnerWish:
    verify, host = goal if isinstance(goal, tuple) else ("encryption", "")
    return PartnerWish(name(f"out{number}.example"), how="connector", verify=verify, tls_domain=host)


def inbound(number: int, goal: Any = REMOVE) -> PartnerWish:
    certificate, is_on = goal if isinstance(goal, tuple) else ("mx.a.example", False)
    return PartnerWish(
        name(f"in{number}.example"),
        how="connector",
        inbound_certificate=certificate,
        inbound_enabled=is_on,
    )


def planned(flow: MailFlow, wish: PartnerWish, goal: Any) -> list[Change]:
    if goal == LEAVE:
        return []
    return (plan_removal if goal == REMOVE else plan_partner)(flow, wish)[0]


def owner(number: int) -> str:
    return f"_test{number}.{ZONE}"
