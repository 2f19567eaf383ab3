"""A partner's mail hosts: who they are by DNS, and what they do when asked for TLS (lookup; async I/O)."""

from __future__ import annotations

from dataclasses import replace

from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Found, Missing
from exo_auth.facts.domain import DomainFacts, MailHost, Subject
from exo_auth.facts.partner import PartnerFacts
from exo_auth.lookup.domain_facts import Sources, gather_domain_facts, mail_host
from exo_auth.lookup.starttls import StartTlsProber, probe_all

MOST_ADDRESSES = 4  # of each host

# What must be asked of a partner's DNS: its hosts, and whether it makes senders use TLS itself.
SUBJECTS = frozenset({Subject.MX, Subject.DANE, Subject.MTA_STS})


async def gather_partner(sources: Sources, prober: StartTlsProber | None, domain: DomainName) -> PartnerFacts:
    """Probe every host that the partner's MX names; without an MX record the domain itself (RFC 5321 §5.1).

    Without a prober DNS alone is looked at.
    """
    dns = await gather_domain_facts(sources, domain)
    if isinstance(dns.mx, Missing):
        dns = replace(dns, hosts=(await mail_host(sources.resolver, domain.ascii, wants_tlsa=False),))
    if prober is None:
        return PartnerFacts(dns, is_probed=False)
    return PartnerFacts(dns, await probe_all(prober, _targets(dns.hosts)))


async def gather_host(sources: Sources, prober: StartTlsProber, host: DomainName) -> PartnerFacts:
    """Probe one host by its name."""
    found = await mail_host(sources.resolver, host.ascii, wants_tlsa=False)
    return PartnerFacts(DomainFacts(host, hosts=(found,)), await probe_all(prober, _targets((found,))))


def _targets(hosts: tuple[MailHost, ...]) -> list[tuple[str, str]]:
    targets = []
    for host in hosts:
        found = [
            str(value)
            for answer in (host.ipv4, host.ipv6)
            if isinstance(answer, Found)
            for value in answer.values
        ]
        targets += [(host.name, address) for address in found[:MOST_ADDRESSES]]
    return targets
