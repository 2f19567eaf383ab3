"""Ids of MTA-STS policies (records, pure): the digest of the file, so that file and id cannot drift apart unseen.

sha256d41d8cd98f00b204e980        RFC 8461 §3.1 takes 32 letters and digits, and gives no order to ids
"""

from __future__ import annotations

import hashlib
import re

from exo_auth.records import mta_sts_policy
from exo_auth.records.mta_sts_policy import MtaStsPolicy

_OURS = re.compile(r"sha256[0-9a-f]{20}", re.ASCII)
_DIGITS = 20  # hexadecimal; with the word before them 26 of the 32 characters


def id_of(policy: MtaStsPolicy) -> str:
    """Give the id that announces a policy: the beginning of the SHA-256 of its file, as `sha256sum` prints it."""
    digest = hashlib.sha256(mta_sts_policy.render(policy).encode("ascii")).hexdigest()
    return f"sha256{digest[:_DIGITS]}"


def is_digest(text: str) -> bool:
    """Was this id made by the same rule? Of other ids nobody can tell which file they announce."""
    return _OURS.fullmatch(text) is not None
