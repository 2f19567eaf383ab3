"""The public Python API: the questions the commands ask, as functions (typed; see docs/API.md).

    report = asyncio.run(exo_auth.check_domain("contoso.com"))
    for finding in report.findings:
        print(finding.severity, finding.code, finding.message)

DNS trouble is never an exception here: it is a finding of severity `unknown`, the SPF result `temperror`, or
`CannotLook` where a question has no other way to say that it has no answer.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from exo_auth.checks.domain_report import DomainReport
from exo_auth.checks.entry import Profile
from exo_auth.checks.finding import DnsRecord, Evidence, Finding, Severity
from exo_auth.checks.whole import check_domain as judge_domain
from exo_auth.checks.whole import subjects_under
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook, ExoAuthError, InputError, RecordSyntaxError
from exo_auth.facts.domain import ALL_SUBJECTS, Subject
from exo_auth.facts.spf import SpfResult
from exo_auth.lookup.domain_facts import Sources, gather_domain_facts
from exo_auth.lookup.policy_host import PolicyHosts
from exo_auth.lookup.resolver import Resolver, StubResolver
from exo_auth.lookup.spf_evaluation import Envelope, check_host
from exo_auth.records.dkim import DkimKeyRecord
from exo_auth.records.dkim_signature import DkimSignature
from exo_auth.records.dmarc import DmarcRecord
from exo_auth.records.mta_sts import MtaStsRecord
from exo_auth.records.mta_sts_policy import MtaStsPolicy
from exo_auth.records.spf import SpfRecord
from exo_auth.records.tls_rpt import TlsRptRecord
from exo_auth.run.dmarc import Discovery, discover_with

__all__ = [
    "CannotLook",
    "Discovery",
    "DkimKeyRecord",
    "DkimSignature",
    "DmarcRecord",
    "DnsRecord",
    "DomainName",
    "DomainReport",
    "Evidence",
    "ExoAuthError",
    "Finding",
    "InputError",
    "MtaStsPolicy",
    "MtaStsRecord",
    "PolicyHosts",
    "Profile",
    "RecordSyntaxError",
    "Resolver",
    "Severity",
    "SpfRecord",
    "SpfResult",
    "StubResolver",
    "Subject",
    "TlsRptRecord",
    "check_domain",
    "discover_dmarc",
    "evaluate_spf",
]


async def check_domain(
    domain: str | DomainName,
    *,
    resolver: Resolver | None = None,
    profile: Profile = Profile.IETF,
    subjects: Collection[Subject] | None = None,
    policy_hosts: PolicyHosts | None = None,
    now: datetime | None = None,
) -> DomainReport:
    """Check every record of a domain, as `exo-auth check` does without a tenant; raises InputError for no name.

    `resolver` is asked for everything (by default the system's servers); `profile` sets the severities; `subjects` is
    what to look at (by default everything); `policy_hosts` fetches MTA-STS policies; `now` is what certificates are
    compared with.
    """
    name = _name(domain)
    hosts = policy_hosts or PolicyHosts()
    label = f"exo-auth-probe-{secrets.token_hex(6)}"
    wanted = subjects_under(profile, ALL_SUBJECTS if subjects is None else frozenset(subjects))
    async with _asking(resolver) as asked:
        facts = await gather_domain_facts(Sources(asked, hosts.fetch, label, wanted), name)
    return DomainReport(name, judge_domain(facts, now or datetime.now(UTC), profile=profile, subjects=wanted))


async def evaluate_spf(
    ip: str, mail_from: str, helo: str = "unknown", *, resolver: Resolver | None = None
) -> SpfResult:
    """Evaluate SPF for a connecting address as a receiver does (RFC 7208 §4); raises InputError for no address.

    `mail_from` is the envelope's sender, or "" for the null path; then the name `helo` is judged.
    """
    try:
        envelope = Envelope.of(ip, mail_from, helo)
    except ValueError:
        raise InputError(f"“{ip}” is no IP address", hint="write it like 192.0.2.1 or 2001:db8::1") from None
    async with _asking(resolver) as asked:
        return await check_host(asked, envelope)


async def discover_dmarc(domain: str | DomainName, *, resolver: Resolver | None = None) -> Discovery:
    """Find the policy that governs a name, by RFC 9989 and by RFC 7489.

    Raises InputError for no name, and CannotLook where DNS gave no verdict.
    """
    name = _name(domain)
    async with _asking(resolver) as asked:
        return await discover_with(asked, name)


def _name(domain: str | DomainName) -> DomainName:
    return domain if isinstance(domain, DomainName) else DomainName.parse_lookup(domain)


@asynccontextmanager
async def _asking(resolver: Resolver | None) -> AsyncIterator[Resolver]:
    """Give the caller's resolver, or one of the system's servers that is closed again."""
    if resolver is not None:
        yield resolver
        return
    async with StubResolver() as own:
        yield own
