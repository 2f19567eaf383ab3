"""What the policy server did, as data (facts, pure): one value for each request, one for each thing worth knowing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class ServedRequest:
    """One answered request. `seconds` runs from the first octet of the request to the last of the answer."""

    at: datetime  # UTC
    client: str  # address
    host: str  # as asked for; "" where the request named none
    method: str
    target: str
    status: int
    octets: int  # of the body
    seconds: float
    tls: str  # such as TLSv1.3; "" on the health port
    agent: str


class EventKind(StrEnum):
    """What happened beside requests."""

    POLICY_LOADED = "policy-loaded"
    POLICY_CHANGED = "policy-changed"
    POLICY_REFUSED = "policy-refused"  # the file is void; what was served before is served still
    POLICY_GONE = "policy-gone"
    POLICY_UNCOVERED = "policy-uncovered"  # no certificate names its host
    CERTIFICATE_LOADED = "certificate-loaded"
    CERTIFICATE_REFUSED = "certificate-refused"
    CERTIFICATE_ENDS = "certificate-ends"
    LISTENING = "listening"
    RELOADED = "reloaded"
    RELOAD_REFUSED = "reload-refused"
    TROUBLE = "trouble"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ServerEvent:
    """One thing worth knowing about `subject`: a domain, a file or an address."""

    at: datetime  # UTC
    kind: EventKind
    subject: str
    detail: str = ""


BAD_EVENTS = frozenset(
    {
        EventKind.POLICY_REFUSED,
        EventKind.POLICY_UNCOVERED,
        EventKind.CERTIFICATE_REFUSED,
        EventKind.CERTIFICATE_ENDS,
        EventKind.RELOAD_REFUSED,
        EventKind.TROUBLE,
    }
)
