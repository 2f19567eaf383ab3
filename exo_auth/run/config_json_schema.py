"""The settings table as JSON Schema, for editors and pipelines (run)."""

from __future__ import annotations

from typing import Any

from exo_auth.plan.selection import TAG_SIGNS
from exo_auth.run.config_schema import Kind, Scope, Setting, in_scope
from exo_auth.run.config_values import TAG, render
from exo_auth.run.secret_reference import SCHEMES

DURATION_PATTERN = r"^\s*(?=\S)([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?\s*$"
TAGS_SHAPE: dict[str, Any] = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": f"^{TAG.pattern}$"},
    "additionalProperties": {
        "type": "array",
        "items": {"type": "string", "not": {"pattern": f"^({'|'.join(TAG_SIGNS)})"}},
    },
}
_SHAPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string", "minLength": 1},
    Kind.URL: {"type": "string", "pattern": "^https://"},
    Kind.GUID: {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    Kind.DOMAIN: {"type": "string", "minLength": 1},
    Kind.PATH: {"type": "string", "minLength": 1},
    Kind.INTEGER: {"type": "integer", "minimum": 1},
    Kind.SHARE: {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})? ?%$"},
    Kind.DURATION: {"type": "string", "pattern": DURATION_PATTERN},
    Kind.SWITCH: {"type": "boolean"},
    Kind.LIST: {"type": "array", "items": {"type": "string"}},
    Kind.TAGS: TAGS_SHAPE,
    Kind.COMMAND: {"type": "array", "items": {"type": "string"}},
    Kind.SECRET: {"type": "string", "pattern": f"^({'|'.join(SCHEMES)}):.+"},
}


def json_schema() -> dict[str, Any]:
    """Give the schema of a configuration file, draft 2020-12."""
    top = _object(in_scope(Scope.TOP))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "exo-auth configuration, version 1",
        **top,
        "required": ["version"],
        "properties": {
            "version": {"const": 1, "description": "Version of this shape."},
            **top["properties"],
            "tenants": _named(
                Scope.TENANT, "Tenants by a name of your choice; each may have its own settings."
            ),
            "profiles": _named(Scope.PROFILE, "Settings to lay over the others, chosen with --profile."),
        },
    }


def _named(scope: Scope, description: str) -> dict[str, Any]:
    part = {**_object(in_scope(scope)), "type": ["object", "null"]}
    return {"type": ["object", "null"], "description": description, "additionalProperties": part}


def _object(settings: dict[str, Setting]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    groups: dict[str, dict[str, Setting]] = {}
    for key, setting in settings.items():
        head, _, tail = key.partition(".")
        if tail:
            groups.setdefault(head, {})[tail] = setting
            properties.setdefault(head, {})
        else:
            properties[head] = _leaf(setting)
    for head, members in groups.items():
        properties[head] = {**_object(members), "type": ["object", "null"]}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _leaf(setting: Setting) -> dict[str, Any]:
    leaf = dict(_SHAPES[setting.kind])
    leaf["description"] = f"{setting.help} [env: {setting.env}]"
    if setting.choices and setting.kind is Kind.LIST:
        leaf["items"] = {"enum": list(setting.choices)}
    elif setting.choices:
        leaf["enum"] = list(setting.choices)
    if setting.numbers:
        leaf["enum"] = list(setting.numbers)
    if setting.default is not None:
        leaf["default"] = _default(setting)
    return leaf


def _default(setting: Setting) -> Any:
    if isinstance(setting.default, dict):
        return dict(setting.default)
    if isinstance(setting.default, tuple):
        return list(setting.default)
    if setting.kind in (Kind.SHARE, Kind.DURATION):
        return render(setting.default)
    return setting.default
