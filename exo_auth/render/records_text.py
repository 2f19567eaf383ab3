"""Records to paste: into a zone file, or field by field into a panel (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.checks.finding import DnsRecord
from exo_auth.render.document import records_document, to_text
from exo_auth.render.table import Table

LONGEST_STRING = 255  # octets of one character-string, RFC 1035 §3.3


def record_line(record: DnsRecord) -> str:
    """Write one record as a line of a zone file (RFC 1035 §5.1), names absolute."""
    if record.type == "TXT":
        value = " ".join(_quoted(chunk) for chunk in _chunks(record.value))
    elif record.type in ("A", "AAAA") or record.value.endswith(
        "."
    ):  # the null MX ends in the root (RFC 7505 §3)
        value = record.value
    else:
        value = f"{record.value}."
    return f"{record.owner}. {record.ttl_seconds} IN {record.type} {value}"


def records_output(
    records: Iterable[DnsRecord], output: str, *, bind: bool = False, color: bool = False
) -> str:
    """Write records in the asked format."""
    found = list(records)
    if output == "json":
        return to_text(records_document(found))
    if bind:
        return "\n".join(map(record_line, found))
    rows = tuple((r.owner.ascii, r.type, r.value, str(r.ttl_seconds)) for r in found)
    return Table(("Host", "Type", "Points to", "TTL"), rows).to_text(output, color=color)


def _chunks(text: str) -> list[str]:
    return [text[i : i + LONGEST_STRING] for i in range(0, len(text), LONGEST_STRING)] or [""]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
