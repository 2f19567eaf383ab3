"""The seam between typed cmdlets above and the wire below (exchange)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from exo_auth.errors import Correlation


@dataclass(frozen=True)
class CmdletAnswer:
    """What a cmdlet returned: rows without sidecar keys, warnings, and how to find the call again."""

    rows: tuple[Mapping[str, Any], ...]
    correlation: Correlation
    warnings: tuple[str, ...] = ()
    service_clock: datetime | None = None  # the answer's Date header, UTC


class Transport(Protocol):
    """Runs one cmdlet; raises only children of ExchangeError (and SignInError for want of a token)."""

    def invoke(self, cmdlet: str, parameters: Mapping[str, Any], *, is_write: bool = False) -> CmdletAnswer:
        """Run `cmdlet`; a write is never repeated unless the service certainly did nothing."""
        ...

    def granted_cmdlets(self) -> frozenset[str]:
        """Name the cmdlets the caller may run, lower case."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
