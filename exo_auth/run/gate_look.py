"""One look at a gate: at the zone's own servers, and at resolvers only when it is open there (run).

A resolver that is asked too early remembers that a name is absent (RFC 2308 §5), and all names below it (RFC 8020): the
question itself would make the gate wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.finding import Severity
from exo_auth.checks.gates import GateVerdict, judge_gate
from exo_auth.checks.readiness import ReadinessState
from exo_auth.domain_name import DomainName
from exo_auth.run.check import CheckRequest, Judge, sources_for
from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.lookup.domain_facts import Sources
    from exo_auth.lookup.resolver import Resolver

SLACK = 1.1  # resolvers round and stretch TTLs
SOON = timedelta(minutes=5)  # when servers that lag are worth another look: changes are notified (RFC 1996)
VALIDATED = frozenset({"DNSSEC-INSECURE"})  # what only a validating resolver can tell


@dataclass(frozen=True)
class GateLooker:
    """Looks at the gate of a request; `everywhere` asks the public resolvers, too."""

    settings: Settings
    request: CheckRequest
    judge: Judge
    knows_tenant: bool = False
    everywhere: bool = False

    async def look(self, name: DomainName) -> DomainReport:
        """Judge one domain: open, closed, waiting with the moment from which to look again, or no verdict."""
        from exo_auth.lookup.authoritative import AuthoritativeResolver
        from exo_auth.lookup.authorities import Authorities

        live = sources_for(self.settings, self.request, knows_tenant=self.knows_tenant)
        seconds = self.settings.timeouts.dns.total_seconds()
        authorities = Authorities(live.resolver, self.settings.authority_port, seconds)
        own = AuthoritativeResolver(live.resolver, authorities, (name,))
        direct = await self._judged(replace(live, resolver=own), name)
        if own.is_unreachable:
            return await self._judged(live, name)  # a network that lets nobody ask other servers
        here = self._apart_from_validation(direct)
        if own.is_lagging and here.state is ReadinessState.UNKNOWN:
            later = datetime.now(UTC) + SOON
            return replace(direct, gate=replace(here, state=ReadinessState.WAITING, not_before=later))
        if here.state is not ReadinessState.READY:
            return replace(direct, gate=here)
        return await self._of_resolvers(live, name)

    async def _of_resolvers(self, live: Sources, name: DomainName) -> DomainReport:
        """Ask resolvers for what the zone's servers have: where one has something older, time alone is missing."""
        looks = (self._judged(replace(live, resolver=one), name) for one in self._resolvers(live.resolver))
        first, *others = await asyncio.gather(*looks)
        reports = [first, *(one for one in others if _gate(one).state is not ReadinessState.UNKNOWN)]
        closed = [one for one in reports if _gate(one).state is not ReadinessState.READY]
        if not closed:
            return first
        report = closed[0]
        if _gate(report).state is ReadinessState.UNKNOWN:
            return report
        waiting = replace(
            _gate(report), state=ReadinessState.WAITING, not_before=_forgotten([_gate(one) for one in closed])
        )
        return replace(report, gate=waiting)

    def _resolvers(self, own: Resolver) -> list[Resolver]:
        from exo_auth.lookup.resolver import StubResolver, parse_nameserver

        seconds = self.settings.timeouts.dns.total_seconds()
        known = set(self.settings.nameservers)
        others = [text for text in self.settings.public_resolvers if text not in known]
        public = [
            StubResolver((parse_nameserver(text),), timeout=seconds, ca_file=self.settings.cloud.ca_file)
            for text in others
        ]
        return [own, *(public if self.everywhere else ())]

    async def _judged(self, sources: Sources, name: DomainName) -> DomainReport:
        from exo_auth.lookup.domain_facts import gather_domain_facts

        return self.judge(await gather_domain_facts(sources, name))

    def _apart_from_validation(self, report: DomainReport) -> GateVerdict:
        gate = _gate(report)
        # what holds it, and not the findings told: a profile may be silent about some of those
        holding = tuple(one for one in gate.holding if one.code not in VALIDATED)
        return gate if len(holding) == len(gate.holding) else judge_gate(report.domain, gate.gate, holding)


def _gate(report: DomainReport) -> GateVerdict:
    assert report.gate is not None  # noqa: S101 - the request names a gate
    return report.gate


def _forgotten(closed: Sequence[GateVerdict]) -> datetime:
    """Give when the last resolver has forgotten: the time left of what it told, where that is known."""
    now = datetime.now(UTC)
    known = [one.not_before for one in closed if one.not_before is not None]
    known += [
        finding.not_before
        for one in closed
        for finding in one.holding
        if finding.not_before is not None and finding.severity is not Severity.UNKNOWN
    ]
    return now + (max(known) - now) * SLACK if known and max(known) > now else now + SOON
