"""How the policy server is set up (policy_server)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError


@dataclass(frozen=True)
class Address:
    """An IP address and a port to listen on; port 0 lets the system pick."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `192.0.2.1:443`, `[::]:443` or `localhost:443`; raises InputError."""
        host, colon, port = text.rpartition(":")
        host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
        try:
            if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
                raise ValueError
            return cls(str(ipaddress.ip_address(host)), int(port))
        except ValueError:
            raise InputError(
                f"“{text}” is no address to listen on",
                hint="write an IP address and a port: 0.0.0.0:443 or [::]:443",
            ) from None

    @property
    def is_loopback(self) -> bool:
        """Can only this machine reach it?"""
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


EVERYWHERE = (Address("0.0.0.0", 443), Address("::", 443))  # noqa: S104 - senders come from everywhere


@dataclass(frozen=True)
class CertificateFiles:
    """A chain in PEM and its key; None where the key stands in the same file."""

    certificate: Path
    key: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files."""
        return (self.certificate,) if self.key is None else (self.certificate, self.key)


@dataclass(frozen=True)
class Limits:
    """What one client, and all together, may take. Times are in seconds."""

    connections: int = 512
    connections_per_address: int = 64
    handshake: float = 10
    request: float = 10  # from the first octet of a request to the last of its answer
    idle: float = 15  # between two requests
    requests_per_connection: int = 100
    header_octets: int = 8 * 1024
    body_octets: int = 64 * 1024  # of a request; none needs one
    grace: float = 10  # for requests under way when the server is stopped


@dataclass(frozen=True)
class ServerOptions:
    """Where to listen, what to show, what to serve. `written` holds policies of the configuration, as text."""

    listen: tuple[Address, ...] = EVERYWHERE
    certificates: tuple[CertificateFiles, ...] = ()
    certificate_folder: Path | None = None
    policies: Path | None = None  # folder of DOMAIN.txt, or DOMAIN/mta-sts.txt
    written: Mapping[DomainName, bytes] = field(default_factory=dict)
    health: Address | None = None
    limits: Limits = field(default_factory=Limits)
