"""From a failed HTTP answer to an ExchangeError child: by .NET type first, by text second (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from exo_auth.errors import (
    CmdletFailed,
    CnameMissing,
    Conflict,
    Correlation,
    ExchangeError,
    NotFound,
    ProtocolError,
    Throttled,
    TransportBroken,
)
from exo_auth.exchange.http_answer import Call, HttpAnswer, http_date
from exo_auth.exchange.reason import Reason, reason_in_text, reason_of, tidy
from exo_auth.exchange.refusals import refused, refused_by_text
from exo_auth.identity.access_token import AccessToken

NOT_FOUND_TYPES = frozenset({"ManagementObjectNotFoundException"})
NOT_FOUND_IDS = frozenset({"Ex6F9304", "Ex94914C"})
CONFLICT_TYPES = frozenset({"ADObjectAlreadyExistsException", "ManagementObjectAlreadyExistsException"})
TRANSIENT_TYPES = frozenset(
    {
        "ADServerSettingsChangedException",
        "BackendCommunicationException",
        "CmdletProxyNotAvailableFailure",
        "CmdletProxyNotAvailableException",
        "DCOverloadedException",
        "ServerBusyException",
        "ServerInMMException",
        "StorageTransientException",
        "SuitabilityDirectoryException",
        "TransientException",
        "UnableToWriteToAadException",
    }
)

_TOO_MANY = re.compile(r"reached the maximum number of concurrent requests", re.IGNORECASE)
_NOT_FOUND = re.compile(r"could(n['’]t| not) be found on\b", re.IGNORECASE)
_CONFLICT = re.compile(r"already exists|since we already have", re.IGNORECASE)
_TRANSIENT = re.compile(r"issue may be transient|UnableToWriteToAad|CmdletProxyNotAvailable", re.IGNORECASE)
_CNAME = re.compile(r"CNAME record does not exist for this config", re.IGNORECASE)
_STALE_PAGE = re.compile(r"Expired or Invalid pagination request", re.IGNORECASE)

_HINTS = (  # texts of a cmdlet that said no, and what to do about each
    (
        re.compile(r"Invalid domain name specified", re.IGNORECASE),
        "the domain must be an accepted domain of this tenant, verified in Entra; a domain verified minutes"
        " ago may take a while. For the initial domain enable DKIM instead of creating a configuration",
    ),
    (
        re.compile(r"dehydrated", re.IGNORECASE),
        "a tenant administrator must run Enable-OrganizationCustomization once in Exchange Online PowerShell",
    ),
)


@dataclass(frozen=True)
class Failure:
    """A failed answer: the error to raise, and what may be done before raising it."""

    error: ExchangeError
    repeatable: bool = False  # may a read be asked again with hope?
    retry_after: timedelta | None = None
    stale_page: bool = False  # the paging link has run out: begin again


def failure_of(answer: HttpAnswer, call: Call, token: AccessToken | None, now: datetime) -> Failure:
    """Say what an answer with another status than 2xx means; `now` is UTC.

    `token` lets a 401 or 403 without words be told apart; it is read, never shown.
    """
    correlation = call.correlation(answer, now)
    wait = retry_after(answer.header("retry-after"), answer.date or now)
    if answer.status == 429 or _TOO_MANY.search(answer.text):
        error = Throttled(
            f"Exchange Online was too busy to run {call.cmdlet}",
            retry_after=wait,
            correlation=correlation,
            hint="wait, and keep other tools from working on this tenant at the same time",
        )
        return Failure(error, repeatable=True, retry_after=wait)
    reason = _reason(answer)
    if answer.status in (401, 403):
        return Failure(refused(call, answer, reason, token, correlation))
    if reason is not None:
        said = from_reason(reason, call, correlation)
        if isinstance(said.error, TransportBroken):
            return replace(said, retry_after=wait)
        # A plain 404 or 405 is not about an object, and a plain 5xx does not say that nothing was done.
        if type(said.error) is not CmdletFailed or answer.status not in (404, 405, *range(500, 600)):
            return said
    if answer.status == 408 or answer.status >= 500:
        return Failure(_broken(answer, call, reason, correlation), repeatable=True, retry_after=wait)
    return Failure(_not_understood(answer, call, correlation))


def from_reason(reason: Reason, call: Call, correlation: Correlation) -> Failure:
    """Say what a reason means, wherever it stood: in an error body, or beside the rows of a 200."""
    text = f"{call.cmdlet} failed: {reason.text}"
    kind = reason.simple_type
    if kind in TRANSIENT_TYPES or _TRANSIENT.search(reason.text):
        # The cmdlet had begun; only a look at the tenant tells how far a write got.
        broken = TransportBroken(
            f"{call.cmdlet} did not finish: {reason.text}",
            sent=True,
            correlation=correlation,
            hint="Exchange Online calls this passing; try again in some minutes",
        )
        return Failure(broken, repeatable=True)
    if refusal := refused_by_text(call, reason, correlation):
        return Failure(refusal)
    if _CNAME.search(reason.text):
        missing = CnameMissing(
            "Exchange Online does not see both DKIM CNAMEs yet",
            exception_type=reason.exception_type,
            correlation=correlation,
            hint="publish both selector CNAMEs, then wait: Exchange keeps a negative answer for an hour or more",
        )
        return Failure(missing)
    child: type[CmdletFailed] = CmdletFailed
    if kind in NOT_FOUND_TYPES or reason.identifier in NOT_FOUND_IDS or _NOT_FOUND.search(reason.text):
        child = NotFound
    elif kind in CONFLICT_TYPES or (call.cmdlet.startswith("New-") and _CONFLICT.search(reason.text)):
        child = Conflict
    error = child(
        text, exception_type=reason.exception_type, correlation=correlation, hint=_hint(reason, child)
    )
    return Failure(error, stale_page=bool(_STALE_PAGE.search(reason.text)))


def _hint(reason: Reason, child: type[CmdletFailed]) -> str:
    for pattern, hint in _HINTS:
        if pattern.search(reason.text):
            return hint
    if child is NotFound:
        return "it was removed, or another server does not know it yet: look again in two minutes"
    if child is Conflict:
        return "it exists already: read it and compare"
    if reason.simple_type == "ManagementObjectAmbiguousException":
        return "more than one object answers to this name; look at them in Exchange Online PowerShell"
    return "the service's own words are above; give them and the ids to Microsoft support"


def retry_after(text: str, now: datetime) -> timedelta | None:
    """Read a Retry-After (RFC 9110 §10.2.3): seconds, also with a fraction, or an HTTP date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return timedelta(seconds=float(text))
    when = http_date(text) if text else None
    if when is None:
        return None
    return max(timedelta(0), when - now.astimezone(UTC))


