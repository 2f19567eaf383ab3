"""`MailFlow`: transport rules, connectors, DNSSEC and DANE of a tenant, kept and served as one (sandbox)."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from exo_auth.sandbox import arc, connectors, dnssec, transport_rule_fields
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.connectors import InboundConnectors, OutboundConnectors
from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.dnssec import Dnssec, MxOf
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.transport_rules import TransportRules

CMDLETS = frozenset(
    {*transport_rule_fields.PARAMETERS, *connectors.PARAMETERS, *dnssec.PARAMETERS, *arc.PARAMETERS}
)


class MailFlow:
    """The collections behind the cmdlets of `CMDLETS`; safe to use from all server threads."""

    def __init__(
        self,
        initial_domain: str,
        clock: SandboxClock,
        switches: Switches,
        spec_of: Callable[[str], DomainSpec | None],
        mx_of: MxOf,
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._arc = arc.ArcConfig()
        self._dnssec = Dnssec(spec_of, mx_of)
        self._outbound = OutboundConnectors(initial_domain, switches, self._rule_using)
        self._inbound = InboundConnectors(initial_domain)
        self._rules = TransportRules(
            initial_domain, self._outbound.is_scoped, lambda name: spec_of(name) is not None
        )
        self._former: tuple[datetime, dict[str, Any]] | None = None  # what late reads see, until when

    def run(self, cmdlet: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run one cmdlet; gives rows; raises Refused or NeedsConfirmation."""
        with self._lock:
            now = self._clock.now()
            if not cmdlet.startswith("Get-") or self._former is None or now >= self._former[0]:
                return self._run(cmdlet, values, now)
            present = self.to_state()
            self._put(self._former[1])
            try:
                return self._run(cmdlet, values, now)
            finally:
                self._put(present)

    def listen_at(self, address: str) -> None:
        """Let the exchangers in the signed zone have this address, where something answers."""
        self._dnssec.address = address

    def has_dane(self, domain: str) -> bool:
        """Is inbound DANE enabled for an accepted domain?"""
        with self._lock:
            return domain.lower() in self._dnssec.dane

    def published(self, name: str, rdtype: str) -> str | None:
        """Give what Microsoft publishes at a lower-case name because of these cmdlets, as zone text."""
        with self._lock:
            return self._dnssec.published(name, rdtype)

    def hold_reads(self, until: datetime) -> None:
        """Let reads see what is there now until a moment of the sandbox's clock."""
        with self._lock:
            self._former = (until, self.to_state())

    def to_state(self) -> dict[str, Any]:
        """Give everything as plain JSON values."""
        with self._lock:
            return {
                "rules": copy.deepcopy(self._rules.objects.items),
                "outbound": copy.deepcopy(self._outbound.objects.items),
                "inbound": copy.deepcopy(self._inbound.objects.items),
                "dnssec": sorted(self._dnssec.enabled),
                "dane": sorted(self._dnssec.dane),
                "arc": list(self._arc.sealers),
            }

    def load_state(self, values: Mapping[str, Any]) -> None:
        """Take back what `to_state` gave."""
        with self._lock:
            self._put(values)
            self._former = None

    def _put(self, values: Mapping[str, Any]) -> None:
        self._rules.objects.items = copy.deepcopy(values["rules"])
        self._outbound.objects.items = copy.deepcopy(values["outbound"])
        self._inbound.objects.items = copy.deepcopy(values["inbound"])
        self._dnssec.enabled = set(values["dnssec"])
        self._dnssec.dane = set(values["dane"])
        self._arc.sealers = list(values.get("arc", ()))

    def _run(self, cmdlet: str, values: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
        if cmdlet in transport_rule_fields.PARAMETERS:
            return self._rules.run(cmdlet, values, now)
        if cmdlet in dnssec.PARAMETERS:
            return self._dnssec.run(cmdlet, values)
        if cmdlet in arc.PARAMETERS:
            return self._arc.run(cmdlet, values)
        family = self._outbound if cmdlet.endswith("OutboundConnector") else self._inbound
        return family.run(cmdlet, values, now)

    def _rule_using(self, connector: str) -> str:
        rules = self._rules.objects.items
        wanted = connector.lower()
        found = (r for r in rules if str(r.get("RouteMessageOutboundConnector") or "").lower() == wanted)
        return str(next((rule["Name"] for rule in found), ""))
