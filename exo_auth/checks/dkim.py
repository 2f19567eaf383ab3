"""DKIM of one domain: what the tenant says, what DNS says, and where they differ (checks, pure).

Both selectors are judged, always: the key of the next rotation lives behind the one that does not sign today.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import could_not_look
from exo_auth.checks.finding import DnsRecord, Finding
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, MailDns, Missing, Seen, SelectorDns
from exo_auth.facts.tenant import KNOWN_STATUSES, DkimSigningConfig, SelectorKey
from exo_auth.records import dkim
from exo_auth.records.dkim import DkimKeyRecord

SHORTEST_KEY = 1024  # bits; RFC 8301 §3.2: shorter keys never verify
WANTED_KEY = 2048  # bits; RFC 8301 §3.2: what signers should use
USUAL_EXPONENT = 65537
NEGATIVE_CACHE = timedelta(minutes=30)  # how long Exchange is known to remember an absent CNAME
SETTLING = timedelta(hours=24)  # a new key may take this long to show at all resolvers
STUCK_AFTER = timedelta(hours=24)  # past RotateOnDate; then a difference is no lag any more

SELECTORS = ("selector1", "selector2")


@dataclass(frozen=True)
class DkimFacts:
    """All that is known of one domain's DKIM. `config` is None when the tenant lists none."""

    domain: DomainName
    config: DkimSigningConfig | None
    dns: MailDns
    now: datetime  # the service's clock
    is_initial: bool = False  # *.onmicrosoft.com: signs by itself, its zone is Microsoft's


def check(facts: DkimFacts) -> tuple[Finding, ...]:
    """Judge one domain; the order is tenant first, then selector1, selector2, then what concerns both."""
    return tuple(_findings(facts))


def records_to_publish(config: DkimSigningConfig) -> tuple[DnsRecord, ...]:
    """Give the two CNAMEs as the tenant names them; a target the tenant leaves blank is left out."""
    return tuple(
        cname_record(config.domain, name, key.cname_target)
        for name, key in ((name, config.selector(name)) for name in SELECTORS)
        if key.cname_target is not None
    )


def cname_record(domain: DomainName, selector: str, target: DomainName) -> DnsRecord:
    """Give one selector's CNAME to paste."""
    return DnsRecord(domain.child(f"{selector}._domainkey"), "CNAME", target.ascii)


def _findings(facts: DkimFacts) -> Iterator[Finding]:
    config = facts.config
    if config is None or not config.has_keys:
        if facts.is_initial:
            yield _finding(facts, "DKIM-INITIAL-DOMAIN", "Microsoft signs this domain with keys of its own")
            return
        yield _finding(
            facts,
            "DKIM-NOT-CREATED",
            "the tenant has no DKIM keys for this domain",
            seen="no row in Get-DkimSigningConfig" if config is None else f"Status {config.status}",
            remedy=f"exo-auth dkim enable -d {facts.domain}",
        )
        return
    yield from _tenant_findings(facts, config)
    for name in SELECTORS:
        if not facts.is_initial:
            yield from _selector_findings(facts, config, facts.dns.selector(name), config.selector(name))
    if not facts.is_initial:
        yield from _shared_findings(facts)


def _tenant_findings(facts: DkimFacts, config: DkimSigningConfig) -> Iterator[Finding]:
    if config.status.lower() not in KNOWN_STATUSES:
        yield _finding(
            facts,
            "DKIM-STATUS-UNKNOWN",
            f"the tenant reports the status “{config.status}”, which this version does not know",
            seen=config.status,
            wanted="Valid",
            remedy="nothing is changed while the meaning is unclear; look at the domain in the Defender portal",
        )
    if not config.enabled:
        yield _finding(
            facts,
            "DKIM-DISABLED",
            "signing is switched off",
            seen="Enabled false",
            wanted="Enabled true",
            remedy=f"exo-auth dkim enable -d {facts.domain}",
        )
    elif config.status.lower() == "cnamemissing" and _cnames_are_right(facts, config):
        yield _finding(
            facts,
            "DKIM-EXCHANGE-LAG",
            "DNS is right, but Exchange Online still reports CnameMissing",
            seen=f"Status {config.status}",
            wanted="Status Valid",
            remedy="Exchange remembers an absent record; it looks again by itself",
            not_before=facts.now + NEGATIVE_CACHE,
        )
    if config.key_created is None or config.rotate_on is None:
        yield _finding(
            facts,
            "DKIM-AGE-UNKNOWN",
            "the tenant does not say when the keys were made",
            seen="KeyCreationTime or RotateOnDate is empty",
            remedy="without these times no rotation can be timed or verified; ask again later",
        )


