"""One HTTP answer as plain data, and the call it belongs to (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from exo_auth.errors import Correlation


@dataclass(frozen=True)
class Call:
    """One cmdlet execution: what all its retries and pages have in common."""

    cmdlet: str
    tenant_id: str
    client_request_id: str
    is_write: bool = False

    def correlation(self, answer: HttpAnswer | None, now: datetime) -> Correlation:
        """Say how support finds this call; `now` (UTC) stands in for an answer without a Date."""
        return Correlation(
            cmdlet=self.cmdlet,
            tenant_id=self.tenant_id,
            client_request_id=self.client_request_id,
            request_id=answer.header("request-id") or None if answer else None,
            status=answer.status if answer else None,
            server=answer.header("X-BEServer") or answer.header("X-CalculatedBETarget") or None
            if answer
            else None,
            at=(answer.date if answer else None) or now,
        )


class BodyTrouble(StrEnum):
    """Why the bytes of a body could not be had."""

    LOST = "the connection broke off in the middle of it"
    SLOW = "it did not arrive in time"
    UNDECODABLE = "its compression is broken"
    TOO_LARGE = "it is too large"


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers (names lower case) and body; `body` is None where there was trouble with it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = b""
    trouble: BodyTrouble | None = None

    def header(self, name: str) -> str:
        """Give a header's value, "" when it is absent."""
        return self.headers.get(name.lower(), "")

    @property
    def date(self) -> datetime | None:
        """When the service answered, UTC, by its own clock."""
        return http_date(self.header("date"))

    @property
    def text(self) -> str:
        """The body for people and for text matching; NUL bytes and broken UTF-8 disappear."""
        return (self.body or b"").decode("utf-8", "ignore").replace("\0", "").strip()

    def document(self) -> Any:
        """Give the body as JSON; raises ValueError."""
        if self.body is None:
            raise ValueError(self.trouble or "the body could not be read")
        try:
            return json.loads(self.body.decode("utf-8-sig"), parse_constant=_refuse)
        except RecursionError:
            raise ValueError("the JSON is nested too deeply") from None


def http_date(text: str) -> datetime | None:
    """Read an HTTP date (RFC 9110 §5.6.7) as UTC; None when it is none."""
    try:
        when = parsedate_to_datetime(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")  # RFC 8259 §6
