"""`PowerShellTransport`: cmdlets through Microsoft's own module, in one `pwsh` child per run (I/O).

The supported road beside the admin API. The child (`pwsh_child.py`) runs `session.ps1` of this package. A token given
to the module is never renewed by it, so that a run longer than the token's life goes on in a second child.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from exo_auth.cloud import CLOUDS, Cloud
from exo_auth.errors import (
    Correlation,
    ExoAuthError,
    InputError,
    NotPermitted,
    ProtocolError,
    TransportBroken,
)
from exo_auth.exchange.cmdlets import ALLOWED, allowed_cmdlet
from exo_auth.exchange.errors_on_wire import from_reason
from exo_auth.exchange.http_answer import Call
from exo_auth.exchange.pwsh_child import PwshChild, PwshEndedError
from exo_auth.exchange.reason import Reason, reason_in_text
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.identity.access_token import AccessToken, TokenSource

_TOKEN_LEFT = timedelta(minutes=4)  # a token source gives five minutes at least
_SERVICE_IDS = re.compile(r"Server=(?P<server>[^,\]]+)|RequestId=(?P<request>[0-9a-fA-F-]{36})")
_REMEDIES = {
    "powershell": "install PowerShell 7.4 or newer (https://aka.ms/powershell), or set transport to rest",
    "module": "in pwsh run Install-Module ExchangeOnlineManagement -Scope CurrentUser (3.5.0 or newer; 3.9.2 is the"
    " last for PowerShell 7.4 and 7.5), or set transport to rest",
}
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class PowerShellLimits:
    """Time limits in seconds."""

    connect: float = 120.0
    read: float = 180.0
    write: float = 300.0  # a write that times out is unknown, not failed
    end: float = 5.0  # to disconnect in; then the child is killed


def utc_now() -> datetime:
    """Read this machine's clock."""
    return datetime.now(UTC)


