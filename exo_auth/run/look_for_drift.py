"""Look at everything that was applied once more (run)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exo_auth.plan.plan_file import OCTODNS
from exo_auth.run.drift import Drifted, compare, last_applied
from exo_auth.run.journal import FILE_NAME, read
from exo_auth.run.mail_flow_changes import mail_flow_trades
from exo_auth.run.observe import observe_tenant
from exo_auth.run.session import ReadingSession


@dataclass(frozen=True)
class DriftLook:
    """How many things were compared, and which have moved."""

    compared: int
    drifted: tuple[Drifted, ...]


def look_for_drift(session: ReadingSession, say: Callable[[str], None]) -> DriftLook:
    """Compare the tenant's journal, and that of DNS, with what is there; only looks."""
    from exo_auth.run.dns_changes import DnsTrade, open_zones
    from exo_auth.run.journal_place import journal_of_dns

    say("reading the journals")
    applied = [
        one
        for path in (session.state / FILE_NAME, journal_of_dns(session.settings))
        if path.exists()
        for one in last_applied(read(path))
    ]
    tenant = observe_tenant(session)
    trades = mail_flow_trades(session.reader)
    if session.settings.octodns_config is not None and any(c.cmdlet == OCTODNS for _, c in applied):
        trades[OCTODNS] = DnsTrade(open_zones(session.settings))
    configs: dict[str, object] = {config.domain.ascii: config for config in tenant.dkim_configs}
    say(f"comparing {len(applied)} things")
    return DriftLook(len(applied), tuple(compare(applied, trades, configs)))
