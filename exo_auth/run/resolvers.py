"""The resolver that settings ask for (run)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.lookup.resolver import Resolver


def configured_servers(settings: Settings) -> frozenset[str]:
    """Name the resolvers that the settings or the system name, as evidence names who answered."""
    from exo_auth.lookup.resolver import parse_nameserver
    from exo_auth.lookup.servers import server_text
    from exo_auth.lookup.system_servers import system_name_servers

    named = [parse_nameserver(text) for text in settings.nameservers] or system_name_servers().servers
    return frozenset(map(server_text, named))


def resolver_for(settings: Settings, *, second: bool = False) -> Resolver:
    """Give a new resolver, without memory of earlier answers; the second one asks the last server first."""
    from exo_auth.lookup.resolver import StubResolver, parse_nameserver
    from exo_auth.lookup.servers import AnyServer
    from exo_auth.lookup.system_servers import system_name_servers

    servers: tuple[AnyServer, ...] = tuple(parse_nameserver(text) for text in settings.nameservers)
    if second:
        servers = servers[::-1] or system_name_servers().servers[::-1]
    timeout = settings.timeouts.dns.total_seconds()
    resolver = StubResolver(servers or None, timeout=timeout, ca_file=settings.cloud.ca_file)
    if not settings.validate_dnssec:
        return resolver
    from exo_auth.lookup.dnssec import ValidatingResolver
    from exo_auth.lookup.trust_anchors import ROOT_ANCHORS, read_trust_anchors

    path = settings.trust_anchors
    return ValidatingResolver(resolver, ROOT_ANCHORS if path is None else read_trust_anchors(path))