class PowerShellTransport:
    """Runs cmdlets one at a time. `organization` is the initial domain: the module takes no GUID there."""

    def __init__(
        self,
        cloud: Cloud,
        tenant_id: str,
        organization: str,
        tokens: TokenSource,
        *,
        program: str = "pwsh",
        environment: Mapping[str, str] | None = None,
        limits: PowerShellLimits | None = None,
        now: Callable[[], datetime] = utc_now,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._organization = organization
        self._tokens = tokens
        self._program = program
        self._environment = os.environ if environment is None else environment
        self._limits = limits or PowerShellLimits()
        self._now = now
        self._say = say  # progress: the module takes seconds to connect, or minutes
        self._lock = threading.Lock()
        self._child: PwshChild | None = None
        self._token_ends = datetime.max.replace(tzinfo=UTC)
        self._granted: frozenset[str] = frozenset()
        self._number = 0

    def invoke(self, cmdlet: str, parameters: Mapping[str, Any], *, is_write: bool = False) -> CmdletAnswer:
        """Run `cmdlet`; nothing is ever repeated here: a lost answer goes up as TransportBroken."""
        allowed = allowed_cmdlet(cmdlet, parameters, is_write=is_write)
        call = Call(allowed.name, self._tenant_id, str(uuid.uuid4()), is_write)
        given = {**parameters, "Confirm": False} if is_write else dict(parameters)
        with self._lock:
            child = self._running(call)
            self._number += 1
            try:
                child.send({"id": self._number, "cmdlet": cmdlet, "parameters": given})
            except PwshEndedError as ended:
                raise self._lost(call, f"the PowerShell child ended ({ended})", sent=False) from None
            seconds = self._limits.write if is_write else self._limits.read
            answer = self._answer(child, call, self._number, seconds)
        correlation = call.correlation(None, self._now())
        if "error" in answer:
            error = answer["error"]
            raise from_reason(_reason(error), call, _found_again(correlation, error)).error
        return CmdletAnswer(tuple(answer.get("rows", ())), correlation, tuple(answer.get("warnings", ())))

    def granted_cmdlets(self) -> frozenset[str]:
        """Name the cmdlets that the module imported: it leaves out what the caller may not run."""
        with self._lock:
            self._running(Call("Connect-ExchangeOnline", self._tenant_id, str(uuid.uuid4())))
        return self._granted

    def close(self) -> None:
        """Let the child disconnect, and end it if it does not."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def _running(self, call: Call) -> PwshChild:
        if self._child is not None and self._now() < self._token_ends - _TOKEN_LEFT:
            return self._child
        self.close()
        if _GUID.fullmatch(self._organization):
            raise InputError(
                "PowerShell cannot connect to a tenant by its id",
                hint="give the initial domain: --tenant contoso.onmicrosoft.com, or initial_domain in the file",
            )
        token = self._tokens.token()
        self._say(f"connecting through PowerShell, which may take {self._limits.connect:g} s")
        try:
            self._child = PwshChild(
                self._program, self._environment, ca_file=self._cloud.ca_file, grace=self._limits.end
            )
        except OSError as error:
            raise InputError(
                f"{self._program} cannot be started: {error.strerror}", hint=_REMEDIES["powershell"]
            ) from None
        try:
            self._greet(self._child, call, token)
        except BaseException:
            self._end()
            raise
        self._token_ends = token.expires_at
        return self._child

    def _greet(self, child: PwshChild, call: Call, token: AccessToken) -> None:
        text = token.text.reveal()
        job = {
            "token": text,
            "cmdlets": sorted(ALLOWED),
            "connection": connection_of(self._cloud, self._organization, token),
        }
        try:
            child.open(job, text, self._limits.connect)
        except PwshEndedError as ended:
            raise self._lost(call, f"the PowerShell child ended ({ended})", sent=False) from None
        except TimeoutError:
            raise self._too_slow(call, self._limits.connect, sent=False) from None
        greeting = self._answer(child, call, 0, self._limits.connect)
        if "error" in greeting:
            raise _not_opened(str(greeting.get("step")), greeting["error"], call, self._now())
        self._granted = frozenset(str(name).lower() for name in greeting.get("granted", ()))

    def _answer(self, child: PwshChild, call: Call, number: int, seconds: float) -> dict[str, Any]:
        sent = number > 0
        try:
            answer = child.receive(seconds)
        except TimeoutError:
            raise self._too_slow(call, seconds, sent=sent) from None
        except PwshEndedError as ended:
            raise self._lost(call, f"the PowerShell child ended ({ended})", sent=sent) from None
        except ValueError as error:
            raise self._lost(call, f"the PowerShell child is not understood: {error}", sent=sent) from None
        if answer.get("id") != number:
            raise self._lost(call, "the PowerShell child answered another question", sent=sent)
        return answer

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _too_slow(self, call: Call, seconds: float, *, sent: bool) -> TransportBroken:
        words = self._child.last_words() if self._child else ""
        printed = f"; it printed: {words}" if words else ""
        return self._lost(call, f"{call.cmdlet} gave no answer within {seconds:g} s{printed}", sent=sent)

    def _lost(self, call: Call, message: str, *, sent: bool) -> TransportBroken:
        self._end()
        return TransportBroken(
            message,
            sent=sent,
            correlation=call.correlation(None, self._now()),
            hint="what was under way is looked up before anything is sent again"
            if sent
            else "nothing was sent; start pwsh by hand and run Connect-ExchangeOnline to see more",
        )


def connection_of(cloud: Cloud, organization: str, token: AccessToken) -> dict[str, str]:
    """Give the parameters of Connect-ExchangeOnline that say who and where.

    The module wants exactly one of Organization and UserPrincipalName: a person's token goes with the person's name.
    """
    who = {"Organization": organization}
    if not token.is_app_only and token.user_name:
        who = {"UserPrincipalName": token.user_name}
    if cloud.exchange_url in {known.exchange_url for known in CLOUDS.values()}:
        return {"ExchangeEnvironmentName": cloud.powershell_name, **who}
    return {
        "ExchangeEnvironmentName": cloud.powershell_name,
        **who,
        "ConnectionUri": f"{cloud.exchange_url}/powershell-liveid/",
        "AzureADAuthorizationEndpointUri": f"{cloud.authority}/organizations",
    }


def _not_opened(step: str, error: Mapping[str, Any], call: Call, now: datetime) -> ExoAuthError:
    """Say why there is no session: this machine lacks something, or the service refused."""
    reason = _reason(error)
    if step in _REMEDIES:
        return InputError(reason.text, hint=_REMEDIES[step])
    correlation = _found_again(call.correlation(None, now), error)
    connect = replace(call, cmdlet="Connect-ExchangeOnline")
    refusal = from_reason(reason, connect, correlation).error
    if isinstance(refusal, NotPermitted):
        return refusal
    if isinstance(refusal, TransportBroken):
        return TransportBroken(refusal.message, sent=False, correlation=correlation, hint=refusal.hint)
    kind = f" ({reason.exception_type})" if reason.exception_type else ""
    return ProtocolError(
        f"the PowerShell session could not be opened: {reason.text}{kind}",
        correlation=correlation,
        hint="run Connect-ExchangeOnline by hand to see more, or set transport to rest",
    )


def _reason(error: Mapping[str, Any]) -> Reason:
    """Read an error record: its message holds `id|type|text` just as the admin API's does."""
    reason = reason_in_text(str(error.get("message", "")))
    return reason if reason.exception_type else Reason(reason.text, str(error.get("type", "")))


def _found_again(correlation: Correlation, error: Mapping[str, Any]) -> Correlation:
    """Add the ids of the service that the error record carries: `[Server=…,RequestId=…,TimeStamp=…],…`."""
    found = {"server": None, "request": None} | {
        kind: match[kind]
        for match in _SERVICE_IDS.finditer(str(error.get("identifier", "")))
        for kind in ("server", "request")
        if match[kind]
    }
    return replace(correlation, server=found["server"], request_id=found["request"])
