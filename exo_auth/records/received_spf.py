"""`ReceivedSpf`: whom a border server judged by SPF (records, pure). RFC 7208 §9.1."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.authentication_results import without_comments

_RESULT = re.compile(r"\s*(pass|fail|softfail|neutral|none|temperror|permerror)\b", re.IGNORECASE)
_PAIR = re.compile(r'([A-Za-z][A-Za-z0-9_.-]*)\s*=\s*(?:"([^"]*)"|([^\s;"]+))')


@dataclass(frozen=True)
class ReceivedSpf:
    """The result and the envelope it was found for; parts that the field does not name are ""."""

    result: str
    client_ip: str = ""
    envelope_from: str = ""
    helo: str = ""


def parse(text: str) -> ReceivedSpf:
    """Read the field's body; raises RecordSyntaxError where no result begins it."""
    plain = without_comments(text)
    found = _RESULT.match(plain)
    if found is None:
        raise RecordSyntaxError("no SPF result", position=0, expected="pass, fail, softfail, …")
    pairs = {name.lower(): quoted or value for name, quoted, value in _PAIR.findall(plain, found.end())}
    return ReceivedSpf(
        found[1].lower(),
        pairs.get("client-ip", ""),
        pairs.get("envelope-from", "").strip("<>"),
        pairs.get("helo", ""),
    )
