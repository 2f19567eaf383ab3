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

LONGEST_ASSERTION_LIFE = 24 * 3600  # seconds
SKEW = 300  # seconds


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


class ClientCheck:
    """Checks secrets and assertions; remembers the `jti` of every assertion, which counts only once."""

    def __init__(self, clock: Callable[[], datetime], audiences: tuple[str, ...]) -> None:
        self._clock = clock
        self._audiences = audiences
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def refuse(self, client: Registration, form: Mapping[str, str]) -> Response | None:
        """Give the refusal; None when the client proved who it is."""
        if "client_secret" in form:
            good = any(
                hmac.compare_digest(form["client_secret"].encode(), s.encode()) for s in client.secrets
            )
            return None if good else refusal(7000215)
        if "client_assertion" in form:
            return self._refuse_assertion(client, form["client_assertion"])
        return refusal(9002313, more=" The request body must contain 'client_assertion' or 'client_secret'.")

    def _refuse_assertion(self, client: Registration, assertion: str) -> Response | None:
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError:
            return refusal(9002313, more=" The client assertion is malformed.")
        if claims.get("iss") != client.app_id and claims.get("iss") != claims.get("sub"):
            return self._refuse_federated(client, assertion, claims)
        certificate = _certificate_of(client, header)
        if certificate is None:
            return refusal(700027)
        if claims.get("iss") != client.app_id or claims.get("sub") != client.app_id:
            return refusal(700021)
        try:
            jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]  # registered certificates hold RSA keys
                algorithms=["RS256", "PS256"],
                audience=list(self._audiences),
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError:
            return refusal(700021, more=" The audience is not the token endpoint.")
        except jwt.PyJWTError:
            return refusal(700027, more=" The signature is not valid.")
        return self._refuse_times(claims)

    def _refuse_times(self, claims: Mapping[str, Any]) -> Response | None:
        now = self._clock().timestamp()
        expires, begins = float(claims.get("exp", 0)), float(claims.get("nbf", now))
        if not now - SKEW < expires < now + LONGEST_ASSERTION_LIFE or begins > now + SKEW:
            return refusal(700024)
        jti = str(claims.get("jti", ""))
        with self._lock:
            if not jti or jti in self._used:
                return refusal(9002313, more=" The assertion was used before (jti).")
            self._used.add(jti)
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
        credential = matching[0]
        try:
            jwt.decode(
                assertion,
                load_pem_public_key(credential.public_key.encode()),  # type: ignore[arg-type]
                algorithms=["RS256", "ES256"],
                audience=credential.audience,
            )
        except jwt.InvalidAudienceError:
            return refusal(700212)
        except jwt.ExpiredSignatureError:
            return refusal(700024)
        except jwt.PyJWTError:
            return refusal(70021, more=" The signature is not valid.")
        return None


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
        given = base64.urlsafe_b64decode(str(text) + "==")
    except ValueError:
        return False
    return hmac.compare_digest(given, fingerprint) or str(text).lower() == fingerprint.hex()
