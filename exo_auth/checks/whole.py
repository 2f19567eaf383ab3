"""All checks of one domain, in the order people read them (checks, pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from exo_auth.checks.bimi import check_bimi
from exo_auth.checks.catalogue import finding, under
from exo_auth.checks.dane import check_dane
from exo_auth.checks.dkim_public import check_public_keys
from exo_auth.checks.dmarc import check_dmarc
from exo_auth.checks.dmarc_policy import organizational_domain
from exo_auth.checks.entry import Profile
from exo_auth.checks.evidence import evidence
from exo_auth.checks.finding import Finding
from exo_auth.checks.mta_sts import check_mta_sts
from exo_auth.checks.parked import check_parked
from exo_auth.checks.pasting import completed
from exo_auth.checks.spf import check_spf
from exo_auth.checks.tls_rpt import check_tls_rpt
from exo_auth.checks.zone import check_mx, check_zone
from exo_auth.facts.dns import Answer, Missing, MissingKind
from exo_auth.facts.domain import ALL_SUBJECTS, DomainFacts, Subject

if TYPE_CHECKING:
    from exo_auth.checks.tenant import TenantView

# A domain that sends and takes no mail has no keys, no senders to count and nobody to tell; its parked findings say
# what is wrong.
_NOT_FOR_PARKED = frozenset(
    {
        "SPF-MISSING",
        "SPF-SUBDOMAIN",
        "SPF-NOALL",
        "SPF-NEUTRAL",
        "SPF-NO-M365",
        "DMARC-MISSING",
        "DMARC-NONE",
        "DMARC-QUARANTINE",
        "DMARC-NP-ABSENT",
        "DMARC-INHERITED",
        "DMARC-NO-RUA",
        "DMARC-SPF-ONLY-REJECT",
        "DKIM-ROTATION-DUE",
        "MX-MISSING",
        "MX-LEGACY-HOST",
        "MX-NOT-TENANT",
        "DNSSEC-INSECURE",
    }
)
PARKED_SUBJECTS = frozenset({Subject.DNS, Subject.MX, Subject.SPF, Subject.DMARC})


def subjects_under(profile: Profile, subjects: frozenset[Subject]) -> frozenset[Subject]:
    """Leave out what a profile asks nothing about: no keys, policies and reports of a parked domain."""
    return subjects & PARKED_SUBJECTS if profile is Profile.PARKED else subjects


def check_domain(
    facts: DomainFacts,
    now: datetime,
    *,
    profile: Profile = Profile.IETF,
    view: TenantView | None = None,
    subjects: frozenset[Subject] = ALL_SUBJECTS,
) -> tuple[Finding, ...]:
    """Judge all that was looked at; `view` is what the tenant says about the domain, None without a sign-in."""
    if _is_absent(facts):
        absent = finding(
            "DOMAIN-MISSING",
            facts.domain,
            "the domain does not exist in DNS",
            seen=f"{facts.domain}: NXDOMAIN",
            evidence=(evidence(facts.domain, "MX", facts.mx),) if facts.mx is not None else (),
        )
        return completed(under(profile, (absent,)), facts, now)
    if profile is Profile.PARKED:
        facts = replace(facts, dkim=None, mta_sts=None, tls_rpt=None, bimi=None)
        subjects = subjects_under(profile, subjects)
    dkim = _dkim(facts, view)
    found = [
        *_where_mail_goes(facts, subjects),
        *_who_sends(facts, dkim),
        *_how_it_travels(facts, now, subjects),
    ]
    if view is not None:
        from exo_auth.checks.tenant import check_tenant

        found += check_tenant(facts, view, dkim)
    if profile is Profile.PARKED:
        found = [one for one in found if one.code not in _NOT_FOR_PARKED]
        found += check_parked(facts if Subject.MX in subjects else replace(facts, mx=None))
    return completed(under(profile, _without_echoes(found)), facts, now)


def _where_mail_goes(facts: DomainFacts, subjects: frozenset[Subject]) -> Iterator[Finding]:
    if Subject.DNS in subjects:
        yield from check_zone(facts)
    if Subject.MX in subjects:
        yield from check_mx(facts)


def _who_sends(facts: DomainFacts, dkim: tuple[Finding, ...]) -> Iterator[Finding]:
    if facts.spf is not None:
        walk = facts.dmarc.walk if facts.dmarc is not None and not facts.dmarc.walk.failure else None
        above = organizational_domain(walk) if walk else None
        yield from check_spf(facts.domain, facts.spf, organizational_domain=above)
    yield from dkim
    if facts.dmarc is not None:
        yield from check_dmarc(facts.domain, facts.dmarc, wildcard=facts.wildcard, at_apex=facts.txt)


def _how_it_travels(facts: DomainFacts, now: datetime, subjects: frozenset[Subject]) -> Iterator[Finding]:
    yield from check_mta_sts(facts, now)
    if facts.tls_rpt is not None:
        yield from check_tls_rpt(facts.domain, facts.tls_rpt)
    if Subject.DANE in subjects:
        yield from check_dane(facts)
    if facts.bimi is not None:
        yield from check_bimi(facts.domain, facts.bimi, facts.dmarc.walk if facts.dmarc else None)


def _is_absent(facts: DomainFacts) -> bool:
    """Is there nothing at all? A server that says so of a name with records below it is not believed."""
    if not (is_nxdomain(facts.txt) and is_nxdomain(facts.mx)):
        return False
    below = [
        facts.dmarc.at_name if facts.dmarc else None,
        facts.mta_sts.txt if facts.mta_sts else None,
        facts.tls_rpt,
        facts.dkim.selector1.key if facts.dkim else None,
        facts.dkim.selector2.key if facts.dkim else None,
    ]
    return all(answer is None or is_nxdomain(answer) for answer in below)


def is_nxdomain(answer: Answer[Any] | None) -> bool:
    """Did DNS say that the name does not exist?"""
    return isinstance(answer, Missing) and answer.kind is MissingKind.NXDOMAIN and not answer.via


def _dkim(facts: DomainFacts, view: TenantView | None) -> tuple[Finding, ...]:
    if facts.dkim is None:
        return ()
    if view is None:
        return check_public_keys(facts.dkim)
    if view.accepted.sending_disabled:  # nobody signs
        return ()
    from exo_auth.checks.dkim import DkimFacts
    from exo_auth.checks.dkim import check as check_dkim

    return check_dkim(DkimFacts(facts.domain, view.config, facts.dkim, view.now, view.is_initial))


def _without_echoes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Keep one of those that tell the same about the same: several checks may meet one failed look-up."""
    kept: dict[tuple[str, str], Finding] = {}
    for one in findings:
        kept.setdefault((one.code, one.message), one)
    return tuple(kept.values())
