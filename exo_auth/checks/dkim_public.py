"""What DNS alone says about the two selectors of Exchange Online, without the tenant (checks, pure). RFC 6376."""

from __future__ import annotations

from collections.abc import Iterator

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import could_not_look, evidence, shortened
from exo_auth.checks.finding import Evidence, Finding, Severity
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Found, LookupFailed, MailDns, Missing, MissingKind, Seen, SelectorDns
from exo_auth.records.dkim import DkimKeyRecord

SHORTEST_KEY, WANTED_KEY = 1024, 2048  # bits, RFC 8301 §3.2


def check_public_keys(facts: MailDns) -> tuple[Finding, ...]:
    """Judge what stands at selector1 and selector2; what the tenant signs with is not known here."""
    return tuple(_findings(facts))


def _findings(facts: MailDns) -> Iterator[Finding]:
    domain = facts.domain
    selectors = (facts.selector1, facts.selector2)
    if isinstance(facts.wildcard, Found):
        yield finding(
            "DKIM-WILDCARD",
            domain,
            "a wildcard answers for every selector",
            seen=f"*._domainkey.{domain} TXT {shortened(facts.wildcard.values[0].text)}",
        )
        return
    if all(
        isinstance(s.key, Missing) and isinstance(s.cname, Missing) and not _is_doubled(s) for s in selectors
    ):
        yield finding(
            "DKIM-SELECTORS-ABSENT",
            domain,
            "neither selector1 nor selector2 is published",
            seen=f"selector1._domainkey.{domain}, selector2._domainkey.{domain}: absent",
        )
        return
    told = [one for selector in selectors for one in _selector_findings(domain, selector)]
    yield from told
    if isinstance(facts.wildcard, LookupFailed) and not any(one.severity is Severity.UNKNOWN for one in told):
        # what was found proves nothing where a wildcard may have answered
        yield could_not_look(domain, f"*._domainkey.{domain}", "TXT", facts.wildcard)
    keys = [_key(selector) for selector in selectors]
    if keys[0] is not None and keys[1] is not None and keys[0].same_key_as(keys[1]):
        yield finding(
            "DKIM-DUPKEY", domain, "both selectors have the same key", seen=keys[0].fingerprint[:16]
        )


def _is_doubled(selector: SelectorDns) -> bool:
    return isinstance(selector.doubled, Found)


def _selector_findings(domain: DomainName, selector: SelectorDns) -> Iterator[Finding]:
    for answer in (selector.cname, selector.key):
        if isinstance(answer, LookupFailed):
            yield finding(
                "DKIM-LOOKUP-FAILED",
                domain,
                f"{selector.selector} could not be looked up: {answer.reason.value}",
                seen=answer.detail,
                evidence=_proof(selector),
            )
            return
    if isinstance(selector.key, Missing):
        yield _missing_key(domain, selector, selector.key)
    elif isinstance(selector.key, Found):
        yield from _key_findings(domain, selector, selector.key)


def _proof(selector: SelectorDns) -> tuple[Evidence, ...]:
    return (
        evidence(selector.owner, "CNAME", selector.cname),
        evidence(selector.owner, "TXT", selector.key),
    )


def _missing_key(domain: DomainName, selector: SelectorDns, answer: Missing) -> Finding:
    if isinstance(selector.cname, Found):
        target = selector.cname.values[0]
        is_dangling = answer.kind is MissingKind.NXDOMAIN
        return finding(
            "DKIM-DANGLING" if is_dangling else "DKIM-KEY-MISSING",
            domain,
            f"{selector.selector}’s CNAME leads to a name "
            + ("that does not exist" if is_dangling else "without a key"),
            seen=f"{selector.owner} CNAME {target}; {target} TXT: {answer.kind.value.upper()}",
            evidence=_proof(selector),
        )
    if isinstance(selector.doubled, Found):
        return finding(
            "DKIM-CNAME-DOUBLED",
            domain,
            f"{selector.selector}’s CNAME stands at a name with the zone appended twice",
            seen=f"{selector.owner}.{domain} exists, {selector.owner} does not",
            evidence=_proof(selector),
        )
    return finding(
        "DKIM-CNAME-MISSING",
        domain,
        f"{selector.selector} is absent, though the other selector is there",
        seen=f"{selector.owner}: {answer.kind.value.upper()}",
        remedy="publish the CNAME that the tenant names: exo-auth dkim records",
        evidence=_proof(selector),
    )


def _key_findings(
    domain: DomainName, selector: SelectorDns, answer: Found[Seen[DkimKeyRecord]]
) -> Iterator[Finding]:
    name = selector.selector
    if len(answer.values) > 1:
        yield finding(
            "DKIM-KEY-MULTIPLE",
            domain,
            f"{name} answers with {len(answer.values)} TXT records",
            seen=f"{len(answer.values)} records",
            wanted="one record (RFC 6376 §3.6.2.2)",
            evidence=_proof(selector),
        )
        return
    text, record = answer.values[0].txt.text, answer.values[0].parsed
    if isinstance(record, RecordSyntaxError):
        is_target = "_domainkey." in text and not text.startswith("v=")
        yield finding(
            "DKIM-CNAME-AS-TXT" if is_target else "DKIM-KEY-SYNTAX",
            domain,
            f"{name} holds the target of a CNAME as text"
            if is_target
            else f"the key behind {name} cannot be read: {record.message}",
            seen=shortened(text),
            evidence=_proof(selector),
        )
    elif record.is_revoked:
        yield finding(
            "DKIM-KEY-REVOKED",
            domain,
            f"the key behind {name} is revoked",
            seen="p= is empty",
            evidence=_proof(selector),
        )
    else:
        yield from _strength(domain, name, record)


def _strength(domain: DomainName, name: str, record: DkimKeyRecord) -> Iterator[Finding]:
    size = record.key_size
    if record.key_type == "rsa" and size is not None and size < WANTED_KEY:
        yield finding(
            "DKIM-KEY-SHORT" if size >= SHORTEST_KEY else "DKIM-KEY-INVALID",
            domain,
            f"{name} has a key of {size} bits",
            seen=f"{size} bits",
            wanted=f"{WANTED_KEY} bits (RFC 8301 §3.2)",
        )
    if record.is_testing:
        yield finding("DKIM-TESTING", domain, f"the key behind {name} is marked as a test", seen="t=y")


def _key(selector: SelectorDns) -> DkimKeyRecord | None:
    if not isinstance(selector.key, Found) or not isinstance(selector.key.values[0].parsed, DkimKeyRecord):
        return None
    record = selector.key.values[0].parsed
    return None if record.is_revoked else record
