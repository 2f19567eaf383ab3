"""From rows to the facts of `facts/tenant.py`: the only place that knows their field names (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
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


class DkimListing:
    """One Get-DkimSigningConfig answer, of which a row is decoded when its domain is asked for.

    Reading back thousands of rows to look at a few must not cost what reading them all costs.
    """

    def __init__(self, answer: CmdletAnswer) -> None:
        self._answer = answer
        self._numbers: dict[DomainName, int] = {}
        for number, row in enumerate(answer.rows, 1):
            self._numbers.setdefault(_domain_of(number, row, answer), number)

    def dkim_config(self, domain: DomainName) -> DkimSigningConfig | None:
        """Give the domain's configuration, None where none is listed; raises ProtocolError with row and field."""
        number = self._numbers.get(domain)
        if number is None:
            return None
        row = Row(GET_DKIM, number, self._answer.rows[number - 1], self._answer.correlation)
        return _dkim_signing_config(row)


def _domain_of(number: int, row: Mapping[str, Any], answer: CmdletAnswer) -> DomainName:
    text, strict = row.get("Domain"), Row(GET_DKIM, number, row, answer.correlation)
    if not isinstance(text, str):
        return strict.name("Domain")
    try:
        return _name(text.strip())
    except InputError:
        return strict.name("Domain")  # says what is wrong with it


@lru_cache(maxsize=16384)
def _name(text: str) -> DomainName:
    """Read a name once: listing after listing brings the same ones."""
    return DomainName.parse_lookup(text)


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
