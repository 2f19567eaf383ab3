"""Moments and spans as people read them (render, pure)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def moment(at: datetime | None) -> str:
    """Give a moment as 2026-11-23 09:14Z, "" for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%MZ}" if at else ""


def iso(at: datetime | None) -> str | None:
    """Give a moment as ISO 8601 in UTC, None for none."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def days(span: timedelta | None) -> str:
    """Give a span in whole days, "" for none."""
    return f"{span.days}d" if span is not None else ""
