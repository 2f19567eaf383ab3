"""Every way to sign in, against the sandbox's Entra, with real MSAL over real TLS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from bench import Bench
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate

from exo_auth.errors import ExoAuthError, SignInError
from exo_auth.run.sign_in import describe, forget
from exo_auth.sandbox.entra import FederatedCredential
from exo_auth.sandbox.http_message import Request, Response, json_response
from exo_auth.sandbox.serve import APP_ID, Sandbox
from exo_auth.sandbox.web import WebServer

ISSUER, SUBJECT = "https://token.issuer.example", "repo:contoso/jobs:environment:production"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def assertion(**claims: object) -> str:
    now = datetime.now(UTC)
    whole = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "exp": int((now + timedelta(minutes=5)).timestamp()),
        **claims,
    }
    return jwt.encode(whole, KEY, algorithm="RS256")


@pytest.fixture(scope="module")
def federated(shared_box: Sandbox) -> None:
    shared_box.entra.federate(APP_ID, FederatedCredential(ISSUER, SUBJECT, PUBLIC))


@pytest.fixture
def door() -> Iterator[Callable[[Callable[[Request], Response]], str]]:
    """Start an http server on loopback that answers with a function."""
    started: list[WebServer] = []

    def start(answer: Callable[[Request], Response]) -> str:
        started.append(WebServer((answer,)))
        return f"http://127.0.0.1:{started[-1].port}"

    yield start
    for server in started:
        server.close()


def without_secret(bench: Bench, **environment: str) -> Bench:
    del bench.environment["EXO_AUTH_CLIENT_SECRET"]
    bench.environment.update(environment)
    return bench


def works(bench: Bench) -> Any:
    """Sign in, and let Exchange judge the token."""
    with bench.session() as session:
        assert session.reader.organization().name == "contoso.onmicrosoft.com"
        return session.token


def test_a_client_secret(bench: Bench) -> None:
    token = works(bench)
    assert token.is_app_only
    assert token.tenant_id == bench.box.tenant.tenant_id


def test_a_pem_certificate(bench: Bench) -> None:
    works(without_secret(bench, EXO_AUTH_CERTIFICATE_FILE=bench.box.description.certificate_file))


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_a_pfx_certificate(bench: Bench, tmp_path: Path, passphrase: str) -> None:
    pem = Path(bench.box.description.certificate_file).read_bytes()
    key, certificate = (
        load_pem_private_key(pem, None),
        load_pem_x509_certificate(pem[pem.index(b"-----BEGIN CERT") :]),
    )
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else None
    from cryptography.hazmat.primitives.serialization import NoEncryption

    file = tmp_path / "app.pfx"
    file.write_bytes(
        pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, lock or NoEncryption())
    )  # type: ignore[arg-type]
    secret = tmp_path / "passphrase"
    secret.write_text(passphrase)
    secret.chmod(0o600)
    extra = {"EXO_AUTH_CERTIFICATE_PASSPHRASE_FILE": str(secret)} if passphrase else {}
    works(without_secret(bench, EXO_AUTH_CERTIFICATE_FILE=str(file), **extra))


def test_an_assertion_in_a_file(bench: Bench, tmp_path: Path, federated: None) -> None:
    file = tmp_path / "token"
    file.write_text(assertion())
    works(without_secret(bench, EXO_AUTH_FEDERATED_TOKEN_FILE=str(file)))


def test_an_assertion_from_a_program(bench: Bench, tmp_path: Path, federated: None) -> None:
    file = tmp_path / "token"
    file.write_text(assertion())
    works(without_secret(bench, EXO_AUTH_FEDERATED_COMMAND=shlex.join(["/bin/cat", str(file)])))


def test_kubernetes_sets_its_own_variable(bench: Bench, tmp_path: Path, federated: None) -> None:
    file = tmp_path / "token"
    file.write_text(assertion())
    works(without_secret(bench, EXO_AUTH_METHOD="federated", AZURE_FEDERATED_TOKEN_FILE=str(file)))


def test_github_actions(bench: Bench, federated: None, door: Callable[..., str]) -> None:
    def answer(request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer job-token"
        assert request.query["audience"] == "api://AzureADTokenExchange"
        return json_response(200, {"value": assertion()})

    url = door(answer)
    works(
        without_secret(
            bench,
            EXO_AUTH_METHOD="federated",
            ACTIONS_ID_TOKEN_REQUEST_URL=f"{url}/token?api-version=2.0",
            ACTIONS_ID_TOKEN_REQUEST_TOKEN="job-token",
        )
    )


def test_azure_pipelines(bench: Bench, federated: None, door: Callable[..., str]) -> None:
    url = door(lambda request: json_response(200, {"oidcToken": assertion()}))
    works(
        without_secret(
            bench,
            EXO_AUTH_METHOD="federated",
            SYSTEM_OIDCREQUESTURI=f"{url}/oidc",
            SYSTEM_ACCESSTOKEN="job-token",
            AZURESUBSCRIPTION_SERVICE_CONNECTION_ID="connection",
        )
    )


def test_a_managed_identity_of_a_machine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", bench.box.description.managed_identity)
    works(without_secret(bench, EXO_AUTH_METHOD="managed-identity"))


def test_a_user_assigned_managed_identity(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", bench.box.description.managed_identity)
    works(without_secret(bench, EXO_AUTH_MANAGED_IDENTITY_CLIENT_ID=APP_ID))
    other = "bbbbbbbb-0000-4000-8000-000000000009"
    bench.environment["EXO_AUTH_MANAGED_IDENTITY_CLIENT_ID"] = other
    with pytest.raises(SignInError, match="gives no token"):
        works(bench)


def test_a_managed_identity_of_an_app_service(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{bench.box.description.managed_identity}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", bench.box.identity_door.header_secret)
    works(without_secret(bench, EXO_AUTH_METHOD="managed-identity"))


def test_a_token_that_somebody_else_got(bench: Bench) -> None:
    works(without_secret(bench, EXO_AUTH_TOKEN=bench.box.entra.issue(APP_ID)))


def test_a_person_with_a_device_code_who_stays_signed_in(bench: Bench) -> None:
    person = f"admin@{bench.box.tenant.initial_domain}"

    def confirm(text: str) -> None:
        found = re.search(r"code ([0-9A-F]{8})", text)
        if found:
            bench.box.entra.approve_device(found[1], person)

    without_secret(bench, EXO_AUTH_METHOD="device-code", EXO_AUTH_TOKEN_CACHE="file")
    del bench.environment["EXO_AUTH_CLIENT_ID"]
    with bench.session() as session:
        session._prompt = confirm
        assert session.token.user_name == person
        assert session.reader.organization().name == "contoso.onmicrosoft.com"
        settings = session.settings
    file = bench.state / "tokens"
    assert file.stat().st_mode & 0o077 == 0
    assert person in describe(settings)["kept sign-ins"]
    with bench.session() as later:  # nobody is asked a second time
        assert later.token.user_name == person
    assert person in forget(settings)
    assert describe(settings)["kept sign-ins"] == "none"


def test_a_person_who_says_no(bench: Bench) -> None:
    def refuse(text: str) -> None:
        found = re.search(r"code ([0-9A-F]{8})", text)
        if found:
            bench.box.entra.decline_device(found[1])

    without_secret(bench, EXO_AUTH_METHOD="device-code")
    del bench.environment["EXO_AUTH_CLIENT_ID"]
    with bench.session() as session:
        session._prompt = refuse
        with pytest.raises(SignInError) as caught:
            _ = session.token
    assert caught.value.exit_code == 10


CLAIMS = '{"access_token": {"nbf": {"essential": true, "value": "1700000000"}}}'


@pytest.mark.parametrize("claims", [None, CLAIMS], ids=["revoked", "with a claims challenge"])
def test_a_run_outlives_its_token(bench: Bench, claims: str | None) -> None:
    report = bench.run("due-*", between=lambda: bench.box.entra.revoke_all(claims))
    assert [outcome.result.value for outcome in report.outcomes] == ["applied", "applied"]


def test_a_run_with_a_certificate_outlives_its_token(bench: Bench) -> None:
    without_secret(bench, EXO_AUTH_CERTIFICATE_FILE=bench.box.description.certificate_file)
    report = bench.run("due-*", between=bench.box.entra.revoke_all)
    assert [outcome.result.value for outcome in report.outcomes] == ["applied", "applied"]


REFUSED: list[tuple[str, Callable[[Path], dict[str, str]], str, str]] = [
    ("another subject", lambda p: {"sub": "repo:evil/jobs"}, "AADSTS700213", "subject"),
    ("another issuer", lambda p: {"iss": "https://evil.example"}, "AADSTS700211", "issuer"),
    ("another audience", lambda p: {"aud": "api://other"}, "AADSTS700212", "audience"),
]


@pytest.mark.parametrize(("what", "claims", "code", "part"), REFUSED, ids=[row[0] for row in REFUSED])
def test_an_assertion_that_does_not_fit_is_told_why(
    bench: Bench, tmp_path: Path, federated: None, what: str, claims: Any, code: str, part: str
) -> None:
    file = tmp_path / "token"
    file.write_text(assertion(**claims(tmp_path)))
    without_secret(bench, EXO_AUTH_FEDERATED_TOKEN_FILE=str(file))
    with pytest.raises(SignInError) as caught:
        works(bench)
    assert caught.value.code == code
    assert part in f"{caught.value} {caught.value.hint}".lower()


BROKEN: list[tuple[str, dict[str, str], str]] = [
    ("no such file", {"EXO_AUTH_FEDERATED_TOKEN_FILE": "/no/such/token"}, "cannot be read"),
    ("a program that fails", {"EXO_AUTH_FEDERATED_COMMAND": "/bin/false"}, "failed with exit code"),
    ("a program there is not", {"EXO_AUTH_FEDERATED_COMMAND": "/no/such/program"}, "cannot be started"),
    ("federated, and nothing around", {"EXO_AUTH_METHOD": "federated"}, "yields an assertion"),
    ("a certificate there is not", {"EXO_AUTH_CERTIFICATE_FILE": "/no/such.pem"}, "/no/such.pem"),
    ("a token that is none", {"EXO_AUTH_TOKEN": "rubbish"}, "refused the given access token"),
    (
        "a tenant there is not",
        {"EXO_AUTH_CLIENT_SECRET": "x", "EXO_AUTH_TENANT": "nobody.example"},
        "nobody.example",
    ),
]


@pytest.mark.parametrize(("what", "environment", "part"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_is_missing_is_named(bench: Bench, what: str, environment: dict[str, str], part: str) -> None:
    without_secret(bench, **environment)
    with pytest.raises(ExoAuthError) as caught:
        works(bench)
    assert part in f"{caught.value} {caught.value.hint}"
    assert caught.value.exit_code in (10, 64)


def test_an_application_keeps_no_tokens_unless_it_is_asked_to(bench: Bench) -> None:
    works(bench)
    assert not (bench.state / "tokens").exists()
    bench.environment["EXO_AUTH_TOKEN_CACHE"] = "file"
    works(bench)
    assert (bench.state / "tokens").stat().st_mode & 0o077 == 0