def _cnames_are_right(facts: DkimFacts, config: DkimSigningConfig) -> bool:
    for name in SELECTORS:
        answer, wanted = facts.dns.selector(name).cname, config.selector(name).cname_target
        if not isinstance(answer, Found) or answer.values != (wanted,):
            return False
    return True


def _selector_findings(
    facts: DkimFacts, config: DkimSigningConfig, seen: SelectorDns, key: SelectorKey
) -> Iterator[Finding]:
    cname = _cname_finding(facts, seen, key)
    if cname is not None:
        yield cname
    if cname is None or cname.code == "DKIM-CNAME-WRONG":
        yield from _key_findings(facts, config, seen, key)


def _cname_finding(facts: DkimFacts, seen: SelectorDns, key: SelectorKey) -> Finding | None:
    """Judge the CNAME at the selector's owner name; None when it is right."""
    answer, wanted = seen.cname, key.cname_target
    if isinstance(answer, LookupFailed):
        return _lookup_failed(facts, seen, answer)
    if wanted is None:
        return _finding(
            facts,
            "DKIM-TARGET-UNKNOWN",
            f"the tenant names no CNAME target for {seen.selector}",
            seen=f"{seen.selector.capitalize()}CNAME is empty",
            remedy="Exchange blanks the field during a rotation; ask again when it is over. Keep the CNAME as it is",
        )
    record = cname_record(facts.domain, seen.selector, wanted)
    if isinstance(answer, Missing):
        return _missing_cname(facts, seen, answer, record)
    if answer.values == (wanted,):
        return None
    targets = ", ".join(target.ascii for target in answer.values)
    doubled = any(target.ascii == f"{wanted}.{facts.domain}" for target in answer.values)
    return _finding(
        facts,
        "DKIM-CNAME-WRONG",
        f"{seen.selector}’s CNAME points elsewhere",
        seen=f"{seen.owner} CNAME {targets}",
        wanted=f"{seen.owner} CNAME {wanted}",
        remedy=(
            "the DNS panel appended the zone to the target: end the target with a dot"
            if doubled
            else "change the record to the target the tenant names"
        ),
        records=(record,),
    )


def _missing_cname(facts: DkimFacts, seen: SelectorDns, answer: Missing, record: DnsRecord) -> Finding:
    wanted = f"{record.owner} CNAME {record.value}"
    if isinstance(seen.doubled, Found):
        return _finding(
            facts,
            "DKIM-CNAME-DOUBLED",
            f"{seen.selector}’s CNAME stands at a name with the zone appended twice",
            seen=f"{seen.owner}.{facts.domain} exists, {seen.owner} does not",
            wanted=wanted,
            remedy=f"the DNS panel appends the zone: enter the name as {seen.selector}._domainkey",
            records=(record,),
        )
    if isinstance(seen.key, Found) and not seen.key.via:
        text = seen.key.values[0].txt.text
        return _finding(
            facts,
            "DKIM-CNAME-AS-TXT",
            f"{seen.selector} holds a TXT record where a CNAME belongs",
            seen=f"{seen.owner} TXT {text[:80]}",
            wanted=wanted,
            remedy="delete the TXT record and create a CNAME: Exchange Online changes the key behind it at each rotation",
            records=(record,),
        )
    return _finding(
        facts,
        "DKIM-CNAME-MISSING",
        f"{seen.selector}’s CNAME is missing",
        seen=f"{seen.owner}: {answer.kind.value.upper()}",
        wanted=wanted,
        remedy="publish the record",
        records=(record,),
        not_before=facts.now + answer.negative_ttl if answer.negative_ttl else None,
    )


