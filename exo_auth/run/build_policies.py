"""Plan policies from what is published (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook
from exo_auth.facts.dns import Answer
from exo_auth.facts.domain import DomainFacts, Exchanger, Subject
from exo_auth.plan.mta_sts import PlannedPolicy, PolicyWish, plan_policy
from exo_auth.records.mta_sts_policy import Mode
from exo_auth.run.policy_records import facts_of_all, policy_in_force
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings


def plan_policies(
    settings: Settings, names: Sequence[str], wish: PolicyWish, *, keeps_mode: bool = False
) -> tuple[PlannedPolicy, ...]:
    """Look up the MX of each domain and decide on its policy; raises what `plan_policy` raises.

    With `keeps_mode` a policy that is in force keeps its mode, and its max_age where none is wished for: what is built again, for
    another host or with another MX, must not weaken it unsaid. Raises CannotLook where it is announced and not to be had.
    """
    domains = list(dict.fromkeys(DomainName.parse(name) for name in names))
    wishes = [wish] * len(domains)
    if keeps_mode:
        looked_at = facts_of_all(settings, domains, frozenset({Subject.MTA_STS}))
        wishes = [_as_in_force(facts, wish) for facts in looked_at]
    answers: Sequence[Answer[Exchanger] | None] = [None] * len(domains)
    if any(one.needs_mx for one in wishes):
        answers = asyncio.run(_exchangers(settings, domains))
    return tuple(
        plan_policy(domain, one, mx) for domain, one, mx in zip(domains, wishes, answers, strict=True)
    )


def wish_of(
    mode: str | None, patterns: Sequence[str], max_age: int | None, *, allow_mismatch: bool
) -> PolicyWish:
    """Give the wish that the words of a command line stand for; without a mode it is that of a first policy, testing."""
    return PolicyWish(Mode(mode or Mode.TESTING), tuple(patterns), max_age, allow_mismatch)


def _as_in_force(facts: DomainFacts, wish: PolicyWish) -> PolicyWish:
    try:
        policy = policy_in_force(facts)
    except CannotLook as error:
        raise CannotLook(
            error.message,
            hint=f"a policy is never built from nothing: see exo-auth mta-sts check {facts.domain}, or name the mode with --mode",
        ) from None
    if policy is None:
        return wish
    return replace(wish, mode=policy.mode, max_age=policy.max_age if wish.max_age is None else wish.max_age)


async def _exchangers(settings: Settings, domains: Sequence[DomainName]) -> list[Answer[Exchanger]]:
    from exo_auth.lookup.domain_facts import mail_exchangers

    resolver = resolver_for(settings)
    return await asyncio.gather(*(mail_exchangers(resolver, domain) for domain in domains))
