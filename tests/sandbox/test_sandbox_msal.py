"""Real MSAL against the sandbox's Entra, over real TLS on loopback: what Microsoft's library takes for Entra is it."""

import html
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12
from cryptography.x509 import load_pem_x509_certificate

from exo_auth.sandbox.certificates import Certificates
from exo_auth.sandbox.entra import Entra, Registration, User
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.managed_identity import ManagedIdentityDoor, UserAssigned
from exo_auth.sandbox.principal import MANAGE_AS_APP, Principal
from exo_auth.sandbox.web import WebServer

TENANT = "11111111-2222-3333-4444-555555555555"
INITIAL = "contoso.onmicrosoft.com"
EXCHANGE = "https://outlook.office365.com"
SCOPES = [f"{EXCHANGE}/.default"]
APP = "aaaaaaaa-0000-4000-8000-00000000000a"
USER_ASSIGNED = "aaaaaaaa-0000-4000-8000-00000000000c"
PUBLIC = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
ADMIN = f"admin@{INITIAL}"
SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Place:
    """An Entra behind TLS, its managed-identity endpoints behind plain http, and a client that trusts its CA."""

    def __init__(self, certificates: Certificates, folder: Path, *, assertions_once: bool = True) -> None:
        self.certificates = certificates
        self.https = WebServer((self._answer,), server_file=certificates.server_file)
        self.base = f"https://127.0.0.1:{self.https.port}"
        roles = frozenset({MANAGE_AS_APP})
        registrations = (
            Registration(APP, ("right",), (certificates.client_certificate,), roles=roles),
            Registration(USER_ASSIGNED, roles=roles),
            Registration(PUBLIC, is_public=True),
        )
        self.entra = Entra(
            TENANT,
            INITIAL,
            self.base,
            registrations,
            (User(ADMIN), User(f"second@{INITIAL}")),
            Faults(),
            key=SIGNING,
            assertions_once=assertions_once,
        )
        self.door = ManagedIdentityDoor(
            self.entra, APP, folder, user_assigned=(UserAssigned(USER_ASSIGNED, "its-object"),)
        )
        self.http = WebServer((self.door.handle,))
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(certificates.ca_file)

    def _answer(self, request: Request) -> Response | None:
        return self.entra.handle(request)

    def close(self) -> None:
        self.session.close()
        self.https.close()
        self.http.close()

    def app(self, credential: Any, tenant: str = TENANT, **options: Any) -> Any:
        return msal.ConfidentialClientApplication(
            APP,
            client_credential=credential,
            authority=f"{self.base}/{tenant}",
            instance_discovery=False,
            http_client=self.session,
            **options,
        )

    def person(self, tenant: str = TENANT) -> Any:
        return msal.PublicClientApplication(
            PUBLIC, authority=f"{self.base}/{tenant}", instance_discovery=False, http_client=self.session
        )

    def who(self, answer: dict[str, Any]) -> Principal:
        assert "access_token" in answer, answer
        principal = self.entra.verify(answer["access_token"])
        assert isinstance(principal, Principal)
        return principal


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def place(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(certificates, tmp_path_factory.mktemp("arc"))
    yield made
    made.close()


AS_APP = Principal(TENANT, APP, roles=frozenset({MANAGE_AS_APP}))


# Applications


@pytest.mark.parametrize("tenant", [TENANT, INITIAL, "organizations"])
def test_a_secret(place: Place, tenant: str) -> None:
    assert place.who(place.app("right", tenant).acquire_token_for_client(SCOPES)) == AS_APP


def test_a_wrong_secret(place: Place) -> None:
    answer = place.app("wrong").acquire_token_for_client(SCOPES)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])


def test_a_tenant_there_is_not(place: Place) -> None:
    with pytest.raises(ValueError, match=r"(?i)authority"):
        place.app("right", "nobody.example")


def test_a_client_that_declares_its_capabilities(place: Place) -> None:
    answer = place.app("right", client_capabilities=["CP1"]).acquire_token_for_client(SCOPES)
    assert place.who(answer) == AS_APP


