"""Every error the product raises on purpose, with the exit code its family ends the process with (ground).

    ExoAuthError                     1   never raised directly
    ├── InputError                  64   the user's text is wrong: option, file, domain name
    │   ├── ConfigError             64   ... in the configuration file, with line and column
    │   └── RecordSyntaxError       64   ... in a DNS record, with the position and what was expected
    ├── SignInError                 10   Entra refused, or could not be asked for, a token
    ├── ExchangeError                1   the admin API answered, or failed to answer, a cmdlet
    │   ├── CmdletFailed             1   the cmdlet ran and said no
    │   │   ├── NotFound             1   ... because the object does not exist
    │   │   ├── Conflict             1   ... because the object exists already
    │   │   └── CnameMissing         4   ... because Exchange does not see the DKIM CNAMEs yet
    │   ├── NotPermitted            10   token, permission or role do not allow it
    │   ├── Throttled                6   the service was busy and did nothing
    │   ├── TransportBroken          6   the answer never came; `sent` tells whether the question may have arrived
    │   └── ProtocolError            1   the answer came and cannot be understood
    ├── PlanError                    1   never raised directly
    │   ├── PlanStale                8   the tenant moved since the plan was made
    │   ├── TooMuchChange            9   more than the limits allow
    │   ├── PolicyMismatch           9   the MTA-STS policy would stop mail
    │   └── HookRefused              9   a program that is asked before said no
    ├── JournalError                 1   the journal cannot be written or does not verify
    ├── LockHeld                     7   another run works on this tenant
    └── CannotLook                   6   no verdict: DNS or the tenant could not be asked

A lookup that fails is not here: it is a value, `exo_auth.facts.dns.LookupFailed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class ExoAuthError(Exception):
    """Base of all errors: a one-line message, an optional hint, and the exit code of its family."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(ExoAuthError):
    """Something the user typed or wrote is wrong; `position` is the 0-based index of the bad character."""

    exit_code = 64

    def __init__(self, message: str, *, position: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class ConfigError(InputError):
    """The configuration is wrong at `file`, `line`, `column` (both 1-based)."""

    def __init__(
        self,
        message: str,
        *,
        file: str,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        where = ":".join(str(part) for part in (file, line, column) if part is not None)
        super().__init__(f"{where}: {message}", hint=hint)
        self.file, self.line, self.column = file, line, column


class RecordSyntaxError(InputError):
    """A DNS record cannot be parsed: `position` is where, `expected` is what should stand there."""

    position: int

    def __init__(self, message: str, *, position: int, expected: str) -> None:
        super().__init__(f"{message} at character {position + 1}: expected {expected}", position=position)
        self.reason = message
        self.position = position
        self.expected = expected

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordSyntaxError) and (self.reason, self.position, self.expected) == (
            other.reason,
            other.position,
            other.expected,
        )

    def __hash__(self) -> int:
        return hash((self.reason, self.position, self.expected))


class SignInError(ExoAuthError):
    """No token. `code` is the AADSTS code or MSAL's word; `correlation_id` is what support asks for."""

    exit_code = 10

    def __init__(
        self, message: str, *, code: str, correlation_id: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.correlation_id = correlation_id


@dataclass(frozen=True)
class Correlation:
    """What Microsoft support needs to find one call again."""

    cmdlet: str
    tenant_id: str
    client_request_id: str
    request_id: str | None = None
    status: int | None = None  # HTTP status; None when no answer came
    server: str | None = None  # X-BEServer
    at: datetime | None = None  # UTC

    def __str__(self) -> str:
        parts = [
            self.cmdlet,
            f"tenant {self.tenant_id}",
            f"client-request-id {self.client_request_id}",
            f"request-id {self.request_id}" if self.request_id else "",
            f"HTTP {self.status}" if self.status else "no HTTP answer",
            f"server {self.server}" if self.server else "",
            self.at.isoformat(timespec="seconds") if self.at else "",
        ]
        return ", ".join(part for part in parts if part)


class ExchangeError(ExoAuthError):
    """A cmdlet did not succeed; `correlation` names the call."""

    def __init__(
        self, message: str, *, correlation: Correlation | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.correlation = correlation

    def __str__(self) -> str:
        return f"{self.message} [{self.correlation}]" if self.correlation else self.message


class CmdletFailed(ExchangeError):
    """The cmdlet ran and failed; `exception_type` is the .NET type, such as `…ValidationException`."""

    def __init__(
        self,
        message: str,
        *,
        exception_type: str = "",
        correlation: Correlation | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, correlation=correlation, hint=hint)
        self.exception_type = exception_type


class NotFound(CmdletFailed):
    """The object the cmdlet was asked about does not exist."""


class Conflict(CmdletFailed):
    """The object the cmdlet should create exists already."""


class CnameMissing(CmdletFailed):
    """Exchange Online refuses to enable DKIM because it does not see both CNAMEs yet."""

    exit_code = 4


class Refusal(StrEnum):
    """Which rung of the permission ladder is missing."""

    TOKEN = "token"  # the token is expired, revoked or for another audience or tenant
    NO_PERMISSION = "no_permission"  # the app lacks Exchange.ManageAsApp, or the user's client lacks consent
    NO_ROLE = "no_role"  # no directory role and no Exchange role group
    CMDLET_NOT_GRANTED = "cmdlet_not_granted"  # the role does not contain this cmdlet


class NotPermitted(ExchangeError):
    """The caller may not do this; `refusal` says which grant is missing, `hint` how to give it."""

    exit_code = 10

    def __init__(
        self,
        message: str,
        *,
        refusal: Refusal,
        correlation: Correlation | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, correlation=correlation, hint=hint)
        self.refusal = refusal


class Throttled(ExchangeError):
    """The service was too busy and executed nothing; `retry_after` is its own wish, if it named one."""

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        correlation: Correlation | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, correlation=correlation, hint=hint)
        self.retry_after = retry_after


class TransportBroken(ExchangeError):
    """No usable answer. `sent` is False only when it is certain that the service never saw the request."""

    exit_code = 6

    def __init__(
        self,
        message: str,
        *,
        sent: bool,
        correlation: Correlation | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, correlation=correlation, hint=hint)
        self.sent = sent


class ProtocolError(ExchangeError):
    """The answer arrived and has a shape this client does not understand."""


class PlanError(ExoAuthError):
    """A plan cannot be made, read or applied."""


class PlanStale(PlanError):
    """What the plan was computed from is no longer so; nothing was sent."""

    exit_code = 8


class TooMuchChange(PlanError):
    """The plan changes more than the limits allow; the message holds the numbers."""

    exit_code = 9


class PolicyMismatch(PlanError):
    """An MTA-STS policy does not list what the MX record names; nothing was written."""

    exit_code = 9


class HookRefused(PlanError):
    """A hook that runs before failed, so that the run was refused; nothing was sent."""

    exit_code = 9


class JournalError(ExoAuthError):
    """The journal cannot be written, or its hash chain is broken."""


class LockHeld(ExoAuthError):
    """Another run holds the tenant's lock; the message names the holder."""

    exit_code = 7


class PublishError(ExoAuthError):
    """A DNS host could not be read or written through octoDNS."""

    exit_code = 1


class CannotLook(ExoAuthError):
    """Nothing can be said: DNS or the tenant could not be asked at all."""

    exit_code = 6
