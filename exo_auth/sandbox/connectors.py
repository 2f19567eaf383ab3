"""Outbound and inbound connectors: the eight cmdlets and their rows (sandbox)."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from exo_auth.sandbox.named_objects import NamedObjects
from exo_auth.sandbox.parameter import (
    BOOL,
    CLEARABLE_TEXT,
    CLEARABLE_TEXTS,
    IDENTITY,
    LISTING,
    TEXT,
    WRITING,
    Parameter,
)
from exo_auth.sandbox.refusal import invalid
from exo_auth.sandbox.rows import directory_tail
from exo_auth.sandbox.switches import Switches

_TYPE = Parameter("enum", values=("Partner", "OnPremises"))
_SOURCE = Parameter("enum", values=("Default", "HybridWizard", "Migrated"))
_TLS_SETTINGS = Parameter(
    "enum", values=("EncryptionOnly", "CertificateValidation", "DomainValidation"), nullable=True
)
_OUTBOUND: dict[str, Parameter] = {
    "Enabled": BOOL,
    "UseMXRecord": BOOL,
    "Comment": CLEARABLE_TEXT,
    "ConnectorType": _TYPE,
    "ConnectorSource": _SOURCE,
    "RecipientDomains": CLEARABLE_TEXTS,
    "SmartHosts": CLEARABLE_TEXTS,
    "TlsDomain": CLEARABLE_TEXT,
    "TlsSettings": _TLS_SETTINGS,
    "IsTransportRuleScoped": BOOL,
    "RouteAllMessagesViaOnPremises": BOOL,
    "CloudServicesMailEnabled": BOOL,
    "AllAcceptedDomains": BOOL,
    "SenderRewritingEnabled": BOOL,
    "MtaStsMode": Parameter("enum", values=("Opportunistic", "None")),
    "SmtpDaneMode": Parameter("enum", values=("Opportunistic", "Mandatory", "None")),
    "TestMode": BOOL,
}
_VALIDATED = {
    "IsValidated": BOOL,
    "LastValidationTimestamp": Parameter("date", nullable=True),
    "ValidationRecipients": CLEARABLE_TEXTS,
}
_INBOUND: dict[str, Parameter] = {
    "Enabled": BOOL,
    "ConnectorType": _TYPE,
    "ConnectorSource": _SOURCE,
    "Comment": CLEARABLE_TEXT,
    "SenderIPAddresses": CLEARABLE_TEXTS,
    "SenderDomains": CLEARABLE_TEXTS,
    "TrustedOrganizations": CLEARABLE_TEXTS,
    "AssociatedAcceptedDomains": CLEARABLE_TEXTS,
    "RequireTls": BOOL,
    "RestrictDomainsToIPAddresses": BOOL,
    "RestrictDomainsToCertificate": BOOL,
    "CloudServicesMailEnabled": BOOL,
    "TreatMessagesAsInternal": BOOL,
    "TlsSenderCertificateName": CLEARABLE_TEXT,
    "EFTestMode": BOOL,
    "ScanAndDropRecipients": CLEARABLE_TEXTS,
    "EFSkipLastIP": BOOL,
    "EFSkipIPs": CLEARABLE_TEXTS,
    "EFSkipMailGateway": CLEARABLE_TEXTS,
    "EFUsers": CLEARABLE_TEXTS,
}
PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Get-OutboundConnector": {**LISTING, "IncludeTestModeConnectors": BOOL, "IsTransportRuleScoped": BOOL},
    "New-OutboundConnector": {"Name": IDENTITY, **_OUTBOUND, **WRITING},
    "Set-OutboundConnector": {"Identity": IDENTITY, "Name": TEXT, **_OUTBOUND, **_VALIDATED, **WRITING},
    "Remove-OutboundConnector": {"Identity": IDENTITY, **WRITING},
    "Get-InboundConnector": LISTING,
    "New-InboundConnector": {
        "Name": IDENTITY,
        **_INBOUND,
        "SenderDomains": Parameter("texts", mandatory=True),
        **WRITING,
    },
    "Set-InboundConnector": {"Identity": IDENTITY, "Name": TEXT, **_INBOUND, **WRITING},
    "Remove-InboundConnector": {"Identity": IDENTITY, **WRITING},
}
_OUTBOUND_DEFAULTS: dict[str, Any] = {
    "Enabled": True,
    "UseMXRecord": True,
    "Comment": "",
    "ConnectorType": "Partner",
    "ConnectorSource": "Default",
    "TlsDomain": None,
    "TlsSettings": None,
    "MtaStsMode": "Opportunistic",
    "SmtpDaneMode": "Opportunistic",
    "IsValidated": False,
    "LastValidationTimestamp": None,
}
_INBOUND_DEFAULTS: dict[str, Any] = {
    "Enabled": True,
    "ConnectorType": "Partner",
    "ConnectorSource": "Default",
    "Comment": "",
    "TlsSenderCertificateName": None,
}
_DOMAIN = re.compile(r"(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+)", re.IGNORECASE | re.ASCII)
_ADDRESS_SPACE = re.compile(r"(?:smtp:)?(.*?)(?:;\d+)?", re.IGNORECASE)


class OutboundConnectors:
    """How mail leaves. `used_by` names the transport rule that routes by a connector, "" for none."""

    def __init__(self, initial_domain: str, switches: Switches, used_by: Callable[[str], str]) -> None:
        self.objects = NamedObjects("outbound connector")
        self._initial_domain = initial_domain
        self._switches = switches
        self._used_by = used_by

    def is_scoped(self, name: str) -> bool:
        """Is there a connector of that name for transport rules to choose?"""
        return any(
            item["Name"].lower() == name.lower() and item.get("IsTransportRuleScoped")
            for item in self.objects.items
        )

    def run(self, cmdlet: str, values: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
        """Run one of the cmdlets; gives rows; raises Refused or NeedsConfirmation."""
        if cmdlet.startswith("Get-"):
            return [self._row(item) for item in self.objects.shown(values) if self._is_shown(item, values)]
        if cmdlet.startswith("Remove-"):
            name = self.objects.find(str(values["Identity"]))["Name"]
            if rule := self._used_by(name):  # guessed text
                raise invalid(f"The connector '{name}' is used by the transport rule '{rule}'.")
            self.objects.remove(str(values["Identity"]), values)
            return []
        item = _written(
            self.objects, values, {**_OUTBOUND, **_VALIDATED}, _OUTBOUND_DEFAULTS, now, _check_outbound
        )
        return [self._row(item)] if cmdlet.startswith("New-") else []

    def _is_shown(self, item: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Apply the two filters, which the documents say hide by default, and a live answer contradicted."""
        if values.get("Identity") or self._switches.connector_filters == "live":
            return True
        if item.get("TestMode") and not values.get("IncludeTestModeConnectors"):
            return False
        return bool(item.get("IsTransportRuleScoped")) == bool(values.get("IsTransportRuleScoped"))

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        defined = {**_OUTBOUND, **_VALIDATED}
        return _row_of(item, defined, _OUTBOUND_DEFAULTS, "Outbound", self._initial_domain)


