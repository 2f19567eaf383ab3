"""A person signs in with a code or in a browser; the stored sign-in carries later runs."""

from __future__ import annotations

import threading
import urllib.parse
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from token_server import DOMAIN, PERSON, TENANT, FakeTime, Reply, TokenServer, entra_error

from exo_auth.cloud import Cloud
from exo_auth.errors import SignInError
from exo_auth.identity.credential import DEFAULT_PUBLIC_CLIENT, DeviceCode, Interactive
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.person_prompt import Waiting
from exo_auth.identity.sign_in import login, logout, status
from exo_auth.identity.token_cache import open_cache
from exo_auth.identity.token_source import token_place, token_source

PENDING = Reply(400, {"error": "authorization_pending"})
SLOW_DOWN = Reply(400, {"error": "slow_down"})
pytestmark = pytest.mark.filterwarnings("ignore:Attempted too soon")  # our sleep takes no time


class Desk:
    """A person's desk: what was prompted, the time that passed, a browser that agrees at once."""

    def __init__(self, entra: TokenServer, cloud: Cloud, http: SignInSession, cache: Any = None) -> None:
        self.entra, self.cloud, self.http, self.cache = entra, cloud, http, cache or msal.TokenCache()
        self.said: list[str] = []
        self.time = FakeTime()
        self.opened: list[str] = []
        self.has_browser = True
        self.nonce = ""
        self.answers = {"code": "the-code"}

    def source(self, credential: Any, tenant: str = TENANT) -> Any:
        waiting = Waiting(self.time.sleep, self.time.monotonic, self.browse, browser_timeout=5)
        return token_source(
            credential,
            self.cloud,
            tenant,
            cache=self.cache,
            http=self.http,
            environment={},
            prompt=self.said.append,
            waiting=waiting,
        )

    def browse(self, url: str) -> bool:
        self.opened.append(url)
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        if "state" in asked:
            self.entra.nonce = self.nonce or asked["nonce"]
            form = {**self.answers, "state": asked["state"]}
            threading.Thread(target=_post, args=(asked["redirect_uri"], form)).start()
        return self.has_browser


def _post(url: str, form: dict[str, str]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.post(url, data=form, timeout=5)


@pytest.fixture
def desk(entra: TokenServer, cloud: Cloud, http: SignInSession) -> Desk:
    return Desk(entra, cloud, http)


def test_a_code_is_shown_and_polled_until_the_person_is_done(entra: TokenServer, desk: Desk) -> None:
    source = desk.source(DeviceCode())
    entra.script.extend([Reply(200, entra_device()), PENDING, PENDING])
    token = source.token()
    assert (token.user_name, token.is_app_only, token.scopes) == (PERSON, False, ("Exchange.Manage",))
    assert desk.said == ["open the page and enter ABCD1234"]
    assert desk.time.slept == [5, 5]
    polls = entra.tokens_asked()
    assert {one.form["device_code"] for one in polls} == {"device-code"}
    assert {one.form["client_id"] for one in polls} == {DEFAULT_PUBLIC_CLIENT}


def entra_device(**more: Any) -> dict[str, Any]:
    about = {"user_code": "ABCD1234", "device_code": "device-code", "interval": 5, "expires_in": 900}
    return about | {"message": "open the page and enter ABCD1234"} | more


def test_slow_down_is_obeyed(entra: TokenServer, desk: Desk) -> None:
    entra.script.extend([Reply(200, entra_device()), PENDING, SLOW_DOWN, PENDING])
    desk.source(DeviceCode()).token()
    assert desk.time.slept == [5, 10, 10]


@pytest.mark.parametrize("interval", [0, -5, "2", 1000], ids=str)
def test_an_odd_interval_neither_hammers_nor_stalls(entra: TokenServer, desk: Desk, interval: Any) -> None:
    entra.script.extend([Reply(200, entra_device(interval=interval)), PENDING])
    desk.source(DeviceCode()).token()
    assert all(1 <= seconds <= 60 for seconds in desk.time.slept)


def test_a_code_that_nobody_uses_expires(entra: TokenServer, desk: Desk) -> None:
    entra.script.append(Reply(200, entra_device(expires_in=12)))
    entra.script.extend([PENDING] * 10)
    with pytest.raises(SignInError, match="expired") as caught:
        desk.source(DeviceCode()).token()
    assert caught.value.code == "expired_token"
    assert len(entra.tokens_asked()) == 3  # at 0, 5 and 10 s


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ({"error": "authorization_declined"}, "declined"),
        ({"error": "expired_token"}, "expired"),
        (entra_error(53003, "access_denied"), "Conditional Access"),
    ],
)
def test_a_refusal_while_polling_is_told(
    entra: TokenServer, desk: Desk, error: dict[str, Any], part: str
) -> None:
    entra.script.extend([Reply(200, entra_device()), Reply(400, error)])
    with pytest.raises(SignInError, match=part):
        desk.source(DeviceCode()).token()


@pytest.mark.parametrize("document", [entra_error(7000112), {}, {"user_code": "only"}, ["x"]], ids=str)
def test_no_code_no_sign_in(entra: TokenServer, desk: Desk, document: Any) -> None:
    entra.script.append(Reply(400, document))
    with pytest.raises(SignInError):
        desk.source(DeviceCode()).token()
    assert desk.said == []


