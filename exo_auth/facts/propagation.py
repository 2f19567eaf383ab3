"""Who serves which version of a record set (facts, pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from exo_auth.domain_name import DomainName


@dataclass(frozen=True)
class Delegation:
    """The zone a name lies in, and who serves it by its own word (child) and by that of the zone above (parent).

    `parent` is None where the zone above could not be asked. `negative_ttl` is how long resolvers remember that a
    name of the zone is absent (RFC 2308 §5), `refresh` how often secondaries look for a new version by themselves.
    """

    zone: DomainName
    child: frozenset[str]
    parent: frozenset[str] | None
    negative_ttl: timedelta
    refresh: timedelta

    @property
    def servers(self) -> tuple[str, ...]:
        """The names of all servers, sorted."""
        return tuple(sorted(self.child | (self.parent or frozenset())))


@dataclass(frozen=True)
class AuthorityView:
    """What one address of an authoritative server says. `failure` where it says nothing of use.

    `values` are the records as text, empty where the server says that there are none; `has_no_route` where this
    machine cannot reach such addresses at all.
    """

    server: str
    address: str
    values: frozenset[str] = frozenset()
    serial: int | None = None
    ttl: timedelta | None = None
    failure: str = ""
    has_no_route: bool = False
    negative_ttl: timedelta | None = None  # how long what it says to be absent is remembered (RFC 2308 §5)


def is_there(values: frozenset[str], expected: frozenset[str] | None) -> bool:
    """Does a server hold what is expected: these among its records, or none at all where that is what is expected?"""
    if expected is None:
        return bool(values)
    return expected <= values if expected else not values


@dataclass(frozen=True)
class ResolverView:
    """What one resolver tells its clients, and for how much longer: `ttl` is what is left of it."""

    server: str
    values: frozenset[str] = frozenset()
    ttl: timedelta | None = None
    failure: str = ""


@dataclass(frozen=True)
class Propagation:
    """One look at all servers. `resolvers` is empty while the authoritative servers disagree (RFC 2308 §5: asking
    a resolver too early makes it remember what it is to forget). `failure` where the zone could not be found.
    """

    name: DomainName
    rdtype: str
    delegation: Delegation | None
    authorities: tuple[AuthorityView, ...] = ()
    resolvers: tuple[ResolverView, ...] = ()
    failure: str = ""
