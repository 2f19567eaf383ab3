"""Which policy governs a domain, and what its organizational domain is (checks, pure). RFC 9989 §4.10."""

from __future__ import annotations

from dataclasses import dataclass, replace

from exo_auth.domain_name import DomainName
from exo_auth.facts.dmarc import DmarcWalk, WalkStep
from exo_auth.records.dmarc import DmarcRecord, Policy


@dataclass(frozen=True)
class DmarcVerdict:
    """What a receiver does. `policy` is None when DMARC does not apply; `tag` is the one it came from."""

    organizational_domain: DomainName
    record_name: DomainName | None = None
    record: DmarcRecord | None = None
    policy: Policy | None = None
    tag: str = ""  # p, sp, np
    reason: str = ""


def organizational_domain(walk: DmarcWalk) -> DomainName:
    """Give the organizational domain from the records of a walk (RFC 9989 §4.10.2)."""
    for name, record in walk.found:
        if record.psd == "n":
            return name
        if record.psd == "y" and name != walk.author:
            return _one_label_below(name, walk.author)
    return walk.found[-1][0] if walk.found else walk.author


def judge(walk: DmarcWalk) -> DmarcVerdict:
    """Say which record governs the author domain, and with which policy (RFC 9989 §4.10.1)."""
    organizational = organizational_domain(walk)
    records = dict(walk.found)
    name = next(
        (n for n in (walk.author, organizational, _public_suffix(walk)) if n is not None and n in records),
        None,
    )
    if name is None:
        return DmarcVerdict(organizational, reason="no DMARC record governs this domain")
    record = records[name]
    is_subdomain = name != walk.author
    policy = record.applies(is_subdomain=is_subdomain, exists=walk.exists)
    if policy is None:
        reason = "the policy is missing or invalid and there is no valid rua: no DMARC processing (RFC 9989 §4.10.1)"
        return DmarcVerdict(organizational, name, record, None, "", reason)
    tag = _tag(record, is_subdomain=is_subdomain, exists=walk.exists)
    if record.is_testing:
        return DmarcVerdict(
            organizational, name, record, policy.one_level_down, tag, f"t=y lowers {policy} by one level"
        )
    return DmarcVerdict(organizational, name, record, policy, tag)


def judge_below(walk: DmarcWalk, *, exists: bool) -> DmarcVerdict:
    """Say what governs names right below the author domain that have no record of their own.

    `exists` tells names that exist from those that do not, which np is for.
    """
    name = DomainName(f"below.{walk.author.ascii}")
    return judge(replace(walk, author=name, steps=(WalkStep(name), *walk.steps), exists=exists))


def _public_suffix(walk: DmarcWalk) -> DomainName | None:
    return next((name for name, record in walk.found if record.psd == "y" and name != walk.author), None)


def _tag(record: DmarcRecord, *, is_subdomain: bool, exists: bool) -> str:
    if not is_subdomain:
        return "p"
    if not exists and record.nonexistent_policy is not None:
        return "np"
    return "sp" if record.subdomain_policy is not None else "p"


def _one_label_below(suffix: DomainName, author: DomainName) -> DomainName:
    labels = author.labels
    return DomainName(".".join(labels[-len(suffix.labels) - 1 :]))
