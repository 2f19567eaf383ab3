"""`ExchangeReader` and `ExchangeWriter`: one typed method per cmdlet; who reads cannot write (exchange)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from exo_auth.domain_name import DomainName
from exo_auth.errors import ProtocolError
from exo_auth.exchange import cmdlets, decode
from exo_auth.exchange.decode import Organization
from exo_auth.exchange.transport import CmdletAnswer, Transport
from exo_auth.facts.tenant import AcceptedDomain, DkimSigningConfig


@runtime_checkable
class CountsRequests(Protocol):
    """A transport that knows how many requests it sent, repeated ones and pages included."""

    requests_sent: int


class ExchangeReader:
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

    def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        """List every accepted domain; raises an ExchangeError."""
        return decode.accepted_domains(
            self._ask(cmdlets.GET_ACCEPTED_DOMAIN, {"ResultSize": cmdlets.UNLIMITED})
        )

    def dkim_signing_configs(self) -> tuple[DkimSigningConfig, ...]:
        """List every DKIM configuration; a domain without one is simply not in the list.

        Never asks for one domain: to an unknown one the service may answer with all rows, none or an error.
        """
        return decode.dkim_signing_configs(self._ask(cmdlets.GET_DKIM, {}))

    def organization(self) -> Organization:
        """Say which organization answers; raises an ExchangeError."""
        answer = self._ask(cmdlets.GET_ORGANIZATION_CONFIG, {})
        found = decode.organizations(answer)
        if len(found) != 1:
            raise ProtocolError(
                f"{cmdlets.GET_ORGANIZATION_CONFIG} answered with {len(found)} rows instead of one",
                correlation=answer.correlation,
                hint="check the tenant id",
            )
        return found[0]

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


class ExchangeWriter:
    """Changes one tenant. A write that returns was accepted; only a later look tells that it took effect."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_dkim_config(self, domain: DomainName, key_size: int) -> CmdletAnswer:
        """Make keys of `key_size` bits for `domain`, not yet signing; raises Conflict if it has some."""
        parameters = {"DomainName": domain.ascii, "KeySize": key_size, "Enabled": False}
        return self._write(cmdlets.NEW_DKIM, parameters)

    def enable_dkim(self, domain: DomainName) -> CmdletAnswer:
        """Let Exchange sign mail of `domain`; raises CnameMissing while it does not see both CNAMEs."""
        return self._write(cmdlets.SET_DKIM, {"Identity": domain.ascii, "Enabled": True})

    def disable_dkim(self, domain: DomainName) -> CmdletAnswer:
        """Let Exchange sign mail of `domain` with the initial domain's key only."""
        return self._write(cmdlets.SET_DKIM, {"Identity": domain.ascii, "Enabled": False})

    def rotate_dkim(self, domain: DomainName, key_size: int | None) -> CmdletAnswer:
        """Make a new key for the other selector, which signs 96 hours later; None keeps the size.

        Run twice it would rotate twice: after an unknown outcome look at KeyCreationTime first.
        """
        size = {} if key_size is None else {"KeySize": key_size}
        return self._write(cmdlets.ROTATE_DKIM, {"Identity": domain.ascii, **size})

    def _write(self, cmdlet: str, parameters: Mapping[str, Any]) -> CmdletAnswer:
        return self._transport.invoke(cmdlet, parameters, is_write=True)
