"""The resolver that settings ask for (run)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.lookup.resolver import StubResolver


def resolver_for(settings: Settings) -> StubResolver:
    """Give a new resolver, without memory of earlier answers."""
    from exo_auth.lookup.resolver import StubResolver, parse_nameserver

    servers = tuple(parse_nameserver(text) for text in settings.nameservers)
    return StubResolver(servers or None, timeout=settings.timeouts.dns.total_seconds())
