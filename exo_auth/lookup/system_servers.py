"""Which name servers this machine asks (lookup)."""

from __future__ import annotations

from pathlib import Path

from exo_auth.errors import InputError

DNS_PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")


def system_servers() -> tuple[tuple[str, int], ...]:
    """Give the system's name servers; () when it names none."""
    if RESOLV_CONF.exists():
        return servers_of(RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    return _from_the_platform()


def servers_of(text: str) -> tuple[tuple[str, int], ...]:
    """Read the name servers of a resolv.conf; no line at all means this machine (resolv.conf(5))."""
    found = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) >= 2 and words[0] == "nameserver":
            found.append((words[1].split("%")[0], DNS_PORT))
    return tuple(found) or (("127.0.0.1", DNS_PORT),)


def parse_nameserver(text: str) -> tuple[str, int]:
    """Read `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:53`; raises InputError."""
    import ipaddress

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
    if not port.isdecimal() or not 0 < int(port) < 65536:
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
