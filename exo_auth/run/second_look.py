"""A second look at a domain whose findings changed, at other servers than the first (run).

The second of two resolvers; where only one is configured, or answers, the domain's own servers, which no cache stands
before.
"""

from __future__ import annotations

from dataclasses import replace

from exo_auth.checks.catalogue import finding
from exo_auth.checks.changes import Baseline
from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.finding import Severity
from exo_auth.checks.validation import SEEN_BY_VALIDATORS
from exo_auth.run.check import CheckRequest, Judge, sources_for
from exo_auth.run.resolvers import configured_servers
from exo_auth.run.settings import Settings


async def confirmed_changes(
    settings: Settings,
    request: CheckRequest,
    judge: Judge,
    baseline: Baseline,
    first: DomainReport,
    *,
    knows_tenant: bool = False,
) -> DomainReport:
    """Reduce a report to what changed and other servers confirm; where none can be asked, the report says so."""
    from exo_auth.lookup.authoritative import AuthoritativeResolver
    from exo_auth.lookup.authorities import Authorities
    from exo_auth.lookup.domain_facts import gather_domain_facts

    if not baseline.differs(first):
        return baseline.changes(first)
    sources = sources_for(settings, request, knows_tenant=knows_tenant, second=True)
    resolvers = configured_servers(settings)
    if len(resolvers) > 1:
        again = judge(await gather_domain_facts(sources, first.domain))
        if not _heard(first, resolvers) & _heard(again, resolvers):
            return baseline.changes(first, again)
    authorities = Authorities(
        sources.resolver, settings.authority_port, settings.timeouts.dns.total_seconds()
    )
    own = AuthoritativeResolver(sources.resolver, authorities, (first.domain,))
    again = judge(await gather_domain_facts(replace(sources, resolver=own), first.domain))
    if not (own.is_unreachable or own.knows_no_zone):
        return baseline.changes(first, _as_validated(again, first))
    again = judge(await gather_domain_facts(sources, first.domain))
    return _unconfirmed(baseline.changes(first, again))


def _heard(report: DomainReport, resolvers: frozenset[str]) -> frozenset[str]:
    """Name the resolvers that answered: where one is out of order, the other one answered for both."""
    return resolvers & {proof.server for one in report.findings for proof in one.evidence}


def _as_validated(again: DomainReport, first: DomainReport) -> DomainReport:
    """Take from the first look what only a validating resolver can tell: the zone's own servers validate nothing."""
    seen = [one for one in first.findings if one.code in SEEN_BY_VALIDATORS]
    others = [one for one in again.findings if one.code not in SEEN_BY_VALIDATORS]
    return replace(again, findings=(*others, *seen))


def _unconfirmed(changes: DomainReport) -> DomainReport:
    if not changes.gone and all(one.severity is Severity.UNKNOWN for one in changes.findings):
        return changes
    told = finding(
        "CHANGE-UNCONFIRMED",
        changes.domain,
        "what changed was confirmed by no second server",
        seen="one resolver alone answered, and the servers of the zone could not be asked from here",
        wanted="two servers that agree",
    )
    return replace(changes, findings=(*changes.findings, told))
