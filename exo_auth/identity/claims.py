"""What a token says about itself, read without a check of its signature (pure)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

_PARTS = 3  # RFC 7515 §3.1: header, payload, signature
_YEAR_10000 = 253_402_300_800  # where datetime ends


def read_claims(token_text: str) -> dict[str, Any]:
    """Give the claims of a JWT; {} for an opaque or damaged token, whose owner alone can read it."""
    parts = token_text.strip().split(".")
    if len(parts) != _PARTS:
        return {}
    try:
        claims = json.loads(_from_base64url(parts[1]))
    except (ValueError, RecursionError):  # binascii.Error and UnicodeDecodeError are ValueErrors
        return {}
    return claims if isinstance(claims, dict) else {}


def _from_base64url(text: str) -> bytes:
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise binascii.Error("not ASCII") from None
    return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)


def time_claim(claims: dict[str, Any], name: str) -> float | None:
    """Give a NumericDate claim in seconds since 1970 (RFC 7519 §2); None when absent or not a number."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _YEAR_10000 else None
