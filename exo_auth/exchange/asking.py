"""What the typed clients stand on: asking and telling over a transport (exchange)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from exo_auth.exchange.transport import CmdletAnswer, Transport


@runtime_checkable
class CountsRequests(Protocol):
    """A transport that knows how many requests it sent, repeated ones and pages included."""

    requests_sent: int


class Asking:
    """Reads one tenant. `warnings` gathers what the service said beside its rows, each text once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._calls = 0
        self._warnings: dict[str, None] = {}
        self._clock: datetime | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The service's warnings so far."""
        return tuple(self._warnings)

    @property
    def last_service_clock(self) -> datetime | None:
        """The time the service stated with its latest answer, UTC; None before the first."""
        return self._clock

    @property
    def requests_sent(self) -> int:
        """How many requests the transport sent; of a transport that does not count, how many calls."""
        return self._transport.requests_sent if isinstance(self._transport, CountsRequests) else self._calls

    def granted_cmdlets(self) -> frozenset[str]:
        """Name the cmdlets the caller may run, lower case."""
        self._calls += 1
        return self._transport.granted_cmdlets()

    def _ask(self, cmdlet: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        self._calls += 1
        answer = self._transport.invoke(cmdlet, parameters)
        self._warnings |= dict.fromkeys(answer.warnings)
        self._clock = answer.service_clock or self._clock
        return answer


class Telling:
    """Changes one tenant. A write that returns was accepted; only a later look tells that it took effect."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def _write(self, cmdlet: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        return self._transport.invoke(cmdlet, parameters, is_write=True)
