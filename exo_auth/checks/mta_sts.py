"""What is wrong with a domain's MTA-STS (checks, pure). RFC 8461."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exo_auth.checks.catalogue import finding
from exo_auth.checks.evidence import absence, could_not_look, evidence, shortened
from exo_auth.checks.finding import Finding
from exo_auth.checks.zone import is_exchange_online
from exo_auth.domain_name import DomainName
from exo_auth.errors import RecordSyntaxError
from exo_auth.facts.dns import Answer, Found, LookupFailed, Missing
from exo_auth.facts.domain import (
    CaaRecord,
    DomainFacts,
    FetchFault,
    MtaStsFacts,
    PolicyFetch,
)
from exo_auth.records import mta_sts, mta_sts_policy
from exo_auth.records.mta_sts_id import id_of, is_digest
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy

SHORT_LIFE = 86400  # seconds
ENDS_SOON = timedelta(days=21)
_AUTHORITIES = {  # organization in the issuer -> the names CAA knows it by
    "Let's Encrypt": ("letsencrypt.org",),
    "DigiCert Inc": ("digicert.com", "www.digicert.com", "digicert.ne.jp", "cybertrust.ne.jp"),
    "Microsoft Corporation": ("microsoft.com", "digicert.com"),
    "Google Trust Services": ("pki.goog",),
    "Amazon": ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"),
    "Sectigo Limited": ("sectigo.com", "comodoca.com", "usertrust.com", "trust-provider.com"),
    "ZeroSSL": ("sectigo.com", "zerossl.com"),
    "GlobalSign nv-sa": ("globalsign.com",),
}


@dataclass(frozen=True)
class PolicyState:
    """Which policy was announced by which id."""

    id: str
    digest: str  # SHA-256 of the file


def policy_state(sts: MtaStsFacts) -> PolicyState | None:
    """Give the pair of id and file, None where either is not to be had."""
    texts = [txt.text for txt in sts.txt.values] if isinstance(sts.txt, Found) else []
    bodies = [fetch.body for fetch in sts.fetches if fetch.fault is None]
    for text in filter(mta_sts.looks_like, texts):
        try:
            found = mta_sts.parse(text).id
        except RecordSyntaxError:
            return None
        return PolicyState(found, hashlib.sha256(bodies[0]).hexdigest()) if bodies else None
    return None


def check_stale_id(facts: DomainFacts, before: PolicyState | None) -> tuple[Finding, ...]:
    """Tell that of file and id one changed since a baseline and the other did not (RFC 8461 §3.1)."""
    now = policy_state(facts.mta_sts) if facts.mta_sts is not None else None
    if now is None or before is None or (now.id == before.id) == (now.digest == before.digest):
        return ()
    if now.id == before.id:
        return (
            finding(
                "STS-ID-STALE",
                facts.domain,
                "the policy changed and its id did not",
                seen=f"id={now.id} announced another file before",
                wanted="a new id",
            ),
        )
    return (
        finding(
            "STS-ID-ALONE",
            facts.domain,
            "the id changed and the policy did not",
            seen=f"id={before.id} announced the same file before id={now.id}",
            wanted="the new file, then a new id",
        ),
    )


def check_mta_sts(facts: DomainFacts, now: datetime) -> tuple[Finding, ...]:
    """Judge record, host and policy; `now` is compared with the certificate's end."""
    return tuple(_findings(facts, now)) if facts.mta_sts is not None else ()


def check_policy_host(facts: DomainFacts, now: datetime) -> tuple[Finding, ...]:
    """Judge host and policy alone, as before the record is published."""
    sts = facts.mta_sts
    if sts is None:
        return ()
    unknown = (
        (could_not_look(facts.domain, facts.domain, "MX", facts.mx),)
        if isinstance(facts.mx, LookupFailed)
        else ()
    )
    return (*_host_findings(facts.domain, sts), *_policy_findings(facts, sts, now), *unknown)


def disbelief(fetch: PolicyFetch) -> str:
    """Say why a sender would not take this answer for a policy (RFC 8461 §3.3), "" where it would."""
    if fetch.fault is not None:
        return f"{fetch.fault}: {fetch.detail}"
    if fetch.media_type != "text/plain":
        return f"the media type is {fetch.media_type or 'missing'}, not text/plain"
    policy = policy_of(fetch)
    return policy.message if isinstance(policy, RecordSyntaxError) else ""


