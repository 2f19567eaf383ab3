"""Record data as text, the way it stands in a zone without its quotes (lookup, pure)."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
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


_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_EXAMPLES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "MX": "10 mail.contoso.com",
    "CNAME": "host.contoso.com",
    "TLSA": "3 1 1 0d6f…",
}


def as_written(rdtype: str, text: str) -> str:
    """Read a value as people and zone files write it, and give it as `written` does; raises InputError for none."""
    try:
        return _as_written(rdtype, text.strip())
    except (ValueError, InputError):
        example = _EXAMPLES.get(rdtype) or _EXAMPLES["CNAME"]
        raise InputError(f"“{text}” is no value of type {rdtype}", hint=f"write it like {example}") from None


def _as_written(rdtype: str, text: str) -> str:
    match rdtype:
        case "TXT":
            strings = _STRING.findall(text) if text.startswith('"') else [text]
            return "".join(re.sub(r"\\(.)", r"\1", one) for one in strings) if strings != [text] else text
        case "CNAME" | "NS" | "PTR":
            return f"{DomainName.parse_lookup(text.removesuffix('.')).ascii}."
        case "MX":
            preference, host = text.split()
            name = host.removesuffix(".")
            return f"{int(preference)} {DomainName.parse_lookup(name).ascii if name else ''}."
        case "A":
            return str(IPv4Address(text))
        case "AAAA":
            return str(IPv6Address(text))
        case "TLSA":
            usage, selector, matching, *digits = text.split()
            return f"{int(usage)} {int(selector)} {int(matching)} {bytes.fromhex(''.join(digits)).hex()}"
        case _:
            return text
