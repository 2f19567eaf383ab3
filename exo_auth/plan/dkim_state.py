"""The state of one DKIM configuration as plain values: what a plan stores, apply compares, a journal keeps (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from exo_auth.facts.tenant import DkimSigningConfig
from exo_auth.plan.change import Change, Verb


class Effect(StrEnum):
    """What became of a change, judged by what the tenant shows now."""

    DONE = "done"
    NOT_DONE = "not-done"
    OTHER = "other"  # neither the state before nor the state wanted: somebody else was here


def snapshot_of(config: DkimSigningConfig | None) -> dict[str, Any]:
    """Describe a configuration by what a write would move; times are ISO 8601 in UTC."""
    if config is None:
        return {"listed": False}
    return {
        "listed": True,
        "has_keys": config.has_keys,
        "enabled": config.enabled,
        "key_created": _time(config.key_created),
        "rotate_on": _time(config.rotate_on),
        "selector_before_rotation": config.selector_before_rotation,
        "selector_after_rotation": config.selector_after_rotation,
        "selector1_key_size": config.selector1.key_size,
        "selector2_key_size": config.selector2.key_size,
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what differs between two snapshots, as `enabled: true, now false`."""
    keys = sorted(before.keys() | now.keys())
    return tuple(
        f"{key}: {_show(before.get(key))}, now {_show(now.get(key))}"
        for key in keys
        if before.get(key) != now.get(key)
    )


def effect_of(change: Change, config: DkimSigningConfig | None) -> Effect:
    """Judge from the tenant's present state whether `change` took effect."""
    now = snapshot_of(config)
    if _is_wanted(change, now):
        return Effect.DONE
    if not differences(change.before, now):
        return Effect.NOT_DONE
    return Effect.OTHER


def _is_wanted(change: Change, now: Mapping[str, Any]) -> bool:
    if change.verb is Verb.CREATE:
        return bool(now["listed"] and now["has_keys"])
    if not now["listed"]:
        return False
    if change.verb is Verb.ROTATE:
        # A rotation has run when the selectors have swapped and the clock of the window was set anew:
        # the selectors alone would also match two rotations before.
        return bool(
            now["selector_after_rotation"] == change.after["selector_after_rotation"]
            and (now["rotate_on"] or "") > (change.before.get("rotate_on") or "")
        )
    return bool(now["enabled"] == change.after["enabled"])


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(value)
