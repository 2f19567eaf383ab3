"""What a sending server gets from each address of a policy host (render, pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from exo_auth.checks.finding import Finding
from exo_auth.checks.mta_sts import disbelief, policy_of
from exo_auth.facts.dns import Found, LookupFailed
from exo_auth.facts.domain import DomainFacts, PolicyFetch
from exo_auth.records.mta_sts_policy import Mode, MtaStsPolicy
from exo_auth.render.document import findings_list, to_text
from exo_auth.render.plan_text import finding_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table

COLUMNS = ("Address", "Verdict", "Status", "Octets", "Milliseconds", "TLS", "Certificate", "Until", "Reason")


def policy_test_text(
    facts: DomainFacts, port: int, connect_to: str | None, findings: Sequence[Finding], output: str
) -> str:
    """Write one line an address, the policy, whether it names the exchangers, and what is wrong."""
    fetches = facts.mta_sts.fetches if facts.mta_sts is not None else ()
    policy = next((one for one in map(_believed_policy, fetches) if one is not None), None)
    if output == "json":
        return to_text(_document(facts, port, connect_to, findings, fetches, policy))
    table = Table(COLUMNS, tuple(_row(fetch, port) for fetch in fetches))
    if output != "table":
        return table.to_text(output)
    lines = [table.to_text("table")] if fetches else [f"mta-sts.{facts.domain}: no address was tried"]
    if policy is not None:
        lines.append(f"policy  mode {policy.mode}, max_age {policy.max_age}, mx {', '.join(policy.mx)}")
        lines += [f"MX {host}  {'listed' if is_in else 'NOT listed'}" for host, is_in in _mx(facts, policy)]
    if isinstance(facts.mx, LookupFailed):
        lines.append(f"MX could not be looked up: {visible(facts.mx.detail)}")
    for one in findings:
        lines.append(f"{one.severity}  {visible(one.message)}")
        lines += finding_lines(one, indent="  ")
    return "\n".join(lines)


def _document(
    facts: DomainFacts,
    port: int,
    connect_to: str | None,
    findings: Sequence[Finding],
    fetches: Sequence[PolicyFetch],
    policy: MtaStsPolicy | None,
) -> dict[str, Any]:
    return {
        "schema": "exo-auth/mta-sts-test/1",
        "domain": facts.domain.ascii,
        "host": f"mta-sts.{facts.domain.ascii}",
        "connect_to": connect_to,
        "believed": bool(fetches) and not any(map(disbelief, fetches)),
        "addresses": [_address(fetch, port) for fetch in fetches],
        "policy": {"mode": policy.mode.value, "mx": list(policy.mx), "max_age": policy.max_age}
        if policy is not None
        else None,
        "mx": [{"host": host, "listed": is_in} for host, is_in in _mx(facts, policy)] if policy else [],
        "findings": findings_list(findings),
    }


def _address(fetch: PolicyFetch, port: int) -> dict[str, Any]:
    certificate = fetch.certificate
    reason = disbelief(fetch)
    return {
        "address": fetch.address,
        "port": port,
        "believed": not reason,
        "reason": reason,
        "fault": fetch.fault.value if fetch.fault is not None else None,
        "status": fetch.status,
        "media_type": fetch.media_type,
        "octets": len(fetch.body),
        "seconds": round(fetch.seconds, 4) if fetch.seconds is not None else None,
        "tls": fetch.tls,
        "certificate_names": list(certificate.names) if certificate is not None else [],
        "certificate_issuer": certificate.issuer if certificate is not None else None,
        "certificate_not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}" if certificate else None,
    }


def _row(fetch: PolicyFetch, port: int) -> tuple[str, ...]:
    certificate = fetch.certificate
    reason = disbelief(fetch)
    return (
        f"[{fetch.address}]:{port}" if ":" in fetch.address else f"{fetch.address}:{port}",
        "not seen" if not fetch.is_reached else "not believed" if reason else "believed",
        str(fetch.status or "-"),
        str(len(fetch.body)),
        f"{fetch.seconds * 1000:.0f}" if fetch.seconds is not None else "-",
        fetch.tls or "-",
        " ".join(certificate.names[:3]) if certificate is not None else "-",
        f"{certificate.not_after:%Y-%m-%d}" if certificate is not None else "-",
        reason,
    )


def _believed_policy(fetch: PolicyFetch) -> MtaStsPolicy | None:
    policy = policy_of(fetch) if not disbelief(fetch) else None
    return policy if isinstance(policy, MtaStsPolicy) else None


def _mx(facts: DomainFacts, policy: MtaStsPolicy) -> Iterator[tuple[str, bool]]:
    if isinstance(facts.mx, Found) and policy.mode is not Mode.NONE:
        for host in sorted({mx.host for mx in facts.mx.values if mx.host}):
            yield host, policy.allows(host)
