"""The allow-list: which cmdlets may ever be sent, and with which parameters (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exo_auth.errors import ProtocolError

GET_ACCEPTED_DOMAIN = "Get-AcceptedDomain"
GET_ORGANIZATION_CONFIG = "Get-OrganizationConfig"
GET_DKIM = "Get-DkimSigningConfig"
NEW_DKIM = "New-DkimSigningConfig"
SET_DKIM = "Set-DkimSigningConfig"
ROTATE_DKIM = "Rotate-DkimSigningConfig"

UNLIMITED = "Unlimited"
KEY_SIZES = (1024, 2048)  # bits; the service knows no others


@dataclass(frozen=True)
class Parameter:
    """One parameter: the JSON type it is sent as, whether it must be there, and its values if few."""

    kind: type[str] | type[bool] | type[int]
    mandatory: bool = False
    values: tuple[str | int | bool, ...] = ()

    def complaint(self, value: object) -> str:
        """Say what is wrong with `value`; "" when nothing is."""
        if type(value) is not self.kind:  # exact, because True is an int to isinstance
            return f"is {value!r}, not a {self.kind.__name__}"
        if self.kind is str and not str(value).strip():
            return "is empty"
        if self.values and value not in self.values:
            return f"is {value!r}, not one of {', '.join(map(str, self.values))}"
        return ""


@dataclass(frozen=True)
class Cmdlet:
    """One allowed cmdlet."""

    name: str
    is_write: bool
    parameters: Mapping[str, Parameter]

    def check(self, parameters: Mapping[str, Any]) -> None:
        """Raise ProtocolError unless the parameters are known, complete and of the declared types."""
        for name, value in parameters.items():
            known = self.parameters.get(name)
            complaint = known.complaint(value) if known else f"is not one of {', '.join(self.parameters)}"
            if complaint:
                raise ProtocolError(f"{self.name} was not sent: the parameter {name} {complaint}")
        missing = [n for n, p in self.parameters.items() if p.mandatory and n not in parameters]
        if missing:
            raise ProtocolError(f"{self.name} was not sent: it needs the parameter {', '.join(missing)}")


_IDENTITY = Parameter(str, mandatory=True)

# A listing is never narrowed by Identity: the service may answer an unknown one with every row.
ALLOWED: Mapping[str, Cmdlet] = {
    cmdlet.name: cmdlet
    for cmdlet in (
        Cmdlet(GET_ACCEPTED_DOMAIN, False, {"ResultSize": Parameter(str, values=(UNLIMITED,))}),
        Cmdlet(GET_ORGANIZATION_CONFIG, False, {}),
        Cmdlet(GET_DKIM, False, {}),
        Cmdlet(
            NEW_DKIM,
            True,
            {
                "DomainName": _IDENTITY,
                "KeySize": Parameter(int, mandatory=True, values=KEY_SIZES),
                # Created enabled, a configuration without published CNAMEs has no documented outcome.
                "Enabled": Parameter(bool, mandatory=True, values=(False,)),
            },
        ),
        Cmdlet(SET_DKIM, True, {"Identity": _IDENTITY, "Enabled": Parameter(bool, mandatory=True)}),
        Cmdlet(ROTATE_DKIM, True, {"Identity": _IDENTITY, "KeySize": Parameter(int, values=KEY_SIZES)}),
    )
}


def allowed_cmdlet(name: str, parameters: Mapping[str, Any], *, is_write: bool) -> Cmdlet:
    """Give the allowed cmdlet of that name; raises ProtocolError for one that must not be sent so."""
    cmdlet = ALLOWED.get(name)
    if cmdlet is None:
        raise ProtocolError(
            f"{name} was not sent: exo-auth runs only {', '.join(ALLOWED)}",
            hint="this is a fault of the program, not of the tenant; please report it",
        )
    if cmdlet.is_write != is_write:
        kind = "writes" if cmdlet.is_write else "only reads"
        raise ProtocolError(f"{name} was not sent: it {kind}, and the caller said otherwise")
    cmdlet.check(parameters)
    return cmdlet
