"""Which right is missing, and how exactly to give it (identity; pure)."""

from __future__ import annotations

from exo_auth.cloud import Cloud
from exo_auth.identity.access_token import AccessToken

RESOURCE_APP_ID = "00000002-0000-0ff1-ce00-000000000000"  # Office 365 Exchange Online
MANAGE_AS_APP = "Exchange.ManageAsApp"
MANAGE_AS_APP_ID = "dc50a0fb-09a3-484d-be87-e023b12c6440"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"  # directory role template
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"


def advice(token: AccessToken, cloud: Cloud) -> tuple[str, ...]:
    """List what the token lacks for changing DKIM, each with its remedy; () when nothing is seen to be missing.

    An opaque token says nothing about itself, so nothing is said about it either.
    """
    if not token.claims:
        return ()
    found: list[str] = []
    if token.is_app_only and MANAGE_AS_APP not in token.roles:
        found.append(
            f"the application permission {MANAGE_AS_APP} is missing: in {portal(cloud)}, App registrations, API "
            f"permissions, add Office 365 Exchange Online ({RESOURCE_APP_ID}), Application permissions, "
            f"{MANAGE_AS_APP} ({MANAGE_AS_APP_ID}), and grant admin consent"
        )
    if not token.is_app_only and not {"Exchange.Manage", "AdminApi.AccessAsUser.All"} & set(token.scopes):
        found.append(
            "the delegated permission Exchange.Manage is missing: sign in through an application that has it, "
            "with admin consent"
        )
    if not token.directory_roles & {EXCHANGE_ADMINISTRATOR, GLOBAL_ADMINISTRATOR}:
        who = "the application's service principal" if token.is_app_only else token.user_name or "the user"
        found.append(
            f"the token shows no directory role that may change DKIM: in {portal(cloud)}, Roles and administrators, "
            f"assign Exchange Administrator ({EXCHANGE_ADMINISTRATOR}) to {who}; an Exchange role group with the "
            "right cmdlets does as well, and does not show in the token"
        )
    return tuple(found)


def portal(cloud: Cloud) -> str:
    """Name the place where rights are given in this cloud."""
    pages = {
        "gcchigh": "entra.microsoft.us",
        "dod": "entra.microsoft.us",
        "china": "entra.microsoftonline.cn",
    }
    return f"https://{pages.get(cloud.name, 'entra.microsoft.com')}"
