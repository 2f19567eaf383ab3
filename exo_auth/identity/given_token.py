"""A token that someone else obtained (identity)."""

from __future__ import annotations

from exo_auth.errors import SignInError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.credential import GivenToken
from exo_auth.identity.token_checks import check_life, checked_token
from exo_auth.identity.token_place import TokenPlace

_STRANGERS = {  # audiences people take for Exchange's
    "https://graph.microsoft.com": "Microsoft Graph",
    "00000003-0000-0000-c000-000000000000": "Microsoft Graph",
    "https://management.azure.com": "Azure Resource Manager",
    "https://management.core.windows.net": "Azure Resource Manager",
}


class GivenTokens:
    """Gives the one token there is, as long as it lives."""

    def __init__(self, credential: GivenToken, place: TokenPlace) -> None:
        self._credential = credential
        self._place = place

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        """Give the token; raises SignInError when it is wrong, expired, or a new one is asked for."""
        get_another = f"get another one for {self._place.cloud.resource}, or sign in with a certificate"
        if renew or claims_challenge:
            raise SignInError(
                "Exchange refused the given access token, and a given token cannot be renewed here",
                code="cannot_renew",
                hint=get_another,
            )
        now = self._place.clock()
        token = checked_token(self._credential.text, self._place.tenant, now)
        audience = token.claims.get("aud")
        stranger = _STRANGERS.get(audience.rstrip("/")) if isinstance(audience, str) else None
        if stranger:
            raise SignInError(
                f"the given access token is for {stranger}, not for Exchange Online",
                code="wrong_audience",
                hint=get_another,
            )
        check_life(token, now, hint=get_another)
        return token
