"""How a command ended for many tenants (render, pure)."""

from __future__ import annotations

from collections import Counter

from exo_auth.plan.fleet import FleetRun
from exo_auth.render.document import to_text
from exo_auth.render.table import Table

SHOWN = 50  # tenants that did not end with 0; the rest is in -o json


def fleet_text(run: FleetRun, output: str, *, color: bool = False) -> str:
    """Write a run: all tenants for programs, those that did not end with 0 for people, and the numbers."""
    if output == "json":
        return to_text(
            {
                "schema": "exo-auth/fleet/1",
                "run": run.run_id,
                "command": list(run.command),
                "shard": str(run.shard),
                "exit_code": run.exit_code,
                "ends": [dict(vars(end)) for end in run.known],
                "not_started": list(run.not_started),
            }
        )
    every = output in ("csv", "ndjson")
    rows = [end for end in run.known if every or end.exit_code]
    table = Table(
        ("Tenant", "Exit code", "Seconds", "Last words"),
        tuple(
            (end.tenant, str(end.exit_code), f"{end.seconds:g}", end.last_words)
            for end in (rows if every else rows[:SHOWN])
        ),
    ).to_text(output, color=color)
    if every:
        return table
    return "\n".join(([table] if rows else []) + _summary(run, len(rows)))


def _summary(run: FleetRun, shown: int) -> list[str]:
    codes = Counter(end.exit_code for end in run.known)
    numbers = ", ".join(f"{codes[code]} ended with {code}" for code in sorted(codes))
    lines = [f"and {shown - SHOWN} more: -o json has them all"] if shown > SHOWN else []
    part = f" in part {run.shard}" if run.shard.count > 1 else ""
    left = f", {len(run.not_started)} not started" if run.not_started else ""
    total = len(run.tenants)
    lines.append(f"{total} tenant{'' if total == 1 else 's'}{part}: {numbers or 'none ended'}{left}")
    if run.to_resume:
        lines.append(f"go on with {len(run.to_resume)} of them: exo-auth fleet resume {run.run_id}")
    return lines
