"""The tenant beside its DNS: what neither of them shows alone (checks, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from exo_auth.checks.catalogue import finding
from exo_auth.checks.connections import check_connections, check_domain_connections
from exo_auth.checks.dmarc_policy import judge
from exo_auth.checks.finding import DnsRecord, Finding, Severity
from exo_auth.checks.parked import SPF as PARKED_SPF
from exo_auth.checks.parked import names_no_sender
from exo_auth.checks.spf_cost import domains_authorized
from exo_auth.checks.zone import is_exchange_online
from exo_auth.domain_name import DomainName
from exo_auth.facts.connections import Connections
from exo_auth.facts.dns import Found
from exo_auth.facts.domain import DomainFacts
from exo_auth.facts.spf import SpfNode
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig
from exo_auth.records.dmarc import Policy
from exo_auth.records.spf import SpfRecord

SPF_INCLUDES = frozenset(  # of all Microsoft clouds
    {"spf.protection.outlook.com", "spf.protection.office365.us", "spf.protection.partner.outlook.cn"}
)
LONGEST_SURE = 40  # characters of a name that Exchange certainly keeps in the label of a host
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
    connections: Connections | None = None


def check_tenant(facts: DomainFacts, view: TenantView, dkim: Iterable[Finding]) -> tuple[Finding, ...]:
    """Compare; `dkim` are the findings about the selectors, which tell whether the idle one is broken."""
    if view.is_initial:
        return check_connections(facts.domain, view.connections) if view.connections is not None else ()
    return (
        *_sending(facts, view),
        *_spf(facts, view),
        *_mx(facts, view),
        *_connections(facts, view),
        *_dmarc(facts, view),
        *_rotation(facts, view, tuple(dkim)),
    )


def _sending(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    tree = facts.spf
    if tree is None or not isinstance(tree.record, SpfRecord):
        return
    if view.accepted.sending_disabled and view.spf_include in domains_authorized(tree):
        yield finding(
            "SPF-SENDING-DISABLED",
            facts.domain,
            "SPF names Exchange Online, and the tenant may not send from the domain",
            seen=f"SendingFromDomainDisabled True; {tree.texts[0]}",
            wanted=PARKED_SPF,
            records=(DnsRecord(facts.domain, "TXT", PARKED_SPF),),
        )
    if not view.accepted.sending_disabled and _is_parked(tree):
        yield finding(
            "DOMAIN-SENDING-ENABLED",
            facts.domain,
            "DNS says that nobody sends from the domain, and the tenant lets its users",
            seen=f"{tree.texts[0]}; SendingFromDomainDisabled False",
            wanted="SendingFromDomainDisabled True, or an SPF record that names Exchange Online",
            remedy=f"Set-AcceptedDomain -Identity {facts.domain.ascii} -SendingFromDomainDisabled $true",
        )


def _is_parked(tree: SpfNode) -> bool:
    return names_no_sender(tree.texts)


def _spf(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    tree = facts.spf
    if tree is None or not isinstance(tree.record, SpfRecord) or view.accepted.sending_disabled:
        return
    if _is_parked(tree):
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
    for host in sorted(filter(is_exchange_online, hosts)):
        if not _is_named_after(host, facts.domain):
            yield finding(
                "MX-OTHER-DOMAIN",
                facts.domain,
                f"{host} looks like the host of another domain",
                seen=f"MX {host}",
                wanted="the host that the admin centre shows for this domain",
            )


def _is_named_after(host: str, domain: DomainName) -> bool:
    """Is the first label made of the domain? Hyphens come and go in it, and a suffix may follow where names clash."""
    label = host.partition(".")[0].replace("-", "")
    wanted = domain.ascii.replace(".", "").replace("-", "")
    return label.startswith(wanted[:LONGEST_SURE])


def _connections(facts: DomainFacts, view: TenantView) -> Iterator[Finding]:
    if view.connections is None or not isinstance(facts.mx, Found):
        return
    hosts = [mx.host for mx in facts.mx.values if mx.host]
    own = [host for host in hosts if is_exchange_online(host)]
    foreign = sorted(set(hosts) - set(own))
    yield from check_domain_connections(
        view.accepted, view.connections, gateway=foreign[0] if foreign else "", comes_here=bool(own)
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
