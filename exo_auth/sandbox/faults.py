"""`Faults`: misbehaviour on request, chosen by kind, cmdlet, domain and call number (sandbox).

The doors ask with `take` at the place where a fault acts. Each fault fires `count` times (0: always) after `after`
matching calls were let through.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

FAULT_KINDS: dict[str, str] = {
    # the admin API
    "throttle": "429; value: Retry-After as it is sent (seconds or a date), none by default",
    "concurrency": "the plain sentence about concurrent requests; value: the status, 503 by default",
    "transient": "a 400 with a transient .NET exception; value: its type, ServerBusyException by default",
    "unavailable": "a gateway's HTML page; value: the status, 503 by default",
    "reset-before": "the connection breaks before the cmdlet runs",
    "reset-after": "the connection breaks after the cmdlet took effect",
    "timeout-after": "the cmdlet takes effect, the answer comes too late; value: seconds, 30 by default",
    "slow": "the answer waits; value: seconds, 2 by default",
    "latency": "no answer comes sooner; value: milliseconds, one number or a span, 150-300 by default",
    "slow-bytes": "the body drips; value: seconds between bytes, 0.05 by default",
    "expired-token": "401: the token is expired",
    "claims-challenge": "401 that asks for a token with more claims",
    "wrong-json": "200 with half a JSON document",
    "null-value": "200 with value: null",
    "capital-value": "200 with Value instead of value",
    "string-booleans": "booleans come as the words True and False",
    "errors-in-success": "200 with @adminapi.errors beside the rows; value: the text",
    "stray-error": "200 with an error object",
    "redirect": "302 to a regional host; value: the host",
    "stale-page": "the paging link is refused as expired",
    "no-right": "403, as for a cmdlet that is not granted",
    "refuse": "400 of a cmdlet that said no; value: the sentence",
    "wrong-backend": "a request without X-AnchorMailbox meets a server that does not know the object",
    "batch-duplicate-id": "a batch answers twice for its first request",
    "batch-missing-item": "a batch leaves out its last answer",
    "lag": "writes become visible late; value: seconds of the sandbox's clock, 60 by default",
    # Entra
    "sign-in": "the token endpoint refuses; value: an AADSTS number, 7000215 by default",
    "sign-in-throttle": "the token endpoint answers 429; value: Retry-After",
    "sign-in-broken": "the token endpoint answers 500",
    "sign-in-slow": "the token endpoint waits; value: seconds",
    "sign-in-malformed": "the token endpoint answers half a JSON document",
    # DNS
    "dns-servfail": "SERVFAIL",
    "dns-refused": "REFUSED, as a lame server does",
    "dns-timeout": "no answer at all",
    "dns-loss": "the first datagram of each question is lost; value: how many, 1 by default",
    "dns-truncate": "UDP answers are truncated, TCP answers whole",
    "dns-truncate-hard": "UDP answers are truncated, and TCP is closed",
    "dns-garbage": "the answer is not a DNS message",
    "dns-wrong-id": "an answer with another id comes first",
    "dns-bogus": "SERVFAIL unless the CD bit is set, as a validating resolver does for a bogus zone",
    "dns-loop": "CNAMEs that point at each other",
    "dns-lag": "the zone's second server is late with every change; value: how long, on the sandbox's clock, 1h by default",
    "dns-lame": "the zone's second server answers without authority; value: refused for REFUSED",
    "dns-cache": "the resolver remembers answers for their TTL, and absent names for the SOA's minimum of 15 minutes, "
    "on the sandbox's clock; value: the longest time, such as 20s",
    "update-refused": "an RFC 2136 update is refused",
    "update-unseen": "an RFC 2136 update gets lost",
    "update-unanswered": "an RFC 2136 update takes effect, and its answer gets lost",
    # the MTA-STS policy host of a domain
    "policy-redirect": "301; value: where to, https://www.DOMAIN/… by default, or https for the same address",
    "policy-page": "an HTML error page with status 200",
    "policy-type": "the policy with another media type; value: which, application/octet-stream by default",
    "policy-status": "another status; value: which, 404 by default (403 is what a bot challenge sends)",
    "policy-large": "a policy of more than 64 KiB",
    "policy-slow": "the policy comes late; value: seconds, 15 by default",
    "policy-reset": "the connection breaks",
    "policy-compressed": "the policy comes compressed, though nobody asked for it",
    "policy-syntax": "white space before a colon makes the policy void",
    "policy-expired": "a certificate that has run out",
    "policy-wrong-name": "a certificate for another host",
    "policy-untrusted": "a certificate of nobody",
    "policy-caa": "CAA forbids the authority of the certificate to renew it",
    "policy-ipv6": "the host has an IPv6 address, too, at which another site answers",
    "policy-dangling": "the host is a CNAME to a cloud host that was deleted",
}
LASTING = (
    "dns-lag",
    "dns-lame",
    "dns-cache",
    "policy-",
)  # a state, not an event: until all faults are taken back


@dataclass
class Fault:
    """One misbehaviour; counts itself down."""

    kind: str
    cmdlet: str | None = None  # case-insensitive; None for all
    domain: str | None = None  # for DNS: the name or anything below it
    count: int = 1  # 0 means always, as it does for all that is LASTING
    after: int = 0
    value: str | None = None

    def matches(self, kind: str, cmdlet: str | None, domain: str | None) -> bool:
        """Is this fault meant for such a call?"""
        if self.kind != kind:
            return False
        if self.cmdlet and self.cmdlet.lower() != (cmdlet or "").lower():
            return False
        wanted, got = (self.domain or "").lower(), (domain or "").lower()
        return not wanted or got == wanted or got.endswith(f".{wanted}")


class Faults:
    """The faults that are set now; safe to use from all server threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Set one more; raises ValueError for an unknown kind."""
        if fault.kind not in FAULT_KINDS:
            raise ValueError(f"there is no fault “{fault.kind}”")
        if fault.kind.startswith(LASTING):
            fault.count = 0
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Take all back."""
        with self._lock:
            self._faults.clear()

    def is_set(self, kind: str) -> bool:
        """Is any fault of this kind set, fired or not?"""
        with self._lock:
            return any(fault.kind == kind for fault in self._faults)

    def take(self, kind: str, *, cmdlet: str | None = None, domain: str | None = None) -> Fault | None:
        """Give the fault that fires for this call, and count it; None when none does."""
        with self._lock:
            for fault in self._faults:
                if not fault.matches(kind, cmdlet, domain):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    return None
                if fault.count == 1:
                    self._faults.remove(fault)
                elif fault.count > 1:
                    fault.count -= 1
                return fault
        return None
