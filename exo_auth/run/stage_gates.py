"""The gates of a stage: a change waits until they are open for its domain (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from exo_auth.checks.domains import ClassifiedDomain
from exo_auth.checks.gates import Gate, GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.facts.tenant import TenantFacts
from exo_auth.plan.change import Blockage, Deferral, Verb
from exo_auth.plan.plan import Plan
from exo_auth.run.check import CheckRequest, facts_in_order, sources_for, tenant_judge
from exo_auth.run.observe import Observation
from exo_auth.run.session import ReadingSession

Say = Callable[[str], None]


@dataclass(frozen=True)
class GateKeeper:
    """Judges gates for domains of a tenant as it was seen; `now` is the service's."""

    session: ReadingSession
    tenant: TenantFacts
    domains: tuple[ClassifiedDomain, ...]
    now: datetime

    @classmethod
    def of(cls, session: ReadingSession, observation: Observation) -> GateKeeper:
        """Judge by what a plan was made from."""
        scene = observation.scene
        return cls(session, scene.tenant, observation.domains, scene.now)

    def verdicts(self, names: Iterable[DomainName], gate: Gate) -> list[GateVerdict]:
        """Ask DNS about the gate's subjects, and judge it for each domain."""
        # Whether all servers of the zone answer alike is known only by asking each.
        request = CheckRequest(gate=gate, authoritative=gate is Gate.ZONE)
        judge = tenant_judge(self.session.settings, self.tenant, self.domains, request, self.now)
        sources = sources_for(self.session.settings, request, knows_tenant=True)

        async def ask() -> list[GateVerdict]:
            found = [judge(facts).gate async for facts in facts_in_order(sources, names)]
            return [verdict for verdict in found if verdict is not None]

        return asyncio.run(ask())

    def hold(self, plan: Plan, say: Say) -> Plan:
        """Take out the changes of domains for which one of their gates is closed; the reason comes in their place.

        Gates are judged for domains with changes alone: who has nothing to do in a stage is through it.
        """
        accepted = {domain.name for domain in self.domains}
        gone = {one.target: one for one in plan.changes if one.gates and one.target not in accepted}
        changes = tuple(one for one in plan.changes if one.target not in gone)
        deferrals, blockages = list(plan.deferrals), list(plan.blockages)
        reason = "the tenant does not accept it any more"
        blockages += [Blockage(name, one.verb, reason, (), False, one.stage) for name, one in gone.items()]
        for gate in Gate:
            names = sorted({change.target for change in changes if gate in change.gates})
            if not names:
                continue
            say(f"gate {gate.value} of {len(names)} domains")
            verdicts = self.verdicts(names, gate)
            closed = {one.domain: one for one in verdicts if one.state is not ReadinessState.READY}
            behind = [one for one in changes if gate in one.gates and one.target in closed]
            first = {one.target: one for one in reversed(behind)}
            held = [
                replace(waiting_or_held(closed[name], one.verb), stage=one.stage)
                for name, one in first.items()
            ]
            deferrals += [one for one in held if isinstance(one, Deferral)]
            blockages += [one for one in held if isinstance(one, Blockage)]
            changes = tuple(one for one in changes if one not in behind)
        return replace(plan, changes=changes, deferrals=tuple(deferrals), blockages=tuple(blockages))


def waiting_or_held(verdict: GateVerdict, verb: Verb) -> Deferral | Blockage:
    """Say what a closed gate means for a step: only time is missing, or somebody has to look."""
    why = "; ".join(finding.message for finding in verdict.holding)
    reason = f"the gate {verdict.gate.value} is closed: {why}"
    if verdict.state is ReadinessState.WAITING:
        return Deferral(verdict.domain, reason, verdict.not_before, is_waiting=True, verb=verb)
    is_unknown = verdict.state is ReadinessState.UNKNOWN
    return Blockage(verdict.domain, verb, reason, verdict.holding, is_unknown=is_unknown)
