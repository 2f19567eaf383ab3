"""DNSSEC and inbound DANE of accepted domains: the exchanger under mx.microsoft, its address and TLSA (sandbox)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from exo_auth.sandbox.dkim_state import DomainSpec
from exo_auth.sandbox.parameter import IDENTITY, SWITCH, WRITING, Parameter
from exo_auth.sandbox.refusal import invalid

HOST_ZONE = "mx.microsoft"
EXCHANGE_ADDRESS = "192.0.2.25"  # of nobody, RFC 5737
_DOMAIN = {"DomainName": IDENTITY}
_NESTED = "Microsoft.Exchange.Management.ProvisioningTasks"  # guessed: what nested results flatten to

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Get-DnssecStatusForVerifiedDomain": {
        **_DOMAIN,
        "SkipDnsValidation": SWITCH,
        "SkipMxValidation": SWITCH,
        "SkipMtaStsValidation": SWITCH,
    },
    "Enable-DnssecForVerifiedDomain": {**_DOMAIN, **WRITING},
    "Disable-DnssecForVerifiedDomain": {**_DOMAIN, **WRITING},
    "Get-SmtpDaneInboundStatus": dict(_DOMAIN),
    "Enable-SmtpDaneInbound": {**_DOMAIN, **WRITING},
    "Disable-SmtpDaneInbound": {**_DOMAIN, **WRITING},
}
MxOf = Callable[[str], tuple[tuple[int, str], ...]]


class Dnssec:
    """Which domains have it. `mx_of` tells preference and host of a domain's MX records as they stand in DNS."""

    def __init__(self, spec_of: Callable[[str], DomainSpec | None], mx_of: MxOf) -> None:
        self.enabled: set[str] = set()  # domains with DNSSEC, lower case
        self.dane: set[str] = set()  # those of them with DANE
        self.address = EXCHANGE_ADDRESS  # of every exchanger
        self._spec_of = spec_of
        self._mx_of = mx_of

    def run(self, cmdlet: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run one of the cmdlets; gives its row; raises Refused for a domain that is not accepted."""
        spec = self._spec_of(str(values["DomainName"]))
        if spec is None:
            raise invalid(f"The domain '{values['DomainName']}' isn't a verified domain of the tenant.")
        domain = spec.name.lower()
        if cmdlet == "Get-DnssecStatusForVerifiedDomain":
            return [self._status_row(spec, values)]
        if cmdlet == "Get-SmtpDaneInboundStatus":
            return [{"Status": "Enabled" if domain in self.dane else "Disabled"}]  # guessed field
        changes = {
            "Enable-DnssecForVerifiedDomain": self._enable,
            "Disable-DnssecForVerifiedDomain": self._disable,
            "Enable-SmtpDaneInbound": self._enable_dane,
            "Disable-SmtpDaneInbound": self._disable_dane,
        }
        changes[cmdlet](spec)
        host = {"DnssecMxValue": host_of(spec)} if cmdlet == "Enable-DnssecForVerifiedDomain" else {}
        return [{"Result": "Success", **host, "ErrorData": None}]

    def published(self, name: str, rdtype: str) -> str | None:
        """Give what Microsoft publishes at a name below mx.microsoft, as zone text; None where there is nothing."""
        if not name.endswith(f".{HOST_ZONE}"):
            return None
        host = name.removeprefix("_25._tcp.")
        domain = next((one for one in self.enabled if self._host(one) == host), None)
        if domain is None:
            return None
        if host == name:
            return self.address if rdtype == "A" else None
        if rdtype != "TLSA" or domain not in self.dane:
            return None
        return f"3 1 1 {hashlib.sha256(host.encode()).hexdigest()}"

    def _host(self, domain: str) -> str:
        spec = self._spec_of(domain)
        return host_of(spec) if spec is not None else ""

    def _enable(self, spec: DomainSpec) -> None:
        self.enabled.add(spec.name.lower())

    def _disable(self, spec: DomainSpec) -> None:
        if spec.name.lower() in self.dane:  # documented order, guessed text
            raise invalid(f"Disable SMTP DANE for '{spec.name}' first.")
        self.enabled.discard(spec.name.lower())

    def _enable_dane(self, spec: DomainSpec) -> None:
        if spec.name.lower() not in self.enabled:  # documented order, guessed text
            raise invalid(
                f"DNSSEC isn't enabled for '{spec.name}'. Run Enable-DnssecForVerifiedDomain first."
            )
        self.dane.add(spec.name.lower())

    def _disable_dane(self, spec: DomainSpec) -> None:
        self.dane.discard(spec.name.lower())

    def _status_row(self, spec: DomainSpec, values: Mapping[str, Any]) -> dict[str, Any]:
        is_on = spec.name.lower() in self.enabled
        expected = f"@ 60 IN MX 10 {host_of(spec)}" if is_on else ""
        row: dict[str, Any] = {
            "DnssecFeatureStatus": {"Value": "Enabled" if is_on else "Disabled"},
            "ExpectedMxRecord": {"Record": expected},
            "Errors": [],
            "Warnings": [],
        }
        if not values.get("SkipDnsValidation"):
            support = "Supported" if spec.signed else "NotSupported"
            row["DnsValidation"] = {"DnssecSupport": support, "Errors": [], "Warnings": []}
        if not values.get("SkipMxValidation"):
            row["MxValidation"] = self._mx_validation(spec, is_on=is_on)
        if not values.get("SkipMtaStsValidation"):
            row["MtaStsValidation"] = {
                "Status": "Passed",
                "MtaStsAvailable": bool(spec.policy),
                "MtaStsMode": spec.policy.capitalize() or "None",
                "Errors": [],
                "Warnings": [],
            }
        return row

    def _mx_validation(self, spec: DomainSpec, *, is_on: bool) -> dict[str, Any]:
        found = self._mx_of(spec.name.lower())
        is_right = is_on and [host for _, host in found] == [host_of(spec)]
        return {
            "Status": "Passed" if is_right else "Failed",
            "ActualMxRecords": [{"Record": f"@ 3600 IN MX {number} {host}"} for number, host in found],
            "Errors": [] if is_right else ["The MX record isn't the expected one."],
            "Warnings": [],
        }


def host_of(spec: DomainSpec) -> str:
    """Name the exchanger of a domain with DNSSEC; its letter is as unpredictable as that of the DKIM target."""
    return f"{spec.name.lower().replace('.', '-')}.{spec.letter}-v1.{HOST_ZONE}"


def flattened(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write nested results as names of their types, as partial serialization does."""
    return [
        {name: f"{_NESTED}.{name}" if isinstance(value, dict) else value for name, value in row.items()}
        for row in rows
    ]
