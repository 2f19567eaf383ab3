"""Findings completed: the record to paste, what the name servers and policy hosts said, and when (checks, pure).

The checks judge; what they leave open is filled in here from the same facts, in one place for all codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from exo_auth.checks.evidence import evidence
from exo_auth.checks.finding import DnsRecord, Evidence, Finding
from exo_auth.checks.mending import Mended, mended_leftover, mended_spf
from exo_auth.checks.mending_tags import mended_dmarc, mended_mta_sts, mended_tls_rpt
from exo_auth.checks.mta_sts import policy_of
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, Found, Missing, MissingKind, SelectorDns, Txt
from exo_auth.facts.domain import DomainFacts, PolicyFetch
from exo_auth.records import dmarc
from exo_auth.records.mta_sts_id import id_of
from exo_auth.records.mta_sts_policy import MtaStsPolicy

# What is missing at its place may stand near by, with a slip in it, or at another name.
_MAY_BE_MOVED = ("SPF-MISSING", "SPF-SUBDOMAIN", "DMARC-MISSING")


def completed(findings: Iterable[Finding], facts: DomainFacts, now: datetime) -> tuple[Finding, ...]:
    """Give findings their record and their evidence, where they have none; `now` makes ids of policies."""
    offers = _Offers(facts, now)
    return tuple(_completed(one, offers, facts) for one in findings)


def _completed(one: Finding, offers: _Offers, facts: DomainFacts) -> Finding:
    records = one.records
    if not records or one.code in _MAY_BE_MOVED:
        records = offers.for_code(one) or records
    return one.completed(records, one.evidence or tuple(_proof(one.code, facts)), facts.seen_at)


class _Offers:
    """The records that can be offered for one domain, each worked out when it is first asked for."""

    def __init__(self, facts: DomainFacts, now: datetime) -> None:
        self._facts, self._now = facts, now

    @cached_property
    def _spf(self) -> Mended | None:
        tree = self._facts.spf
        return None if tree is None else mended_spf(tree) or mended_leftover(_texts(self._facts.txt))

    @cached_property
    def _dmarc(self) -> Mended | None:
        facts = self._facts
        if facts.dmarc is None:
            return None
        if elsewhere := _elsewhere(facts):
            return Mended(elsewhere, frozenset({"DMARC-MISSING"}))
        texts = _texts(facts.dmarc.at_name)
        if len(texts) != 1:
            return None
        return mended_dmarc(texts[0], facts.domain, is_wildcard=not _is_nxdomain(facts.wildcard))

    @cached_property
    def _tls_rpt(self) -> Mended | None:
        reports = _meant(_texts(self._facts.tls_rpt), "v=tlsrpt")
        return mended_tls_rpt(reports, self._facts.domain) if reports else None

    @cached_property
    def _mta_sts(self) -> Mended | None:
        texts = _texts(self._facts.mta_sts.txt) if self._facts.mta_sts is not None else []
        policies = _meant(texts, "v=sts")
        return (
            mended_mta_sts(policies[0] if len(policies) == 1 else "", self._policy_id) if policies else None
        )

    @cached_property
    def _policy_id(self) -> str:
        """Give the id of the policy that is served, the time where none is to be had."""
        fetches = self._facts.mta_sts.fetches if self._facts.mta_sts is not None else ()
        served = [policy for fetch in fetches if isinstance(policy := policy_of(fetch), MtaStsPolicy)]
        return id_of(served[0]) if served else f"{self._now:%Y%m%d%H%M%S}"

    def _mended(self, code: str) -> tuple[str, Mended | None]:
        """Give the prefix of the name, and what may be pasted there."""
        if code.startswith("SPF-"):
            return "", self._spf
        if code.startswith("DMARC-"):
            return "_dmarc.", self._dmarc
        if code.startswith("TLSRPT-"):
            return "_smtp._tls.", self._tls_rpt
        return ("_mta-sts.", self._mta_sts) if code.startswith("STS-") else ("", None)

    def for_code(self, one: Finding) -> tuple[DnsRecord, ...]:
        """Give what to paste against one finding, nothing where that is not certain."""
        prefix, mended = self._mended(one.code)
        if mended is not None and one.code in mended.heals:
            return (DnsRecord(DomainName(f"{prefix}{self._facts.domain.ascii}"), "TXT", mended.text),)
        if one.code.startswith("MX-"):
            return tuple(_exchangers(one.code, self._facts))
        if one.code in ("DKIM-CNAME-AS-TXT", "DKIM-CNAME-DOUBLED") and self._facts.dkim is not None:
            selectors = (self._facts.dkim.selector1, self._facts.dkim.selector2)
            return tuple(
                DnsRecord(selector.owner, "CNAME", target)
                for selector in selectors
                if selector.selector in one.message and (target := _target(selector))
            )
        return ()


def _elsewhere(facts: DomainFacts) -> str:
    """Give the DMARC record that stands at the domain itself, or at `_dmarc._dmarc`."""
    misplaced = facts.dmarc.misplaced if facts.dmarc is not None else None
    texts = [text for text in (*_texts(misplaced), *_texts(facts.txt)) if dmarc.looks_like(text)]
    return texts[0] if len(texts) == 1 else ""


def _is_nxdomain(answer: Answer[Txt] | None) -> bool:
    return isinstance(answer, Missing) and answer.kind is MissingKind.NXDOMAIN


def _texts(answer: Answer[Txt] | None) -> list[str]:
    return [txt.text for txt in answer.values] if isinstance(answer, Found) else []


def _meant(texts: list[str], beginning: str) -> list[str]:
    return [text for text in texts if text.strip(" \"'“”").lower().startswith(beginning)]


def _exchangers(code: str, facts: DomainFacts) -> Iterator[DnsRecord]:
    """Give the whole MX set as it should stand."""
    answer = facts.mx
    if not isinstance(answer, Found):
        return
    aliases = {
        host.name: via[-1].target.ascii for host in facts.hosts if (via := host.ipv4.via or host.ipv6.via)
    }
    order = sorted(answer.values, key=lambda mx: (mx.preference, mx.host))
    if code == "MX-CNAME":
        order = [replace(mx, host=aliases.get(mx.host, mx.host)) for mx in order]
    elif code == "MX-NULL-BESIDE":
        order = [mx for mx in order if mx.host]
    elif code != "MX-DUPLICATE":
        return
    counted: Counter[str] = Counter()
    for mx in order:
        counted[mx.host] += 1
        if counted[mx.host] == 1:
            yield DnsRecord(facts.domain, "MX", f"{mx.preference} {mx.host}")


def _target(selector: SelectorDns) -> str:
    """Give the target that stands in the wrong type, or at the wrong name."""
    if isinstance(selector.doubled, Found):
        return selector.doubled.values[0].ascii
    if isinstance(selector.key, Found) and "._domainkey." in (text := selector.key.values[0].txt.text):
        return text.strip().rstrip(".").lower()
    return ""


def _proof(code: str, facts: DomainFacts) -> Iterator[Evidence]:
    """Give what was answered about the subject of a code."""
    domain = facts.domain.ascii
    subject = code.partition("-")[0]
    if subject in ("NS", "SOA", "DNSSEC") and facts.soa is not None:
        yield evidence(domain, "SOA", facts.soa)
    elif subject in ("MX", "DANE", "CONNECTOR", "ARC") and facts.mx is not None:
        yield evidence(domain, "MX", facts.mx)
    elif subject in ("SPF", "DOMAIN") and facts.txt is not None:
        yield evidence(domain, "TXT", facts.txt)
    elif subject == "DMARC" and facts.dmarc is not None:
        yield evidence(f"_dmarc.{domain}", "TXT", facts.dmarc.at_name)
    elif subject == "DKIM" and facts.dkim is not None:
        for selector in (facts.dkim.selector1, facts.dkim.selector2):
            yield evidence(selector.owner, "CNAME", selector.cname)
    elif subject == "TLSRPT" and facts.tls_rpt is not None:
        yield evidence(f"_smtp._tls.{domain}", "TXT", facts.tls_rpt)
    elif subject == "BIMI" and facts.bimi is not None:
        yield evidence(f"default._bimi.{domain}", "TXT", facts.bimi)
    elif subject == "STS" and facts.mta_sts is not None:
        yield evidence(f"_mta-sts.{domain}", "TXT", facts.mta_sts.txt)
        yield from (_fetched(domain, fetch) for fetch in facts.mta_sts.fetches)


def _fetched(domain: str, fetch: PolicyFetch) -> Evidence:
    outcome = str(fetch.status or "") if fetch.fault is None else f"{fetch.fault.value}: {fetch.detail}"
    lines = fetch.body.decode("ascii", errors="replace").splitlines()[:12] if fetch.fault is None else []
    shown = fetch.certificate
    certificate = [f"certificate of {shown.issuer} until {shown.not_after:%Y-%m-%d}"] if shown else []
    return Evidence(
        f"https://mta-sts.{domain}/.well-known/mta-sts.txt",
        fetch.media_type or "HTTPS",
        outcome,
        (*lines, *certificate),
        fetch.address,
    )
