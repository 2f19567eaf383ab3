"""Take a snapshot: ask everything about some domains, and keep the answers (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from exo_auth.checks.domains import CHECKED_KINDS, classify
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook
from exo_auth.facts.tenant import TenantFacts
from exo_auth.plan.selection import choose
from exo_auth.run.check import CheckRequest, facts_in_order, sources_for
from exo_auth.run.session import ReadingSession
from exo_auth.run.settings import Settings
from exo_auth.run.snapshot import Snapshot

Say = Callable[[str], None]


def take_of_names(settings: Settings, names: Iterable[DomainName], *, now: datetime, say: Say) -> Snapshot:
    """Take a snapshot of domains by DNS alone."""
    return asyncio.run(_take(settings, tuple(dict.fromkeys(names)), now, None, say))


def take_of_tenant(session: ReadingSession, patterns: Sequence[str], *, say: Say) -> Snapshot:
    """Take a snapshot of domains of the tenant, with what the tenant says about them."""
    from exo_auth.run.observe import observe_connections, observe_tenant

    settings = session.settings
    say("reading accepted domains and DKIM configurations")
    facts = replace(observe_tenant(session), connections=observe_connections(session))
    domains = classify(facts.accepted_domains, settings.cloud.initial_suffixes)
    chosen = choose(domains, patterns, settings.policy.ignore, settings.tags, CHECKED_KINDS)
    if not patterns:
        chosen += tuple(domain.name for domain in domains if domain.accepted.is_initial)
    return asyncio.run(_take(settings, chosen, session.clock.now(), facts, say))


async def _take(
    settings: Settings, names: Sequence[DomainName], now: datetime, tenant: TenantFacts | None, say: Say
) -> Snapshot:
    from exo_auth.lookup.recorded import RecordingFetch, RecordingResolver

    live = sources_for(settings, CheckRequest(), knows_tenant=tenant is not None)
    if live.fetch is None:
        raise CannotLook("policy hosts cannot be asked")
    resolver, fetch = RecordingResolver(live.resolver), RecordingFetch(live.fetch)
    recording = replace(live, resolver=resolver, fetch=fetch)
    async for facts in facts_in_order(recording, names):
        say(f"{facts.domain.unicode} is done")
    return Snapshot(now, live.random_label, tuple(names), resolver.answers, fetch.fetches, tenant)
