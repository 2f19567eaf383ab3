"""Which DMARC policy governs a domain, under both models of receivers (run)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from exo_auth.checks.alignment import Alignment, Identifier, aligned_by_suffix, aligned_by_walk
from exo_auth.checks.dmarc_policy import DmarcVerdict, judge
from exo_auth.domain_name import DomainName
from exo_auth.errors import CannotLook
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.lookup.resolver import Resolver
from exo_auth.records.dmarc import DmarcRecord, Policy
from exo_auth.run.resolvers import resolver_for
from exo_auth.run.settings import Settings


@dataclass(frozen=True)
class Discovery:
    """What was asked, and what follows from it: `verdict` by RFC 9989, `old` by RFC 7489 and the Public Suffix List."""

    walk: DmarcWalk
    verdict: DmarcVerdict
    old: DmarcVerdict
    old_queries: tuple[str, ...]
    alignments: tuple[Alignment, ...] = ()

    @property
    def policy(self) -> Policy | None:
        """The policy that applies by RFC 9989, after `t=y`; None where DMARC does not apply."""
        return self.verdict.policy

    @property
    def organizational_domain(self) -> DomainName:
        """The organizational domain by RFC 9989."""
        return self.verdict.organizational_domain

    @property
    def queries(self) -> tuple[str, ...]:
        """The names that the tree walk asked, in order."""
        return tuple(f"_dmarc.{step.name}" for step in self.walk.steps)


def discover(settings: Settings, text: str, *, spf: str = "", dkim: str = "") -> Discovery:
    """Walk the tree from a name; raises InputError for no name, CannotLook when DNS gave no verdict.

    `spf` and `dkim` are the domains those authenticated, "" for none: their alignment is judged too.
    """
    author = DomainName.parse_lookup(text)
    named = [
        (mechanism, DomainName.parse_lookup(domain))
        for mechanism, domain in (("spf", spf), ("dkim", dkim))
        if domain
    ]

    async def ask() -> Discovery:
        resolver = resolver_for(settings)
        found = await discover_with(resolver, author)
        alignments = [
            _alignment(found, await _identifier(resolver, mechanism, domain)) for mechanism, domain in named
        ]
        return replace(found, alignments=tuple(alignments))

    return asyncio.run(ask())


async def discover_with(resolver: Resolver, author: DomainName) -> Discovery:
    """Walk the tree with a resolver; raises CannotLook when DNS gave no verdict."""
    from exo_auth.lookup.dmarc_walk import step_at, walk
    from exo_auth.lookup.public_suffix import organizational_domain

    found = await walk(resolver, author)
    if found.failure:
        raise CannotLook(
            f"no verdict: {found.failure}", hint="ask again, or another resolver with --nameserver"
        )
    organizational = organizational_domain(author)
    first = found.steps[0]
    steps = [first]
    if first.count == 0 and organizational != author:  # RFC 7489 §6.6.3
        steps.append(await step_at(resolver, organizational))
    if steps[-1].failure:
        raise CannotLook(f"no verdict: {steps[-1].failure}", hint="ask again")
    old = _old_verdict(author, organizational, steps[-1])
    return Discovery(found, judge(found), old, tuple(f"_dmarc.{step.name}" for step in steps))


async def _identifier(resolver: Resolver, mechanism: str, domain: DomainName) -> Identifier:
    from exo_auth.lookup.dmarc_walk import walk
    from exo_auth.lookup.public_suffix import organizational_domain

    return Identifier(mechanism, domain, await walk(resolver, domain), organizational_domain(domain))


def _alignment(found: Discovery, identifier: Identifier) -> Alignment:
    author, domain = found.walk.author, identifier.domain.ascii
    new, old = (_is_strict(verdict.record, identifier.mechanism) for verdict in (found.verdict, found.old))
    by_suffix = aligned_by_suffix(
        author, found.old.organizational_domain, domain, identifier.psl_organizational, strict=old
    )
    by_walk = aligned_by_walk(found.walk, domain, identifier.walk, strict=new)
    return Alignment(identifier, new, old, by_walk, by_suffix)


def _is_strict(record: DmarcRecord | None, mechanism: str) -> bool:
    return record is not None and (record.strict_spf if mechanism == "spf" else record.strict_dkim)


def _old_verdict(author: DomainName, organizational: DomainName, step: WalkStep) -> DmarcVerdict:
    """Judge as RFC 7489 §6.6.3 does: no np, no t, and no names between the two."""
    record = step.record
    if not isinstance(record, DmarcRecord):
        return DmarcVerdict(organizational, reason="no DMARC record governs this domain")
    policy = record.applies(is_subdomain=step.name != author, exists=True)
    tag = "sp" if step.name != author and record.subdomain_policy is not None else "p"
    return DmarcVerdict(organizational, step.name, record, policy, tag if policy else "")
