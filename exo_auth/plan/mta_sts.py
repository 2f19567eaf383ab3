"""Which MTA-STS policy a domain shall have, and whether it would stop mail (plan, pure). RFC 8461 §3.2, §4.1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exo_auth.checks.finding import DnsRecord
from exo_auth.checks.zone import is_exchange_online
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, InputError, PolicyMismatch, RecordSyntaxError
from exo_auth.facts.dns import Answer, LookupFailed, Missing
from exo_auth.facts.domain import Exchanger
from exo_auth.records import mta_sts, mta_sts_policy
from exo_auth.records.mta_sts_id import id_of
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy, matches

MAX_AGE = {Mode.TESTING: 86400, Mode.ENFORCE: 604800, Mode.NONE: 86400}  # seconds


@dataclass(frozen=True)
class PolicyWish:
    """What somebody wants. Without `patterns` the published exchangers are listed; `max_age` in seconds."""

    mode: Mode = Mode.TESTING
    patterns: tuple[str, ...] = ()
    max_age: int | None = None
    allow_mismatch: bool = False

    @property
    def needs_mx(self) -> bool:
        """Must the published exchangers be known? A policy of mode none names nobody."""
        return self.mode is not Mode.NONE


@dataclass(frozen=True)
class PlannedPolicy:
    """A policy to host and the record that announces it. `published` are the exchangers it was held against."""

    domain: DomainName
    policy: MtaStsPolicy
    published: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The file, with CRLF."""
        return mta_sts_policy.render(self.policy)

    @property
    def id(self) -> str:
        """The digest of the file, so that another file never goes by the same id (RFC 8461 §3.1)."""
        return id_of(self.policy)

    @property
    def record(self) -> DnsRecord:
        """The TXT record; it is published when the file is there, never before."""
        announced = mta_sts.render(mta_sts.MtaStsRecord(self.id))
        return DnsRecord(self.domain.child("_mta-sts"), "TXT", announced)


def plan_policy(domain: DomainName, wish: PolicyWish, mx: Answer[Exchanger] | None) -> PlannedPolicy:
    """Decide on the policy of one domain; `mx` is None where the wish does not need it.

    Raises CannotLook where DNS did not answer, InputError where no mail is taken or a pattern is none, and
    PolicyMismatch where senders would refuse to deliver.
    """
    hosts = _hosts(domain, wish, mx)
    patterns = tuple(dict.fromkeys(pattern.lower().removesuffix(".") for pattern in wish.patterns)) or hosts
    age = MAX_AGE[wish.mode] if wish.max_age is None else wish.max_age
    policy = _judged(MtaStsPolicy(wish.mode, patterns, age))
    missing = [host for host in hosts if not policy.allows(host)] if wish.needs_mx else []
    if missing and not wish.allow_mismatch:
        raise PolicyMismatch(
            f"the policy for {domain} does not list {', '.join(missing)}, which the MX record names: "
            "senders that obey it would not deliver",
            hint=_way_out(patterns, missing[0]),
        )
    return PlannedPolicy(domain, policy, hosts, tuple(_warnings(policy, hosts, missing)))


def _judged(policy: MtaStsPolicy) -> MtaStsPolicy:
    try:
        return mta_sts_policy.parse(mta_sts_policy.render(policy))
    except RecordSyntaxError as error:  # a position in a file that nobody has seen says nothing
        raise InputError(
            f"{error.reason} cannot stand in a policy", hint=f"expected: {error.expected}"
        ) from None


def _hosts(domain: DomainName, wish: PolicyWish, mx: Answer[Exchanger] | None) -> tuple[str, ...]:
    if mx is None or not wish.needs_mx:
        return ()
    if isinstance(mx, LookupFailed):
        if wish.patterns and wish.allow_mismatch:
            return ()
        raise CannotLook(
            f"the MX of {domain} could not be looked up: {mx.detail}",
            hint="a policy is never built from nothing; run it again, or give --mx and --allow-mismatch",
        )
    hosts = () if isinstance(mx, Missing) else tuple(sorted({one.host.lower() for one in mx.values} - {""}))
    if not hosts and not (wish.patterns and wish.allow_mismatch):
        what = "has no MX record" if isinstance(mx, Missing) else "takes no mail (null MX)"
        raise InputError(
            f"{domain} {what}: there is nothing a policy could list",
            hint="publish its MX first, give --mx with --allow-mismatch, or --mode none",
        )
    return hosts


def _way_out(patterns: tuple[str, ...], host: str) -> str:
    for pattern in patterns:
        if pattern.startswith("*.") and host.endswith(pattern[1:]):
            # RFC 8461 §4.1: the wildcard is one label. *.mx.microsoft names no exchanger of Microsoft 365.
            return f"{pattern} stands for exactly one label more; write --mx {host}"
    return f"add --mx {host}, or give --allow-mismatch where the MX is about to change"


def _warnings(policy: MtaStsPolicy, hosts: tuple[str, ...], missing: list[str]) -> Iterator[str]:
    for host in missing:
        yield f"{host} is published and not listed" + (
            ": in mode enforce senders refuse to deliver to it" if policy.mode is Mode.ENFORCE else ""
        )
    for pattern in policy.mx:
        if pattern.startswith("*.") and is_exchange_online(f"x{pattern[1:]}"):
            yield f"{pattern} names the exchangers of other tenants, too"
        if hosts and not any(matches(pattern, host) for host in hosts):
            yield f"{pattern} matches no published MX"
    if policy.mode is Mode.ENFORCE and policy.max_age < MAX_AGE[Mode.TESTING]:
        yield f"max_age {policy.max_age} protects for less than a day"