def throttling_words(text: str) -> bool:
    """Does a body of any status say that there are too many requests at once?"""
    return bool(_TOO_MANY.search(text))


def _reason(answer: HttpAnswer) -> Reason | None:
    try:
        reason = reason_of(answer.document())
    except ValueError:
        return None
    kind = answer.header("x-ExceptionType")
    if reason and kind and not reason.exception_type:
        return Reason(reason.text, kind, reason.identifier)
    return reason


def _broken(
    answer: HttpAnswer, call: Call, reason: Reason | None, correlation: Correlation
) -> TransportBroken:
    said = f": {reason.text}" if reason else ""
    return TransportBroken(
        f"Exchange Online answered HTTP {answer.status} instead of a result of {call.cmdlet}{said}",
        sent=True,
        correlation=correlation,
        hint="try again in some minutes; the service's health is at https://admin.microsoft.com",
    )


def _not_understood(answer: HttpAnswer, call: Call, correlation: Correlation) -> ProtocolError:
    hints = {
        404: "check the tenant id and the cloud's exchange_url: nothing answers at this address",
        405: "check the cloud's exchange_url: a proxy or another API version answers there",
        407: "the proxy of HTTPS_PROXY wants a user name and a password",
    }
    readable = answer.text[:200] if not answer.text.lstrip().startswith("<") else "an HTML page"
    shown = f": {tidy(readable)}" if readable else ""
    return ProtocolError(
        f"HTTP {answer.status} to {call.cmdlet} is no answer of the admin API{shown}",
        correlation=correlation,
        hint=hints.get(answer.status, "is a proxy between this machine and Exchange Online?"),
    )


def reason_of_stray(item: object) -> Reason:
    """Read one item of `@adminapi.errors`: a text or an object."""
    if isinstance(item, str):
        return reason_in_text(item)
    return reason_of({"error": item}) or Reason("the service reported an error without a text")
