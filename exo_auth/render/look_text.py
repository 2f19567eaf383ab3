"""One subject of one domain: DMARC, MTA-STS, TLS-RPT, DANE (render, pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exo_auth.checks.dane import dane_steps
from exo_auth.checks.dmarc import old_policy_below, old_verdict
from exo_auth.checks.dmarc_policy import judge, judge_below, organizational_domain
from exo_auth.checks.finding import Finding
from exo_auth.checks.mta_sts import policy_of
from exo_auth.facts.dns import Answer, Found, LookupFailed, Txt
from exo_auth.facts.domain import (
    DmarcFacts,
    DomainFacts,
    MtaStsFacts,
    PolicyFetch,
    ReportDestination,
    looked_at,
)
from exo_auth.records.mta_sts_policy import MtaStsPolicy
from exo_auth.render.dmarc_text import verdict_document, verdict_sentence
from exo_auth.render.document import ONE_DOCUMENT, findings_list, to_text
from exo_auth.render.plan_text import findings_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table


def dmarc_show_text(facts: DomainFacts, findings: Sequence[Finding], output: str) -> str:
    """Write the record of the domain, what each model of receivers makes of it, and where reports go."""
    dmarc = looked_at(facts.dmarc)
    new, old = judge(dmarc.walk), old_verdict(facts.domain, dmarc)
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/dmarc-show/1",
                "domain": facts.domain.ascii,
                "records": _texts(dmarc.at_name),
                "rfc9989": {**verdict_document(new), **_below(dmarc)[0]},
                "rfc7489": {**verdict_document(old), **_below(dmarc)[1]},
                "destinations": _destinations(dmarc),
                "findings": findings_list(findings),
            },
            output,
        )
    lines = [f"_dmarc.{facts.domain}  {_told(dmarc.at_name)}"]
    lines += [f"RFC 9989: {verdict_sentence(new)}", f"RFC 7489: {verdict_sentence(old)}"]
    lines += _below_lines(dmarc)
    lines += [f"reports: {to['uri']}  {to['state']}" for to in _destinations(dmarc)]
    return "\n".join([*lines, *findings_lines(findings)])


def _below(dmarc: DmarcFacts) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Give the policies of names below the domain, by RFC 9989 and by RFC 7489."""
    if dmarc.walk.failure:
        return {"subdomains": None, "nonexistent": None}, {"subdomains": None, "nonexistent": None}
    exist, absent = (judge_below(dmarc.walk, exists=exists).policy for exists in (True, False))
    old = old_policy_below(dmarc)
    return {"subdomains": exist, "nonexistent": absent}, {"subdomains": old, "nonexistent": old}


def _below_lines(dmarc: DmarcFacts) -> list[str]:
    new, old = _below(dmarc)
    if not any((*new.values(), *old.values())):
        return []
    return [
        f"{what}: {new[key] or 'no policy'} by RFC 9989, {old[key] or 'no policy'} by RFC 7489"
        for what, key in (("subdomains", "subdomains"), ("subdomains that do not exist", "nonexistent"))
    ]


def mta_sts_text(facts: DomainFacts, findings: Sequence[Finding], output: str) -> str:
    """Write record, policy host and policy."""
    sts = looked_at(facts.mta_sts)
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/mta-sts/1",
                "domain": facts.domain.ascii,
                "records": _texts(sts.txt),
                "fetches": [_fetch_document(fetch) for fetch in sts.fetches],
                "policy": _policy_document(sts),
                "findings": findings_list(findings),
            },
            output,
        )
    lines = [f"_mta-sts.{facts.domain}  {_told(sts.txt)}"]
    lines += [f"{fetch.address}  {_fetched(fetch)}" for fetch in sts.fetches]
    body = next((fetch.body for fetch in sts.fetches if fetch.fault is None), b"")
    lines += [
        f"  {visible(line.rstrip())}" for line in body.decode("ascii", errors="replace").splitlines()[:40]
    ]
    return "\n".join([*lines, *findings_lines(findings)])


