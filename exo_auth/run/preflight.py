"""May the caller run what the plan needs? Asked before planning, so that no run stops in the middle (run)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.errors import ExoAuthError, NotPermitted, Refusal
from exo_auth.identity.access_token import AccessToken
from exo_auth.run.session import ReadingSession

# Directory roles whose Exchange rights hold every cmdlet this product sends: no need to ask for the list.
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
ALL_GRANTING = frozenset({EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR})


def preflight(session: ReadingSession, cmdlets: Iterable[str]) -> None:
    """Raise NotPermitted naming the cmdlets the caller may not run; one request, none for an administrator.

    A service that does not give the list is no reason to stop: the cmdlets themselves will tell.
    """
    if may_run_everything(session.token):
        return
    try:
        granted = session.reader.granted_cmdlets()
    except NotPermitted:
        raise
    except ExoAuthError as error:
        session.warn(f"the service did not say which cmdlets are granted, going on without: {error}")
        return
    missing = sorted(name for name in cmdlets if name.lower() not in granted)
    if missing:
        raise NotPermitted(
            f"the caller may not run {', '.join(missing)}",
            refusal=Refusal.CMDLET_NOT_GRANTED,
            hint=remedy(session.token),
        )


def may_run_everything(token: AccessToken) -> bool:
    """Does the token itself show a role that holds every cmdlet?"""
    return bool(token.directory_roles & ALL_GRANTING)


def remedy(token: AccessToken) -> str:
    """Say which role to give to whom."""
    who = f"the application {token.claims.get('appid', '')}".strip() if token.is_app_only else token.user_name
    return (
        f"assign {who or 'the caller'} the Entra role Exchange Administrator ({EXCHANGE_ADMINISTRATOR}), or an "
        "Exchange role group with the roles “Transport Hygiene” and “Organization Configuration”; "
        "it takes up to an hour to count"
    )
