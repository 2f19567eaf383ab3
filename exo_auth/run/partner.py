"""Probe a partner: may TLS be forced with it? (run)"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from exo_auth.checks.partner_tls import PartnerVerdict, TlsDemand, Verify, judge_partner
from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.facts.partner import PartnerFacts
from exo_auth.run.check import CheckRequest, sources_for
from exo_auth.run.settings import Settings


@dataclass(frozen=True)
class PartnerLook:
    """What was seen, and what follows from it."""

    facts: PartnerFacts
    verdict: PartnerVerdict


def demand_of(verify: str, tls_domain: str) -> TlsDemand:
    """Read what is to be demanded; raises InputError."""
    if verify not in {word.value for word in Verify}:
        raise InputError(f"there is no --verify {verify}", hint=f"one of {', '.join(Verify)}")
    if tls_domain and Verify(verify) is not Verify.DOMAIN:
        raise InputError("--tls-domain is compared with --verify domain only", hint="add --verify domain")
    if tls_domain:
        DomainName.parse(tls_domain.removeprefix("*."))  # a wildcard may stand for the first label alone
    return TlsDemand(Verify(verify), tls_domain.lower())


def look_at_partner(
    settings: Settings,
    text: str,
    *,
    port: int,
    from_mx: bool,
    demand: TlsDemand,
    now: datetime,
    probes: bool = True,
) -> PartnerLook:
    """Probe the hosts of a mail domain, or with `from_mx` False one host; raises InputError for no name or port.

    With `probes` False the DNS of a mail domain is looked at, and no host is asked.
    """
    from exo_auth.lookup.partner import SUBJECTS, gather_host, gather_partner
    from exo_auth.lookup.starttls import StartTlsProber

    if not 0 < port < 65536:
        raise InputError(f"--port {port} is no port", hint="mail servers listen on 25")
    domain = DomainName.parse_lookup(text)
    prober = StartTlsProber(
        port=port,
        timeout=settings.timeouts.connect.total_seconds(),
        authorities=settings.cloud.ca_file,
    )

    async def ask() -> PartnerFacts:
        sources = sources_for(settings, CheckRequest(subjects=SUBJECTS))
        if from_mx:
            return await gather_partner(sources, prober if probes else None, domain)
        return await gather_host(sources, prober, domain)

    facts = asyncio.run(ask())
    return PartnerLook(facts, judge_partner(facts, demand, now))
