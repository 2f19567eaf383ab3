"""Which parameters each cmdlet takes, and of which kind (sandbox)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exo_auth.sandbox.cmdlet_errors import not_understood
from exo_auth.sandbox.http_message import Response


@dataclass(frozen=True)
class Parameter:
    """One parameter: `kind` is text, bool, switch, integer or enum."""

    kind: str
    mandatory: bool = False
    values: tuple[str, ...] = ()  # of an enum; for integers the numbers allowed, as texts


_TEXT = Parameter("text")
_IDENTITY = Parameter("text", mandatory=True)
_ENABLED = Parameter("bool")
_KEY_SIZE = Parameter("integer", values=("1024", "2048"))
_CANONICALIZATION = Parameter("enum", values=("Relaxed", "Simple"))
_STYLE = {
    "AdminDisplayName": _TEXT,
    "BodyCanonicalization": _CANONICALIZATION,
    "HeaderCanonicalization": _CANONICALIZATION,
}
_EVERYWHERE = {"ErrorAction": _TEXT, "Verbose": _ENABLED, "WarningAction": _TEXT}
_WRITING = {"Confirm": _ENABLED, "WhatIf": _ENABLED}

CMDLETS: dict[str, dict[str, Parameter]] = {
    "Get-AcceptedDomain": {"Identity": _TEXT, "ResultSize": _TEXT},
    "Get-OrganizationConfig": {},
    "Get-DkimSigningConfig": {"Identity": _TEXT},
    "New-DkimSigningConfig": {
        "DomainName": _IDENTITY,
        "Enabled": Parameter("bool", mandatory=True),
        "KeySize": _KEY_SIZE,
        **_STYLE,
        **_WRITING,
    },
    "Set-DkimSigningConfig": {
        "Identity": _IDENTITY,
        "Enabled": _ENABLED,
        "PublishTxtRecords": Parameter("switch"),
        **_STYLE,
        **_WRITING,
    },
    "Rotate-DkimSigningConfig": {"Identity": _IDENTITY, "KeySize": _KEY_SIZE, **_WRITING},
    "Remove-DkimSigningConfig": {"Identity": _IDENTITY, "Force": Parameter("switch"), **_WRITING},
}
BY_LOWER_NAME = {name.lower(): name for name in CMDLETS}
WRITES = frozenset(name for name in CMDLETS if not name.startswith("Get-"))


def read_parameters(cmdlet: str, given: Mapping[str, Any]) -> dict[str, Any] | Response:
    """Check names, values and what is mandatory; give typed values by their documented names, or the refusal."""
    known = {name.lower(): name for name in {**CMDLETS[cmdlet], **_EVERYWHERE}}
    values: dict[str, Any] = {}
    for raw_name, raw in given.items():
        name = known.get(raw_name.lower())
        if name is None:
            return not_understood(
                "AmbiguousParameterSetException",
                "Parameter set cannot be resolved using the specified named parameters. "
                f"Invalid cmdlet parameters specified. {raw_name}",
            )
        parameter = {**CMDLETS[cmdlet], **_EVERYWHERE}[name]
        value = _value(parameter, raw)
        if value is None:
            return _bad_value(name, raw, parameter)
        values[name] = value
    for name, parameter in CMDLETS[cmdlet].items():
        if parameter.mandatory and name not in values:
            return not_understood(
                "MissingMandatoryParameterException",  # guessed
                f"Cannot process command because of one or more missing mandatory parameters: {name}.",
            )
    return values


def _value(parameter: Parameter, raw: Any) -> Any:
    """Convert as PowerShell does; None when it cannot."""
    if parameter.kind in ("bool", "switch"):
        if isinstance(raw, bool):
            return raw
        return {"true": True, "false": False}.get(str(raw).lower())
    if parameter.kind == "integer":
        text = str(raw)
        return int(text) if text in parameter.values and not isinstance(raw, bool) else None
    if parameter.kind == "enum":
        near = [value for value in parameter.values if value.lower().startswith(str(raw).lower()) and raw]
        return near[0] if len(near) == 1 else None  # unambiguous prefixes count, as in PowerShell
    return raw if isinstance(raw, str | int | float) and not isinstance(raw, bool) else None


def _bad_value(name: str, raw: Any, parameter: Parameter) -> Response:
    names = f" The possible enumeration values are: {', '.join(parameter.values)}" if parameter.values else ""
    return not_understood(
        "ParameterTransformationException",
        f"Cannot process argument transformation on parameter '{name}'. Cannot convert value \"{raw}\".{names}",
    )
