"""What a caching resolver remembers, on a clock that can be moved (sandbox)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import dns.message
import dns.rcode
import dns.rrset

Key = tuple[str, str]  # name and type; the type is "" where the name does not exist at all


@dataclass(frozen=True)
class Remembered:
    """An answer and its life."""

    code: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...]
    authority: tuple[dns.rrset.RRset, ...]
    since: datetime
    until: datetime


class ResolverMemory:
    """Keeps answers for their TTL, and absence for the SOA's minimum (RFC 2308 §5); safe to use from all threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[Key, Remembered] = {}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def recall(self, response: dns.message.Message, name: str, rdtype: str) -> bool:
        """Fill a response from memory, with the time that is left; False when nothing is remembered."""
        now = self._now()
        with self._lock:
            keys = [(name, rdtype), *((above, "") for above in _with_names_above(name))]  # RFC 8020
            kept = next((self._kept[key] for key in keys if key in self._kept), None)
        if kept is None or now >= kept.until:
            return False
        response.set_rcode(kept.code)
        age = int((now - kept.since).total_seconds())
        response.answer = [_aged(one, age) for one in kept.answer]
        response.authority = [_aged(one, age) for one in kept.authority]
        return True

    def keep(
        self, response: dns.message.Message, name: str, rdtype: str, longest: timedelta | None = None
    ) -> None:
        """Remember a response, no longer than `longest`; the TTLs in it are cut to that."""
        sets = (*response.answer, *response.authority)
        if not sets or response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return
        if longest is not None:
            for one in sets:
                one.ttl = min(one.ttl, int(longest.total_seconds()))
        now = self._now()
        life = timedelta(seconds=min(one.ttl for one in sets))
        kept = Remembered(
            response.rcode(), tuple(response.answer), tuple(response.authority), now, now + life
        )
        is_absent = response.rcode() == dns.rcode.NXDOMAIN and not response.answer
        with self._lock:
            self._kept[name, "" if is_absent else rdtype] = kept


def _aged(one: dns.rrset.RRset, age: int) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(one.name, max(0, one.ttl - age), list(one))


def _with_names_above(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]