def tls_rpt_text(facts: DomainFacts, findings: Sequence[Finding], output: str) -> str:
    """Write the record and its faults."""
    answer = looked_at(facts.tls_rpt)
    if output in ONE_DOCUMENT:
        return to_text(
            {
                "schema": "exo-auth/tls-rpt/1",
                "domain": facts.domain.ascii,
                "records": _texts(answer),
                "findings": findings_list(findings),
            },
            output,
        )
    return "\n".join([f"_smtp._tls.{facts.domain}  {_told(answer)}", *findings_lines(findings)])


def dane_text(facts: DomainFacts, findings: Sequence[Finding], output: str) -> str:
    """Write how far the domain is on the way to DANE."""
    steps = dane_steps(facts)
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/dane-readiness/1",
                "domain": facts.domain.ascii,
                "ready": all(step.state == "done" for step in steps),
                "steps": [{"step": s.name, "state": s.state, "detail": s.detail} for s in steps],
                "findings": findings_list(findings),
            }
        )
    table = Table(("Step", "State", "Detail"), tuple((s.name, s.state, s.detail) for s in steps))
    if output != "table":
        return table.to_text(output)
    return "\n".join([table.to_text("table"), *findings_lines(findings)])


def _texts(answer: Answer[Txt]) -> list[str]:
    return [txt.text for txt in answer.values] if isinstance(answer, Found) else []


def _told(answer: Answer[Txt]) -> str:
    if isinstance(answer, LookupFailed):
        return f"could not be looked up: {visible(answer.detail)}"
    return " | ".join(map(visible, _texts(answer))) or "no record"


def _destinations(dmarc: DmarcFacts) -> list[dict[str, str]]:
    return [
        {"tag": to.tag, "uri": visible(to.uri), "host": to.host.ascii, "state": _state(dmarc, to)}
        for to in dmarc.destinations
    ]


def _state(dmarc: DmarcFacts, to: ReportDestination) -> str:
    if to.walk is None or to.walk.failure:
        return _authorized(to.authorization)
    # RFC 9990 §4: one organization needs no agreement with itself
    is_own = organizational_domain(to.walk) == organizational_domain(dmarc.walk)
    return "own" if is_own else _authorized(to.authorization)


def _authorized(authorization: Answer[Txt] | None) -> str:
    if authorization is None:
        return "own"
    if isinstance(authorization, LookupFailed):
        return "unknown"
    return (
        "authorized" if any(text.startswith("v=DMARC1") for text in _texts(authorization)) else "unauthorized"
    )


def _fetched(fetch: PolicyFetch) -> str:
    if not fetch.is_reached:
        return f"not looked at from here: {visible(fetch.detail)}"
    if fetch.fault is not None:
        detail = visible(fetch.detail)
        return detail if detail.startswith(fetch.fault) else f"{fetch.fault}: {detail}"
    certificate = fetch.certificate
    until = (
        f", certificate until {certificate.not_after:%Y-%m-%d} by {visible(certificate.issuer)}"
        if certificate
        else ""
    )
    return f"200 {visible(fetch.media_type)}, {len(fetch.body)} octets{until}"


def _fetch_document(fetch: PolicyFetch) -> dict[str, Any]:
    certificate = fetch.certificate
    return {
        "address": fetch.address,
        "fault": fetch.fault.value if fetch.fault is not None else None,
        "detail": fetch.detail,
        "status": fetch.status,
        "media_type": fetch.media_type,
        "certificate_not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}" if certificate else None,
        "certificate_issuer": certificate.issuer if certificate else None,
    }


def _policy_document(sts: MtaStsFacts) -> dict[str, Any] | None:
    for policy in map(policy_of, sts.fetches):
        if isinstance(policy, MtaStsPolicy):
            return {"mode": policy.mode.value, "mx": list(policy.mx), "max_age": policy.max_age}
    return None