def policy_of(fetch: PolicyFetch) -> MtaStsPolicy | RecordSyntaxError | None:
    """Read the policy of one fetch, None where there is no file."""
    if fetch.fault is not None:
        return None
    try:
        return mta_sts_policy.parse(fetch.body.decode("ascii", errors="replace"))
    except RecordSyntaxError as error:
        return error


def _findings(facts: DomainFacts, now: datetime) -> Iterator[Finding]:
    domain, sts = facts.domain, facts.mta_sts
    assert sts is not None  # noqa: S101 - the only caller has looked
    name = f"_mta-sts.{domain.ascii}"
    if isinstance(sts.txt, LookupFailed):
        yield could_not_look(domain, name, "TXT", sts.txt)
        return
    texts = [txt.text for txt in sts.txt.values] if isinstance(sts.txt, Found) else []
    records = [text for text in texts if mta_sts.looks_like(text)]
    near = [text for text in texts if text.strip(" \"'").lower().startswith("v=sts") and text not in records]
    if not records:
        yield _missing(facts, name, sts, near)
        return
    if len(records) > 1:
        yield finding(
            "STS-MULTI",
            domain,
            f"{len(records)} MTA-STS records stand at {name}",
            seen=shortened(" | ".join(records)),
            evidence=(evidence(name, "TXT", sts.txt),),
        )
    else:
        yield from _record_findings(domain, name, records[0], sts)
    yield from _host_findings(domain, sts)
    yield from _policy_findings(facts, sts, now)


def _missing(facts: DomainFacts, name: str, sts: MtaStsFacts, near: list[str]) -> Finding:
    domain = facts.domain
    if near:
        return finding(
            "STS-SYNTAX",
            domain,
            "a record that looks like MTA-STS and is discarded",
            seen=shortened(near[0]),
            wanted="v=STSv1; at the very beginning, without a space before the semicolon",
            evidence=(evidence(name, "TXT", sts.txt),),
        )
    return finding(
        "STS-TXT-MISSING",
        domain,
        "there is no MTA-STS",
        seen=absence(name, "TXT", sts.txt) if isinstance(sts.txt, Missing) else f"{name}: no such record",
        evidence=(evidence(name, "TXT", sts.txt),),
    )


def _record_findings(domain: DomainName, name: str, text: str, sts: MtaStsFacts) -> Iterator[Finding]:
    try:
        mta_sts.parse(text)
    except RecordSyntaxError as error:
        is_id = error.reason.startswith(("the id", "no id"))
        yield finding(
            "STS-ID" if is_id else "STS-SYNTAX",
            domain,
            f"the record is void: {error.message}",
            seen=shortened(text),
            wanted=error.expected,
            evidence=(evidence(name, "TXT", sts.txt),),
        )


def _host_findings(domain: DomainName, sts: MtaStsFacts) -> Iterator[Finding]:
    host = f"mta-sts.{domain.ascii}"
    answers: tuple[tuple[str, Answer[object] | None], ...] = (("A", sts.host_ipv4), ("AAAA", sts.host_ipv6))
    for rdtype, answer in answers:
        if isinstance(answer, LookupFailed):
            yield could_not_look(domain, host, rdtype, answer)
    if isinstance(sts.host_ipv4, Missing) and isinstance(sts.host_ipv6, Missing):
        via = sts.host_ipv4.via
        dangling = f"; its CNAME leads to {via[-1].target}, which is not there" if via else ""
        yield finding(
            "STS-HOST",
            domain,
            f"{host} has no address{dangling}",
            seen=absence(host, "A and AAAA", sts.host_ipv4),
            evidence=(evidence(host, "A", sts.host_ipv4),),
        )