def test_a_foreign_message_cannot_steer_the_terminal(entra: TokenServer, desk: Desk) -> None:
    entra.script.append(Reply(200, entra_device(message="code\x1b[2J\nrun rm")))
    desk.source(DeviceCode()).token()
    assert desk.said == ["code [2J run rm"]


def test_later_tokens_are_silent_and_renew_uses_the_refresh_token(entra: TokenServer, desk: Desk) -> None:
    source = desk.source(DeviceCode())
    first = source.token()
    assert source.token().text == first.text
    assert source.token(renew=True).text != first.text
    assert entra.tokens_asked()[-1].form["refresh_token"] == f"refresh-of-{PERSON}"
    assert len(desk.said) == 1


def test_a_challenge_is_answered_with_the_capability(entra: TokenServer, desk: Desk) -> None:
    source = desk.source(DeviceCode())
    source.token()
    source.token('{"access_token":{"nbf":{"essential":true,"value":"1"}}}')
    claims = entra.tokens_asked()[-1].form["claims"]
    assert "CP1" in claims
    assert "nbf" in claims


def test_a_refresh_token_that_is_gone_asks_the_person_again(entra: TokenServer, desk: Desk) -> None:
    source = desk.source(DeviceCode())
    source.token()
    entra.script.append(Reply(400, entra_error(700082, "invalid_grant")))
    source.token(renew=True)
    assert len(desk.said) == 2


def test_the_browser_way_with_a_hint(entra: TokenServer, desk: Desk) -> None:
    token = desk.source(Interactive(login_hint=PERSON), DOMAIN).token()
    assert token.user_name == PERSON
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(desk.opened[0]).query))
    assert (asked["login_hint"], asked["code_challenge_method"]) == (PERSON, "S256")
    assert asked["redirect_uri"].startswith("http://localhost:")
    assert "https://outlook.office365.com/.default" in asked["scope"]
    assert entra.tokens_asked()[0].form["code"] == "the-code"
    assert "browser window" in desk.said[0]


def test_without_a_browser_the_address_is_shown(entra: TokenServer, desk: Desk) -> None:
    desk.has_browser = False
    desk.source(Interactive(login_hint=PERSON)).token()
    assert f"{entra.url}/{TENANT}/oauth2/v2.0/authorize" in desk.said[0]


def test_a_browser_that_brings_an_error_is_told(entra: TokenServer, desk: Desk) -> None:
    desk.answers = {"error": "access_denied", "error_description": "AADSTS65004: User declined."}
    with pytest.raises(SignInError):
        desk.source(Interactive()).token()
    assert entra.tokens_asked() == []


def test_a_browser_nobody_uses_does_not_wait_for_ever(desk: Desk) -> None:
    waiting = Waiting(browse=lambda _url: True, browser_timeout=0.1)
    place = token_place(desk.cloud, TENANT, http=desk.http)
    with pytest.raises(SignInError, match="nobody finished") as caught:
        login(Interactive(), place, desk.said.append, waiting)
    assert "device-code" in str(caught.value.hint)


def test_an_answer_for_another_sign_in_is_refused(desk: Desk) -> None:
    desk.nonce = "of another sign-in"
    with pytest.raises(SignInError) as caught:
        desk.source(Interactive()).token()
    assert caught.value.code == "not_understood"


def test_several_people_are_not_guessed_between(entra: TokenServer, desk: Desk) -> None:
    form = {"client_id": DEFAULT_PUBLIC_CLIENT, "scope": "x"}
    for name in ("one@contoso.com", "two@contoso.com"):
        entra.script.extend([Reply(200, entra_device()), Reply(200, entra.person_answer(form, name))])
        place = token_place(desk.cloud, TENANT, cache=desk.cache, http=desk.http)
        assert login(DeviceCode(), place, desk.said.append).user_name == name
    with pytest.raises(SignInError, match=r"one@contoso\.com, two@contoso\.com"):
        desk.source(DeviceCode()).token()
    entra.asked.clear()
    named = desk.source(Interactive(login_hint="two@contoso.com")).token()
    assert (named.user_name, entra.tokens_asked()) == ("two@contoso.com", [])


def test_a_stored_sign_in_outlives_the_process_until_logout(
    entra: TokenServer, cloud: Cloud, http: SignInSession, tmp_path: Path
) -> None:
    def desk() -> Desk:
        cache, _ = open_cache(tmp_path / "tokens", plaintext=True)
        return Desk(entra, cloud, http, cache)

    first = desk().source(DeviceCode()).token()
    second = desk()
    assert second.source(DeviceCode()).token().text == first.text
    assert second.said == []
    assert [person.user_name for person in status(desk().cache)] == [PERSON]
    assert [person.user_name for person in logout(desk().cache)] == [PERSON]
    assert status(desk().cache) == logout(desk().cache) == ()
    assert first.text.reveal() not in (tmp_path / "tokens").read_text()
    assert "refresh-of" not in (tmp_path / "tokens").read_text()
    third = desk()
    third.source(DeviceCode()).token()
    assert len(third.said) == 1
