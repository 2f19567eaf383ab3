"""The gates of a stage: a change waits until they are open for its domain (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from exo_auth.checks.gates import Gate, GateVerdict
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.plan.change import Blockage, Deferral, Verb
from exo_auth.plan.plan import Plan
from exo_auth.run.check import CheckRequest, facts_in_order, sources_for, tenant_judge
from exo_auth.run.observe import Observation
from exo_auth.run.playbook import Stage
from exo_auth.run.session import ReadingSession

Say = Callable[[str], None]


def hold_at_gates(
    session: ReadingSession, observation: Observation, plan: Plan, stage: Stage, say: Say
) -> Plan:
    """Take out the changes of domains for which a gate is closed; each gets the reason in their place.

    Gates are judged for domains with changes alone: who has nothing to do in a stage is through it.
    """
    changes = plan.changes
    deferrals, blockages = list(plan.deferrals), list(plan.blockages)
    for gate in stage.gates:
        names = sorted({change.target for change in changes})
        say(f"gate {gate.value} of {len(names)} domains")
        for verdict in judge_gates(session, observation, names, gate):
            if verdict.state is ReadinessState.READY:
                continue
            first = next(change for change in changes if change.target == verdict.domain)
            held = waiting_or_held(verdict, first.verb)
            if isinstance(held, Deferral):
                deferrals.append(held)
            else:
                blockages.append(held)
            changes = tuple(change for change in changes if change.target != verdict.domain)
    return replace(plan, changes=changes, deferrals=tuple(deferrals), blockages=tuple(blockages))


def judge_gates(
    session: ReadingSession, observation: Observation, names: Iterable[DomainName], gate: Gate
) -> list[GateVerdict]:
    """Ask DNS about the gate's subjects, and judge it for each domain."""
    # Whether all servers of the zone answer alike is known only by asking each.
    request = CheckRequest(gate=gate, authoritative=gate is Gate.ZONE)
    scene = observation.scene
    judge = tenant_judge(session.settings, scene.tenant, observation.domains, request, scene.now)
    sources = sources_for(session.settings, request, knows_tenant=True)

    async def ask() -> list[GateVerdict]:
        found = [judge(facts).gate async for facts in facts_in_order(sources, names)]
        return [verdict for verdict in found if verdict is not None]

    return asyncio.run(ask())


def waiting_or_held(verdict: GateVerdict, verb: Verb) -> Deferral | Blockage:
    """Say what a closed gate means for a step: only time is missing, or somebody has to look."""
    why = "; ".join(finding.message for finding in verdict.holding)
    reason = f"the gate {verdict.gate.value} is closed: {why}"
    if verdict.state is ReadinessState.WAITING:
        return Deferral(verdict.domain, reason, verdict.not_before, is_waiting=True, verb=verb)
    is_unknown = verdict.state is ReadinessState.UNKNOWN
    return Blockage(verdict.domain, verb, reason, verdict.holding, is_unknown=is_unknown)
