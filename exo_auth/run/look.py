"""Look at one subject of one domain, without a tenant (run)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from exo_auth.checks.finding import Finding
from exo_auth.checks.whole import check_domain
from exo_auth.domain_name import DomainName
from exo_auth.facts.domain import DomainFacts, Subject
from exo_auth.run.check import CheckRequest, sources_for
from exo_auth.run.settings import Settings


@dataclass(frozen=True)
class Look:
    """What was seen and what follows from it."""

    facts: DomainFacts
    findings: tuple[Finding, ...]
    at: datetime


def look(settings: Settings, text: str, subjects: frozenset[Subject], now: datetime) -> Look:
    """Ask about some subjects of a domain; raises InputError for no name."""
    from exo_auth.lookup.domain_facts import gather_domain_facts

    domain = DomainName.parse_lookup(text)

    async def ask() -> DomainFacts:
        return await gather_domain_facts(sources_for(settings, CheckRequest(subjects=subjects)), domain)

    facts = asyncio.run(ask())
    return Look(facts, check_domain(facts, now, subjects=subjects), now)
