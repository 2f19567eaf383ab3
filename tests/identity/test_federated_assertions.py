from __future__ import annotations

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from token_server import APP, TENANT, Reply, TokenServer, jwt_of

from exo_auth.cloud import Cloud
from exo_auth.errors import SignInError
from exo_auth.identity.assertions import fetch_assertion
from exo_auth.identity.credential import (
    AssertionCommand,
    AssertionFile,
    AzurePipelines,
    FederatedAssertion,
    GitHubActions,
)
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.token_source import token_source

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FIRST, SECOND = jwt_of(sub="first"), jwt_of(sub="second")
JOB = "job-token-0123456789"


def sent(entra: TokenServer) -> list[str]:
    return [one.form["client_assertion"] for one in entra.tokens_asked() if "client_assertion" in one.form]


def printing(code: str) -> AssertionCommand:
    return AssertionCommand((sys.executable, "-c", code, "argument-that-is-secret"))


def test_a_projected_file_is_read_again_for_every_token(
    cloud: Cloud, http: SignInSession, entra: TokenServer, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(FIRST + "\n")
    credential = FederatedAssertion(APP, AssertionFile(path))
    source = token_source(credential, cloud, TENANT, http=http, environment={})
    source.token()
    path.write_text(SECOND)
    source.token(renew=True)
    assert sent(entra) == [FIRST, SECOND]
    kind = entra.tokens_asked()[0].form["client_assertion_type"]
    assert kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def test_a_program_prints_it(cloud: Cloud, http: SignInSession, entra: TokenServer) -> None:
    credential = FederatedAssertion(APP, printing("import os; print(os.environ['GIVEN'])"))
    token_source(credential, cloud, TENANT, http=http, environment={"GIVEN": FIRST}).token()
    assert sent(entra) == [FIRST]


def test_github_is_asked_with_the_jobs_token(cloud: Cloud, http: SignInSession, entra: TokenServer) -> None:
    environment = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{entra.url}/github?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB,
    }
    entra.script.append(Reply(200, {"value": FIRST}))
    credential = FederatedAssertion(APP, GitHubActions())
    token_source(credential, cloud, TENANT, http=http, environment=environment).token()
    asked = next(one for one in entra.asked if one.path == "/github")
    assert asked.query == {"api-version": "2.0", "audience": "api://AzureADTokenExchange"}
    assert asked.headers["authorization"] == f"Bearer {JOB}"
    assert sent(entra) == [FIRST]


def test_azure_pipelines_is_asked_for_its_connection(
    cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    environment = {"SYSTEM_OIDCREQUESTURI": f"{entra.url}/oidc", "SYSTEM_ACCESSTOKEN": JOB}
    entra.script.append(Reply(200, {"oidcToken": FIRST}))
    credential = FederatedAssertion(APP, AzurePipelines("the-connection"))
    token_source(credential, cloud, TENANT, http=http, environment=environment).token()
    asked = next(one for one in entra.asked if one.path == "/oidc")
    assert (asked.method, asked.query["serviceConnectionId"]) == ("POST", "the-connection")
    assert asked.headers["authorization"] == f"Bearer {JOB}"
    assert sent(entra) == [FIRST]


def told(source: Any, http: Any = None, environment: dict[str, str] | None = None, **more: Any) -> str:
    """Give everything the error says, its traceback included."""
    with pytest.raises(SignInError) as caught:
        fetch_assertion(source, environment or {}, http, NOW, **more)
    assert caught.value.hint
    return f"{caught.value} | {caught.value.hint} | {''.join(traceback.format_exception(caught.value))}"


FILES = [  # content, part of the message
    (b"", "is empty"),
    (b"not a token", "is no JWT"),
    (b"a.b.c", "is no JWT"),
    (b"\xff\xfe\x00", "is not text"),
    (jwt_of(exp=1_700_000_000).encode(), "expired at 2023-11-14 22:13:20 UTC"),
]


@pytest.mark.parametrize(("content", "part"), FILES, ids=[one[1] for one in FILES])
def test_what_is_no_assertion_is_told_and_not_sent(content: bytes, part: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    message = told(AssertionFile(path))
    assert part in message
    assert str(path) in message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in told(AssertionFile(tmp_path / "none"))


LEAK = "leaked-by-the-program"
COMMANDS = [  # code, part of the message
    (f"import sys; sys.stderr.write('{LEAK}'); print('{LEAK}'); sys.exit(3)", "failed with exit code 3"),
    (f"print('{LEAK}')", "is no JWT"),
    ("pass", "is empty"),
    ("import sys; sys.stdout.buffer.write(bytes([255, 254]))", "is no JWT"),
]


@pytest.mark.parametrize(("code", "part"), COMMANDS, ids=[one[1] for one in COMMANDS])
def test_a_program_that_fails_is_told_without_what_it_printed(code: str, part: str) -> None:
    message = told(printing(code))
    assert part in message
    assert LEAK not in message
    assert "argument-that-is-secret" not in message


def test_a_program_that_hangs_is_ended() -> None:
    assert "no assertion within 0.2 s" in told(printing("import time; time.sleep(60)"), command_timeout=0.2)


def test_a_program_that_is_not_there_is_told() -> None:
    assert "cannot be started" in told(AssertionCommand(("/nowhere/program",)))


def test_a_command_does_not_show_its_arguments() -> None:
    assert "secret" not in repr(AssertionCommand(("vault", "--token", "secret")))


GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB}
PIPELINES = {"SYSTEM_OIDCREQUESTURI": "URL", "SYSTEM_ACCESSTOKEN": JOB}
PROVIDERS = [  # source, environment, reply, part of the message
    (GitHubActions(), {}, None, "id-token: write"),
    (GitHubActions(), GITHUB, Reply(403, b""), "HTTP 403"),
    (GitHubActions(), GITHUB, Reply(302, b"", {"Location": "https://elsewhere.invalid"}), "HTTP 302"),
    (GitHubActions(), GITHUB, Reply(200, b"<html>"), "no JSON"),
    (GitHubActions(), GITHUB, Reply(200, ["x"]), "no “value”"),
    (GitHubActions(), GITHUB, Reply(200, {"value": 5}), "no “value”"),
    (GitHubActions(), {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": "http://far.example/"}, None, "not https"),
    (AzurePipelines("c"), {}, None, "SYSTEM_ACCESSTOKEN: $(System.AccessToken)"),
    (AzurePipelines(""), PIPELINES, None, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"),
    (AzurePipelines("c"), PIPELINES, Reply(200, {"value": FIRST}), "no “oidcToken”"),
]


@pytest.mark.parametrize(("source", "environment", "reply", "part"), PROVIDERS, ids=range(len(PROVIDERS)))
def test_a_provider_that_gives_nothing_is_told_with_the_remedy(
    entra: TokenServer, http: SignInSession, source: Any, environment: Any, reply: Any, part: str
) -> None:
    if reply:
        entra.script.append(reply)
    filled = {name: f"{entra.url}/oidc" if value == "URL" else value for name, value in environment.items()}
    message = told(source, http, filled)
    assert part in message
    assert JOB not in message


def test_a_provider_that_is_not_there_is_named_by_its_host(http: SignInSession) -> None:
    environment = {**GITHUB, "ACTIONS_ID_TOKEN_REQUEST_URL": "https://127.0.0.1:1/x"}
    assert "127.0.0.1:1 cannot be reached" in told(GitHubActions(), http, environment)
