"""The claims challenge of a 401: what the next token must prove (pure)."""

from __future__ import annotations

import base64
import binascii
import json
import re

# RFC 9110 §11.2: claims="…", in which a backslash quotes the next character, or a bare token
_CLAIMS = re.compile(r'(?:^|[\s,])claims\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.IGNORECASE)


def claims_challenge(www_authenticate: str) -> str | None:
    """Give the JSON of `claims` in a WWW-Authenticate header, base64 or quoted; None when there is none."""
    found = _CLAIMS.search(www_authenticate)
    if not found:
        return None
    text = re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]
    for candidate in (text, _from_base64(text)):
        if _is_object(candidate):
            return candidate
    return None


def _from_base64(text: str) -> str:
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")  # both alphabets, with or without padding
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
