"""The allow-list: which cmdlets may ever be sent, and with which parameters (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.errors import ProtocolError
from exo_auth.exchange.cmdlet import ALL, IDENTITY, Cmdlet, Parameter
from exo_auth.exchange.mail_flow_cmdlets import MAIL_FLOW_CMDLETS

GET_ACCEPTED_DOMAIN = "Get-AcceptedDomain"
GET_ORGANIZATION_CONFIG = "Get-OrganizationConfig"
GET_DKIM = "Get-DkimSigningConfig"
NEW_DKIM = "New-DkimSigningConfig"
SET_DKIM = "Set-DkimSigningConfig"
ROTATE_DKIM = "Rotate-DkimSigningConfig"

KEY_SIZES = (1024, 2048)  # bits; the service knows no others

# A listing is never narrowed by Identity: the service may answer an unknown one with every row.
ALLOWED: Mapping[str, Cmdlet] = {
    cmdlet.name: cmdlet
    for cmdlet in (
        Cmdlet(GET_ACCEPTED_DOMAIN, False, {"ResultSize": ALL}),
        Cmdlet(GET_ORGANIZATION_CONFIG, False, {}),
        Cmdlet(GET_DKIM, False, {}),
        Cmdlet(
            NEW_DKIM,
            True,
            {
                "DomainName": IDENTITY,
                "KeySize": Parameter(int, mandatory=True, values=KEY_SIZES),
                # Created enabled, a configuration without published CNAMEs has no documented outcome.
                "Enabled": Parameter(bool, mandatory=True, values=(False,)),
            },
        ),
        Cmdlet(SET_DKIM, True, {"Identity": IDENTITY, "Enabled": Parameter(bool, mandatory=True)}),
        Cmdlet(ROTATE_DKIM, True, {"Identity": IDENTITY, "KeySize": Parameter(int, values=KEY_SIZES)}),
        *MAIL_FLOW_CMDLETS,
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
