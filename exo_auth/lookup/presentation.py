"""Record data as text, the way it stands in a zone without its quotes (lookup, pure)."""

from __future__ import annotations

from exo_auth.lookup.wire import Caa, Data, Mx, Soa, Tlsa


def written(data: Data) -> str:
    """Write one value; strings of a TXT are joined, as those who use them do (RFC 7208 §3.3)."""
    match data:
        case tuple():
            return b"".join(data).decode("utf-8", errors="replace")
        case Mx():
            return f"{data.preference} {data.host}."
        case Soa():
            return f"{data.primary}. {data.serial} {data.minimum}"
        case Tlsa():
            return f"{data.usage} {data.selector} {data.matching} {data.data.hex()}"
        case Caa():
            return f'{data.flags} {data.tag} "{data.value.decode("utf-8", errors="replace")}"'
        case str():
            return f"{data}."
        case bytes():
            return f"\\# {len(data)} {data.hex()}"  # RFC 3597 §5
        case _:
            return str(data)
