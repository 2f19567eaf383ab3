"""`AccessToken` and the `TokenSource` seam: who may ask Exchange, and until when (identity)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from exo_auth.identity.secrets import Secret


@dataclass(frozen=True)
class AccessToken:
    """A bearer token with what it says about itself. The claims are read, not verified: Exchange verifies."""

    text: Secret
    expires_at: datetime  # UTC
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def tenant_id(self) -> str:
        """The tenant that issued it, lower case; "" for an opaque token."""
        return str(self.claims.get("tid", "")).lower()

    @property
    def is_app_only(self) -> bool:
        """Does an application act here, without a user? `idtyp` says so; else the absence of `scp` does."""
        kind = self.claims.get("idtyp")
        return kind == "app" if kind else "scp" not in self.claims

    @property
    def user_name(self) -> str:
        """The signed-in user's UPN, "" for an application."""
        return str(self.claims.get("upn") or self.claims.get("preferred_username") or "")

    @property
    def roles(self) -> tuple[str, ...]:
        """Application permissions, such as Exchange.ManageAsApp."""
        return tuple(self.claims.get("roles", ()))

    @property
    def scopes(self) -> tuple[str, ...]:
        """Delegated permissions, such as Exchange.Manage."""
        return tuple(str(self.claims.get("scp", "")).split())

    @property
    def directory_roles(self) -> frozenset[str]:
        """Template ids of the directory roles the caller holds (claim `wids`), lower case."""
        return frozenset(str(role).lower() for role in self.claims.get("wids", ()))


class TokenSource(Protocol):
    """Gives tokens for the Exchange admin API, renewed in time."""

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        """Give a token that lives at least five minutes more; raises SignInError.

        `claims_challenge` is the decoded JSON of a 401's `claims`; `renew` asks for a new token although the
        old one still looks good, because the service refused it.
        """
        ...
