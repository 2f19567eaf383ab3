"""Who serves which version of a record set (render, pure)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from exo_auth.checks.propagation import PropagationVerdict, Spread
from exo_auth.facts.propagation import AuthorityView, Propagation, ResolverView
from exo_auth.render.document import to_text
from exo_auth.render.safe_text import visible
from exo_auth.render.table import Table
from exo_auth.render.times import iso, moment


def propagation_text(seen: Propagation, verdict: PropagationVerdict, output: str) -> str:
    """Write every server's version, who lags, and until when there is nothing new to see."""
    if output in ("json", "ndjson"):
        return to_text(_document(seen, verdict))
    table = Table(
        ("Server", "Address", "Serial", "TTL", "Says"),
        tuple(
            (v.server, v.address, "" if v.serial is None else str(v.serial), _seconds(v.ttl), _says(v))
            for v in seen.authorities
        )
        + tuple((v.server, "", "", _seconds(v.ttl), _says(v)) for v in seen.resolvers),
    )
    if output != "table":
        return table.to_text(output)
    lines = [f"{seen.name} {seen.rdtype}: {verdict.spread}, {visible(verdict.detail)}"]
    if seen.authorities:
        lines += ["", table.to_text("table"), ""]
    lines += [f"lags: {visible(server)}" for server in verdict.lagging]
    lines += _about_secondaries(seen, verdict)
    lines += [f"no answer: {visible(server)}" for server in verdict.unreachable]
    if verdict.delegation_differs:
        lines.append(f"delegation: {visible(verdict.delegation_differs)}")
    if seen.delegation is not None:
        lines.append(
            f"an absent name of {seen.delegation.zone} is remembered for {_seconds(seen.delegation.negative_ttl)}"
        )
    if verdict.not_before is not None:
        lines.append(f"not before {moment(verdict.not_before)}")
    return "\n".join(lines)


def _about_secondaries(seen: Propagation, verdict: PropagationVerdict) -> list[str]:
    """Tell by when servers that lag look for themselves, and how long what they told until then is remembered."""
    behind = [v for v in seen.authorities if not v.failure and v.values != verdict.values]
    if verdict.spread is not Spread.LAGGING or seen.delegation is None or not behind:
        return []
    refresh = _seconds(seen.delegation.refresh)
    longest = max(v.ttl if v.ttl is not None else seen.delegation.negative_ttl for v in behind)
    return [
        f"secondaries look for a new version every {refresh}, and sooner when they are notified; "
        f"resolvers that asked them remember the old one for up to {_seconds(longest)} after that"
    ]


def _document(seen: Propagation, verdict: PropagationVerdict) -> dict[str, Any]:
    delegation = seen.delegation
    return {
        "schema": "exo-auth/propagation/1",
        "name": seen.name.ascii,
        "type": seen.rdtype,
        "state": verdict.spread.value,
        "detail": verdict.detail,
        "values": sorted(verdict.values),
        "zone": delegation.zone.ascii if delegation else None,
        "parent_servers": sorted(delegation.parent) if delegation and delegation.parent is not None else None,
        "child_servers": sorted(delegation.child) if delegation else [],
        "delegation_differs": verdict.delegation_differs,
        "refresh": int(delegation.refresh.total_seconds()) if delegation else None,
        "negative_ttl": int(delegation.negative_ttl.total_seconds()) if delegation else None,
        "authorities": [
            {
                "server": view.server,
                "address": view.address,
                "serial": view.serial,
                "ttl": None if view.ttl is None else int(view.ttl.total_seconds()),
                "values": sorted(view.values),
                "failure": view.failure or None,
            }
            for view in seen.authorities
        ],
        "resolvers": [
            {
                "server": view.server,
                "ttl": None if view.ttl is None else int(view.ttl.total_seconds()),
                "values": sorted(view.values),
                "failure": view.failure or None,
            }
            for view in seen.resolvers
        ],
        "lagging": list(verdict.lagging),
        "unreachable": list(verdict.unreachable),
        "not_before": iso(verdict.not_before),
    }


def _says(view: AuthorityView | ResolverView) -> str:
    if view.failure:
        return visible(view.failure)
    return visible(" | ".join(sorted(view.values))) or "no record"


def _seconds(span: timedelta | None) -> str:
    return "" if span is None else f"{int(span.total_seconds())} s"
