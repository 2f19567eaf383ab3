"""From the body of a 2xx to rows, warnings and the next page (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from exo_auth.errors import CmdletFailed, ProtocolError, Throttled, TransportBroken
from exo_auth.exchange.errors_on_wire import (
    Failure,
    from_reason,
    reason_of_stray,
    retry_after,
    throttling_words,
)
from exo_auth.exchange.http_answer import BodyTrouble, Call, HttpAnswer
from exo_auth.exchange.reason import field_of, reason_of, tidy

_INT_TYPES = frozenset(
    f"System.{name}" for name in ("Byte", "Int16", "Int32", "Int64", "UInt16", "UInt32", "UInt64")
)
_NESTED = (dict, list)
MORE_RESULTS = "There are more results available than are currently displayed"


@dataclass(frozen=True)
class Page:
    """One readable answer: rows without sidecar keys, warnings, and the link to the rest ("" at the end)."""

    rows: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    next_link: str = ""


def page_of(answer: HttpAnswer, call: Call, now: datetime) -> Page | Failure:
    """Read a 2xx. A write whose answer cannot be read was executed all the same; `now` is UTC."""
    correlation = call.correlation(answer, now)
    if throttling_words(answer.text) and not answer.text.startswith("{"):
        wait = retry_after(answer.header("retry-after"), answer.date or now)
        busy = Throttled(
            f"Exchange Online was too busy to run {call.cmdlet}", retry_after=wait, correlation=correlation
        )
        return Failure(busy, repeatable=True, retry_after=wait)
    if answer.body is not None and not answer.text:
        return Page(warnings=_header_warnings(answer))
    try:
        document = answer.document()
    except ValueError as error:
        return _unreadable(answer, call, str(error), now)
    if failure := _error_beside(document, call, answer, now):
        return failure
    page = _page(document)
    if page is None:
        return _unreadable(answer, call, "it is no object with a list of rows", now)
    if not page.warnings:  # the header repeats what the body says
        page = replace(page, warnings=_header_warnings(answer))
    return page


def _page(document: Any) -> Page | None:
    if document is None:
        return Page()
    if not isinstance(document, Mapping):
        return None
    rows = _rows(field_of(document, "value"))
    if rows is None:
        return None
    link = field_of(document, "@odata.nextLink", "odata.nextLink")
    warnings = _texts(field_of(document, "@adminapi.warnings", "adminapi.warnings"))
    return Page(rows, warnings, link if isinstance(link, str) else "")


def _rows(value: Any) -> tuple[Mapping[str, Any], ...] | None:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if not all(item is None or isinstance(item, Mapping) for item in items):
        return None
    rows = (bare(item) for item in items if item is not None)
    return tuple(row for row in rows if row)  # an object without a field stands for "nothing found"


def bare(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row without its `@` keys; they type the values they stand beside."""
    plain = {key: value for key, value in row.items() if "@" not in key}
    typed = {key.partition("@")[0] for key in row if "@" in key}
    for key, value in plain.items():  # most values stand alone, and a listing has thousands of them
        if key in typed or isinstance(value, _NESTED):
            plain[key] = _typed(value, row.get(f"{key}@data.type"), row.get(f"{key}@odata.type"))
    return plain


def _typed(value: Any, data_type: Any, odata_type: Any) -> Any:
    if isinstance(value, Mapping):
        return bare(value)
    if isinstance(value, list):
        return [bare(item) if isinstance(item, Mapping) else item for item in value]
    if value is None:
        return None
    if odata_type == "#Collection(String)" and isinstance(value, str):
        return [value]
    if data_type in _INT_TYPES and isinstance(value, (str, float)):
        return _whole(value)
    if data_type == "System.Boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    return value


def _whole(value: str | float) -> Any:
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return value
    return number if isinstance(value, str) or number == value else value


def _error_beside(document: Any, call: Call, answer: HttpAnswer, now: datetime) -> Failure | None:
    correlation = call.correlation(answer, now)
    reason = reason_of(document)
    if reason is None:
        errors = field_of(document, "@adminapi.errors", "adminapi.errors")
        items = errors if isinstance(errors, list) else [errors]
        reason = next((reason_of_stray(item) for item in items if item), None)
    if reason is not None:
        return from_reason(reason, call, correlation)
    question = field_of(document, "@adminapi.confirmationmessage", "adminapi.confirmationmessage")
    if not question:
        return None
    asked = CmdletFailed(
        f"{call.cmdlet} was not executed: the service asks for confirmation: {tidy(str(question))}",
        correlation=correlation,
        hint="run the cmdlet by hand in Exchange Online PowerShell to see what it warns of",
    )
    return Failure(asked)


def _unreadable(answer: HttpAnswer, call: Call, why: str, now: datetime) -> Page | Failure:
    if call.is_write:  # repeating it would execute it twice
        accepted = (
            f"{call.cmdlet} was accepted (HTTP {answer.status}), but its answer is unreadable: {tidy(why)}"
        )
        return Page(warnings=(accepted,))
    correlation = call.correlation(answer, now)
    message = f"the answer to {call.cmdlet} cannot be read: {tidy(why)}"
    if answer.trouble in (BodyTrouble.LOST, BodyTrouble.SLOW):
        lost = TransportBroken(message, sent=True, correlation=correlation, hint="try again in some minutes")
        return Failure(lost, repeatable=True)
    error = ProtocolError(
        message,
        correlation=correlation,
        hint="try again; when it stays so, look for a proxy that rewrites answers",
    )
    return Failure(error, repeatable=answer.trouble is not BodyTrouble.TOO_LARGE)


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(text for item in items if item and (text := tidy(str(item))))


def _header_warnings(answer: HttpAnswer) -> tuple[str, ...]:
    return tuple(text for part in answer.header("x-warnings").split("<eow>") if (text := tidy(part)))
