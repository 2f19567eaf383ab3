"""Zones that another name server holds: the sandbox asks it, so that a tenant can be tried on one's own DNS (sandbox)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from exo_auth.sandbox.zone_updates import value_of
from exo_auth.sandbox.zones import Unreachable, ZoneRecord

PATIENCE = 2.0  # seconds
_WHOLE = frozenset({dns.rdatatype.SOA, dns.rdatatype.TLSA})


class Delegation:
    """Asks the server of each zone; `servers` are address and port by apex."""

    def __init__(self, servers: Mapping[str, tuple[str, int]]) -> None:
        self._servers = {apex.lower(): server for apex, server in servers.items()}

    def covers(self, name: str) -> bool:
        """Is the name in one of the zones?"""
        return self._server_of(name) is not None

    def find_all(self, name: str, rdtype: str) -> tuple[ZoneRecord, ...]:
        """Give all records of that type at the name itself; raises Unreachable."""
        response = self._ask(name, rdtype)
        wanted = dns.rdatatype.from_text(rdtype)
        return tuple(
            ZoneRecord(name.lower(), rdtype, _value(rdata), int(rrset.ttl))
            for rrset in response.answer
            if rrset.rdtype == wanted and rrset.name.to_text(omit_final_dot=True).lower() == name.lower()
            for rdata in rrset
        )

    def exists(self, name: str) -> bool:
        """Is there anything at the name or below it? Raises Unreachable."""
        return self._ask(name, "TXT").rcode() != dns.rcode.NXDOMAIN

    def _server_of(self, name: str) -> tuple[str, int] | None:
        labels = name.lower().split(".")
        above = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._servers[apex] for apex in above if apex in self._servers), None)

    def _ask(self, name: str, rdtype: str) -> dns.message.Message:
        server = self._server_of(name)
        if server is None:
            raise Unreachable(name)
        query = dns.message.make_query(f"{name}.", rdtype, flags=0)
        try:
            response, _ = dns.query.udp_with_fallback(query, server[0], port=server[1], timeout=PATIENCE)
        except (dns.exception.DNSException, OSError) as error:
            raise Unreachable(name) from error
        if (
            response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
            or not response.flags & dns.flags.AA
        ):
            raise Unreachable(name)
        return response


def _value(rdata: Any) -> tuple[str, ...]:
    """Give the data of a record as the sandbox keeps it; of some types that is one text."""
    return (rdata.to_text(),) if rdata.rdtype in _WHOLE else value_of(rdata)
