"""Fetch a policy as a sending server would, also before the record or the address is published (run)."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from exo_auth.checks.finding import Finding
from exo_auth.checks.mta_sts import check_policy_host, disbelief
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, InputError
from exo_auth.facts.dns import LookupFailed, Missing, MissingKind
from exo_auth.facts.domain import DomainFacts, PolicyFetch
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.lookup.resolver import Resolver


@dataclass(frozen=True)
class TriedHost:
    """What was fetched, from which port, and what follows from it."""

    facts: DomainFacts
    port: int
    findings: tuple[Finding, ...]

    @property
    def is_believed(self) -> bool:
        """Does every address that was reached serve a policy that a sender takes?"""
        return bool(self._fetches) and not any(disbelief(one) for one in self._fetches if one.is_reached)

    @property
    def is_reached(self) -> bool:
        """Was every address reached from here?"""
        return all(fetch.is_reached for fetch in self._fetches)

    @property
    def _fetches(self) -> tuple[PolicyFetch, ...]:
        return self.facts.mta_sts.fetches if self.facts.mta_sts is not None else ()


@dataclass(frozen=True)
class ConnectTo:
    """Where to connect: a name or an address, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, default_port: int) -> ConnectTo:
        """Read `host`, `host:443`, `192.0.2.1:443` or `[2001:db8::1]:443`; raises InputError."""
        host, _, port = text.rpartition(":") if _has_port(text) else (text, "", str(default_port))
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise InputError(f"“{text}” has no port", hint="write it like 192.0.2.1:443 or host.example:443")
        bare = host.removeprefix("[").removesuffix("]")
        try:
            return cls(str(ipaddress.ip_address(bare)), int(port))
        except ValueError:
            return cls(DomainName.parse_lookup(bare).ascii, int(port))

    async def addresses(self, resolver: Resolver) -> list[str]:
        """Give the addresses behind it; raises CannotLook, and InputError where there is none."""
        from exo_auth.lookup.domain_facts import addresses_in

        try:
            return [str(ipaddress.ip_address(self.host))]
        except ValueError:
            name = DomainName(self.host)
        if self.host == "localhost":
            return ["127.0.0.1"]
        answers = await asyncio.gather(resolver.resolve(name, "A"), resolver.resolve(name, "AAAA"))
        found = addresses_in(*answers)
        if not found:
            failed = next((one for one in answers if isinstance(one, LookupFailed)), None)
            if failed is not None:
                raise CannotLook(f"{self.host} could not be looked up: {failed.detail}")
            raise InputError(f"{self.host} has no address", hint="give --connect-to an address")
        return found


def try_policy_host(settings: Settings, text: str, connect_to: str | None, now: datetime) -> TriedHost:
    """Fetch from every address; raises InputError for no name, CannotLook where `connect_to` is not to be had."""
    domain = DomainName.parse(text)
    target = ConnectTo.parse(connect_to, settings.policy_port) if connect_to else None
    port = target.port if target is not None else settings.policy_port
    facts = asyncio.run(_gather(settings, domain, target, port))
    return TriedHost(facts, port, check_policy_host(facts, now))


async def _gather(settings: Settings, domain: DomainName, target: ConnectTo | None, port: int) -> DomainFacts:
    from exo_auth.lookup.domain_facts import gather_policy_host, mail_exchangers
    from exo_auth.lookup.policy_host import PolicyHosts

    resolver = resolver_for(settings)
    hosts = PolicyHosts(
        timeout=settings.timeouts.connect.total_seconds(), port=port, authorities=settings.cloud.ca_file
    )
    addresses = await target.addresses(resolver) if target is not None else None
    no_record = Missing(MissingKind.NODATA)  # it is not asked for
    sts, mx = await asyncio.gather(
        gather_policy_host(resolver, hosts.fetch, domain, no_record, addresses),
        mail_exchangers(resolver, domain),
    )
    return DomainFacts(domain, mx=mx, mta_sts=sts)


def _has_port(text: str) -> bool:
    return "]:" in text or text.count(":") == 1