def _key_findings(
    facts: DkimFacts, config: DkimSigningConfig, seen: SelectorDns, key: SelectorKey
) -> Iterator[Finding]:
    answer = seen.key
    if isinstance(answer, LookupFailed):
        yield _lookup_failed(facts, seen, answer)
    elif isinstance(answer, Missing):
        yield _missing_key(facts, config, seen)
    elif len(answer.values) > 1:
        yield _finding(
            facts,
            "DKIM-KEY-MULTIPLE",
            f"{seen.selector} answers with {len(answer.values)} TXT records",
            seen=f"{len(answer.values)} records at {_end(seen)}",
            wanted="one record (RFC 6376 §3.6.2.2)",
            remedy="verifiers may take either; leave the one behind the CNAME",
        )
    else:
        yield from _record_findings(facts, config, seen, key, answer.values[0])


def _missing_key(facts: DkimFacts, config: DkimSigningConfig, seen: SelectorDns) -> Finding:
    if seen.selector != config.active_selector(facts.now) and config.key_created == config.rotate_on:
        return _finding(
            facts,
            "DKIM-KEY-NOT-YET",
            f"Exchange Online has not published a key behind {seen.selector} yet",
            seen=f"{_end(seen)}: no TXT",
            remedy="usual before the first rotation; nothing is wrong in your zone",
            not_before=facts.now + NEGATIVE_CACHE,
        )
    return _finding(
        facts,
        "DKIM-KEY-MISSING",
        f"{seen.selector}’s CNAME leads to a name without a key",
        seen=f"{_end(seen)}: no TXT",
        wanted="the key that the tenant shows",
        remedy="compare the target with `exo-auth dkim records`; if it is the same, Exchange has yet to publish the key",
    )


def _record_findings(
    facts: DkimFacts,
    config: DkimSigningConfig,
    seen: SelectorDns,
    key: SelectorKey,
    found: Seen[DkimKeyRecord],
) -> Iterator[Finding]:
    record = found.parsed
    if isinstance(record, RecordSyntaxError):
        yield _finding(
            facts,
            "DKIM-KEY-SYNTAX",
            f"the key behind {seen.selector} cannot be read: {record.message}",
            seen=found.txt.text[:120],
            remedy="verifiers ignore such a key; see what the CNAME leads to",
        )
        return
    if record.is_revoked:
        yield _finding(
            facts,
            "DKIM-KEY-REVOKED",
            f"the key behind {seen.selector} is revoked",
            seen="p= is empty (RFC 6376 §3.6.1)",
            remedy="mail signed with it fails; the CNAME must lead to the tenant's key",
        )
        return
    yield from _key_strength(facts, seen, record)
    if record.is_testing:
        yield _finding(
            facts,
            "DKIM-TESTING",
            f"the key behind {seen.selector} is marked as a test",
            seen="t=y",
            remedy="verifiers may treat its signatures as absent; drop t=y",
        )
    yield from _tenant_key_difference(facts, config, seen, key, record)


def _key_strength(facts: DkimFacts, seen: SelectorDns, record: DkimKeyRecord) -> Iterator[Finding]:
    size = record.key_size
    if size is not None and record.key_type == "rsa" and size < WANTED_KEY:
        yield _finding(
            facts,
            "DKIM-KEY-SHORT" if size >= SHORTEST_KEY else "DKIM-KEY-INVALID",
            f"{seen.selector} has a key of {size} bits",
            seen=f"{size} bits",
            wanted=f"{WANTED_KEY} bits (RFC 8301 §3.2)",
            remedy=f"exo-auth dkim upgrade-keys -d {facts.domain}",
        )
    if record.exponent not in (None, USUAL_EXPONENT):
        yield _finding(
            facts, "DKIM-KEY-EXPONENT", f"{seen.selector}’s key has the unusual exponent {record.exponent}"
        )


