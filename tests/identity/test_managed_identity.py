from __future__ import annotations

from typing import Any

import pytest
from token_server import APP, TENANT, Reply, TokenServer

from exo_auth.cloud import WORLDWIDE
from exo_auth.errors import InputError, SignInError
from exo_auth.identity.credential import ManagedIdentity
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.token_source import token_source

RESOURCE = "https://outlook.office365.com"


def source_of(credential: ManagedIdentity, tenant: str = TENANT) -> Any:
    return token_source(
        credential,
        WORLDWIDE,
        tenant,
        http=SignInSession(None, is_local=True, retries=0),
        environment={},
    )


@pytest.fixture
def machine(metadata: TokenServer, monkeypatch: pytest.MonkeyPatch) -> TokenServer:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.url)
    return metadata


IDS = [  # credential, what the metadata service is asked with
    (ManagedIdentity(), {}),
    (ManagedIdentity(client_id=APP), {"client_id": APP}),
    (ManagedIdentity(object_id=APP), {"object_id": APP}),
    (ManagedIdentity(resource_id="/subscriptions/x"), {"msi_res_id": "/subscriptions/x"}),
]


@pytest.mark.parametrize(("credential", "query"), IDS, ids=["system", "client", "object", "resource"])
def test_a_machine_asks_its_metadata_service(
    machine: TokenServer, credential: ManagedIdentity, query: dict[str, str]
) -> None:
    token = source_of(credential).token()
    assert (token.tenant_id, token.is_app_only) == (TENANT, True)
    asked = machine.asked[0]
    assert asked.path == "/metadata/identity/oauth2/token"
    assert asked.headers["metadata"] == "true"
    assert asked.query == {"api-version": "2018-02-01", "resource": RESOURCE, **query}


def test_app_service_is_asked_with_its_header(metadata: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{metadata.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "the-header")
    assert source_of(ManagedIdentity(client_id=APP)).token().tenant_id == TENANT
    asked = metadata.asked[0]
    assert (asked.path, asked.headers["x-identity-header"]) == ("/msi/token", "the-header")
    assert asked.query["client_id"] == APP


def test_a_second_token_is_cached_and_renew_asks_again(machine: TokenServer) -> None:
    source = source_of(ManagedIdentity())
    first = source.token()
    assert source.token().text == first.text
    assert source.token(renew=True).text != first.text
    assert len(machine.asked) == 2


def test_no_proxy_stands_before_the_metadata_service(
    machine: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert source_of(ManagedIdentity()).token().tenant_id == TENANT


ANSWERS = [  # reply, part of the message
    (
        Reply(400, {"error": "invalid_request", "error_description": "Identity not found"}),
        "Identity not found",
    ),
    (Reply(200, b"<html>"), "not a sign-in answer"),
    (Reply(200, ["x"]), "not a sign-in answer"),
    (Reply(400, {}), "no reason"),
]


@pytest.mark.parametrize(("reply", "part"), ANSWERS, ids=range(len(ANSWERS)))
def test_an_endpoint_that_gives_none_is_named(machine: TokenServer, reply: Reply, part: str) -> None:
    machine.script.append(reply)
    source = source_of(ManagedIdentity())
    with pytest.raises(SignInError, match=part) as caught:
        source.token()
    assert machine.url.removeprefix("http://") in str(caught.value)
    assert caught.value.hint
    assert source.token().tenant_id == TENANT  # nothing of the failure is remembered


def test_a_machine_outside_azure_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    with pytest.raises(SignInError, match="127") as caught:
        source_of(ManagedIdentity()).token()
    assert "only on Azure machines" in str(caught.value.hint)


def test_an_identity_of_another_tenant_is_refused(machine: TokenServer) -> None:
    with pytest.raises(SignInError) as caught:
        source_of(ManagedIdentity(), "99999999-2222-3333-4444-555555555555").token()
    assert caught.value.code == "wrong_tenant"


def test_two_ids_are_one_too_many() -> None:
    with pytest.raises(InputError, match="client_id and object_id"):
        source_of(ManagedIdentity(client_id=APP, object_id=APP))
