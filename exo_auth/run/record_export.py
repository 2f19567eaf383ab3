"""The complete record set that a domain needs: what stands there, changed only where it must be (run)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exo_auth.checks.dkim import records_to_publish
from exo_auth.checks.gates import SUBJECTS, Gate
from exo_auth.checks.parked import SPF as PARKED_SPF
from exo_auth.checks.zone import is_exchange_online
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, ExoAuthError
from exo_auth.facts.dns import Answer, Found, LookupFailed
from exo_auth.facts.domain import DomainFacts, Subject, looked_at
from exo_auth.facts.propagation import Delegation
from exo_auth.facts.tenant import DkimSigningConfig
from exo_auth.lookup.resolver import Resolver
from exo_auth.plan.dmarc_edit import PARKED, DmarcWish, authorizations, text_of
from exo_auth.plan.dns_hosts import DnsHost, recognise
from exo_auth.plan.receiver_effects import parked_effects, size_of
from exo_auth.plan.record_set import Part, RecordChange, merged
from exo_auth.plan.spf_flatten import networks_that_pass
from exo_auth.records import spf
from exo_auth.run.check import CheckRequest, looked_in_order, sources_for
from exo_auth.run.policy_records import dmarc_change, gate_refusal, published, tls_rpt_change
from exo_auth.run.settings import Settings
from exo_auth.run.spf_records import SHOWN_NETWORKS, SpfWish, generate_with

if TYPE_CHECKING:
    from exo_auth.lookup.authorities import Authorities
    from exo_auth.lookup.domain_facts import Sources

LOOKED_AT: dict[Part, frozenset[Subject]] = {  # what each part is made from
    Part.MX: frozenset({Subject.MX}),
    Part.AUTODISCOVER: frozenset(),
    Part.SPF: frozenset({Subject.SPF}),
    Part.DKIM: frozenset(),
    Part.DMARC: SUBJECTS[Gate.DMARC_ENFORCE],
    Part.TLS_RPT: frozenset({Subject.TLS_RPT}),
    Part.POLICY_HOST: frozenset(),
}
NO_EXCHANGER = "the mail exchanger is named in the admin centre (Domains, DNS records); it is not guessed"
NO_KEYS = (
    "the DKIM CNAMEs are named by the tenant when it has keys: exo-auth dkim enable -d {domain} makes them"
)
AUTODISCOVER = {"china": "autodiscover.partner.outlook.cn"}


@dataclass(frozen=True)
class RecordWish:
    """What the user adds to what the tenant and DNS say. `policy_host` is where MTA-STS policies are hosted."""

    dmarc: DmarcWish = field(default_factory=DmarcWish)
    tls_rua: tuple[str, ...] = ()
    policy_host: str = ""
    is_parked: bool = False
    allows_loss: bool = False  # may a parked domain be one whose SPF lets senders pass?
    parts: frozenset[Part] = frozenset(Part)

    @property
    def subjects(self) -> frozenset[Subject]:
        """What has to be looked at."""
        if self.is_parked:
            return frozenset({Subject.MX, Subject.SPF, Subject.DMARC})
        return frozenset().union(*(LOOKED_AT[part] for part in self.parts))


@dataclass(frozen=True)
class DomainRecords:
    """All sets of one domain in the order to publish them, with what is worth knowing."""

    domain: DomainName
    zone: DomainName
    host: DnsHost | None
    changes: tuple[RecordChange, ...]
    notes: tuple[str, ...]


def domain_records(
    settings: Settings,
    domains: Sequence[DomainName],
    configs: dict[DomainName, DkimSigningConfig],
    wish: RecordWish,
) -> list[DomainRecords]:
    """Give the sets of each domain; raises CannotLook where DNS gives no verdict: nothing is guessed."""
    found = records_or_errors(settings, domains, configs, wish)
    for one in found:
        if isinstance(one, ExoAuthError):
            raise one
    return [one for one in found if isinstance(one, DomainRecords)]


def records_or_errors(
    settings: Settings,
    domains: Sequence[DomainName],
    configs: Mapping[DomainName, DkimSigningConfig],
    wish: RecordWish,
) -> list[DomainRecords | ExoAuthError]:
    """Give the sets of each domain in their order, or what was wrong with it: one broken zone stops no other."""
    found: list[DomainRecords | ExoAuthError] = []
    each_domain(settings, domains, configs, wish, lambda _name, one: found.append(one))
    return found


def each_domain(
    settings: Settings,
    domains: Iterable[DomainName],
    configs: Mapping[DomainName, DkimSigningConfig],
    wish: RecordWish,
    on_domain: Callable[[DomainName, DomainRecords | ExoAuthError], None],
) -> None:
    """Tell of each domain as soon as its turn has come, so that thousands need no more memory than some dozens."""
    from exo_auth.lookup.authorities import Authorities

    async def one(name: DomainName) -> tuple[DomainName, DomainRecords | ExoAuthError]:
        try:
            return name, await _of_domain(look, name, configs.get(name), wish)
        except ExoAuthError as error:
            return name, error

    async def ask() -> None:
        async for name, found in looked_in_order(one, domains):
            on_domain(name, found)

    sources = sources_for(settings, CheckRequest(subjects=wish.subjects))
    seconds = settings.timeouts.dns.total_seconds()
    look = _Look(settings, sources, Authorities(sources.resolver, settings.authority_port, seconds))
    asyncio.run(ask())


@dataclass(frozen=True)
class _Look:
    """What the looks at all domains share."""

    settings: Settings
    sources: Sources
    authorities: Authorities


async def _of_domain(
    look: _Look, domain: DomainName, config: DkimSigningConfig | None, wish: RecordWish
) -> DomainRecords:
    from exo_auth.lookup.authorities import find_delegation
    from exo_auth.lookup.domain_facts import gather_domain_facts

    resolver = look.sources.resolver
    facts = await gather_domain_facts(look.sources, domain)
    delegation = await find_delegation(look.authorities, domain)
    host = recognise(delegation.servers) if isinstance(delegation, Delegation) else None
    zone = delegation.zone if isinstance(delegation, Delegation) else domain
    notes: tuple[str, ...] = parked_effects() if wish.is_parked else ()
    if wish.is_parked:
        changes = [*_parked(facts, wish), *await _agreements(resolver, domain, wish)]
    else:
        changes, notes = await _of_mail_domain(look.settings, resolver, facts, config, wish)
    return DomainRecords(domain, zone, host, tuple(changes), tuple(notes))


async def _of_mail_domain(
    settings: Settings,
    resolver: Resolver,
    facts: DomainFacts,
    config: DkimSigningConfig | None,
    wish: RecordWish,
) -> tuple[list[RecordChange], tuple[str, ...]]:
    """Give the sets of the parts that are wished, in the order to publish them."""
    domain, parts = facts.domain, wish.parts
    notes = []
    changes = []
    if Part.MX in parts:
        exchanger = await _exchanger(settings, resolver, facts)
        changes += [exchanger] if exchanger is not None else []
        notes += [NO_EXCHANGER] if exchanger is None else []
    if Part.AUTODISCOVER in parts:
        target = AUTODISCOVER.get(settings.cloud.name, "autodiscover.outlook.com")
        owner = domain.child("autodiscover")
        changes.append(await _alias(resolver, owner, target, "Outlook finds the mailbox"))
    if Part.SPF in parts:
        changes.append(await generate_with(settings, resolver, domain, SpfWish()))
    if Part.DKIM in parts:
        records = records_to_publish(config) if config is not None else ()
        changes += [await _dkim(resolver, record.owner, record.value) for record in records]
        notes += [NO_KEYS.format(domain=domain.ascii)] if config is None else []
    if Part.DMARC in parts:
        changes += await _dmarc(resolver, facts, wish)
    if Part.TLS_RPT in parts:
        is_wanted = bool(wish.tls_rua) or isinstance(facts.tls_rpt, Found)
        changes += [tls_rpt_change(facts, wish.tls_rua)] if is_wanted else []
        notes += [] if is_wanted else ["TLS-RPT is left out: --tls-rua names where reports go"]
    if Part.POLICY_HOST in parts and wish.policy_host:
        alias = domain.child("mta-sts")
        changes.append(await _alias(resolver, alias, wish.policy_host, "the MTA-STS policy is hosted there"))
        notes.append(f"the record at _mta-sts comes last: exo-auth mta-sts generate {domain} says when")
    return changes, tuple(notes)


def _parked(facts: DomainFacts, wish: RecordWish) -> list[RecordChange]:
    """Give the sets of a domain that sends and takes no mail: `-all`, reject, and a null MX (RFC 7505)."""
    domain = facts.domain
    because = ("the domain sends and takes no mail",)
    texts = published(domain, looked_at(facts.txt))
    own = tuple(text for text in texts if spf.looks_like(text))
    policy = replace(PARKED, rua=wish.dmarc.rua)
    dmarc_texts = published(domain.child("_dmarc"), looked_at(facts.dmarc).at_name)
    refusal = "" if wish.allows_loss else _still_used(facts)
    sets = (
        (domain, "MX", _mx_values(facts), ("0 ",)),
        (domain, "TXT", texts, merged(texts, (PARKED_SPF,), replaced=own)),
        (domain.child("_dmarc"), "TXT", dmarc_texts, (text_of(policy),)),
    )
    return [
        RecordChange(
            owner,
            rdtype,
            before,
            after,
            because,
            (size_of(after),) if rdtype == "TXT" else (),
            refusal=refusal,
        )
        for owner, rdtype, before, after in sets
    ]


def _still_used(facts: DomainFacts) -> str:
    """Say that somebody may still send as the domain: a name that slipped into the list must not stop its mail."""
    networks = networks_that_pass(facts.spf)[0] if facts.spf is not None else ()
    if not networks:
        return ""
    shown = ", ".join(map(str, networks[:SHOWN_NETWORKS])) + (", …" if len(networks) > SHOWN_NETWORKS else "")
    many = "1 network send" if len(networks) == 1 else f"{len(networks)} networks send"
    return (
        f"its SPF lets {many} today ({shown}): where nobody needs them any more, "
        f"exo-auth dns apply {facts.domain} --parked --allow-loss"
    )


async def _exchanger(settings: Settings, resolver: Resolver, facts: DomainFacts) -> RecordChange | None:
    live = _mx_values(facts)
    if isinstance(facts.mx, Found) and any(is_exchange_online(mx.host) for mx in facts.mx.values):
        return RecordChange(facts.domain, "MX", live, live)
    # The usual name is proposed only where Microsoft really serves it.
    host = f"{facts.domain.ascii.replace('.', '-')}.{settings.cloud.mx_suffixes[0]}"
    if not isinstance(await resolver.resolve(DomainName(host), "A"), Found):
        return None
    if live:
        note = ("mail goes elsewhere today: cut over when the mailboxes are there",)
        return RecordChange(
            facts.domain, "MX", live, live, (), (*note, f"Exchange Online takes it at 0 {host}")
        )
    return RecordChange(facts.domain, "MX", live, (f"0 {host}",), ("mail goes to Exchange Online",))


def _mx_values(facts: DomainFacts) -> tuple[str, ...]:
    if isinstance(facts.mx, LookupFailed):
        raise CannotLook(f"MX of {facts.domain}: {facts.mx.detail}", hint="ask again")
    if not isinstance(facts.mx, Found):
        return ()
    order = sorted(facts.mx.values, key=lambda mx: (mx.preference, mx.host))
    return tuple(f"{mx.preference} {mx.host}" for mx in order)


async def _alias(resolver: Resolver, owner: DomainName, target: str, reason: str) -> RecordChange:
    answer: Answer[DomainName] = await resolver.cname(owner)
    if isinstance(answer, LookupFailed):
        raise CannotLook(f"CNAME of {owner}: {answer.detail}", hint="ask again")
    live = tuple(name.ascii for name in answer.values) if isinstance(answer, Found) else ()
    return RecordChange(
        owner, "CNAME", live, (target.lower(),), (reason,) if live != (target.lower(),) else ()
    )


async def _dkim(resolver: Resolver, owner: DomainName, target: str) -> RecordChange:
    return await _alias(resolver, owner, target, "the tenant names this target")


async def _dmarc(resolver: Resolver, facts: DomainFacts, wish: RecordWish) -> list[RecordChange]:
    change, is_stricter = dmarc_change(facts, wish.dmarc)
    if is_stricter:
        change = replace(change, refusal=gate_refusal(facts, Gate.DMARC_ENFORCE))
    return [change, *await _agreements(resolver, facts.domain, wish)]


async def _agreements(resolver: Resolver, domain: DomainName, wish: RecordWish) -> list[RecordChange]:
    """Give the records by which other hosts agree to take reports about a domain (RFC 9990 §4)."""
    changes = []
    for host in _foreign_hosts(wish, domain):
        for one in authorizations([domain], host):
            answer = await resolver.txt(one.owner)
            texts = published(one.owner, answer)
            if not any(text.startswith("v=DMARC1") for text in texts):
                reason = (f"{host} must agree to take reports (RFC 9990 §4); it lies in the zone of {host}",)
                changes.append(RecordChange(one.owner, "TXT", texts, (*texts, *one.values), reason))
    return changes


def _foreign_hosts(wish: RecordWish, domain: DomainName) -> list[DomainName]:
    from exo_auth.lookup.domain_facts import report_host
    from exo_auth.lookup.public_suffix import organizational_domain

    hosts = (report_host(uri) for uri in wish.dmarc.rua)
    own = organizational_domain(domain)
    return [host for host in hosts if host is not None and organizational_domain(host) != own]
