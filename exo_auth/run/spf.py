"""Questions about SPF that need DNS and no tenant (run)."""

from __future__ import annotations

import asyncio

from exo_auth.errors import InputError
from exo_auth.facts.spf import SpfResult
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings


def evaluate_spf(settings: Settings, *, address: str, mail_from: str, helo: str) -> SpfResult:
    """Evaluate SPF for an envelope; raises InputError for an address that is none."""
    from exo_auth.lookup.spf_evaluation import Envelope, check_host

    try:
        envelope = Envelope.of(address, mail_from, helo)
    except ValueError:
        raise InputError(
            f"“{address}” is no IP address", hint="write it like 192.0.2.1 or 2001:db8::1"
        ) from None

    async def ask() -> SpfResult:
        return await check_host(resolver_for(settings), envelope)

    return asyncio.run(ask())
