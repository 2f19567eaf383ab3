"""Which name servers this machine asks (lookup)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exo_auth.lookup.servers import DNS_PORT, is_address
from exo_auth.lookup.udp_client import Server

RESOLV_CONF = Path("/etc/resolv.conf")

_MOST_SERVERS = 3  # resolv.conf(5): MAXNS
_LIMITS = {"timeout": 30, "attempts": 5}  # resolv.conf(5): larger values are capped


@dataclass(frozen=True)
class SystemNameServers:
    """The servers in the order to ask, seconds for one try, and how often to ask each."""

    servers: tuple[Server, ...]
    timeout: float = 5.0
    attempts: int = 2


def system_name_servers(resolv_conf: Path = RESOLV_CONF) -> SystemNameServers:
    """Give the system's name servers; none when it names none."""
    try:
        text = resolv_conf.read_text(encoding="utf-8", errors="replace")
    except OSError:  # Windows has no such file
        return SystemNameServers(_from_the_platform())
    return read_resolv_conf(text)


def read_resolv_conf(text: str) -> SystemNameServers:
    """Read a resolv.conf; without a server it means this machine (resolv.conf(5))."""
    servers: list[Server] = []
    options: dict[str, int] = {}
    for line in text.splitlines():
        words = re.split("[#;]", line, maxsplit=1)[0].split()
        if len(words) >= 2 and words[0] == "nameserver" and is_address(words[1]):
            servers.append((words[1], DNS_PORT))
        elif words and words[0] == "options":
            options |= _options(words[1:])
    return SystemNameServers(
        tuple(servers[:_MOST_SERVERS]) or (("127.0.0.1", DNS_PORT),),
        timeout=float(options.get("timeout", 5)),
        attempts=options.get("attempts", 2),
    )


def _options(words: list[str]) -> dict[str, int]:
    found = {}
    for word in words:
        name, _, value = word.partition(":")
        if name in _LIMITS and value.isascii() and value.isdigit() and len(value) < 9:
            found[name] = max(1, min(int(value), _LIMITS[name]))
    return found


def _from_the_platform() -> tuple[Server, ...]:
    # Windows keeps its servers in the registry; dnspython knows where.
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.resolver.Resolver(configure=True)
    except dns.exception.DNSException:
        return ()
    return tuple((str(server), DNS_PORT) for server in resolver.nameservers)