_TOLD_OF_EACH = ("STS-HTTP", "STS-CERT", "STS-REDIRECT", "STS-UNREACHED", "STS-UNSEEN")
_FETCH_CODES = {
    FetchFault.CONNECT_TIMEOUT: ("STS-HTTP", "does not answer, and another address of it does"),
    FetchFault.CONNECT: ("STS-HTTP", "refuses the connection"),
    FetchFault.TIMEOUT: ("STS-HTTP", "does not answer in time"),
    FetchFault.STATUS: ("STS-HTTP", "answers with another status than 200"),
    FetchFault.PROTOCOL: ("STS-HTTP", "does not speak HTTP"),
    FetchFault.TOO_LARGE: ("STS-HTTP", "sends more than 64 KiB"),
    FetchFault.TLS: ("STS-CERT", "refuses the TLS connection"),
    FetchFault.REDIRECT: ("STS-REDIRECT", "redirects"),
    FetchFault.CERTIFICATE_NAME: ("STS-CERT", "has a certificate for another name"),
    FetchFault.CERTIFICATE_EXPIRED: ("STS-CERT", "has a certificate that is not valid now"),
    FetchFault.CERTIFICATE_UNTRUSTED: ("STS-CERT", "has a certificate that leads to no trusted root"),
}


def _policy_findings(facts: DomainFacts, sts: MtaStsFacts, now: datetime) -> Iterator[Finding]:
    domain = facts.domain
    host = f"mta-sts.{domain.ascii}"
    policies: dict[bytes, MtaStsPolicy] = {}
    said: set[str] = set()
    for fetch in sts.fetches:
        for one in _fetch_findings(domain, host, fetch, sts.fetches, now):
            if one.code not in said or one.code in _TOLD_OF_EACH:
                said.add(one.code)
                yield one
        policy = policy_of(fetch)
        if isinstance(policy, MtaStsPolicy):
            policies[fetch.body] = policy
    if len({fetch.body for fetch in sts.fetches if fetch.fault is None}) > 1:
        yield finding(
            "STS-DIVERGE",
            domain,
            f"the addresses of {host} serve different policies",
            seen=", ".join(
                f"{fetch.address}: {len(fetch.body)} octets" for fetch in sts.fetches if fetch.fault is None
            ),
        )
    for policy in policies.values():
        yield from _content_findings(facts, policy)
        yield from _pair_findings(domain, sts, policy)
        break
    yield from _caa_findings(domain, host, sts)


def _pair_findings(domain: DomainName, sts: MtaStsFacts, policy: MtaStsPolicy) -> Iterator[Finding]:
    """Hold an id that is the digest of a file against the file: nothing need be remembered for that."""
    state = policy_state(sts)
    if state is None or not is_digest(state.id) or state.id == id_of(policy):
        return
    yield finding(
        "STS-ID-STALE",
        domain,
        "the id announces another file than the one that is served",
        seen=f"id={state.id}",
        wanted=f"id={id_of(policy)} for this file, or the file of that id",
    )


def _fetch_findings(
    domain: DomainName, host: str, fetch: PolicyFetch, all_fetches: Sequence[PolicyFetch], now: datetime
) -> Iterator[Finding]:
    if (unseen := _unseen(domain, host, fetch, all_fetches)) is not None:
        yield unseen
        return
    if fetch.fault is not None:
        code, words = _FETCH_CODES[fetch.fault]
        where = (
            fetch.detail if fetch.fault is not FetchFault.REDIRECT else f"{fetch.status} to {fetch.detail}"
        )
        yield finding(code, domain, f"{host} ({fetch.address}) {words}", seen=shortened(where))
        return
    if fetch.certificate is not None and fetch.certificate.not_after - now < ENDS_SOON:
        days = (fetch.certificate.not_after - now).days
        yield finding(
            "STS-CERT-EXPIRY",
            domain,
            f"the certificate of {host} ends in {days} days",
            seen=f"valid until {fetch.certificate.not_after:%Y-%m-%d}, issued by {fetch.certificate.issuer}",
        )
    if fetch.media_type != "text/plain":
        yield finding(
            "STS-CTYPE",
            domain,
            f"the policy is served as {fetch.media_type or 'no media type'}",
            seen=f"Content-Type: {fetch.media_type}",
            wanted="text/plain",
        )
    policy = policy_of(fetch)
    if isinstance(policy, RecordSyntaxError):
        yield finding(
            "STS-FILE-SYNTAX",
            domain,
            f"the policy is void: {policy.message}",
            seen=shortened(_line_at(fetch.body.decode("ascii", errors="replace"), policy.position)),
            wanted=policy.expected,
        )


