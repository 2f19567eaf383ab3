"""What a partner's mail hosts do when asked for TLS (render, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.checks.partner_tls import PartnerVerdict, enforced_by
from exo_auth.checks.readiness import ReadinessState
from exo_auth.facts.partner import PartnerFacts
from exo_auth.facts.starttls import SmtpProbe
from exo_auth.render.document import findings_list, to_text
from exo_auth.render.plan_text import finding_lines
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso

_SENTENCES = {
    ReadinessState.READY: "TLS may be forced",
    ReadinessState.BLOCKED: "do not force TLS: mail would come back",
    ReadinessState.UNKNOWN: "no verdict: not everything could be looked at",
}


def partner_text(facts: PartnerFacts, verdict: PartnerVerdict, output: str, *, color: bool = False) -> str:
    """Write one line for each address, what is wrong, and whether TLS may be forced."""
    if output == "json":
        return to_text(_document(facts, verdict))
    rows = tuple(map(_row, facts.probes))
    table = Table(("Host", "Address", "Result", "TLS", "Certificate until", "Certificate names"), rows)
    if output != "table":
        return table.to_text(output)
    lines = [table.to_text("table", color=color)] if rows else []
    for one in verdict.findings:
        lines.append(f"{one.severity}  {visible(one.message)}")
        lines += finding_lines(one, indent="  ")
    lines.append(f"{facts.domain.unicode}, {verdict.demand.verify}: {_SENTENCES[verdict.state]}")
    return "\n".join(lines)


def _row(probe: SmtpProbe) -> tuple[str, ...]:
    shown = probe.certificate
    return (
        probe.host,
        probe.address,
        probe.fault.value if probe.fault is not None else "ok",
        probe.tls_version,
        f"{shown.not_after:%Y-%m-%d}" if shown else "",
        " ".join(shown.names) if shown else "",
    )


def _document(facts: PartnerFacts, verdict: PartnerVerdict) -> dict[str, Any]:
    return {
        "schema": "exo-auth/tls-probe/1",
        "domain": facts.domain.ascii,
        "verify": verdict.demand.verify.value,
        "tls_domain": verdict.demand.tls_domain or None,
        "state": verdict.state.value,
        "enforced_by": enforced_by(facts.dns) or None,
        "probes": [_probe_document(probe) for probe in facts.probes],
        "findings": findings_list(verdict.findings),
    }


def _probe_document(probe: SmtpProbe) -> dict[str, Any]:
    shown = probe.certificate
    return {
        "host": probe.host,
        "address": probe.address,
        "port": probe.port,
        "fault": probe.fault.value if probe.fault is not None else None,
        "detail": probe.detail,
        "banner": probe.banner,
        "extensions": list(probe.extensions),
        "tls_version": probe.tls_version or None,
        "cipher": probe.cipher or None,
        "certificate_not_after": iso(shown.not_after) if shown else None,
        "certificate_issuer": shown.issuer if shown else None,
        "certificate_names": list(shown.names) if shown else [],
        "name_matches": probe.name_matches,
    }
