"""The sandbox's Entra, asked directly: discovery, access tokens, refusals."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.sandbox.entra import Entra, Registration, User
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.principal import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP, BadToken, Principal

TENANT = "1111AAAA-2222-3333-4444-555555555555"  # a capital letter: tenant ids are compared without case
INITIAL = "Contoso.onmicrosoft.com"
BASE = "https://127.0.0.1:4443"
EXCHANGE = "https://outlook.office365.com"
SCOPE = f"{EXCHANGE}/.default"
APP = "aaaaaaaa-0000-4000-8000-00000000000a"
OTHER_APP = "aaaaaaaa-0000-4000-8000-00000000000b"
PUBLIC = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults() -> Faults:
    return Faults()


def make(clock: Callable[[], datetime], faults: Faults, **options: Any) -> Entra:
    registrations = (
        Registration(
            APP,
            ("right", "also right"),
            roles=frozenset({MANAGE_AS_APP}),
            directory_roles=frozenset({EXCHANGE_ADMINISTRATOR}),
            name="Mail keeper",
        ),
        Registration(OTHER_APP, ("other",), roles=frozenset({MANAGE_AS_APP})),
        Registration(PUBLIC, is_public=True),
    )
    users = (
        User("admin@contoso.example", frozenset({EXCHANGE_ADMINISTRATOR})),
        User("second@contoso.example"),
    )
    return Entra(
        TENANT, INITIAL, BASE, registrations, users, faults, real_clock=clock, key=SIGNING, **options
    )


@pytest.fixture
def entra(clock: Clock, faults: Faults) -> Entra:
    return make(clock, faults)


def get(entra: Entra, path: str, **query: str) -> Response:
    response = entra.handle(Request("GET", path, query, {"host": "127.0.0.1:4443"}))
    assert response is not None
    return response


def post(entra: Entra, form: dict[str, str], *, tenant: str = TENANT, door: str = "token") -> Response:
    path = f"/{tenant}/oauth2/v2.0/{door}"
    response = entra.handle(Request("POST", path, {}, {}, urlencode(form).encode()))
    assert response is not None
    return response


def body(response: Response) -> dict[str, Any]:
    document = json.loads(response.body)
    assert isinstance(document, dict)
    return document


def code_of(response: Response) -> tuple[int, str, int]:
    """Status, word and AADSTS number of a refusal, whose parts have to agree."""
    document = body(response)
    (number,) = document["error_codes"]
    assert document["error_description"].startswith(f"AADSTS{number}: ")
    return response.status, document["error"], number


def with_secret(**changes: str) -> dict[str, str]:
    form = {
        "client_id": APP,
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "client_secret": "right",
        **changes,
    }
    return {name: value for name, value in form.items() if value != "ABSENT"}


# Discovery


@pytest.mark.parametrize("tenant", [TENANT, TENANT.lower(), INITIAL, "organizations", "common", "COMMON"])
def test_discovery_names_every_endpoint(entra: Entra, tenant: str) -> None:
    document = body(get(entra, f"/{tenant}/v2.0/.well-known/OpenID-configuration"))
    assert document["issuer"] == f"{BASE}/{TENANT}/v2.0"
    for name in ("token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "jwks_uri"):
        assert document[name].startswith(f"{BASE}/{TENANT}/")


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration"])
def test_discovery_of_a_tenant_there_is_not(entra: Entra, path: str) -> None:
    assert code_of(get(entra, f"/nobody.example/{path}")) == (400, "invalid_tenant", 90002)


def test_no_endpoint_serves_a_tenant_there_is_not(entra: Entra) -> None:
    assert code_of(get(entra, "/nobody.example/discovery/v2.0/keys"))[2] == 90002
    assert code_of(get(entra, "/nobody.example/oauth2/v2.0/authorize"))[2] == 90002
    assert code_of(post(entra, with_secret(), tenant="nobody.example"))[2] == 90002
    device = {"client_id": PUBLIC, "scope": SCOPE}
    assert code_of(post(entra, device, tenant="nobody.example", door="devicecode"))[2] == 90002


def test_instance_discovery_has_aliases(entra: Entra) -> None:
    document = body(get(entra, "/common/discovery/instance"))
    assert document["metadata"][0]["aliases"] == ["127.0.0.1:4443"]
    assert document["tenant_discovery_endpoint"].endswith("/.well-known/openid-configuration")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", f"/{TENANT}"),
        ("GET", f"/adminapi/beta/{TENANT}/InvokeCommand"),
        ("GET", f"/{TENANT}/oauth2/v2.0/token"),  # only POST
        ("POST", f"/{TENANT}/oauth2/v2.0/authorize"),  # only GET
    ],
)
def test_other_paths_are_left_to_other_doors(entra: Entra, method: str, path: str) -> None:
    assert entra.handle(Request(method, path, {}, {})) is None


# Access tokens


def test_an_access_token_is_signed_by_the_published_key(entra: Entra) -> None:
    answer = body(post(entra, with_secret()))
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 65 * 60
    (key,) = body(get(entra, f"/{TENANT}/discovery/v2.0/keys"))["keys"]
    assert jwt.get_unverified_header(answer["access_token"])["kid"] == key["kid"]
    claims = jwt.decode(
        answer["access_token"],
        jwt.PyJWK(key, algorithm="RS256"),
        audience=EXCHANGE,
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert (claims["tid"], claims["appid"], claims["idtyp"]) == (TENANT, APP, "app")
    assert (claims["roles"], claims["wids"]) == ([MANAGE_AS_APP], [EXCHANGE_ADMINISTRATOR])
    assert claims["app_displayname"] == "Mail keeper"
    assert claims["exp"] - claims["iat"] == 65 * 60
    assert "upn" not in claims
    assert "scp" not in claims
    assert "xms_cc" not in claims


def test_a_client_that_can_handle_challenges_is_marked(entra: Entra) -> None:
    wish = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})
    token = body(post(entra, with_secret(claims=wish)))["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["xms_cc"] == ["cp1"]


@pytest.mark.parametrize("claims", ["{", "[]", "7"])
def test_claims_that_are_no_object_are_refused(entra: Entra, claims: str) -> None:
    assert code_of(post(entra, with_secret(claims=claims)))[2] == 9002313


@pytest.mark.parametrize("claims", ['{"access_token": 1}', '{"access_token": {"xms_cc": {"values": 1}}}'])
def test_claims_of_another_shape_mark_nothing(entra: Entra, claims: str) -> None:
    token = body(post(entra, with_secret(claims=claims)))["access_token"]
    assert "xms_cc" not in jwt.decode(token, options={"verify_signature": False})


def test_verify_gives_what_was_granted(entra: Entra) -> None:
    wanted = Principal(
        TENANT,
        APP,
        roles=frozenset({MANAGE_AS_APP}),
        directory_roles=frozenset({EXCHANGE_ADMINISTRATOR}),
    )
    assert entra.verify(body(post(entra, with_secret()))["access_token"]) == wanted
    assert entra.verify(entra.issue(APP)) == wanted
    assert entra.verify(entra.issue(wanted, timedelta(seconds=5))) == wanted


AUDIENCES = [  # scope, does the token open Exchange
    (SCOPE, True),
    (f"{BASE}/.default", True),  # the sandbox itself
    (f"{EXCHANGE}//.default", True),  # a resource with a trailing slash
    ("https://graph.microsoft.com/.default", False),
    ("https://outlook.office365.us/.default", False),  # another cloud
]


@pytest.mark.parametrize(("scope", "opens"), AUDIENCES)
def test_a_token_is_for_the_resource_that_was_asked_for(entra: Entra, scope: str, opens: bool) -> None:
    token = body(post(entra, with_secret(scope=scope)))["access_token"]
    assert isinstance(entra.verify(token), Principal) is opens


def test_a_token_counts_until_its_end(clock: Clock, faults: Faults) -> None:
    entra = make(clock, faults, token_life=timedelta(seconds=3))
    token = body(post(entra, with_secret()))["access_token"]
    clock.now = NOW + timedelta(seconds=2)
    assert isinstance(entra.verify(token), Principal)
    clock.now = NOW + timedelta(seconds=3)
    assert entra.verify(token) == BadToken("The token is expired.")
    clock.now = NOW - timedelta(seconds=1)
    assert entra.verify(token) == BadToken("The token is not valid yet.")


def test_a_token_of_another_tenant_does_not_count(entra: Entra) -> None:
    foreign = Principal("99999999-2222-3333-4444-555555555555", APP)
    assert isinstance(entra.verify(entra.issue(foreign)), BadToken)


def test_a_token_signed_by_somebody_else_does_not_count(entra: Entra) -> None:
    claims = jwt.decode(entra.issue(APP), options={"verify_signature": False})
    assert isinstance(entra.verify(jwt.encode(claims, OTHER_KEY, algorithm="RS256")), BadToken)
    assert isinstance(entra.verify(jwt.encode(claims, None, algorithm="none")), BadToken)


@given(st.text())
def test_what_is_no_token_does_not_count(text: str) -> None:
    assert isinstance(SHARED.verify(text), BadToken)


@pytest.mark.parametrize("claims", [None, '{"access_token":{"nbf":{"essential":true}}}'])
def test_revoked_tokens_are_challenged_and_new_ones_count_at_once(entra: Entra, claims: str | None) -> None:
    before = entra.issue(APP)
    entra.revoke_all(claims)
    assert entra.verify(before) == BadToken("The token was revoked.", claims)
    assert isinstance(entra.verify(entra.issue(APP)), Principal)  # in the same second


# Refusals of the token endpoint

REFUSED: list[tuple[str, dict[str, str], tuple[int, str, int]]] = [
    ("wrong secret", {"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
    ("empty secret", {"client_secret": ""}, (401, "invalid_client", 7000215)),
    ("no proof", {"client_secret": "ABSENT"}, (401, "invalid_client", 7000216)),
    (
        "no proof for another grant",
        {"client_secret": "ABSENT", "grant_type": "refresh_token"},
        (401, "invalid_client", 7000218),
    ),
    ("unknown app", {"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
    ("no app", {"client_id": "ABSENT"}, (400, "unauthorized_client", 700016)),
    ("no scope", {"scope": "ABSENT"}, (400, "invalid_request", 900144)),
    ("one permission", {"scope": f"{EXCHANGE}/Exchange.Manage"}, (400, "invalid_scope", 1002012)),
    ("resource only", {"scope": EXCHANGE}, (400, "invalid_scope", 1002012)),
    ("two resources", {"scope": f"{SCOPE} https://a.example/.default"}, (400, "invalid_scope", 1002012)),
    ("unknown grant", {"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
    ("public client", {"client_id": PUBLIC}, (401, "invalid_client", 7000216)),
    (
        "assertion of an unknown type",
        {"client_secret": "ABSENT", "client_assertion": "x", "client_assertion_type": "saml"},
        (400, "invalid_request", 9002313),
    ),
    (
        "assertion that is no JWT",
        {"client_secret": "ABSENT", "client_assertion": "x", "client_assertion_type": JWT_BEARER},
        (400, "invalid_request", 9002313),
    ),
]


@pytest.mark.parametrize(("what", "changes", "wanted"), REFUSED, ids=[row[0] for row in REFUSED])
def test_the_token_endpoint_refuses(
    entra: Entra, what: str, changes: dict[str, str], wanted: tuple[int, str, int]
) -> None:
    assert code_of(post(entra, with_secret(**changes))) == wanted


def test_a_refusal_has_the_form_of_the_wire(entra: Entra) -> None:
    document = body(post(entra, with_secret(client_secret="wrong")))
    assert set(document) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    }
    tail = (
        r" Trace ID: [0-9a-f-]{36} Correlation ID: [0-9a-f-]{36} Timestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$"
    )
    assert re.search(tail, document["error_description"])
    assert document["correlation_id"] in document["error_description"]


@pytest.mark.parametrize("secret", ["right", "also right"])
def test_every_registered_secret_counts(entra: Entra, secret: str) -> None:
    assert post(entra, with_secret(client_secret=secret, client_id=APP.upper())).status == 200


SHARED = make(lambda: NOW, Faults())
