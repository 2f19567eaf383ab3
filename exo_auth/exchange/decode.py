"""From rows to the facts of `facts/tenant.py`: the only place that knows their field names (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exo_auth.exchange.cmdlets import GET_ACCEPTED_DOMAIN, GET_DKIM, GET_ORGANIZATION_CONFIG
from exo_auth.exchange.fields import Row
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig, SelectorKey

_SELECTORS = ("selector1", "selector2")
_WITH_KEYS = ("valid", "cnamemissing")  # statuses of a configuration that is complete
_KEY_FIELDS = (
    "Selector1CNAME",
    "Selector2CNAME",
    "Selector1KeySize",
    "Selector2KeySize",
    "KeyCreationTime",
    "RotateOnDate",
)


@dataclass(frozen=True)
class Organization:
    """The row of Get-OrganizationConfig; `extra` keeps every field not named here, as it came."""

    name: str  # the initial domain
    display_name: str
    guid: str
    is_dehydrated: bool  # must run Enable-OrganizationCustomization before some writes
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def accepted_domains(answer: CmdletAnswer) -> tuple[AcceptedDomain, ...]:
    """Decode Get-AcceptedDomain; raises ProtocolError with row and field."""
    return tuple(_accepted_domain(row) for row in rows_of(GET_ACCEPTED_DOMAIN, answer))


def dkim_signing_configs(answer: CmdletAnswer) -> tuple[DkimSigningConfig, ...]:
    """Decode Get-DkimSigningConfig; raises ProtocolError with row and field."""
    return tuple(_dkim_signing_config(row) for row in rows_of(GET_DKIM, answer))


def organizations(answer: CmdletAnswer) -> tuple[Organization, ...]:
    """Decode Get-OrganizationConfig; raises ProtocolError with row and field."""
    return tuple(_organization(row) for row in rows_of(GET_ORGANIZATION_CONFIG, answer))


def rows_of(cmdlet: str, answer: CmdletAnswer) -> list[Row]:
    """Give the rows, numbered from 1, ready to be read."""
    return [Row(cmdlet, number, row, answer.correlation) for number, row in enumerate(answer.rows, 1)]


def _accepted_domain(row: Row) -> AcceptedDomain:
    return AcceptedDomain(
        name=row.name("DomainName"),
        domain_type=row.text("DomainType"),
        is_default=row.boolean("Default"),
        is_initial=row.boolean("InitialDomain"),
        is_coexistence=row.boolean("IsCoexistenceDomain", False),
        match_subdomains=row.boolean("MatchSubDomains", False),
        pending_removal=row.boolean("PendingRemoval", False),
        sending_disabled=row.boolean("SendingFromDomainDisabled", False),
        extra=row.rest(),
    )


def _dkim_signing_config(row: Row) -> DkimSigningConfig:
    status = row.text("Status")
    complete = status.lower() in _WITH_KEYS
    if complete:
        row.require(*_KEY_FIELDS)  # a renamed RotateOnDate must not read as "no rotation is under way"
    selector_names = _SELECTORS if complete else (*_SELECTORS, "")
    return DkimSigningConfig(
        domain=row.name("Domain"),
        enabled=row.boolean("Enabled"),
        status=status,
        selector1=_selector(row, 1),
        selector2=_selector(row, 2),
        key_created=row.moment("KeyCreationTime"),
        rotate_on=row.moment("RotateOnDate"),
        selector_before_rotation=row.choice("SelectorBeforeRotateOnDate", selector_names),
        selector_after_rotation=row.choice("SelectorAfterRotateOnDate", selector_names),
        is_default=row.boolean("IsDefault", False),
        extra=row.rest(),
    )


def _selector(row: Row, number: int) -> SelectorKey:
    return SelectorKey(
        selector=f"selector{number}",
        cname_target=row.name_or_none(f"Selector{number}CNAME"),
        key_size=row.whole(f"Selector{number}KeySize"),
        public_key=row.text(f"Selector{number}PublicKey", ""),
    )


def _organization(row: Row) -> Organization:
    return Organization(
        name=row.text("Name"),
        display_name=row.text("DisplayName", ""),
        guid=row.text("Guid", ""),
        is_dehydrated=row.boolean("IsDehydrated", False),
        extra=row.rest(),
    )
