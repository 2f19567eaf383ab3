"""The JSON Schema of playbooks, made from the table that reads them (run)."""

from __future__ import annotations

from typing import Any

from exo_auth.checks.gates import Gate
from exo_auth.plan.selection import EVERY, NOBODY
from exo_auth.run.config_json_schema import DURATION_PATTERN, TAGS_SHAPE
from exo_auth.run.playbook_reader import ABOUT_OTHERS, DURATIONS, POLICY, VERBS, WITH, WORDS

_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1}
_DOMAINS = {
    "description": "Names, globs, tags such as @parked, or the word all or none.",
    "anyOf": [_LIST, {"enum": [EVERY, NOBODY]}],
}
_GATE = {"enum": [gate.value for gate in Gate]}
_VARIABLE = r"\$\{[a-z][a-z0-9_]*\}"
_DURATION = {"type": "string", "pattern": f"{DURATION_PATTERN}|^{_VARIABLE}$"}


def playbook_schema() -> dict[str, Any]:
    """Give the schema; what it refuses, the reader refuses with line and column."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "exo-auth/playbook/1",
        "title": "exo-auth playbook",
        "type": "object",
        "properties": {
            "version": {"const": 1, "description": "Version of this shape."},
            "do": {"enum": list(VERBS), "description": "The one step of a playbook without stages."},
            "domains": _DOMAINS,
            "except": _DOMAINS,
            "tags": {**TAGS_SHAPE, "description": "Laid over the tags of the configuration."},
            "policy": {
                "type": "object",
                "properties": {key: {"type": ["string", "integer"]} for key in POLICY},
                "additionalProperties": False,
            },
            "variables": {
                "type": "object",
                "description": "Put in as ${name}; given with --var. One without a value must be given.",
                "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
            "stages": {
                "type": "array",
                "items": {"type": "object", "oneOf": [_stage(kind) for kind in WITH]},
                "minItems": 1,
            },
        },
        "required": ["version"],
        "oneOf": [{"required": ["do"]}, {"required": ["stages"]}],
        "additionalProperties": False,
    }


def _stage(kind: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": {"type": "string"},
        "do": {"const": kind},
        "with": {
            "type": "object",
            "properties": {key: _value(kind, key) for key in WITH[kind]},
            "additionalProperties": False,
        },
    }
    if kind not in ABOUT_OTHERS:
        properties |= {
            "domains": _DOMAINS,
            "except": _DOMAINS,
            "after": {**_DURATION, "description": "Since the domain was through the stages before."},
            "gate": {
                "description": "What must be in order before a change; exo-auth check --gate judges the same.",
                "anyOf": [_GATE, {"type": "array", "items": _GATE, "minItems": 1}],
            },
        }
    return {"properties": properties, "required": ["do"], "additionalProperties": False}


def _value(kind: str, key: str) -> dict[str, Any]:
    if (kind, key) in DURATIONS:
        return _DURATION
    if (kind, key) not in WORDS:
        return _TEXTS
    words = "|".join(f"[{word[0].upper()}{word[0]}]{word[1:]}" for word in WORDS[kind, key])
    word = {"type": "string", "pattern": f"^({words}|{_VARIABLE})$"}
    return {"anyOf": [word, {"type": "array", "items": word, "minItems": 1}]}
