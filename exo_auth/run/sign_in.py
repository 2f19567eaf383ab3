"""From settings to a source of tokens (run)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exo_auth.errors import InputError
from exo_auth.identity.access_token import TokenSource
from exo_auth.identity.secrets import Secret
from exo_auth.run.settings import Settings

if TYPE_CHECKING:
    from exo_auth.identity.credential import Credential, FederatedAssertion

CACHE_FILE = "tokens"
PEOPLE = frozenset({"device-code", "browser"})  # methods that sign a person in


def tokens_for(
    settings: Settings,
    environment: Mapping[str, str],
    *,
    warn: Callable[[str], None],
    prompt: Callable[[str], None],
) -> TokenSource:
    """Give the source of tokens for these settings; raises InputError for what is missing."""
    from exo_auth.identity.token_source import token_source

    credential = credential_for(settings, environment)
    return token_source(
        credential,
        settings.cloud,
        settings.issuer_tenant,
        cache=cache_for(settings, warn=warn),
        environment=environment,
        prompt=prompt,
    )


def credential_for(settings: Settings, environment: Mapping[str, str]) -> Credential:
    """Give the credential these settings name; raises InputError."""
    from exo_auth.identity import credential as kinds

    auth = settings.auth
    method = auth.chosen()
    client_id = auth.client_id or ""
    if method == "certificate":
        return kinds.Certificate(
            client_id, Path(str(auth.certificate_file)), auth.secret("certificate_passphrase", environment)
        )
    if method == "secret":
        return kinds.ClientSecret(client_id, _needed(auth.secret("client_secret", environment)))
    if method == "token":
        return kinds.GivenToken(_needed(auth.secret("token", environment)))
    if method == "federated":
        return _federated(settings, environment)
    if method == "managed-identity":
        return kinds.ManagedIdentity(auth.managed_identity_client_id, None, None)
    public = client_id or kinds.DEFAULT_PUBLIC_CLIENT
    if method == "device-code":
        return kinds.DeviceCode(public)
    return kinds.Interactive(public, auth.user)


def cache_for(settings: Settings, *, warn: Callable[[str], None]) -> Any:
    """Open the token cache: people keep their sign-in, applications only when asked to."""
    from exo_auth.identity.token_cache import open_cache

    wanted, origin = settings.auth.token_cache, settings.origin("auth.token_cache")
    is_person = settings.auth.method in PEOPLE
    if wanted == "none" or (not is_person and origin.kind == "default"):
        return None
    cache, warning = open_cache(settings.state_dir / CACHE_FILE, plaintext=True)
    if warning:
        warn(warning)
    return cache


def forget(settings: Settings) -> str:
    """Sign everybody out whose sign-in is kept on this machine; say whom."""
    from exo_auth.identity.stored_people import forget_people
    from exo_auth.identity.token_cache import open_cache

    if not (settings.state_dir / CACHE_FILE).exists():
        return "nobody is signed in here"
    cache, _ = open_cache(settings.state_dir / CACHE_FILE, plaintext=True)
    people = forget_people(cache)
    return (
        f"signed out: {', '.join(person.user_name for person in people)}"
        if people
        else "nobody is signed in here"
    )


def describe(settings: Settings) -> dict[str, str]:
    """Say how a sign-in would be done, and who is signed in; nothing is asked of anybody."""
    from exo_auth.errors import ExoAuthError
    from exo_auth.identity.stored_people import stored_people
    from exo_auth.identity.token_cache import open_cache

    try:
        method = settings.auth.chosen()
    except ExoAuthError as error:
        method = f"undecided: {error.message}"
    people: tuple[str, ...] = ()
    if (settings.state_dir / CACHE_FILE).exists():
        cache, _ = open_cache(settings.state_dir / CACHE_FILE, plaintext=True)
        people = tuple(person.user_name for person in stored_people(cache))
    return {
        "method": method,
        "authority": settings.cloud.authority,
        "tenant": settings.tenant,
        "client id": settings.auth.client_id or "",
        "kept sign-ins": ", ".join(people) or "none",
        "token cache": settings.auth.token_cache,
    }


def _federated(settings: Settings, environment: Mapping[str, str]) -> FederatedAssertion:
    from exo_auth.identity import credential as kinds

    auth = settings.auth
    client_id = auth.client_id or environment.get("AZURE_CLIENT_ID", "")
    if auth.federated_token_file is not None:
        return kinds.FederatedAssertion(client_id, kinds.AssertionFile(auth.federated_token_file))
    if auth.federated_command:
        return kinds.FederatedAssertion(client_id, kinds.AssertionCommand(auth.federated_command))
    if environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        return kinds.FederatedAssertion(client_id, kinds.GitHubActions())
    if environment.get("SYSTEM_OIDCREQUESTURI"):
        connection = environment.get("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "")
        return kinds.FederatedAssertion(client_id, kinds.AzurePipelines(connection))
    if environment.get("AZURE_FEDERATED_TOKEN_FILE"):  # what Kubernetes' workload identity sets
        return kinds.FederatedAssertion(
            client_id, kinds.AssertionFile(Path(environment["AZURE_FEDERATED_TOKEN_FILE"]))
        )
    raise InputError(
        "federated sign-in needs something that yields an assertion",
        hint="set auth.federated_token_file or auth.federated_command, or run under GitHub Actions (permission "
        "id-token: write), Azure Pipelines, or Kubernetes workload identity",
    )


def _needed(secret: Secret | None) -> Secret:
    if secret is None:
        raise InputError("the secret to sign in with is empty")
    return secret