def _tenant_key_difference(
    facts: DkimFacts, config: DkimSigningConfig, seen: SelectorDns, key: SelectorKey, record: DkimKeyRecord
) -> Iterator[Finding]:
    if not key.public_key:
        return
    try:
        wanted = dkim.parse(key.public_key)
    except RecordSyntaxError:
        return  # what the tenant shows is no key to compare with
    if record.same_key_as(wanted):
        return
    is_fresh = config.key_created is not None and facts.now - config.key_created < SETTLING
    if is_fresh and seen.selector == config.selector_after_rotation:
        ttl = seen.key.ttl if isinstance(seen.key, Found) else NEGATIVE_CACHE
        yield _finding(
            facts,
            "DKIM-KEY-PROPAGATING",
            f"the new key has not reached DNS behind {seen.selector} yet",
            seen=f"fingerprint {record.fingerprint[:16]}",
            wanted=f"fingerprint {wanted.fingerprint[:16]}",
            remedy="keys made within a day may still be on their way",
            not_before=facts.now + max(ttl, timedelta(minutes=5)),
        )
        return
    stuck = (
        seen.selector == config.active_selector(facts.now)
        and config.rotate_on is not None
        and facts.now >= config.rotate_on + STUCK_AFTER
    )
    yield _finding(
        facts,
        "DKIM-ROTATION-STUCK" if stuck and config.key_created != config.rotate_on else "DKIM-KEY-MISMATCH",
        f"the key behind {seen.selector} is not the tenant’s",
        seen=f"{_end(seen)}: fingerprint {record.fingerprint[:16]}",
        wanted=f"fingerprint {wanted.fingerprint[:16]}",
        remedy="what Exchange signs with cannot be verified with this key; compare the CNAME with the tenant’s target",
    )


def _shared_findings(facts: DkimFacts) -> Iterator[Finding]:
    wildcard = facts.dns.wildcard
    if isinstance(wildcard, Found):
        yield _finding(
            facts,
            "DKIM-WILDCARD",
            "a wildcard answers for every selector",
            seen=f"*._domainkey.{facts.domain} TXT {wildcard.values[0].text[:60]}",
            remedy="remove the wildcard: it makes absent selectors look present (RFC 6376 §6.1.2)",
        )
    elif isinstance(wildcard, LookupFailed) and not any(
        isinstance(facts.dns.selector(name).cname, LookupFailed) for name in SELECTORS
    ):
        yield could_not_look(facts.domain, f"*._domainkey.{facts.domain}", "TXT", wildcard)
    first, second = (_key_record(facts.dns.selector(name).key) for name in SELECTORS)
    if first and second and not first.is_revoked and first.same_key_as(second):
        yield _finding(
            facts,
            "DKIM-DUPKEY",
            "both selectors have the same key",
            seen=f"fingerprint {first.fingerprint[:16]}",
            remedy="one leak would hurt both; a rotation makes a new one",
        )


def _key_record(answer: Answer[Seen[DkimKeyRecord]]) -> DkimKeyRecord | None:
    if isinstance(answer, Found) and isinstance(answer.values[0].parsed, DkimKeyRecord):
        return answer.values[0].parsed
    return None


def _lookup_failed(facts: DkimFacts, seen: SelectorDns, failure: LookupFailed) -> Finding:
    return _finding(
        facts,
        "DKIM-LOOKUP-FAILED",
        f"{seen.selector} could not be looked up: {failure.reason.value}",
        seen=failure.detail,
        remedy=(
            "ask again, or ask another resolver with --nameserver"
            if failure.temporary
            else "mend the zone: asking again does not help"
        ),
    )


def _end(seen: SelectorDns) -> DomainName:
    """Name the end of the selector's CNAME chain."""
    if isinstance(seen.key, Found | Missing | LookupFailed) and seen.key.via:
        return seen.key.via[-1].target
    return seen.cname.values[0] if isinstance(seen.cname, Found) else seen.owner


def _finding(facts: DkimFacts, code: str, message: str, **parts: Any) -> Finding:
    return finding(code, facts.domain, message, **parts)
