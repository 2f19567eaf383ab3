"""Tokens for the identity Azure gives this machine (identity)."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import msal
import requests

from exo_auth.errors import InputError, SignInError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.credential import ManagedIdentity
from exo_auth.identity.sign_in_errors import code_number, shown
from exo_auth.identity.sign_in_failures import host_of, told
from exo_auth.identity.token_place import TokenPlace

_METADATA = "http://169.254.169.254"  # a virtual machine's metadata service
_HINT = (
    "give the machine, app or function an identity under “Identity” in the Azure portal; for a user-assigned one "
    "give its client id; for the permission see: exo-auth auth setup --print"
)


class ManagedIdentityTokens:
    """Asks the platform's own endpoint: metadata service, App Service, Arc, Service Fabric or Machine Learning.

    MSAL finds the endpoint in the variables of this process. The endpoint has a cache of its own, so that a
    renewed token can be the old one for some hours.
    """

    def __init__(self, credential: ManagedIdentity, place: TokenPlace, http: requests.Session) -> None:
        self._identity = _identity(credential)
        self._place = place
        self._http = http
        self._asker = place.asker(credential.client_id or "the managed identity")
        self._lock = threading.Lock()
        self._client: Any = None

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        """Give a token; raises SignInError."""
        with self._lock:
            host = host_of(endpoint(os.environ))
            if self._client is None or renew:
                # Its cache is its own and in memory: a new client is an empty cache.
                self._client = msal.ManagedIdentityClient(self._identity, http_client=self._http)
            try:
                with told(self._asker, asked=host):
                    answer = self._client.acquire_token_for_client(
                        resource=self._place.cloud.resource, claims_challenge=claims_challenge
                    )
                    if isinstance(answer, Mapping) and "access_token" not in answer:
                        raise self._refused(answer, host)
                    return self._place.accept(answer, self._asker)
            except SignInError as error:
                self._client = None
                if error.code == "network":
                    error.hint = (
                        "a managed identity exists only on Azure machines and Arc servers; is this one?"
                    )
                raise

    def _refused(self, answer: Mapping[str, Any], host: str) -> SignInError:
        said = shown(str(answer.get("error_description") or answer.get("error") or "no reason"), self._asker)
        number = code_number(answer, said)
        return SignInError(
            f"the managed identity endpoint {host} gives no token: {said}",
            code=f"AADSTS{number}" if number else str(answer.get("error") or "managed_identity")[:64],
            hint=_HINT,
        )


def endpoint(environment: Mapping[str, str]) -> str:
    """Give the address MSAL will ask, for messages."""
    for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        if environment.get(name):
            return environment[name]
    return _METADATA


def _identity(credential: ManagedIdentity) -> Any:
    given = {
        "client_id": credential.client_id,
        "object_id": credential.object_id,
        "resource_id": credential.resource_id,
    }
    chosen = {name: value for name, value in given.items() if value}
    if len(chosen) > 1:
        raise InputError(f"a managed identity is named by one id, not by {' and '.join(chosen)}")
    return msal.UserAssignedManagedIdentity(**chosen) if chosen else msal.SystemAssignedManagedIdentity()
