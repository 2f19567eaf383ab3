"""Plan policies from what is published (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer
from exo_auth.facts.domain import Exchanger
from exo_auth.plan.mta_sts import PlannedPolicy, PolicyWish, plan_policy
from exo_auth.records.mta_sts_policy import Mode
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings


def plan_policies(settings: Settings, names: Sequence[str], wish: PolicyWish) -> tuple[PlannedPolicy, ...]:
    """Look up the MX of each domain and decide on its policy; raises what `plan_policy` raises."""
    domains = list(dict.fromkeys(DomainName.parse(name) for name in names))
    answers: Sequence[Answer[Exchanger] | None] = [None] * len(domains)
    if wish.needs_mx:
        answers = asyncio.run(_exchangers(settings, domains))
    return tuple(plan_policy(domain, wish, mx) for domain, mx in zip(domains, answers, strict=True))


def wish_of(mode: str, patterns: Sequence[str], max_age: int | None, *, allow_mismatch: bool) -> PolicyWish:
    """Give the wish that the words of a command line stand for."""
    return PolicyWish(Mode(mode), tuple(patterns), max_age, allow_mismatch)


async def _exchangers(settings: Settings, domains: Sequence[DomainName]) -> list[Answer[Exchanger]]:
    from exo_auth.lookup.domain_facts import mail_exchangers

    resolver = resolver_for(settings)
    return await asyncio.gather(*(mail_exchangers(resolver, domain) for domain in domains))
