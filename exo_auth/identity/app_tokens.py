"""Tokens for an application: secret, certificate or federated assertion (identity)."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msal

from exo_auth.errors import SignInError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.assertions import fetch_assertion
from exo_auth.identity.certificate_file import read_signing_key
from exo_auth.identity.credential import Certificate, ClientSecret, FederatedAssertion
from exo_auth.identity.sign_in_errors import is_transient
from exo_auth.identity.sign_in_failures import told
from exo_auth.identity.token_place import TokenPlace


class AppTokens:
    """Asks Entra as an application, through MSAL; MSAL keeps tokens and renews them in time."""

    def __init__(
        self,
        credential: ClientSecret | Certificate | FederatedAssertion,
        place: TokenPlace,
        environment: Mapping[str, str],
    ) -> None:
        self._credential = credential
        self._place = place
        self._environment = environment
        secret = credential.secret.reveal() if isinstance(credential, ClientSecret) else ""
        self._asker = place.asker(credential.client_id, secret)
        self._lock = threading.Lock()
        self._app: Any = None

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        """Give a token, from the cache unless `renew` or a challenge asks for a new one; raises SignInError."""
        with self._lock:
            try:
                return self._ask(claims_challenge, renew=renew)
            except SignInError as error:
                if not is_transient(error):
                    # MSAL repeats a stored refusal for a minute, and a changed key file is read only once:
                    # what the administrator repairs now works at the next question.
                    self._app = None
                raise

    def _ask(self, claims_challenge: str | None, *, renew: bool) -> AccessToken:
        with told(self._asker):
            if self._app is None:
                self._app = self._application()
            if renew:
                self._app.remove_tokens_for_client()  # MSAL has no other way past its cache
                # MSAL shows an assertion for nine minutes, and an issuer may take each but once: begin with a new one.
                self._app = self._application()
            answer = self._app.acquire_token_for_client(
                scopes=[self._place.cloud.scope], claims_challenge=claims_challenge
            )
            return self._place.accept(answer, self._asker, self._app.authority.tenant)

    def _application(self) -> Any:
        return msal.ConfidentialClientApplication(
            self._credential.client_id,
            client_credential=self._client_credential(),
            authority=self._place.authority,
            instance_discovery=None if self._place.cloud.instance_discovery else False,
            token_cache=self._place.cache,
            http_client=self._place.http,
        )

    def _client_credential(self) -> Any:
        match self._credential:
            case ClientSecret(_, secret):
                return secret.reveal()
            case Certificate() as certificate:
                key = read_signing_key(certificate, self._place.clock())
                return key.for_msal(thumbprint_only=certificate.thumbprint_only)
            case FederatedAssertion(_, source):
                place, environment = self._place, self._environment
                return {
                    "client_assertion": lambda: fetch_assertion(
                        source, environment, place.http, place.clock()
                    )
                }
