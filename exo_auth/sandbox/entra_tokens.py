"""Tokens of the sandbox's Entra: real RS256 JWTs, issued and verified with one key (sandbox)."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from exo_auth.sandbox.principal import BadToken, Principal

EXCHANGE = "https://outlook.office365.com"


@dataclass
class TokenMint:
    """Makes and checks bearer tokens. `base_url` is where this Entra lives; times are the real clock's."""

    tenant_id: str
    base_url: str
    clock: Callable[[], datetime]
    key: rsa.RSAPrivateKey
    issued_before: datetime | None = None  # older tokens are refused ...
    wanted_claims: str | None = None  # ... with a challenge for these claims

    @property
    def key_id(self) -> str:
        """The name of the signing key."""
        return hashlib.sha256(str(self.key.public_key().public_numbers().n).encode()).hexdigest()[:20]

    @property
    def issuer(self) -> str:
        """What tokens name as their issuer."""
        return f"{self.base_url}/{self.tenant_id}/v2.0"

    def jwks(self) -> dict[str, Any]:
        """Publish the signing key."""
        numbers = self.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "kid": self.key_id,
                    "n": _number(numbers.n),
                    "e": _number(numbers.e),
                }
            ]
        }

    def issue(self, principal: Principal, *, audience: str, life: timedelta) -> str:
        """Make an access token."""
        now = self.clock()
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "tid": principal.tenant_id,
            "appid": principal.app_id,
            "app_displayname": "exo-auth sandbox",
            "oid": str(uuid.uuid5(uuid.NAMESPACE_URL, principal.user_name or principal.app_id)),
            "wids": sorted(principal.directory_roles),
            "ver": "1.0",
            "uti": uuid.uuid4().hex,
        }
        if principal.user_name:
            claims |= {"idtyp": "user", "upn": principal.user_name, "scp": " ".join(sorted(principal.scopes))}
        else:
            claims |= {"idtyp": "app", "roles": sorted(principal.roles)}
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def id_token(self, principal: Principal, *, life: timedelta, nonce: str | None) -> str:
        """Make the identity token that a person's sign-in gives."""
        now = self.clock()
        claims = {
            "aud": principal.app_id,
            "iss": self.issuer,
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "tid": principal.tenant_id,
            "oid": str(uuid.uuid5(uuid.NAMESPACE_URL, principal.user_name)),
            "sub": principal.user_name,
            "preferred_username": principal.user_name,
            "name": principal.user_name,
            **({"nonce": nonce} if nonce else {}),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def client_info(self, principal: Principal) -> str:
        """Say who signed in, the way MSAL reads it."""
        body = {"uid": str(uuid.uuid5(uuid.NAMESPACE_URL, principal.user_name)), "utid": principal.tenant_id}
        return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")

    def verify(self, bearer: str) -> Principal | BadToken:
        """Check signature, audience, times and tenant of an access token."""
        try:
            claims = jwt.decode(
                bearer,
                self.key.public_key(),
                algorithms=["RS256"],
                audience=[self.base_url, EXCHANGE],
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            return BadToken(f"The token is not valid: {error}")
        now = self.clock().timestamp()
        if now >= claims["exp"]:
            return BadToken("The token is expired.")
        if claims["tid"] != self.tenant_id:
            return BadToken("The token is of another tenant.")
        if self.issued_before is not None and claims["iat"] < self.issued_before.timestamp():
            return BadToken("The token was revoked.", self.wanted_claims)
        return Principal(
            tenant_id=claims["tid"],
            app_id=claims["appid"],
            user_name=claims.get("upn", ""),
            roles=frozenset(claims.get("roles", ())),
            scopes=frozenset(str(claims.get("scp", "")).split()),
            directory_roles=frozenset(claims.get("wids", ())),
        )


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).decode().rstrip("=")
