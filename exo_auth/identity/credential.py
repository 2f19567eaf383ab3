"""What a sign-in is made with; data only (identity)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exo_auth.identity.secrets import Secret

# Microsoft's own public client for Exchange administration: it needs no registration in the tenant.
DEFAULT_PUBLIC_CLIENT = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
ASSERTION_AUDIENCE = "api://AzureADTokenExchange"  # what Entra wants in an assertion from elsewhere


@dataclass(frozen=True)
class ClientSecret:
    """An application with a password."""

    client_id: str
    secret: Secret


@dataclass(frozen=True)
class Certificate:
    """An application with a key: `path` is a PEM file with key and certificate, or a PFX file.

    `thumbprint_only` names the certificate by its SHA-1 thumbprint and leaves out the chain: for an authority
    that does not read `x5c`.
    """

    client_id: str
    path: Path
    passphrase: Secret | None = None
    thumbprint_only: bool = False


@dataclass(frozen=True)
class DeviceCode:
    """A person who types a code into a browser elsewhere."""

    client_id: str = DEFAULT_PUBLIC_CLIENT


@dataclass(frozen=True)
class Interactive:
    """A person at this machine's browser; `login_hint` fills in the user name."""

    client_id: str = DEFAULT_PUBLIC_CLIENT
    login_hint: str | None = None


@dataclass(frozen=True)
class ManagedIdentity:
    """The identity Azure gives this machine; the system's own when no id is given, else exactly one of them."""

    client_id: str | None = None
    object_id: str | None = None
    resource_id: str | None = None


@dataclass(frozen=True)
class AssertionFile:
    """A file that another process keeps fresh, such as Kubernetes' projected token."""

    path: Path


@dataclass(frozen=True)
class AssertionCommand:
    """A program that prints the assertion; its arguments are not shown, they may hold secrets."""

    argv: tuple[str, ...]

    def __repr__(self) -> str:
        return f"AssertionCommand(({self.argv[0]!r}, …))" if self.argv else "AssertionCommand(())"


@dataclass(frozen=True)
class GitHubActions:
    """The OIDC provider of a GitHub Actions job."""

    audience: str = ASSERTION_AUDIENCE


@dataclass(frozen=True)
class AzurePipelines:
    """The OIDC provider of an Azure Pipelines job; `service_connection_id` is the connection's GUID."""

    service_connection_id: str


AssertionSource = AssertionFile | AssertionCommand | GitHubActions | AzurePipelines


@dataclass(frozen=True)
class FederatedAssertion:
    """An application that shows a token of another issuer instead of a secret."""

    client_id: str
    source: AssertionSource


@dataclass(frozen=True)
class GivenToken:
    """An access token that someone else obtained; it cannot be renewed here."""

    text: Secret


Credential = (
    ClientSecret | Certificate | DeviceCode | Interactive | ManagedIdentity | FederatedAssertion | GivenToken
)