def credential(certificates: Certificates, kind: str, folder: Path) -> dict[str, Any]:
    """The three forms of a certificate that MSAL takes."""
    key = certificates.client_file.read_text().removesuffix(certificates.client_certificate)
    certificate = load_pem_x509_certificate(certificates.client_certificate.encode())
    if kind == "thumbprint":  # RS256, x5t
        return {"private_key": key, "thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper()}
    if kind == "public certificate":  # PS256, x5t#S256, x5c
        return {"private_key": key, "public_certificate": certificates.client_certificate}
    file = folder / "app.pfx"  # PS256, x5t#S256
    private = load_pem_private_key(key.encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    file.write_bytes(
        pkcs12.serialize_key_and_certificates(b"a", private, certificate, None, BestAvailableEncryption(b"x"))
    )
    return {"private_key_pfx_path": str(file), "passphrase": "x"}


KINDS = ["thumbprint", "public certificate", "pfx"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate(place: Place, tmp_path: Path, kind: str) -> None:
    app = place.app(credential(place.certificates, kind, tmp_path))
    assert place.who(app.acquire_token_for_client(SCOPES)) == AS_APP


@pytest.mark.parametrize(("once", "outcome"), [(True, [9002313]), (False, None)], ids=["once", "again"])
def test_msal_shows_its_assertion_again(
    certificates: Certificates, tmp_path: Path, once: bool, outcome: list[int] | None
) -> None:
    """MSAL keeps its own assertion until a minute before its end, so that renewing shows the same one."""
    place = Place(certificates, tmp_path, assertions_once=once)
    try:
        app = place.app(credential(certificates, "public certificate", tmp_path))
        assert place.who(app.acquire_token_for_client(SCOPES)) == AS_APP
        app.remove_tokens_for_client()
        assert app.acquire_token_for_client(SCOPES).get("error_codes") == outcome
    finally:
        place.close()


def test_a_challenge_leads_to_a_token_that_counts(certificates: Certificates, tmp_path: Path) -> None:
    place = Place(certificates, tmp_path)
    try:
        app = place.app("right")
        before = app.acquire_token_for_client(SCOPES)
        claims = '{"access_token": {"nbf": {"essential": true, "value": "1700000000"}}}'
        place.entra.revoke_all(claims)
        assert not isinstance(place.entra.verify(before["access_token"]), Principal)
        after = app.acquire_token_for_client(SCOPES, claims_challenge=claims)
        assert place.who(after) == AS_APP
    finally:
        place.close()


# People


def is_kept(place: Place, app: Any) -> None:
    """The account is there, its token comes from the cache, and the refresh token gets another one."""
    (account,) = app.get_accounts()
    assert account["username"] == ADMIN
    cached = app.acquire_token_silent(SCOPES, account=account)
    assert cached["token_source"] == "cache"
    renewed = app.acquire_token_silent(SCOPES, account=account, force_refresh=True)
    assert renewed["token_source"] == "identity_provider"
    assert renewed["access_token"] != cached["access_token"]
    assert place.who(renewed).user_name == ADMIN


@pytest.mark.parametrize("tenant", [TENANT, "organizations"])
def test_a_device_code(place: Place, tenant: str) -> None:
    app = place.person(tenant)
    flow = app.initiate_device_flow(SCOPES)
    place.entra.approve_device(flow["user_code"], ADMIN)
    answer = app.acquire_token_by_device_flow(flow)
    assert place.who(answer).user_name == ADMIN
    is_kept(place, app)


def test_a_device_code_nobody_confirmed_or_that_was_declined(place: Place) -> None:
    app = place.person()
    flow = app.initiate_device_flow(SCOPES)
    waiting = app.acquire_token_by_device_flow(flow, exit_condition=lambda flow: True)
    assert waiting["error"] == "authorization_pending"
    place.entra.decline_device(flow["user_code"])
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_a_browser(place: Place) -> None:
    """MSAL listens, the sign-in page's form is posted to it, and MSAL redeems the code with its verifier."""
    app = place.person()
    browsers: list[threading.Thread] = []

    def browse(address: str) -> None:
        page = place.session.get(address).text
        action = re.search(r'action="([^"]+)"', page)
        fields = dict(re.findall(r'name="(code|state)" value="([^"]*)"', page))
        assert action
        answer = {name: html.unescape(value) for name, value in fields.items()}
        place.session.post(html.unescape(action[1]), data=answer)

    def open_browser(address: str) -> None:
        browsers.append(threading.Thread(target=browse, args=(address,)))
        browsers[-1].start()

    answer = app.acquire_token_interactive(
        SCOPES, login_hint=ADMIN, timeout=20, auth_uri_callback=open_browser
    )
    for browser in browsers:
        browser.join()
    assert place.who(answer).user_name == ADMIN
    is_kept(place, app)


def test_a_refresh_token_somebody_kept(place: Place) -> None:
    first = place.person()
    flow = first.initiate_device_flow(SCOPES)
    place.entra.approve_device(flow["user_code"], ADMIN)
    kept = first.acquire_token_by_device_flow(flow)["refresh_token"]
    answer = place.person().acquire_token_by_refresh_token(kept, SCOPES)
    assert place.who(answer).user_name == ADMIN
    assert place.person().acquire_token_by_refresh_token("unknown", SCOPES)["error_codes"] == [70008]


# Managed identities


def on_machine(place: Place, identity: Any) -> dict[str, Any]:
    client = msal.ManagedIdentityClient(identity, http_client=place.session)
    answer = client.acquire_token_for_client(resource=EXCHANGE)
    assert isinstance(answer, dict)
    return answer


IDENTITIES = [
    (msal.SystemAssignedManagedIdentity(), APP),
    (msal.UserAssignedManagedIdentity(client_id=USER_ASSIGNED), USER_ASSIGNED),
    (msal.UserAssignedManagedIdentity(object_id="its-object"), USER_ASSIGNED),
]


@pytest.mark.parametrize("platform", ["machine", "app service"])
@pytest.mark.parametrize(("identity", "app_id"), IDENTITIES, ids=["system", "client id", "object id"])
def test_a_managed_identity(
    place: Place, monkeypatch: pytest.MonkeyPatch, platform: str, identity: Any, app_id: str
) -> None:
    base = f"http://127.0.0.1:{place.http.port}"
    if platform == "machine":
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", base)
    else:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{base}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", place.door.header_secret)
    assert place.who(on_machine(place, identity)).app_id == app_id


def test_a_managed_identity_the_machine_has_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{place.http.port}")
    answer = on_machine(place, msal.UserAssignedManagedIdentity(client_id="nobody"))
    assert "access_token" not in answer
