"""Look at a tenant and its DNS once, before anything is decided (run)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exo_auth.checks.domains import ClassifiedDomain, classify
from exo_auth.domain_name import DomainName
from exo_auth.errors import ExchangeError
from exo_auth.exchange.mail_flow_cmdlets import GET_ARC, GET_INBOUND_CONNECTOR, GET_OUTBOUND_CONNECTOR
from exo_auth.facts.connections import Connections, NotRead
from exo_auth.facts.tenant import TenantFacts, TenantRef
from exo_auth.plan.dkim import Scene
from exo_auth.plan.selection import EVERY, Tags, choose
from exo_auth.run.journal import FILE_NAME, read
from exo_auth.run.pipeline import Look
from exo_auth.run.recover import Recovery, recover
from exo_auth.run.service_clock import utc_now
from exo_auth.run.session import ReadingSession

Listed = TypeVar("Listed")


@dataclass(frozen=True)
class Observation:
    """What was seen: the scene for the planners, all accepted domains classified, and what looking back found."""

    scene: Scene
    domains: tuple[ClassifiedDomain, ...]
    recovery: Recovery
    look: Look


def observe_tenant(session: ReadingSession) -> TenantFacts:
    """Read accepted domains and DKIM configurations: two requests."""
    domains = session.reader.accepted_domains()
    configs = session.reader.dkim_signing_configs()
    session.clock.hear(session.reader.last_service_clock)
    if not session.settings.cloud.is_sandbox and (warning := session.clock.skew_warning()):
        session.warn(warning)
    for text in session.reader.warnings:
        session.warn(f"Exchange says: {text}")
    initial = next((row.name.ascii for row in domains if row.is_initial), session.settings.initial_domain)
    return TenantFacts(
        tenant=TenantRef(session.tenant_id, initial, session.settings.cloud.name),
        accepted_domains=domains,
        dkim_configs=configs,
        service_clock=session.reader.last_service_clock,
        warnings=session.reader.warnings,
    )


def look_at_tenant(session: ReadingSession) -> Look:
    """Observe the tenant, dated by the moment before it was asked: what is done afterwards must not make the look younger."""
    at = utc_now()
    return Look(observe_tenant(session), at)


def observe_connections(session: ReadingSession) -> Connections:
    """Read the connectors of both directions, and the trusted ARC sealers: four requests; what cannot be read is told as such."""
    return Connections(
        _listing(GET_OUTBOUND_CONNECTOR, session.reader.outbound_connectors),
        _listing(GET_INBOUND_CONNECTOR, session.reader.inbound_connectors),
        _listing(GET_ARC, session.reader.arc_sealers),
    )


def _listing(cmdlet: str, read: Callable[[], tuple[Listed, ...]]) -> tuple[Listed, ...] | NotRead:
    try:
        return read()
    except ExchangeError as error:
        return NotRead(cmdlet, error.message)


def observe_domains(session: ReadingSession) -> tuple[ClassifiedDomain, ...]:
    """Read and classify the accepted domains alone: one request."""
    return classify(session.reader.accepted_domains(), session.settings.cloud.initial_suffixes)


def observe(
    session: ReadingSession,
    patterns: Sequence[str],
    say: Callable[[str], None] = lambda _text: None,
    tags: Tags | None = None,
) -> Observation:
    """Read the tenant, choose domains, ask DNS about them, and look back into the journal.

    `tags` stand in for those of the configuration, as a playbook lays its own over them.
    """
    settings = session.settings
    say("reading accepted domains and DKIM configurations")
    look = look_at_tenant(session)
    facts = look.facts
    domains = classify(facts.accepted_domains, settings.cloud.initial_suffixes)
    chosen = _chosen(session, domains, patterns, tags)
    now = session.clock.now()
    recovery = recover(read(session.state / FILE_NAME), facts, now)
    say(f"asking DNS about {len(chosen)} domains")
    dns = session.look_up(chosen, lambda domain: say(f"DNS of {domain.unicode}"))
    return Observation(
        Scene(
            tenant=facts,
            chosen=chosen,
            dns=dns,
            now=session.clock.now(),
            policy=settings.policy.as_policy(),
            limits=settings.limits,
            in_flight=recovery.in_flight,
        ),
        domains,
        recovery,
        look,
    )


def _chosen(
    session: ReadingSession,
    domains: tuple[ClassifiedDomain, ...],
    patterns: Sequence[str],
    tags: Tags | None = None,
) -> tuple[DomainName, ...]:
    policy = session.settings.policy
    chosen = choose(domains, patterns, policy.ignore, session.settings.tags if tags is None else tags)
    if not policy.include_initial_domain or any(pattern not in ("*", EVERY) for pattern in patterns):
        return chosen
    initial = [domain.name for domain in domains if domain.accepted.is_initial]
    return tuple(sorted({*chosen, *initial}))


def observe_without_dns(session: ReadingSession, patterns: Sequence[str]) -> Scene:
    """Read the tenant and choose domains; for questions that DNS has no part in."""
    look = look_at_tenant(session)
    facts = look.facts
    domains = classify(facts.accepted_domains, session.settings.cloud.initial_suffixes)
    return Scene(
        tenant=facts,
        chosen=_chosen(session, domains, patterns),
        dns={},
        now=session.clock.now(),
        policy=session.settings.policy.as_policy(),
        limits=session.settings.limits,
    )
