"""Connectors in a snapshot: every field that has a name, so that they can be judged again (run)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from exo_auth.facts.connections import Connections, NotRead
from exo_auth.facts.mail_flow import InboundConnector, OutboundConnector
from exo_auth.run.field_types import as_declared

Connector = TypeVar("Connector", OutboundConnector, InboundConnector)
Row = TypeVar("Row")

_LEFT_OUT = ("extra", "changed")  # what no rule looks at


def connections_document(connections: Connections) -> dict[str, Any]:
    """Write the connectors and the ARC sealers as plain JSON values."""
    return {
        "outbound": _listing_document(connections.outbound, _connector_document),
        "inbound": _listing_document(connections.inbound, _connector_document),
        "arc_sealers": _listing_document(connections.arc_sealers, str),
    }


def read_connections(document: Mapping[str, Any]) -> Connections:
    """Take them back; raises KeyError, TypeError for another shape."""
    return Connections(
        _listing(document["outbound"], lambda row: _connector(OutboundConnector, row)),
        _listing(document["inbound"], lambda row: _connector(InboundConnector, row)),
        _listing(document["arc_sealers"], str),
    )


def _listing_document(listing: tuple[Row, ...] | NotRead, write: Callable[[Row], Any]) -> Any:
    if isinstance(listing, NotRead):
        return {"not_read": [listing.cmdlet, listing.why]}
    return [write(row) for row in listing]


def _listing(document: Any, read: Callable[[Any], Row]) -> tuple[Row, ...] | NotRead:
    if isinstance(document, Mapping):
        cmdlet, why = document["not_read"]
        return as_declared(NotRead(cmdlet, why))
    return tuple(map(read, document))


def _connector_document(connector: OutboundConnector | InboundConnector) -> dict[str, Any]:
    values = {field.name: getattr(connector, field.name) for field in fields(connector)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in _LEFT_OUT
    }


def _connector(kind: type[Connector], row: Mapping[str, Any]) -> Connector:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
    }
    return as_declared(kind(**values))
