"""Questions about SPF that need DNS and no tenant (run)."""

from __future__ import annotations

import asyncio

from exo_auth.errors import InputError
from exo_auth.facts.spf import SpfResult
from exo_auth.run.settings import Settings


def evaluate_spf(settings: Settings, *, address: str, mail_from: str, helo: str) -> SpfResult:
    """Evaluate SPF for an envelope; raises InputError for an address that is none."""
    from exo_auth.lookup.resolver import StubResolver, parse_nameserver
    from exo_auth.lookup.spf_evaluation import Envelope, check_host

    try:
        envelope = Envelope.of(address, mail_from, helo)
    except ValueError:
        raise InputError(
            f"“{address}” is no IP address", hint="write it like 192.0.2.1 or 2001:db8::1"
        ) from None
    servers = tuple(parse_nameserver(text) for text in settings.nameservers)

    async def ask() -> SpfResult:
        resolver = StubResolver(servers or None, timeout=settings.timeouts.dns.total_seconds())
        return await check_host(resolver, envelope)

    return asyncio.run(ask())
