"""From a credential to a source of tokens (identity)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msal
import requests

from exo_auth.cloud import Cloud
from exo_auth.identity.access_token import TokenSource
from exo_auth.identity.app_tokens import AppTokens
from exo_auth.identity.credential import (
    Certificate,
    ClientSecret,
    Credential,
    DeviceCode,
    FederatedAssertion,
    GivenToken,
    Interactive,
    ManagedIdentity,
)
from exo_auth.identity.given_token import GivenTokens
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.managed_identity import ManagedIdentityTokens
from exo_auth.identity.person_prompt import Waiting
from exo_auth.identity.sign_in import PersonTokens
from exo_auth.identity.token_place import TokenPlace


def token_source(
    credential: Credential,
    cloud: Cloud,
    tenant: str,
    *,
    environment: Mapping[str, str],
    cache: Any = None,
    http: requests.Session | None = None,
    prompt: Callable[[str], None] | None = None,
    clock: Callable[[], datetime] | None = None,
    waiting: Waiting | None = None,
) -> TokenSource:
    """Give the source of tokens; nothing is asked before the first token. Raises InputError.

    `tenant` is a directory id or a domain; `cache` is MSAL's token cache, by default one in memory; `prompt`
    shows a person what to do, by default on stderr; `clock` gives UTC.
    """
    place = token_place(cloud, tenant, cache=cache, http=http, clock=clock)
    match credential:
        case ClientSecret() | Certificate() | FederatedAssertion():
            return AppTokens(credential, place, environment)
        case DeviceCode() | Interactive():
            return PersonTokens(credential, place, prompt or _to_stderr, waiting)
        case ManagedIdentity():
            # The metadata endpoint is plain http on this machine or its host: no proxy, no private root.
            return ManagedIdentityTokens(credential, place, http or SignInSession(None, is_local=True))
        case GivenToken():
            return GivenTokens(credential, place)


def token_place(
    cloud: Cloud,
    tenant: str,
    *,
    cache: Any = None,
    http: requests.Session | None = None,
    clock: Callable[[], datetime] | None = None,
) -> TokenPlace:
    """Give the place to ask for tokens, for `login`; raises InputError for what cannot be a tenant."""
    return TokenPlace(
        cloud,
        tenant,
        msal.TokenCache() if cache is None else cache,
        http or SignInSession(cloud.ca_file),
        clock or _utc_now,
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
