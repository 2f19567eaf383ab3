"""`PowerShellTransport`: cmdlets through Microsoft's own module, in one `pwsh` child per session (I/O).

The supported road beside the admin API. The child runs `session.ps1` of this package; requests go to its standard
input, answers come back behind a random marker, so that what the module prints is never taken for data. The token goes
by the child's environment, never by an argument.
"""

from __future__ import annotations

import json
import os
import queue
import re
import secrets
import subprocess
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from exo_auth.cloud import Cloud
from exo_auth.errors import ExchangeError, InputError, ProtocolError, TransportBroken
from exo_auth.exchange.cmdlets import ALLOWED, allowed_cmdlet
from exo_auth.exchange.errors_on_wire import from_reason
from exo_auth.exchange.http_answer import Call
from exo_auth.exchange.reason import Reason, reason_in_text
from exo_auth.exchange.transport import CmdletAnswer
from exo_auth.identity.access_token import TokenSource

TOKEN_VARIABLE = "EXO_AUTH_TOKEN"  # noqa: S105 - the name, not the token
_ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_KEPT = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "PSModulePath",
    "SSL_CERT_FILE",
)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
_QUIET = {
    "TERM": "dumb",
    "NO_COLOR": "1",
    "POWERSHELL_TELEMETRY_OPTOUT": "1",
    "POWERSHELL_UPDATECHECK": "Off",
}


@dataclass(frozen=True)
class PowerShellLimits:
    """Time limits in seconds."""

    connect: float = 120.0
    read: float = 180.0
    write: float = 300.0  # a write that times out is unknown, not failed


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
    ) -> None:
        self._cloud = cloud
        self._tenant_id = tenant_id
        self._organization = organization
        self._tokens = tokens
        self._program = program
        self._environment = os.environ if environment is None else environment
        self._limits = limits or PowerShellLimits()
        self._now = now
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._granted: frozenset[str] = frozenset()
        self._number = 0

    def invoke(self, cmdlet: str, parameters: Mapping[str, Any], *, is_write: bool = False) -> CmdletAnswer:
        """Run `cmdlet`; nothing is ever repeated here: a lost answer goes up as TransportBroken."""
        allowed = allowed_cmdlet(cmdlet, parameters, is_write=is_write)
        call = Call(allowed.name, self._tenant_id, str(uuid.uuid4()), is_write)
        with self._lock:
            self._start(call)
            self._number += 1
            given = {**parameters, "Confirm": False} if is_write else dict(parameters)
            self._write(call, {"id": self._number, "cmdlet": cmdlet, "parameters": given})
            answer = self._read(call, self._number, self._limits.write if is_write else self._limits.read)
        correlation = call.correlation(None, self._now())
        if "error" in answer:
            raise from_reason(_reason(answer["error"]), call, correlation).error
        return CmdletAnswer(tuple(answer.get("rows", ())), correlation, tuple(answer.get("warnings", ())))

    def granted_cmdlets(self) -> frozenset[str]:
        """Name the cmdlets that the module imported: it leaves out what the caller may not run."""
        with self._lock:
            self._start(Call("Connect-ExchangeOnline", self._tenant_id, str(uuid.uuid4())))
        return self._granted

    def close(self) -> None:
        """Let the child disconnect, and end it if it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(OSError):
            if child.stdin:
                child.stdin.close()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()

    def _start(self, call: Call) -> None:
        if self._child is not None:
            return
        marker = f"exo-auth-{secrets.token_hex(16)} "
        token = self._tokens.token()
        given = {name: self._environment[name] for name in (*_KEPT, *_PROXIES) if name in self._environment}
        script = str(files("exo_auth.exchange") / "session.ps1")
        try:
            child = subprocess.Popen(
                [self._program, "-NoProfile", "-NonInteractive", "-NoLogo", "-File", script],
                env={**given, **_QUIET, TOKEN_VARIABLE: token.text.reveal()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise InputError(
                f"{self._program} cannot be started: {error.strerror}",
                hint="install PowerShell 7.4 (https://aka.ms/powershell), or set transport to rest",
            ) from None
        self._child, self._answers = child, queue.Queue()
        threading.Thread(target=_pump, args=(child, marker, self._answers), daemon=True).start()
        job = {
            "organization": self._organization,
            "environment": self._cloud.powershell_name,
            "cmdlets": sorted(ALLOWED),
            "marker": marker,
        }
        self._write(call, job)
        greeting = self._read(call, 0, self._limits.connect)
        if "error" in greeting:
            self.close()
            reason = _reason(greeting["error"])
            raise ProtocolError(
                f"the PowerShell session could not be opened: {reason.text}",
                correlation=call.correlation(None, self._now()),
                hint="run Connect-ExchangeOnline by hand to see more, or set transport to rest",
            )
        self._granted = frozenset(str(name).lower() for name in greeting.get("granted", ()))

    def _write(self, call: Call, document: Mapping[str, Any]) -> None:
        child = self._child
        try:
            if child is None or child.stdin is None:
                raise BrokenPipeError
            child.stdin.write(json.dumps(document) + "\n")
            child.stdin.flush()
        except OSError:
            raise self._ended(call, sent=False) from None

    def _read(self, call: Call, number: int, seconds: float) -> dict[str, Any]:
        while True:
            try:
                answer = self._answers.get(timeout=seconds)
            except queue.Empty:
                self._kill()
                raise self._broken(
                    call, f"{call.cmdlet} gave no answer within {seconds:g} s", sent=True
                ) from None
            if answer is None:
                raise self._ended(call, sent=number > 0)
            if answer.get("id") == number:
                return answer

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self.close()

    def _ended(self, call: Call, *, sent: bool) -> ExchangeError:
        code = self._child.poll() if self._child else None
        self.close()
        return self._broken(call, f"the PowerShell child ended (exit code {code})", sent=sent)

    def _broken(self, call: Call, message: str, *, sent: bool) -> TransportBroken:
        return TransportBroken(
            message,
            sent=sent,
            correlation=call.correlation(None, self._now()),
            hint="what was under way is looked up before anything is sent again",
        )


def _pump(child: subprocess.Popen[str], marker: str, answers: queue.Queue[dict[str, Any] | None]) -> None:
    """Hand marked lines over; what the module prints by itself is dropped. None says that the child ended."""
    with suppress(ValueError, OSError):  # the pipe is closed under us when the session is
        for line in child.stdout or ():
            text = _ANSI.sub("", line)
            if text.startswith(marker):
                answers.put(json.loads(text[len(marker) :]))
    answers.put(None)


def _reason(error: Mapping[str, Any]) -> Reason:
    """Read an error record: its message holds `id|type|text` just as the admin API's does."""
    reason = reason_in_text(str(error.get("message", "")))
    return reason if reason.exception_type else Reason(reason.text, str(error.get("type", "")))
