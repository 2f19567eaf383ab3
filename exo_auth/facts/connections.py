"""How a tenant's mail leaves and enters by connectors, as far as that could be read (facts, pure)."""

from __future__ import annotations

from dataclasses import dataclass

from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector


@dataclass(frozen=True)
class NotRead:
    """A listing that could not be had: nothing is known about what it would hold."""

    cmdlet: str
    why: str


@dataclass(frozen=True)
class Connections:
    """The connectors of a tenant in both directions, and whose ARC seals it believes (domains, lower case)."""

    outbound: tuple[OutboundConnector, ...] | NotRead
    inbound: tuple[InboundConnector, ...] | NotRead
    arc_sealers: tuple[str, ...] | NotRead = ()
