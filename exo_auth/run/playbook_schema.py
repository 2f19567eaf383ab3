"""The JSON Schema of playbooks, made from the table that reads them (run)."""

from __future__ import annotations

from typing import Any

from exo_auth.run.playbook import POLICY, VERBS, WITH

_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_LIST = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def playbook_schema() -> dict[str, Any]:
    """Give the schema; what it refuses, the reader refuses with line and column."""
    stages = [
        {
            "properties": {
                "name": {"type": "string"},
                "do": {"const": kind},
                "with": {
                    "type": "object",
                    "properties": dict.fromkeys(keys, _TEXTS),
                    "additionalProperties": False,
                },
            },
            "required": ["do"],
            "additionalProperties": False,
        }
        for kind, keys in WITH.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "exo-auth/playbook/1",
        "title": "exo-auth playbook",
        "type": "object",
        "properties": {
            "version": {"const": 1},
            "do": {"enum": list(VERBS)},
            "domains": _LIST,
            "except": _LIST,
            "policy": {
                "type": "object",
                "properties": {key: {"type": ["string", "integer"]} for key in POLICY},
                "additionalProperties": False,
            },
            "variables": {
                "type": "object",
                "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
            },
            "stages": {"type": "array", "items": {"type": "object", "oneOf": stages}, "minItems": 1},
        },
        "required": ["version"],
        "oneOf": [{"required": ["do"]}, {"required": ["stages"]}],
        "additionalProperties": False,
    }
