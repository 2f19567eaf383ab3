"""The JSON Schema of playbooks, made from the table that reads them (run)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exo_auth.checks.gates import Gate
from exo_auth.plan.selection import EVERY, NOBODY
from exo_auth.run.config_json_schema import DURATION_PATTERN, TAGS_SHAPE
from exo_auth.run.playbook_keys import ABOUT_OTHERS, KEYS, POLICY, STAGE_KEYS, VERBS, VERSION, WITH, Key

_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_DOMAINS = {"anyOf": [_LIST, {"enum": [EVERY, NOBODY]}]}
_GATE = {"enum": [gate.value for gate in Gate]}
_VARIABLE = r"\$\{[a-z][a-z0-9_]*\}"
_DURATION = {"type": "string", "pattern": f"{DURATION_PATTERN}|^{_VARIABLE}$"}


_TOP: dict[str, dict[str, Any]] = {
    "version": {"const": int(VERSION)},
    "do": {"enum": list(VERBS)},
    "domains": _DOMAINS,
    "except": _DOMAINS,
    "tags": TAGS_SHAPE,
    "policy": {
        "type": "object",
        "properties": {key: {"type": ["string", "integer"]} for key in POLICY},
        "additionalProperties": False,
    },
    "variables": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    },
}


def playbook_schema() -> dict[str, Any]:
    """Give the schema; what it refuses, the reader refuses with line and column."""
    kinds = {"type": "object", "oneOf": [_stage(kind) for kind in WITH]}
    top = {**_TOP, "stages": {"type": "array", "items": kinds, "minItems": 1}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "exo-auth/playbook/1",
        "title": "exo-auth playbook",
        "type": "object",
        "properties": _described(KEYS, top),
        "required": ["version"],
        "oneOf": [{"required": ["do"]}, {"required": ["stages"]}],
        "additionalProperties": False,
    }


def _described(abouts: Mapping[str, str], shapes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {key: {**shapes[key], "description": about} for key, about in abouts.items() if key in shapes}


def _stage(kind: str) -> dict[str, Any]:
    needed = [name for name, key in WITH[kind].items() if key.is_needed]
    shapes: dict[str, dict[str, Any]] = {
        "name": {"type": "string"},
        "do": {"const": kind},
        "with": {
            "type": "object",
            "properties": {name: _value(key) for name, key in WITH[kind].items()},
            "required": needed,
            "additionalProperties": False,
        },
    }
    if kind not in ABOUT_OTHERS:
        gates = {"anyOf": [_GATE, {"type": "array", "items": _GATE, "minItems": 1}]}
        shapes |= {"domains": _DOMAINS, "except": _DOMAINS, "after": _DURATION, "gate": gates}
    return {
        "properties": _described(STAGE_KEYS, shapes),
        "required": ["do", *(["with"] if needed else [])],
        "additionalProperties": False,
    }


def _value(key: Key) -> dict[str, Any]:
    told: dict[str, Any] = {"description": key.about} | ({"default": key.default} if key.default else {})
    if key.is_duration:
        return {**_DURATION, **told}
    one: dict[str, Any] = {"type": "string"}
    if key.words:
        words = "|".join(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in key.words)
        one["pattern"] = f"^({words}|{_VARIABLE})$"
    most = {} if key.is_list else {"maxItems": 1}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, **most}], **told}
