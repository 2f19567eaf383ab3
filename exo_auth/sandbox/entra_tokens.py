"""Tokens of the sandbox's Entra: real RS256 JWTs, issued and verified with one key (sandbox)."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
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
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _living: set[str] = field(default_factory=set)  # `uti` of the tokens that count
    _wanted_claims: str | None = None  # what the challenge for a revoked token asks for

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

    def issue(
        self,
        principal: Principal,
        *,
        audience: str,
        life: timedelta,
        app_name: str = "",
        capabilities: tuple[str, ...] = (),
    ) -> str:
        """Make an access token; `capabilities` are what the client says it can do, as cp1."""
        now = self.clock()
        token_id = uuid.uuid4().hex
        with self._lock:
            self._living.add(token_id)
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "tid": principal.tenant_id,
            "appid": principal.app_id,
            "app_displayname": app_name or "exo-auth sandbox",
            "oid": object_id(principal.user_name or principal.app_id),
            "wids": sorted(principal.directory_roles),
            "ver": "1.0",
            "uti": token_id,
            **({"xms_cc": list(capabilities)} if capabilities else {}),
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
            "oid": object_id(principal.user_name),
            "sub": principal.user_name,
            "preferred_username": principal.user_name,
            "name": principal.user_name,
            **({"nonce": nonce} if nonce else {}),
        }
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": self.key_id})

    def client_info(self, principal: Principal) -> str:
        """Say who signed in, the way MSAL reads it."""
        body = {"uid": object_id(principal.user_name), "utid": principal.tenant_id}
        return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")

    def revoke(self, claims: str | None) -> None:
        """Let no token count that was issued so far; the challenge for them asks for these claims."""
        with self._lock:
            self._living.clear()
            self._wanted_claims = claims

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
        if now < claims["nbf"]:
            return BadToken("The token is not valid yet.")
        if claims["tid"] != self.tenant_id:
            return BadToken("The token is of another tenant.")
        with self._lock:
            if claims["uti"] not in self._living:
                return BadToken("The token was revoked.", self._wanted_claims)
        return Principal(
            tenant_id=claims["tid"],
            app_id=claims["appid"],
            user_name=claims.get("upn", ""),
            roles=frozenset(claims.get("roles", ())),
            scopes=frozenset(str(claims.get("scp", "")).split()),
            directory_roles=frozenset(claims.get("wids", ())),
        )


def object_id(name: str) -> str:
    """Give the object id of a person or an application: the same one for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).decode().rstrip("=")
