"""Rows as the admin API writes them: sidecars before their property, dates with seven digits (sandbox)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from exo_auth.sandbox.dkim_state import DkimState, DomainSpec
from exo_auth.sandbox.keys import key_text
from exo_auth.sandbox.refusal import SERVER
from exo_auth.sandbox.switches import Switches

FOREST = "EURPR01A006.PROD.OUTLOOK.COM"


def date_text(moment: datetime) -> str:
    """Write a moment the way the service does for UTC kinds: seven digits, Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0Z"


def accepted_domain_row(spec: DomainSpec, initial_domain: str, created: datetime) -> dict[str, Any]:
    """Write one row of Get-AcceptedDomain."""
    return {
        "DomainName": spec.name,
        "CatchAllRecipientID": None,
        "DomainType": spec.domain_type,
        "MatchSubDomains": False,
        "AddressBookEnabled": True,
        "Default": spec.default,
        "EmailOnly": False,
        "ExternallyManaged": False,
        "RawAuthenticationType": "Managed",
        "AuthenticationType": "Managed",
        "LiveIdInstanceType": "Business",
        "PendingRemoval": spec.pending_removal,
        "PendingCompletion": False,
        "FederatedOrganizationLink": "Federation",
        "MailFlowPartner": None,
        "OutboundOnly": False,
        "PendingFederatedAccountNamespace": False,
        "PendingFederatedDomain": False,
        "IsCoexistenceDomain": spec.coexistence,
        "PerimeterDuplicateDetected": False,
        "IsDefaultFederatedDomain": False,
        "EnableNego2Authentication": False,
        "CanHaveCloudCache": False,
        "SendingFromDomainDisabled": spec.sending_disabled,
        "SendingToDomainDisabled": False,
        "SmtpDaneStatus": "Disabled",
        "MailFlowRegion": "",
        "AzureProvisioningRegion": "",
        "InitialDomain": spec.initial,
        "AdminDisplayName": "",
        **directory_tail(
            spec.name, initial_domain, "Accepted Domains", "ms-Exch-Accepted-Domain", created, created
        ),
    }


def dkim_row(
    spec: DomainSpec,
    state: DkimState,
    targets: tuple[str, str],
    initial_domain: str,
    switches: Switches,
    now: datetime,
) -> dict[str, Any]:
    """Write one row of Get-DkimSigningConfig."""
    blank = switches.blank_cnames_in_window and now < state.rotate_on
    shown = ("", "") if blank else targets
    row: dict[str, Any] = {"Domain": spec.name, "AdminDisplayName": state.extra.get("AdminDisplayName", "")}
    for number, selector in enumerate(("selector1", "selector2"), start=1):
        size = f"Selector{number}KeySize"
        row[f"{size}@data.type"] = "System.UInt16"
        row[f"{size}@odata.type"] = "#Decimal"
        row[size] = state.sizes[selector]
        row[f"Selector{number}CNAME"] = shown[number - 1]
        row[f"Selector{number}PublicKey"] = key_text(state.keys[selector])
    row |= {
        "Enabled": state.enabled,
        "IsDefault": spec.initial,
        "HeaderCanonicalization": state.extra.get("HeaderCanonicalization", "Relaxed"),
        "BodyCanonicalization": state.extra.get("BodyCanonicalization", "Relaxed"),
        "Algorithm": "RsaSHA256",
        "NumberOfBytesToSign": "All",
        "IncludeSignatureCreationTime": True,
        "IncludeKeyExpiration": False,
        **date_field("KeyCreationTime", state.created),
        **date_field("LastChecked", state.last_checked),
        **date_field("RotateOnDate", state.rotate_on),
        "SelectorBeforeRotateOnDate": _selector(state.before, switches),
        "SelectorAfterRotateOnDate": _selector(state.after, switches),
        "Status": state.forced_status or state.status,
    }
    changed = state.changed or state.created
    tail = directory_tail(
        spec.name,
        initial_domain,
        "Dkim Signing config",
        "ms-Exch-Hosted-Content-Filter-Config",
        changed,
        state.created,
    )
    return row | tail


def dkim_row_without_keys(spec: DomainSpec, initial_domain: str, now: datetime) -> dict[str, Any]:
    """Write the row of a domain that is listed before it has keys."""
    return {
        "Domain": spec.name,
        "AdminDisplayName": "",
        "Selector1CNAME": "",
        "Selector1PublicKey": "",
        "Selector2CNAME": "",
        "Selector2PublicKey": "",
        "Enabled": False,
        "IsDefault": False,
        "HeaderCanonicalization": "Relaxed",
        "BodyCanonicalization": "Relaxed",
        "Algorithm": "RsaSHA256",
        "NumberOfBytesToSign": "All",
        "Status": "NoDKIMKeys",
        **directory_tail(
            spec.name, initial_domain, "Dkim Signing config", "ms-Exch-Hosted-Content-Filter-Config", now, now
        ),
    }


def organization_row(initial_domain: str, tenant_id: str, created: datetime) -> dict[str, Any]:
    """Write the row of Get-OrganizationConfig, as far as anybody reads it."""
    return {
        "DisplayName": initial_domain.split(".")[0].capitalize(),
        "IsDehydrated": False,
        "RejectDirectSend": None,
        "SendFromAliasEnabled": False,
        **directory_tail(
            initial_domain, initial_domain, "Configuration", "ms-Exch-Organization", created, created
        ),
        "Guid@data.type": "System.Guid",
        "Guid": tenant_id,
    }


def _selector(name: str, switches: Switches) -> str:
    return name.capitalize() if switches.selector_case == "capital" else name


def date_field(name: str, moment: datetime) -> dict[str, Any]:
    """Write a property that holds a moment, with its sidecar."""
    return {f"{name}@data.type": "System.DateTime", name: date_text(moment)}


def directory_tail(
    name: str, initial_domain: str, container: str, category: str, changed: datetime, created: datetime
) -> dict[str, Any]:
    """Write what every directory object ends with."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{container}/{name}"))
    organization = f"{FOREST}/Microsoft Exchange Hosted Organizations/{initial_domain}"
    return {
        "Identity": name,
        "Id": name,
        "IsValid": True,
        "ExchangeVersion": "0.20 (15.0.0.0)",
        "Name": name,
        "DistinguishedName": f"CN={name},CN={container},CN=Transport Settings,CN=Configuration,CN={initial_domain},"
        "CN=ConfigurationUnits,DC=EURPR01A006,DC=PROD,DC=OUTLOOK,DC=COM",
        "ObjectCategory": f"{FOREST}/Configuration/Schema/{category}",
        "ObjectClass@odata.type": "#Collection(String)",
        "ObjectClass": ["top", "ms" + "".join(part.capitalize() for part in category.split("-")[1:])],
        "WhenChanged": date_text(changed).replace("Z", "+00:00"),
        "WhenCreated": date_text(created).replace("Z", "+00:00"),
        **date_field("WhenChangedUTC", changed),
        **date_field("WhenCreatedUTC", created),
        "ExchangeObjectId@data.type": "System.Guid",
        "ExchangeObjectId": identity,
        "OrganizationalUnitRoot": initial_domain,
        "OrganizationId": f"{organization} - {FOREST}/ConfigurationUnits/{initial_domain}/Configuration",
        "Guid@data.type": "System.Guid",
        "Guid": identity,
        "OriginatingServer": SERVER,
        "ObjectState": "Unchanged",
    }
