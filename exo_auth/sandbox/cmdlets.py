"""What each cmdlet does to the tenant, and the rows it gives (sandbox)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from exo_auth.sandbox import mail_flow
from exo_auth.sandbox.clock import SandboxClock
from exo_auth.sandbox.dkim_state import DkimState, DomainSpec
from exo_auth.sandbox.refusal import NOT_FOUND, Refused
from exo_auth.sandbox.rows import accepted_domain_row, dkim_row, dkim_row_without_keys, organization_row
from exo_auth.sandbox.switches import Switches
from exo_auth.sandbox.tenant import SandboxTenant

Rows = list[dict[str, Any]]
MORE = (
    "There are more results available than are currently displayed. To view them, increase the value for the "
    "ResultSize parameter."
)


class Cmdlets:
    """Runs cmdlets whose parameters were checked; gives rows and warnings; raises Refused."""

    def __init__(self, tenant: SandboxTenant, clock: SandboxClock, switches: Switches) -> None:
        self._tenant = tenant
        self._clock = clock
        self._switches = switches
        self._born = clock.now()
        self._dkim_rows: dict[str, tuple[DkimState, bool, dict[str, Any]]] = {}  # of the last listing

    def run(self, cmdlet: str, values: Mapping[str, Any]) -> tuple[Rows, list[str]]:
        """Run one cmdlet by its documented name."""
        if cmdlet == "Get-AcceptedDomain":
            return self._accepted_domains(values)
        if cmdlet == "Get-OrganizationConfig":
            return [organization_row(self._tenant.initial_domain, self._tenant.tenant_id, self._born)], []
        if cmdlet == "Get-DkimSigningConfig":
            return self._dkim_configs(str(values.get("Identity", ""))), []
        if values.get("WhatIf"):
            return [], []
        if cmdlet in mail_flow.CMDLETS:
            return self._tenant.mail_flow.run(cmdlet, values), []
        return self._write(cmdlet, values)

    def _write(self, cmdlet: str, values: Mapping[str, Any]) -> tuple[Rows, list[str]]:
        domain = str(values.get("Identity") or values.get("DomainName"))
        if cmdlet == "New-DkimSigningConfig":
            warnings = self._tenant.new_config(
                domain, enabled=values["Enabled"], key_size=int(values.get("KeySize", 1024))
            )
            return self._dkim_configs(domain), warnings
        if cmdlet == "Set-DkimSigningConfig":
            self._tenant.set_config(domain, dict(values))
        elif cmdlet == "Rotate-DkimSigningConfig":
            self._tenant.rotate(domain, values.get("KeySize"))
        else:
            self._tenant.remove_config(domain)
        return [], []

    def _accepted_domains(self, values: Mapping[str, Any]) -> tuple[Rows, list[str]]:
        rows = [
            accepted_domain_row(spec, self._tenant.initial_domain, self._born)
            | {"SmtpDaneStatus": "Enabled" if self._tenant.mail_flow.has_dane(spec.name) else "Disabled"}
            for spec in self._tenant.specs
        ]
        if "Identity" in values:
            rows = [row for row in rows if row["DomainName"].lower() == str(values["Identity"]).lower()]
            if not rows:
                raise Refused(NOT_FOUND, f"object '{values['Identity']}' couldn't be found on 'sandbox'.")
        size = str(values.get("ResultSize", "1000"))
        if size.lower() == "unlimited" or not size.isdecimal() or int(size) >= len(rows):
            return rows, []
        return rows[: int(size)], [MORE]

    def _dkim_configs(self, identity: str) -> Rows:
        now = self._clock.now()
        found: dict[str, dict[str, Any]] = {}
        for domain, state in self._tenant.states().items():
            spec = self._tenant.spec(domain)
            if spec is not None:
                found[domain] = self._dkim_row(spec, state, now)
        for spec in self._tenant.without_keys():
            found[spec.name.lower()] = dkim_row_without_keys(spec, self._tenant.initial_domain, now)
        if not identity:
            return list(found.values())
        if identity.lower() in found:
            return [found[identity.lower()]]
        return self._unknown(identity, list(found.values()))

    def _dkim_row(self, spec: DomainSpec, state: DkimState, now: datetime) -> dict[str, Any]:
        """Give the row of the last listing again while it is the same: listings are long, changes few."""
        is_pending = now < state.rotate_on
        kept = self._dkim_rows.get(spec.name)
        if kept is None or kept[:2] != (state, is_pending):
            targets = self._tenant.targets(spec.name)
            row = dkim_row(spec, state, targets, self._tenant.initial_domain, self._switches, now)
            kept = self._dkim_rows[spec.name] = (state, is_pending, row)
        return kept[2]

    def _unknown(self, identity: str, rows: Rows) -> Rows:
        choice = self._switches.unknown_identity
        if choice == "not_found":
            raise Refused(NOT_FOUND, f"object '{identity}' couldn't be found on 'sandbox'.")
        if choice == "empty_object":
            return [{}]
        return rows if choice == "all" else []
