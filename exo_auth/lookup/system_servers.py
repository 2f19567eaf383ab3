"""Which name servers this machine asks, and how patiently (lookup)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from exo_auth.errors import InputError

DNS_PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")
MOST_SERVERS = 3  # resolv.conf(5), MAXNS
LONGEST_TIMEOUT, MOST_ATTEMPTS = 30, 5  # resolv.conf(5): larger values are capped


@dataclass(frozen=True)
class SystemNameServers:
    """Servers as (host, port), seconds for one try, and tries for each server."""

    servers: tuple[tuple[str, int], ...]
    timeout: float = 5.0
    attempts: int = 2


def system_name_servers() -> SystemNameServers:
    """Give what the system uses; no servers when it names none."""
    try:
        return read_resolv_conf(RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return SystemNameServers(_from_the_platform())
    except OSError:
        return SystemNameServers(())


def read_resolv_conf(text: str) -> SystemNameServers:
    """Read a resolv.conf; without a nameserver line this machine itself is meant (resolv.conf(5))."""
    servers: list[tuple[str, int]] = []
    options: dict[str, int] = {}
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) >= 2 and words[0] == "nameserver":
            servers.append((words[1].split("%")[0], DNS_PORT))
        elif words[:1] == ["options"]:
            for option in words[1:]:
                name, _, value = option.partition(":")
                if name in ("timeout", "attempts") and value.isdecimal() and int(value):
                    options[name] = int(value)
    return SystemNameServers(
        tuple(servers[:MOST_SERVERS]) or (("127.0.0.1", DNS_PORT),),
        timeout=float(min(options.get("timeout", 5), LONGEST_TIMEOUT)),
        attempts=min(options.get("attempts", 2), MOST_ATTEMPTS),
    )


def parse_nameserver(text: str) -> tuple[str, int]:
    """Read `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:53`; raises InputError."""
    host, port = text.strip(), str(DNS_PORT)
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif host.count(":") == 1:
        host, port = host.split(":")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise InputError(
            f"“{text}” is not the address of a name server",
            hint="write it like 192.0.2.1 or [2001:db8::1]:5353",
        ) from None
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(f"“{port}” in “{text}” is not a port", hint="ports are 1 to 65535")
    return str(address), int(port)


def _from_the_platform() -> tuple[tuple[str, int], ...]:
    # Windows keeps its servers in the registry; dnspython knows where.
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.resolver.Resolver(configure=True)
    except dns.exception.DNSException:
        return ()
    return tuple((str(server), DNS_PORT) for server in resolver.nameservers)
