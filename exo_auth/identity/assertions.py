"""Fetches the token of another issuer that an application shows to Entra (identity)."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

from exo_auth.errors import SignInError
from exo_auth.identity.claims import read_claims, time_claim
from exo_auth.identity.credential import (
    AssertionCommand,
    AssertionFile,
    AssertionSource,
    AzurePipelines,
    GitHubActions,
)
from exo_auth.identity.sign_in_failures import host_of, unreachable

COMMAND_TIMEOUT = 60  # seconds
_LARGEST = 100_000  # characters; an assertion is a few thousand
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def fetch_assertion(
    source: AssertionSource,
    environment: Mapping[str, str],
    http: requests.Session,
    now: datetime,
    *,
    command_timeout: float = COMMAND_TIMEOUT,
) -> str:
    """Get a fresh assertion; raises SignInError that never shows the assertion or what a program printed."""
    match source:
        case AssertionFile(path):
            text, place = _from_file(path), f"the file {path}"
        case AssertionCommand(argv):
            text, place = _from_command(argv, environment, command_timeout), f"the program {argv[0]}"
        case GitHubActions(audience):
            text, place = _from_github(audience, environment, http), "GitHub Actions"
        case AzurePipelines(connection):
            text, place = _from_azure_pipelines(connection, environment, http), "Azure Pipelines"
    return _checked(text, place, now)


def _checked(text: str, place: str, now: datetime) -> str:
    text = text.strip()
    claims = read_claims(text)
    if not claims:
        raise _failed(
            f"the assertion from {place} is {'no JWT' if text else 'empty'}",
            "it must be the bare token (three parts between dots) of a workload identity",
        )
    ends = time_claim(claims, "exp")
    if ends is not None and ends <= now.timestamp():
        raise _failed(
            f"the assertion from {place} expired at {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M:%S} UTC",
            "see why nobody renews it; is this machine's clock right?",
        )
    return text


def _from_file(path: Path) -> str:
    # Read again for every use: Kubernetes replaces the file under our feet.
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LARGEST)
    except UnicodeDecodeError:
        raise _failed(f"the assertion file {path} is not text", "it must hold a JWT") from None
    except OSError as error:
        raise _failed(
            f"the assertion file {path} cannot be read: {error.strerror or error}",
            "is the token projected into this container, and readable for this user?",
        ) from None


def _from_command(argv: tuple[str, ...], environment: Mapping[str, str], timeout: float) -> str:
    hint = "run it by hand to see why"
    try:
        done = subprocess.run(
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise _failed(f"the program {argv[0]} gave no assertion within {timeout:g} s", hint) from None
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else "its arguments are not usable"
        raise _failed(f"the program {argv[0]} cannot be started: {what}", "check path and rights") from None
    if done.returncode != 0:
        # Its stderr stays unsaid: such programs print tokens when they are unhappy.
        raise _failed(f"the program {argv[0]} failed with exit code {done.returncode}", hint)
    return done.stdout[:_LARGEST].decode("utf-8", errors="replace")


def _from_github(audience: str, environment: Mapping[str, str], http: requests.Session) -> str:
    names = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    url, token = _variables(
        names, environment, "give the job “permissions: id-token: write”; without it GitHub sets neither"
    )
    answer = _asked(http, "GET", _with_query(url, {"audience": audience}), token, "GitHub Actions")
    return _field(answer, "value", "GitHub Actions")


def _from_azure_pipelines(connection: str, environment: Mapping[str, str], http: requests.Session) -> str:
    names = ("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN")
    url, token = _variables(
        names, environment, "map it in the step: “env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)”"
    )
    if not connection:
        raise _failed(
            "Azure Pipelines needs the id of the service connection",
            "set AZURESUBSCRIPTION_SERVICE_CONNECTION_ID to the connection's resource id",
        )
    query = {"api-version": "7.1", "serviceConnectionId": connection}
    answer = _asked(http, "POST", _with_query(url, query), token, "Azure Pipelines")
    return _field(answer, "oidcToken", "Azure Pipelines")


def _variables(names: tuple[str, str], environment: Mapping[str, str], hint: str) -> tuple[str, str]:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise _failed(f"{' and '.join(missing)} not set", hint)
    return environment[names[0]], environment[names[1]]


def _with_query(url: str, added: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), **added}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _asked(http: requests.Session, method: str, url: str, token: str, who: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise _failed(f"{who} names an address that is not https", "the job's token is not sent in the clear")
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "X-TFS-FedAuthRedirect": "Suppress",  # Azure DevOps: answer 401, do not redirect to a sign-in page
    }
    try:
        response = http.request(method, url, headers=headers, json={} if method == "POST" else None)
    except requests.exceptions.RequestException as error:
        raise unreachable(error, host_of(url)) from None
    if response.status_code != 200:
        raise _failed(
            f"{who} ({host_of(url)}) refused an identity token: HTTP {response.status_code}",
            "check the job's permissions and, on Azure Pipelines, the service connection",
        )
    try:
        return response.json()
    except ValueError:
        raise _failed(f"{who} ({host_of(url)}) answered no JSON", "is there a proxy in between?") from None


def _field(answer: Any, name: str, who: str) -> str:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise _failed(f"the answer of {who} has no “{name}”", "check the job's permissions")
    return value


def _failed(what: str, hint: str) -> SignInError:
    return SignInError(what, code="assertion", hint=hint)
