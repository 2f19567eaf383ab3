"""Answers as evidence, and failed look-ups as findings (checks, pure)."""

from __future__ import annotations

from typing import Any

from exo_auth.checks.catalogue import finding
from exo_auth.checks.finding import Evidence, Finding
from exo_auth.domain_name import DomainName
from exo_auth.facts.dns import Answer, FailureReason, Found, LookupFailed, Missing, Seen, Txt
from exo_auth.facts.domain import CaaRecord, Exchanger, TlsaRecord, ZoneStart

LONGEST_VALUE = 300  # characters of one value in a finding's text


def evidence(name: str | DomainName, rdtype: str, answer: Answer[Any]) -> Evidence:
    """Write an answer down: what was asked, what came, from whom, for how long it holds."""
    if isinstance(answer, Found):
        values = tuple(map(_value, answer.values))
        ttl = int(answer.ttl.total_seconds())
        return Evidence(str(name), rdtype, "found", values, answer.server or "", ttl)
    if isinstance(answer, Missing):
        negative = int(answer.negative_ttl.total_seconds()) if answer.negative_ttl is not None else None
        return Evidence(str(name), rdtype, answer.kind.value, (), answer.server or "", negative)
    return Evidence(str(name), rdtype, answer.reason.value, (answer.detail,), answer.server or "")


def could_not_look(domain: DomainName, name: str | DomainName, rdtype: str, answer: LookupFailed) -> Finding:
    """Tell that a question has no verdict; a zone whose signatures do not validate is a fault of its own."""
    if answer.reason is FailureReason.BOGUS:
        return finding(
            "DNSSEC-BOGUS",
            domain,
            f"DNSSEC: {rdtype} of {name} does not validate",
            seen=answer.detail,
            evidence=(evidence(name, rdtype, answer),),
        )
    return finding(
        "TRANSIENT",
        domain,
        f"{rdtype} of {name} could not be looked up: {answer.reason.value}",
        seen=answer.detail,
        remedy=(
            "ask again, or ask another resolver with --nameserver"
            if answer.temporary
            else "mend the zone: asking again does not help"
        ),
        evidence=(evidence(name, rdtype, answer),),
    )


def absence(name: str | DomainName, rdtype: str, answer: Missing) -> str:
    """Say in short how a record is absent."""
    return f"{name} {rdtype}: {answer.kind.value.upper()}"


def shortened(text: str) -> str:
    """Cut a value for a line of text; the evidence holds all of it."""
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _value(value: Any) -> str:
    """Write one value the way a zone file shows it; of an SOA what matters here."""
    match value:
        case Seen():
            return _value(value.txt)
        case Txt():
            return " ".join(f'"{chunk.decode("ascii", errors="replace")}"' for chunk in value.chunks)
        case Exchanger():
            return f"{value.preference} {value.host or '.'}"
        case ZoneStart():
            return f"{value.primary} serial {value.serial} minimum {value.minimum}"
        case TlsaRecord():
            return f"{value.usage} {value.selector} {value.matching} {value.data.hex()}"
        case CaaRecord():
            return f'{value.flags} {value.tag} "{value.value}"'
        case _:  # addresses and names, which are written as they are
            return str(value)
