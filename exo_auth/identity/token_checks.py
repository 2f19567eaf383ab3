"""Is this token ours and of our time? (pure)"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from exo_auth.errors import SignInError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.claims import read_claims, time_claim
from exo_auth.identity.secrets import Secret

SKEW_LIMIT = timedelta(minutes=5)  # what Exchange itself tolerates
LEAST_LIFE = timedelta(minutes=5)  # what a caller may count on
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def checked_token(text: Secret, tenant: str, now: datetime, *, life: timedelta | None = None) -> AccessToken:
    """Give the token, or raise SignInError for another tenant's, a future or an expired one.

    `tenant` is compared when it is a GUID; `life` is what the issuer says when the token itself is opaque.
    """
    if not text.reveal().strip():
        raise SignInError("the access token is empty", code="empty_token", hint="check where it comes from")
    claims = read_claims(text.reveal())
    token = AccessToken(text, _expiry(claims, now, life), claims)
    _check_clock(claims, now)
    _check_tenant(token, tenant)
    return token


def _expiry(claims: dict[str, Any], now: datetime, life: timedelta | None) -> datetime:
    stated = time_claim(claims, "exp")
    if stated is not None:
        return datetime.fromtimestamp(stated, UTC)
    if life is not None:
        return now + life
    return now + timedelta(hours=1)  # an opaque token tells nothing; Entra's live an hour at least


def _check_clock(claims: dict[str, Any], now: datetime) -> None:
    begins = [seconds for name in ("nbf", "iat") if (seconds := time_claim(claims, name)) is not None]
    if not begins:
        return
    ahead = datetime.fromtimestamp(max(begins), UTC) - now
    if ahead > SKEW_LIMIT:
        raise SignInError(
            f"the token begins {spoken(ahead)} in the future: this machine's clock is behind by about as much",
            code="clock_skew",
            hint="set the clock (timedatectl set-ntp true); signatures and expiry depend on it",
        )


def _check_tenant(token: AccessToken, tenant: str) -> None:
    wanted = tenant.lower()
    if token.tenant_id and is_guid(wanted) and token.tenant_id != wanted:
        raise SignInError(
            f"the token is for tenant {token.tenant_id}, not for {wanted}",
            code="wrong_tenant",
            hint="sign in to the right tenant, or correct the tenant id",
        )


def check_life(token: AccessToken, now: datetime, *, hint: str) -> None:
    """Raise SignInError when the token has expired or lives less than LEAST_LIFE."""
    left = token.expires_at - now
    if left <= timedelta(0):
        raise SignInError(
            f"the access token expired at {token.expires_at:%Y-%m-%d %H:%M:%S} UTC, {spoken(-left)} ago",
            code="expired_token",
            hint=hint,
        )
    if left < LEAST_LIFE:
        raise SignInError(
            f"the access token lives only {spoken(left)} more, too short for a run",
            code="expired_token",
            hint=hint,
        )


def is_guid(text: str) -> bool:
    """Tell whether `text` is a GUID in its usual form."""
    return _GUID.fullmatch(text.lower()) is not None


def spoken(span: timedelta) -> str:
    """Say a span in its two largest units."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min {seconds % 60} s"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{days} days {hours % 24} h"
