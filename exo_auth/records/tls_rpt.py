"""TLS-RPT records (records, pure): the TXT at `_smtp._tls.<domain>`.

v=TLSRPTv1; rua=mailto:tls@contoso.com        RFC 8460 §3
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from exo_auth.errors import RecordSyntaxError
from exo_auth.records.field_list import fields_of

VERSION = "v=TLSRPTv1;"
SCHEMES = frozenset({"mailto", "https"})


@dataclass(frozen=True)
class TlsRptRecord:
    """Where reports about failed TLS go."""

    rua: tuple[str, ...]
    extensions: tuple[tuple[str, str], ...] = ()

    @property
    def unusable(self) -> tuple[str, ...]:
        """The addresses that no sender reports to: neither mailto nor https."""
        return tuple(uri for uri in self.rua if not is_report_uri(uri))


def looks_like(text: str) -> bool:
    """Is this TXT counted? Records that do not begin with `v=TLSRPTv1;` are discarded (RFC 8460 §3)."""
    return text.startswith(VERSION)


def parse(text: str) -> TlsRptRecord:
    """Read a record; raises RecordSyntaxError. Of two rua fields the first counts."""
    if not looks_like(text):
        raise RecordSyntaxError("no TLS-RPT record", position=0, expected=f"{VERSION} at the beginning")
    rua: tuple[str, ...] | None = None
    extensions: dict[str, str] = {}
    for field in fields_of(text, len(VERSION), may_hold_equals=frozenset({"rua"})):
        if field.name != "rua":
            extensions.setdefault(field.name, field.value)
        elif rua is None:
            rua = tuple(field.value.split(","))
            if not all(rua):
                raise RecordSyntaxError(
                    "an empty address", position=field.value_at, expected="addresses between commas"
                )
    if rua is None:
        raise RecordSyntaxError("no rua", position=len(text), expected="rua= and where reports go")
    return TlsRptRecord(rua, tuple(extensions.items()))


def render(record: TlsRptRecord) -> str:
    """Write a record, with all addresses in one rua."""
    fields = [f"rua={','.join(record.rua)}", *(f"{name}={value}" for name, value in record.extensions)]
    return f"{VERSION} {'; '.join(fields)}"


def is_report_uri(uri: str) -> bool:
    """Can reports go there? Only mailto and https are defined (RFC 8460 §3)."""
    try:
        split = urlsplit(uri)
    except ValueError:
        return False
    if split.scheme.lower() == "mailto":
        local, at, domain = split.path.rpartition("@")
        return bool(local and at and domain) and "!" not in split.path
    return split.scheme.lower() == "https" and bool(split.netloc)
