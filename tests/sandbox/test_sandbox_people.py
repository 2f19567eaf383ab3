"""People signing in at the sandbox's Entra, its faults, and its managed-identity endpoints, asked directly."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exo_auth.sandbox.entra import Entra, Registration, User
from exo_auth.sandbox.entra_tokens import object_id
from exo_auth.sandbox.faults import Fault, Faults
from exo_auth.sandbox.http_message import Request, Response
from exo_auth.sandbox.managed_identity import ManagedIdentityDoor, UserAssigned
from exo_auth.sandbox.principal import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP, Principal

TENANT = "11111111-2222-3333-4444-555555555555"
EXCHANGE = "https://outlook.office365.com"
SCOPE = f"{EXCHANGE}/.default offline_access openid profile"
APP = "aaaaaaaa-0000-4000-8000-00000000000a"
USER_ASSIGNED = "aaaaaaaa-0000-4000-8000-00000000000c"
PUBLIC = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
OTHER_PUBLIC = "a0c73c16-a7e3-4564-9a95-2bdf47383716"
ADMIN, SECOND = "admin@contoso.example", "Second@contoso.example"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BACK = "http://localhost:5000/"
SIGNING = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PERMISSION = frozenset({MANAGE_AS_APP})


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def entra(clock: Clock, faults: Faults) -> Entra:
    registrations = (
        Registration(APP, ("right",), roles=PERMISSION),
        Registration(USER_ASSIGNED, roles=PERMISSION, name="user-assigned"),
        Registration(PUBLIC, is_public=True),
        Registration(OTHER_PUBLIC, is_public=True),
    )
    users = (User(ADMIN, frozenset({EXCHANGE_ADMINISTRATOR})), User(SECOND))
    return Entra(
        TENANT,
        "contoso.onmicrosoft.com",
        "https://127.0.0.1:4443",
        registrations,
        users,
        faults,
        real_clock=clock,
        key=SIGNING,
    )


def post(entra: Entra, door: str, **form: str) -> Response:
    path = f"/organizations/oauth2/v2.0/{door}"
    response = entra.handle(Request("POST", path, {}, {}, urlencode(form).encode()))
    assert response is not None
    return response


def body(response: Response) -> dict[str, Any]:
    document = json.loads(response.body)
    assert isinstance(document, dict)
    return document


def refused(response: Response) -> tuple[str, int]:
    document = body(response)
    return document["error"], document["error_codes"][0]


def speaks_for(entra: Entra, answer: dict[str, Any]) -> Principal:
    principal = entra.verify(answer["access_token"])
    assert isinstance(principal, Principal)
    return principal


# Device codes


def device(entra: Entra, scope: str = SCOPE) -> dict[str, Any]:
    return body(post(entra, "devicecode", client_id=PUBLIC, scope=scope))


def poll(entra: Entra, code: str, client_id: str = PUBLIC) -> Response:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    return post(entra, "token", client_id=client_id, grant_type=grant, device_code=code)


def test_a_device_code_says_what_to_do(entra: Entra) -> None:
    flow = device(entra)
    assert set(flow) == {"user_code", "device_code", "verification_uri", "expires_in", "interval", "message"}
    assert flow["user_code"] in flow["message"]
    assert flow["verification_uri"] in flow["message"]


def test_a_confirmed_device_code_signs_the_person_in_once(entra: Entra, clock: Clock) -> None:
    flow = device(entra)
    assert refused(poll(entra, flow["device_code"])) == ("authorization_pending", 70016)
    entra.approve_device(flow["user_code"].lower(), SECOND.upper())
    clock.move(2)
    answer = body(poll(entra, flow["device_code"]))
    assert speaks_for(entra, answer).user_name == SECOND
    assert set(answer["scope"].split()) == {*SCOPE.split(), f"{EXCHANGE}/Exchange.Manage"}
    assert refused(poll(entra, flow["device_code"]))[0] == "expired_token"


def test_a_delegated_answer_lets_msal_keep_an_account(entra: Entra) -> None:
    flow = device(entra)
    entra.approve_device(flow["user_code"], ADMIN)
    answer = body(poll(entra, flow["device_code"]))
    access = jwt.decode(answer["access_token"], options={"verify_signature": False})
    identity = jwt.decode(answer["id_token"], options={"verify_signature": False})
    info = json.loads(base64.urlsafe_b64decode(answer["client_info"] + "=="))
    assert (access["idtyp"], access["upn"], access["scp"]) == ("user", ADMIN, "Exchange.Manage")
    assert access["wids"] == [EXCHANGE_ADMINISTRATOR]
    assert "roles" not in access
    assert (identity["aud"], identity["preferred_username"]) == (PUBLIC, ADMIN)
    assert info == {"uid": access["oid"], "utid": TENANT}
    assert identity["oid"] == access["oid"]


def test_a_device_that_polls_too_fast_is_slowed_down(entra: Entra, clock: Clock) -> None:
    code = device(entra)["device_code"]
    assert refused(poll(entra, code))[0] == "authorization_pending"
    assert refused(poll(entra, code))[0] == "slow_down"
    clock.move(2)
    assert refused(poll(entra, code))[0] == "authorization_pending"


def test_a_device_code_ends(entra: Entra, clock: Clock) -> None:
    flow = device(entra)
    entra.approve_device(flow["user_code"], ADMIN)
    clock.move(flow["expires_in"])
    assert refused(poll(entra, flow["device_code"])) == ("expired_token", 70020)


def test_a_person_can_say_no(entra: Entra) -> None:
    flow = device(entra)
    entra.decline_device(flow["user_code"])
    assert refused(poll(entra, flow["device_code"])) == ("authorization_declined", 65004)


def test_a_device_code_belongs_to_its_client(entra: Entra) -> None:
    flow = device(entra)
    entra.approve_device(flow["user_code"], ADMIN)
    assert refused(poll(entra, flow["device_code"], OTHER_PUBLIC))[0] == "expired_token"


def test_device_codes_are_refused_to_strangers(entra: Entra) -> None:
    assert refused(post(entra, "devicecode", client_id="nobody", scope=SCOPE))[1] == 700016
    assert refused(post(entra, "devicecode", client_id=PUBLIC))[1] == 900144
    code = device(entra)["user_code"]
    with pytest.raises(KeyError):
        entra.approve_device("00000000", ADMIN)
    with pytest.raises(KeyError):
        entra.approve_device(code, "nobody@contoso.example")
    with pytest.raises(KeyError):
        entra.decline_device("00000000")


def test_a_sign_in_without_a_resource_opens_no_exchange(entra: Entra) -> None:
    flow = device(entra, "openid profile")
    entra.approve_device(flow["user_code"], ADMIN)
    assert not isinstance(entra.verify(body(poll(entra, flow["device_code"]))["access_token"]), Principal)


# The browser

VERIFIER = "a" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def authorize(entra: Entra, **changes: str) -> Response:
    query = {
        "client_id": PUBLIC,
        "response_type": "code",
        "redirect_uri": BACK,
        "scope": SCOPE,
        "state": "st&te",
        "nonce": "n",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    response = entra.handle(Request("GET", "/common/oauth2/v2.0/authorize", query, {}))
    assert response is not None
    return response


def code_from(response: Response) -> str:
    assert response.status == 302
    split = urlsplit(response.headers["Location"])
    assert f"{split.scheme}://{split.netloc}{split.path}" == BACK
    answer = parse_qs(split.query)
    assert answer["state"] == ["st&te"]
    return answer["code"][0]


def redeem(entra: Entra, code: str, **changes: str) -> Response:
    form = {
        "client_id": PUBLIC,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **changes,
    }
    return post(entra, "token", **form)


def test_the_sign_in_page_agrees_at_once(entra: Entra) -> None:
    answer = body(redeem(entra, code_from(authorize(entra))))
    assert speaks_for(entra, answer).user_name == ADMIN
    assert jwt.decode(answer["id_token"], options={"verify_signature": False})["nonce"] == "n"


def test_the_sign_in_page_follows_the_hint(entra: Entra) -> None:
    answer = body(redeem(entra, code_from(authorize(entra, login_hint=SECOND.lower()))))
    assert speaks_for(entra, answer).user_name == SECOND


def test_the_sign_in_page_can_post(entra: Entra) -> None:
    page = authorize(entra, response_mode="form_post")
    text = page.body.decode()
    assert page.status == 200
    assert f'action="{BACK}"' in text
    assert 'name="state" value="st&amp;te"' in text
    code = text.split('name="code" value="')[1].split('"')[0]
    assert redeem(entra, code).status == 200


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"client_id": "nobody"}, 700016),
        ({"redirect_uri": "https://evil.example/"}, 50011),
        ({"redirect_uri": "http://localhost.evil.example/"}, 50011),
        ({"redirect_uri": ""}, 50011),
        ({"scope": ""}, 900144),
    ],
)
def test_the_sign_in_page_refuses(entra: Entra, changes: dict[str, str], number: int) -> None:
    assert refused(authorize(entra, **changes))[1] == number


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"code_verifier": "b" * 43}, 501481),
        ({"code_verifier": ""}, 501481),
        ({"redirect_uri": "http://localhost:5001/"}, 500112),
        ({"client_id": OTHER_PUBLIC}, 70008),
        ({"code": "unknown"}, 70008),
    ],
)
def test_a_code_is_refused_and_spent(entra: Entra, changes: dict[str, str], number: int) -> None:
    code = code_from(authorize(entra))
    assert refused(redeem(entra, **{"code": code, **changes})) == ("invalid_grant", number)


def test_a_code_counts_once_and_not_for_long(entra: Entra, clock: Clock) -> None:
    code = code_from(authorize(entra))
    assert redeem(entra, code).status == 200
    assert refused(redeem(entra, code))[1] == 70008
    late = code_from(authorize(entra))
    clock.move(600)
    assert refused(redeem(entra, late))[1] == 70008


def test_a_plain_challenge_is_the_verifier(entra: Entra) -> None:
    code = code_from(authorize(entra, code_challenge=VERIFIER, code_challenge_method="plain"))
    assert redeem(entra, code).status == 200


# Refresh tokens


def test_a_refresh_token_renews_for_its_client_only(entra: Entra) -> None:
    token = body(redeem(entra, code_from(authorize(entra))))["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    answer = body(post(entra, "token", client_id=PUBLIC, **form))
    assert speaks_for(entra, answer).user_name == ADMIN
    assert answer["refresh_token"] != token
    assert refused(post(entra, "token", client_id=OTHER_PUBLIC, **form)) == ("invalid_grant", 70008)
    form["refresh_token"] = "unknown"
    assert refused(post(entra, "token", client_id=PUBLIC, **form)) == ("invalid_grant", 70008)


# Faults


def by_secret(entra: Entra) -> Response:
    return post(
        entra,
        "token",
        client_id=APP,
        client_secret="right",
        grant_type="client_credentials",
        scope=f"{EXCHANGE}/.default",
    )


NUMBERS = [7000215, 7000222, 700027, 700016, 65001, 50020, 50177, 700082, 50173, 70008, 53003, 50097, 50158]
NUMBERS += [50076, 90002, 900023, 9002313, 5000224, 650051, 650052, 7000112, 90033, 90024, 50196, 70021]
NUMBERS += [700211, 700213]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_refusal_can_be_asked_for(entra: Entra, faults: Faults, number: int) -> None:
    faults.add(Fault("sign-in", value=str(number)))
    answer = by_secret(entra)
    assert answer.status in (400, 401)
    assert refused(answer)[1] == number
    assert len(body(answer)["error_description"].split(" Trace ID")[0]) > len(f"AADSTS{number}: ")
    assert by_secret(entra).status == 200  # once


def test_the_token_endpoint_misbehaves_on_request(entra: Entra, faults: Faults) -> None:
    faults.add(Fault("sign-in"))
    assert refused(by_secret(entra)) == ("invalid_client", 7000215)
    faults.add(Fault("sign-in-throttle", value="7"))
    throttled = by_secret(entra)
    assert (throttled.status, throttled.headers["Retry-After"]) == (429, "7")
    faults.add(Fault("sign-in-broken"))
    assert by_secret(entra).status == 500
    faults.add(Fault("sign-in-slow", value="0.5"))
    assert by_secret(entra).delay_seconds == 0.5
    faults.add(Fault("sign-in-malformed"))
    with pytest.raises(ValueError, match="Unterminated"):
        json.loads(by_secret(entra).body)
    assert by_secret(entra).status == 200


# Managed identity

IMDS, APP_SERVICE = "/metadata/identity/oauth2/token", "/msi/token"
RESOURCE_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/x"


@pytest.fixture
def door(entra: Entra, tmp_path: Path) -> ManagedIdentityDoor:
    other = UserAssigned(USER_ASSIGNED, "object-of-it", RESOURCE_ID)
    return ManagedIdentityDoor(entra, APP, tmp_path, "header-secret", user_assigned=(other,))


def ask(
    door: ManagedIdentityDoor, path: str = IMDS, headers: dict[str, str] | None = None, **query: str
) -> Response:
    version = {IMDS: "2018-02-01", APP_SERVICE: "2019-08-01"}[path]
    whole = {"api-version": version, "resource": EXCHANGE, **query}
    kept = {name: value for name, value in whole.items() if value != "ABSENT"}
    given = {IMDS: {"metadata": "true"}, APP_SERVICE: {"x-identity-header": "header-secret"}}[path]
    response = door.handle(Request("GET", path, kept, given if headers is None else headers))
    assert response is not None
    return response


SELECTORS = [  # selector, whose token comes
    ({}, APP),
    ({"client_id": APP}, APP),
    ({"object_id": object_id(APP)}, APP),
    ({"client_id": USER_ASSIGNED.upper()}, USER_ASSIGNED),
    ({"object_id": "object-of-it"}, USER_ASSIGNED),
    ({"mi_res_id": RESOURCE_ID}, USER_ASSIGNED),
    ({"msi_res_id": RESOURCE_ID.lower()}, USER_ASSIGNED),
]


@pytest.mark.parametrize("path", [IMDS, APP_SERVICE])
@pytest.mark.parametrize(("selector", "app_id"), SELECTORS)
def test_an_identity_is_chosen_by_any_of_its_ids(
    entra: Entra, door: ManagedIdentityDoor, path: str, selector: dict[str, str], app_id: str
) -> None:
    answer = body(ask(door, path, **selector))
    assert speaks_for(entra, answer) == Principal(TENANT, app_id, roles=PERMISSION)
    assert answer["client_id"].lower() == app_id
    assert answer["expires_in"] == "3900"
    assert answer["expires_on"] == str(int(NOW.timestamp()) + 3900)
    assert answer["resource"] == EXCHANGE


REFUSED: list[tuple[str, str, dict[str, str] | None, dict[str, str], int]] = [
    ("no metadata header", IMDS, {}, {}, 400),
    ("metadata header false", IMDS, {"metadata": "false"}, {}, 400),
    ("no version", IMDS, None, {"api-version": "ABSENT"}, 400),
    ("no resource", IMDS, None, {"resource": "ABSENT"}, 400),
    ("unknown client", IMDS, None, {"client_id": "nobody"}, 400),
    ("unknown object", IMDS, None, {"object_id": "nobody"}, 400),
    ("empty selector", IMDS, None, {"msi_res_id": ""}, 400),
    ("no identity header", APP_SERVICE, {}, {}, 401),
    ("wrong identity header", APP_SERVICE, {"x-identity-header": "wröng"}, {}, 401),
    ("old version", APP_SERVICE, None, {"api-version": "2017-09-01"}, 400),
    ("no resource", APP_SERVICE, None, {"resource": "ABSENT"}, 400),
    ("unknown client", APP_SERVICE, None, {"client_id": "nobody"}, 400),
]


@pytest.mark.parametrize(
    ("what", "path", "headers", "query", "status"), REFUSED, ids=[f"{row[1]} {row[0]}" for row in REFUSED]
)
def test_an_identity_endpoint_refuses(
    door: ManagedIdentityDoor,
    what: str,
    path: str,
    headers: dict[str, str] | None,
    query: dict[str, str],
    status: int,
) -> None:
    answer = ask(door, path, headers, **query)
    assert answer.status == status
    assert "access_token" not in body(answer)


def test_a_token_for_another_resource_opens_no_exchange(entra: Entra, door: ManagedIdentityDoor) -> None:
    graph = body(ask(door, resource="https://graph.microsoft.com"))
    assert not isinstance(entra.verify(graph["access_token"]), Principal)
    slash = body(ask(door, resource=f"{EXCHANGE}/"))
    assert isinstance(entra.verify(slash["access_token"]), Principal)


def test_azure_arc_wants_what_only_a_reader_of_the_file_knows(
    entra: Entra, door: ManagedIdentityDoor, tmp_path: Path
) -> None:
    arc = {"api-version": "2020-06-01"}
    challenge = ask(door, IMDS, **arc)
    assert challenge.status == 401
    file = Path(challenge.headers["WWW-Authenticate"].removeprefix("Basic realm="))
    assert file.parent == tmp_path
    assert file.suffix == ".key"
    assert file.stat().st_mode & 0o077 == 0
    answer = {"metadata": "true", "authorization": f"Basic {file.read_text()}"}
    assert ask(door, IMDS, {**answer, "authorization": "Basic wrong"}, **arc).status == 401
    assert speaks_for(entra, body(ask(door, IMDS, answer, **arc))).app_id == APP
    assert not file.exists()
    assert ask(door, IMDS, answer, **arc).status == 401  # once


def test_other_paths_and_methods_are_left_to_other_doors(door: ManagedIdentityDoor) -> None:
    assert door.handle(Request("GET", "/metadata/instance", {}, {})) is None
    assert door.handle(Request("POST", IMDS, {}, {"metadata": "true"})) is None
