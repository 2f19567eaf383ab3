"""`Principal`: who a verified token of the sandbox speaks for; given by entra.py, judged by admin_api.py."""

from __future__ import annotations

from dataclasses import dataclass

EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"  # directory role template id
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
MANAGE_AS_APP = "Exchange.ManageAsApp"


@dataclass(frozen=True)
class Principal:
    """An application (`user_name` empty) or a user, with what was granted."""

    tenant_id: str
    app_id: str
    user_name: str = ""
    roles: frozenset[str] = frozenset()  # application permissions
    scopes: frozenset[str] = frozenset()  # delegated permissions
    directory_roles: frozenset[str] = frozenset()  # template ids


@dataclass(frozen=True)
class BadToken:
    """Why a bearer token was refused; `claims` asks for a new one with these claims (continuous access)."""

    reason: str
    claims: str | None = None
