"""Name servers as people write them: plain, over TLS, over HTTPS (lookup; pure)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.lookup.udp_client import Server

DNS_PORT = 53
TLS_PORT = 853  # RFC 7858 §3.1
HTTPS_PATH = "/dns-query"  # what RFC 8484 writes in its examples, and what everybody serves

_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?", re.DOTALL)
_HINT = (
    "write it like 192.0.2.1, 192.0.2.1:5353, [2001:db8::1]:5353, tls://192.0.2.1, tls://192.0.2.1#dns.example, "
    "or https://dns.example/dns-query"
)


@dataclass(frozen=True)
class TlsServer:
    """A server that is asked over TLS: an address or a name, and the name or address its certificate must hold."""

    host: str
    port: int
    name: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tls://{host}:{self.port}"


@dataclass(frozen=True)
class HttpsServer:
    """A server that is asked over HTTPS."""

    url: str

    def __str__(self) -> str:
        return self.url


EncryptedServer: TypeAlias = TlsServer | HttpsServer
AnyServer: TypeAlias = Server | EncryptedServer


def server_text(server: AnyServer) -> str:
    """Write a server the way it is told to people: host:port, or its URL."""
    if not isinstance(server, tuple):
        return str(server)
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_nameserver(text: str) -> AnyServer:
    """Read a server as in `_HINT`; raises InputError."""
    stripped = text.strip()
    if "://" in stripped:
        return _parse_url(stripped, text)
    port: str | None = None
    if bracketed := _BRACKETED.fullmatch(stripped):
        host, port = bracketed[1], bracketed[2]
        is_right = ":" in host and is_address(host)
    else:
        host = stripped
        if stripped.count(":") == 1:
            host, _, port = stripped.partition(":")
        is_right = is_address(host)
    if not is_right:
        raise InputError(f"“{text}” is not the address of a name server", hint=_HINT)
    return str(ipaddress.ip_address(host)), DNS_PORT if port is None else _port(port, text)


def is_address(text: str) -> bool:
    """Is it an IP address?"""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _parse_url(url: str, text: str) -> EncryptedServer:
    try:
        split = urlsplit(url)
        host, port = split.hostname, split.port
    except ValueError:
        raise InputError(f"“{text}” is not the URL of a name server", hint=_HINT) from None
    if split.scheme not in ("tls", "https") or not host or split.username is not None or split.query:
        raise InputError(f"“{text}” is not the URL of a name server", hint=_HINT)
    _check_host(host)
    if split.scheme == "https":
        return _https(split, text)
    if split.path:
        raise InputError(f"“{text}” has a path, which a server over TLS has not", hint=_HINT)
    if split.fragment:
        _check_host(split.fragment)
    return TlsServer(host, port or TLS_PORT, split.fragment or host)


def _https(split: SplitResult, text: str) -> HttpsServer:
    if split.fragment:
        raise InputError(f"“{text}” has a fragment, which the URL of a name server has not", hint=_HINT)
    return HttpsServer(split._replace(path=split.path if split.path.strip("/") else HTTPS_PATH).geturl())


def _check_host(host: str) -> None:
    if not is_address(host):
        DomainName.parse(host)


def _port(port: str, text: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise InputError(f"“{port}” in “{text}” is not a port", hint="ports are 1 to 65535")
    return int(port)
