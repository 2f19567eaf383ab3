"""Which cmdlets there are, and how their parameters are checked (sandbox)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.sandbox import arc, connectors, dnssec, transport_rule_fields
from exo_auth.sandbox.cmdlet_errors import not_understood
from exo_auth.sandbox.http_message import Response
from exo_auth.sandbox.parameter import (
    BOOL,
    EVERYWHERE,
    IDENTITY,
    LISTING,
    SWITCH,
    TEXT,
    WRITING,
    Parameter,
    Unreadable,
)

_KEY_SIZE = Parameter("integer", values=("1024", "2048"))
_CANONICALIZATION = Parameter("enum", values=("Relaxed", "Simple"))
_STYLE = {
    "AdminDisplayName": TEXT,
    "BodyCanonicalization": _CANONICALIZATION,
    "HeaderCanonicalization": _CANONICALIZATION,
}

CMDLETS: dict[str, dict[str, Parameter]] = {
    "Get-AcceptedDomain": LISTING,
    "Get-OrganizationConfig": {},
    "Get-DkimSigningConfig": {"Identity": TEXT},
    "New-DkimSigningConfig": {
        "DomainName": IDENTITY,
        "Enabled": Parameter("bool", mandatory=True),
        "KeySize": _KEY_SIZE,
        **_STYLE,
        **WRITING,
    },
    "Set-DkimSigningConfig": {
        "Identity": IDENTITY,
        "Enabled": BOOL,
        "PublishTxtRecords": SWITCH,
        **_STYLE,
        **WRITING,
    },
    "Rotate-DkimSigningConfig": {"Identity": IDENTITY, "KeySize": _KEY_SIZE, **WRITING},
    "Remove-DkimSigningConfig": {"Identity": IDENTITY, "Force": SWITCH, **WRITING},
    **transport_rule_fields.PARAMETERS,
    **connectors.PARAMETERS,
    **dnssec.PARAMETERS,
    **arc.PARAMETERS,
}
BY_LOWER_NAME = {name.lower(): name for name in CMDLETS}
WRITES = frozenset(name for name in CMDLETS if not name.startswith("Get-"))


def read_parameters(cmdlet: str, given: Mapping[str, Any]) -> dict[str, Any] | Response:
    """Check names, values and what is mandatory; give typed values by their documented names, or the refusal."""
    parameters = {**CMDLETS[cmdlet], **EVERYWHERE}
    known = {name.lower(): name for name in parameters}
    values: dict[str, Any] = {}
    for raw_name, raw in given.items():
        if "@" in raw_name:  # the type of the parameter beside it
            continue
        name = known.get(raw_name.lower())
        if name is None:
            return not_understood(
                "AmbiguousParameterSetException",
                "Parameter set cannot be resolved using the specified named parameters. "
                f"Invalid cmdlet parameters specified. {raw_name}",
            )
        try:
            values[name] = parameters[name].read(raw)
        except Unreadable:
            return _bad_value(name, raw, parameters[name])
    for name, parameter in CMDLETS[cmdlet].items():
        if parameter.mandatory and values.get(name) is None:
            return not_understood(
                "MissingMandatoryParameterException",  # guessed
                f"Cannot process command because of one or more missing mandatory parameters: {name}.",
            )
    return values


def _bad_value(name: str, raw: Any, parameter: Parameter) -> Response:
    names = f" The possible enumeration values are: {', '.join(parameter.values)}" if parameter.values else ""
    return not_understood(
        "ParameterTransformationException",
        f"Cannot process argument transformation on parameter '{name}'. Cannot convert value \"{raw}\".{names}",
    )