class InboundConnectors:
    """From whom mail is taken, and under which conditions."""

    def __init__(self, initial_domain: str) -> None:
        self.objects = NamedObjects("inbound connector")
        self._initial_domain = initial_domain

    def run(self, cmdlet: str, values: Mapping[str, Any], now: datetime) -> list[dict[str, Any]]:
        """Run one of the cmdlets; gives rows; raises Refused or NeedsConfirmation."""
        if cmdlet.startswith("Get-"):
            return [self._row(item) for item in self.objects.shown(values)]
        if cmdlet.startswith("Remove-"):
            self.objects.remove(str(values["Identity"]), values)
            return []
        told = dict(values)
        if values.get("SenderDomains") is not None:
            told["SenderDomains"] = [_address_space(text) for text in values["SenderDomains"]]
        if cmdlet.startswith("New-"):  # documented: a partner's connector requires TLS unless told otherwise
            told.setdefault("RequireTls", told.get("ConnectorType", "Partner") == "Partner")
        item = _written(self.objects, told, _INBOUND, _INBOUND_DEFAULTS, now, _check_inbound)
        return [self._row(item)] if cmdlet.startswith("New-") else []

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        row = _row_of(item, _INBOUND, _INBOUND_DEFAULTS, "Inbound", self._initial_domain)
        return {
            **row,
            "ClientHostNames": [],
            "NameHashGuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, item["Name"])),
            "OrganizationalUnitRootInternal": self._initial_domain,
        }


