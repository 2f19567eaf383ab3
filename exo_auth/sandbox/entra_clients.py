"""Applications known to the sandbox's Entra, and how each proves who it is (sandbox)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from exo_auth.sandbox.entra_errors import refusal
from exo_auth.sandbox.http_message import Response

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION_LIFE = 24 * 3600  # seconds
SKEW = 300  # seconds
_TIMES_COME_LATER = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}  # on the clock given here


@dataclass(frozen=True)
class FederatedCredential:
    """Whose assertions an application accepts in place of its own."""

    issuer: str
    subject: str
    public_key: str  # PEM
    audience: str = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Registration:
    """An application: what it proves itself with, and what it was granted."""

    app_id: str
    secrets: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()  # PEM
    federated: tuple[FederatedCredential, ...] = ()
    roles: frozenset[str] = frozenset()
    directory_roles: frozenset[str] = frozenset()
    is_public: bool = False
    name: str = ""


class ClientCheck:
    """Checks secrets and assertions.

    With `assertions_once` every certificate assertion counts a single time, told by its `jti`. MSAL shows the same
    assertion again while it lives, so a client that renews tokens through MSAL needs it off.
    """

    def __init__(
        self, clock: Callable[[], datetime], audiences: tuple[str, ...], *, assertions_once: bool = True
    ) -> None:
        self._clock = clock
        self._audiences = audiences
        self._once = assertions_once
        self._used: dict[str, float] = {}  # jti -> when the assertion ends anyway
        self._lock = threading.Lock()

    def refuse(self, client: Registration, form: Mapping[str, str]) -> Response | None:
        """Give the refusal; None when the client proved who it is."""
        if "client_secret" in form:
            given = form["client_secret"].encode()
            good = any(hmac.compare_digest(given, secret.encode()) for secret in client.secrets)
            return None if good else refusal(7000215)
        if "client_assertion" in form:
            if form.get("client_assertion_type") != JWT_BEARER:
                return refusal(9002313, more=" The client assertion type is not jwt-bearer.")
            return self._refuse_assertion(client, form["client_assertion"])
        return refusal(7000216 if form.get("grant_type") == "client_credentials" else 7000218)

    def _refuse_assertion(self, client: Registration, assertion: str) -> Response | None:
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError:
            return refusal(9002313, more=" The client assertion is malformed.")
        if _is_foreign(client, claims):
            return self._refuse_federated(client, assertion, claims)
        return self._refuse_own(client, assertion, header, claims)

    def _refuse_own(
        self, client: Registration, assertion: str, header: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Response | None:
        certificate = _certificate_of(client, header)
        if certificate is None:
            return refusal(700027)
        if not certificate.not_valid_before_utc <= self._clock() < certificate.not_valid_after_utc:
            return refusal(700027, more=" [Reason - The key used is expired.]")
        if not _is_app(claims.get("iss"), client) or not _is_app(claims.get("sub"), client):
            return refusal(700021)
        try:
            jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]  # another kind of key is a TypeError below
                algorithms=["RS256", "PS256"],
                audience=list(self._audiences),
                options=_TIMES_COME_LATER,  # type: ignore[arg-type]
            )
        except (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError):
            return refusal(700021, more=" The audience is not the token endpoint.")
        except (jwt.PyJWTError, TypeError):
            return refusal(700027, more=" The signature is not valid.")
        return self._refuse_times(claims) or self._refuse_replay(claims)

    def _refuse_times(self, claims: Mapping[str, Any]) -> Response | None:
        now = self._clock().timestamp()
        ends, begins = _seconds(claims.get("exp")), _seconds(claims.get("nbf", now))
        if ends is None or begins is None or begins > now + SKEW:
            return refusal(700024)
        return None if now - SKEW < ends < now + LONGEST_ASSERTION_LIFE else refusal(700024)

    def _refuse_replay(self, claims: Mapping[str, Any]) -> Response | None:
        if not self._once:
            return None
        jti, now = str(claims.get("jti", "")), self._clock().timestamp()
        with self._lock:
            self._used = {key: ends for key, ends in self._used.items() if ends > now - SKEW}
            if not jti or jti in self._used:
                return refusal(9002313, more=" The assertion was used before (jti).")
            self._used[jti] = float(claims["exp"])
        return None

    def _refuse_federated(
        self, client: Registration, assertion: str, claims: Mapping[str, Any]
    ) -> Response | None:
        issuers = [credential for credential in client.federated if credential.issuer == claims.get("iss")]
        if not issuers:
            return refusal(700211)
        matching = [credential for credential in issuers if credential.subject == claims.get("sub")]
        if not matching:
            return refusal(700213)
        given = claims.get("aud")
        audiences = given if isinstance(given, list) else [given]
        meant = [credential for credential in matching if credential.audience in audiences]
        if not meant:
            return refusal(700212)
        if not any(_is_signed_by(assertion, credential) for credential in meant):
            return refusal(70021, more=" The signature is not valid.")
        return self._refuse_times(claims)


def _is_foreign(client: Registration, claims: Mapping[str, Any]) -> bool:
    """Does somebody else vouch for the application? Its own assertions name one and the same as iss and sub."""
    issuer = claims.get("iss")
    if _is_app(issuer, client):
        return False
    return issuer != claims.get("sub") or any(credential.issuer == issuer for credential in client.federated)


def _is_app(value: object, client: Registration) -> bool:
    return isinstance(value, str) and value.lower() == client.app_id.lower()


def _is_signed_by(assertion: str, credential: FederatedCredential) -> bool:
    try:
        jwt.decode(
            assertion,
            load_pem_public_key(credential.public_key.encode()),  # type: ignore[arg-type]
            algorithms=["RS256", "ES256"],
            audience=credential.audience,
            options=_TIMES_COME_LATER,  # type: ignore[arg-type]
        )
    except (jwt.PyJWTError, TypeError):  # TypeError: the key is of another kind than the algorithm
        return False
    return True


def _seconds(value: object) -> float | None:
    """Read a NumericDate (RFC 7519 §2)."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _certificate_of(client: Registration, header: Mapping[str, Any]) -> x509.Certificate | None:
    """Find the registered certificate that the header names by x5t, x5t#S256 or x5c."""
    for pem in client.certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        if _names(header, certificate):
            return certificate
    return None


def _names(header: Mapping[str, Any], certificate: x509.Certificate) -> bool:
    if "x5t#S256" in header:
        return _matches(header["x5t#S256"], certificate.fingerprint(hashes.SHA256()))
    if "x5t" in header:
        return _matches(header["x5t"], certificate.fingerprint(hashes.SHA1()))  # noqa: S303 - x5t is SHA-1, RFC 7515
    chain = header.get("x5c")
    if isinstance(chain, list) and chain:
        try:
            given = hashlib.sha256(base64.b64decode(str(chain[0]))).digest()
        except ValueError:
            return False
        return hmac.compare_digest(given, certificate.fingerprint(hashes.SHA256()))
    return False


def _matches(text: object, fingerprint: bytes) -> bool:
    try:
        given = base64.urlsafe_b64decode(
            str(text) + "=="
        )  # RFC 7515 §4.1.7: base64url, not the hex people see
    except ValueError:
        return False
    return hmac.compare_digest(given, fingerprint)