def _line_at(text: str, position: int) -> str:
    """Give the line that holds a place; what is missing at the end is missed in the last one."""
    lines = text.rstrip("\r\n").split("\n")
    return lines[min(text.count("\n", 0, position), len(lines) - 1)].rstrip("\r") or "an empty line"


def _unseen(
    domain: DomainName, host: str, fetch: PolicyFetch, all_fetches: Sequence[PolicyFetch]
) -> Finding | None:
    """Tell of an address that was not looked at, which proves nothing against the domain; None for the others."""
    spoke = [one.address for one in all_fetches if one.is_reached and one.fault is not FetchFault.CONNECT]
    is_ours = fetch.fault is FetchFault.UNREACHABLE
    if fetch.is_reached or (not is_ours and any((":" in fetch.address) == (":" in one) for one in spoke)):
        return None
    return finding(
        "STS-UNSEEN" if is_ours and spoke else "STS-UNREACHED",
        domain,
        f"{host} ({fetch.address}) was not looked at from here",
        seen=shortened(fetch.detail),
        wanted="a look from a network that reaches it",
    )


def _content_findings(facts: DomainFacts, policy: MtaStsPolicy) -> Iterator[Finding]:
    domain = facts.domain
    if policy.mode is not Mode.ENFORCE:
        yield finding("STS-MODE", domain, f"the policy is in mode {policy.mode}", seen=f"mode: {policy.mode}")
    elif policy.max_age < SHORT_LIFE:
        yield finding(
            "STS-MAXAGE",
            domain,
            f"the policy lives for {policy.max_age} seconds",
            seen=f"max_age: {policy.max_age}",
            wanted="max_age: 604800 or more",
        )
    if policy.mode is Mode.NONE:
        return
    exchangers = facts.mx.values if isinstance(facts.mx, Found) else ()
    hosts = sorted({mx.host for mx in exchangers if mx.host})
    for host in hosts:
        if not policy.allows(host):
            yield finding(
                "STS-MX-UNMATCHED",
                domain,
                f"the policy does not name {host}"
                + ("; in mode enforce senders refuse to deliver" if policy.mode is Mode.ENFORCE else ""),
                seen=", ".join(f"mx: {pattern}" for pattern in policy.mx),
                wanted=f"mx: {host}",
            )
    for pattern in policy.mx:
        if pattern.startswith("*.") and is_exchange_online(f"x{pattern[1:]}"):
            own = next((host for host in hosts if mta_sts_policy.matches(pattern, host)), "")
            yield finding(
                "STS-WILDCARD-BROAD",
                domain,
                f"{pattern} names the exchangers of other tenants too",
                seen=f"mx: {pattern}",
                wanted=f"mx: {own}" if own else "the host itself",
            )


def _caa_findings(domain: DomainName, host: str, sts: MtaStsFacts) -> Iterator[Finding]:
    if isinstance(sts.caa, LookupFailed):
        yield could_not_look(domain, host, "CAA", sts.caa)
    if not isinstance(sts.caa, Found):
        return
    issuers = {fetch.certificate.issuer for fetch in sts.fetches if fetch.certificate is not None}
    allowed = _allowed_issuers(sts.caa)
    for issuer in sorted(issuers & _AUTHORITIES.keys()):
        if allowed is not None and not allowed.intersection(_AUTHORITIES[issuer]):
            yield finding(
                "STS-CAA",
                domain,
                f"CAA does not allow {issuer}, who issued the certificate of {host}",
                seen=", ".join(f'{caa.tag} "{caa.value}"' for caa in sts.caa.values),
                wanted=f'issue "{_AUTHORITIES[issuer][0]}"',
            )


def _allowed_issuers(caa: Found[CaaRecord]) -> frozenset[str] | None:
    """Name who may issue, None where nobody is kept out (RFC 8659 §4.2)."""
    values = [record.value for record in caa.values if record.tag.lower() == "issue"]
    if not values:
        return None
    return frozenset(value.partition(";")[0].strip().lower() for value in values)
