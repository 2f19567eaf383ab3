"""The tenant beside its DNS: what neither of them shows alone (checks, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from exo_auth.checks.catalogue import finding
from exo_auth.checks.dmarc_policy import judge
from exo_auth.checks.finding import DnsRecord, Finding, Severity
from exo_auth.checks.spf_cost import domains_authorized
from exo_auth.checks.zone import is_exchange_online
from exo_auth.facts.dns import Found
from exo_auth.facts.domain import DomainFacts
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig
from exo_auth.records.dmarc import Policy
from exo_auth.records.spf import SpfRecord

SPF_INCLUDES = frozenset(  # of all Microsoft clouds
    {"spf.protection.outlook.com", "spf.protection.office365.us", "spf.protection.partner.outlook.cn"}
)
_BROKEN = frozenset({Severity.FAIL, Severity.UNKNOWN})


@dataclass(frozen=True)
class TenantView:
    """What the tenant says about one of its domains."""

    accepted: AcceptedDomain
    config: DkimSigningConfig | None
    spf_include: str  # of the tenant's cloud
    now: datetime
    max_key_age: timedelta
    is_initial: bool = False


def check_tenant(facts: DomainFacts, view: TenantView, dkim: Iterable[Finding]) -> tuple[Finding, ...]:
    """Compare; `dkim` are the findings about the selectors, which tell whether the idle one is broken."""
    if view.is_initial:
        return ()
    return (
        *_spf(facts, view),
        *_mx(facts, view),
        *_dmarc(facts, view),
        *_rotation(facts, view, tuple(dkim)),
    )


def _spf(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    tree = facts.spf
    if tree is None or not isinstance(tree.record, SpfRecord) or view.accepted.sending_disabled:
        return
    own = view.spf_include
    named = domains_authorized(tree)
    foreign = sorted(named & (SPF_INCLUDES - {own}))
    if foreign:
        yield finding(
            "SPF-WRONG-CLOUD",
            facts.domain,
            f"{foreign[0]} belongs to another cloud than the tenant",
            seen=f"include:{foreign[0]}",
            wanted=f"include:{own}",
        )
    if own not in named:
        text = tree.texts[0]
        first, _, rest = text.partition(" ")
        yield finding(
            "SPF-NO-M365",
            facts.domain,
            "the record does not name Exchange Online",
            seen=text,
            wanted=f"include:{own}",
            records=(DnsRecord(facts.domain, "TXT", f"{first} include:{own} {rest or '~all'}".strip()),),
        )


def _mx(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    if not isinstance(facts.mx, Found) or view.accepted.domain_type != "Authoritative":
        return
    hosts = [mx.host for mx in facts.mx.values if mx.host]
    if hosts and not any(map(is_exchange_online, hosts)):
        yield finding(
            "MX-NOT-TENANT",
            facts.domain,
            "mail to the domain does not go to Exchange Online",
            seen=", ".join(sorted(hosts)),
            wanted="the host that the tenant names, unless a gateway stands before it",
        )


def _dmarc(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    if facts.dmarc is None or facts.dmarc.walk.failure or view.accepted.sending_disabled:
        return
    policy = judge(facts.dmarc.walk).policy
    signs = view.config is not None and view.config.enabled
    if policy is Policy.REJECT and not signs:
        yield finding(
            "DMARC-SPF-ONLY-REJECT",
            facts.domain,
            "the policy is reject, and the tenant does not sign with the domain's key",
            seen="Enabled false" if view.config is not None else "no row in Get-DkimSigningConfig",
            wanted="DKIM enabled",
            remedy=f"exo-auth dkim enable -d {facts.domain}",
        )


def _rotation(facts: DomainFacts, view: TenantView, dkim: tuple[Finding, ...]) -> Iterator[Finding]:
    config = view.config
    if config is None or not config.enabled:
        return
    idle = config.inactive_selector(view.now)
    broken = [one for one in dkim if one.severity in _BROKEN and one.message.startswith(idle)]
    active = [one for one in dkim if one.severity in _BROKEN and not one.message.startswith(idle)]
    if broken and not active:
        yield finding(
            "DKIM-SELECTOR-INACTIVE-BROKEN",
            facts.domain,
            f"{idle}, which the next rotation switches to, is broken",
            seen=f"{broken[0].code}: {broken[0].message}",
            wanted=f"{idle} in order before the next rotation",
        )
    born = config.key_created
    if born is not None and view.now - born > view.max_key_age:
        yield finding(
            "DKIM-ROTATION-DUE",
            facts.domain,
            f"the key is {(view.now - born).days} days old",
            seen=f"KeyCreationTime {born:%Y-%m-%d}",
            wanted=f"at most {view.max_key_age.days} days",
            remedy=f"exo-auth dkim rotate -d {facts.domain}",
        )