def _written(
    objects: NamedObjects,
    values: Mapping[str, Any],
    defined: Mapping[str, Parameter],
    defaults: Mapping[str, Any],
    now: datetime,
    check: Callable[[Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Make or change a connector after `check` has agreed to what it will be."""
    told = {name: values[name] for name in defined if name in values}
    if "Identity" not in values:
        objects.check_name(str(values["Name"]))
        check({**defaults, **told})
        return objects.add(str(values["Name"]), {**defaults, **told}, now)
    item = objects.find(str(values["Identity"]))
    name = str(values.get("Name", item["Name"]))
    objects.check_name(name, but=item)
    check({**item, **told})
    item.update(told, Name=name, Changed=now.isoformat())
    return item


def _row_of(
    item: Mapping[str, Any],
    defined: Mapping[str, Parameter],
    defaults: Mapping[str, Any],
    direction: str,
    initial_domain: str,
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, parameter in defined.items():
        if parameter.kind == "texts":
            row[f"{name}@odata.type"] = "#Collection(String)"
            row[name] = item.get(name) or []
        else:
            value = item.get(name, defaults.get(name))
            row[name] = bool(value) if parameter.kind == "bool" else value
    changed, created = (datetime.fromisoformat(item[name]) for name in ("Changed", "Created"))
    tail = directory_tail(
        item["Name"],
        initial_domain,
        f"{direction} Connectors",
        f"ms-Exch-SMTP-{direction}-Connector",
        changed,
        created,
    )
    guids = {"Guid": item["Guid"], "ExchangeObjectId": item["Guid"]}
    return {**row, "AdminDisplayName": "", **tail, **guids, "ExchangeVersion": "0.1 (8.0.535.0)"}


def _check_outbound(item: Mapping[str, Any]) -> None:  # the rules are documented, the sentences are guessed
    for text in (*(item.get("RecipientDomains") or ()), *filter(None, [item.get("TlsDomain")])):
        _check_domain(text)
    if not item["UseMXRecord"] and not item.get("SmartHosts"):
        raise invalid("The SmartHosts parameter is required when UseMXRecord is set to $false.")
    if item["UseMXRecord"] and item.get("SmartHosts"):
        raise invalid("SmartHosts can't be used when UseMXRecord is set to $true.")
    if item.get("TlsDomain") and item.get("TlsSettings") != "DomainValidation":
        raise invalid("The TlsDomain parameter can only be used when TlsSettings is set to DomainValidation.")
    if item.get("TlsSettings") == "DomainValidation" and not item.get("TlsDomain"):
        raise invalid("The TlsDomain parameter is required when TlsSettings is set to DomainValidation.")
    chosen_by = ("RecipientDomains", "IsTransportRuleScoped", "AllAcceptedDomains")
    if not any(item.get(name) for name in chosen_by):
        raise invalid("The connector needs recipient domains, or must be scoped to transport rules.")


def _check_inbound(item: Mapping[str, Any]) -> None:  # the rules are documented, the sentences are guessed
    for text in item.get("SenderDomains") or ():
        _check_domain(_domain_of(text))
    for text in item.get("SenderIPAddresses") or ():
        _check_range(text)
    restricts = [
        name for name in ("RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses") if item.get(name)
    ]
    if item["ConnectorType"] != "Partner" and (restricts or item.get("RequireTls")):
        raise invalid(f"{(restricts or ['RequireTls'])[0]} can be used with connectors of type Partner only.")
    if item.get("RestrictDomainsToCertificate") and not item.get("TlsSenderCertificateName"):
        raise invalid("RestrictDomainsToCertificate needs the TlsSenderCertificateName parameter.")
    if item.get("RestrictDomainsToIPAddresses") and not item.get("SenderIPAddresses"):
        raise invalid("RestrictDomainsToIPAddresses needs the SenderIPAddresses parameter.")


def _check_domain(text: str) -> None:
    if not _DOMAIN.fullmatch(text):
        raise invalid(f"The domain '{text}' isn't valid. A wildcard may only stand for the first label.")


def _check_range(text: str) -> None:
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        network = None
    if network is None or network.prefixlen < 24:
        raise invalid(f"The IP address range '{text}' isn't valid. Use IPv4 addresses, or ranges /24 to /32.")


def _domain_of(space: str) -> str:
    match = _ADDRESS_SPACE.fullmatch(space)
    return match[1] if match else space


def _address_space(text: str) -> str:
    """Write a sender domain as it is read back."""
    return f"smtp:{_domain_of(text)};1"
