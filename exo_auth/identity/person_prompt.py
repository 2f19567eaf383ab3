"""Asks a person to sign in: with a code for another browser, or in the browser here (identity)."""

from __future__ import annotations

import time
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msal.oauth2cli.oauth2 import BrowserInteractionTimeoutError

from exo_auth.errors import SignInError
from exo_auth.identity.credential import DeviceCode, Interactive
from exo_auth.identity.sign_in_errors import Asker, refused, shown

BROWSER_TIMEOUT = 300  # seconds; MSAL by itself waits for ever
_SLOWER = 5  # seconds more between questions after slow_down (RFC 8628 §3.5)
_POLL_FLOOR, _POLL_CEILING = 1, 60  # seconds


@dataclass(frozen=True)
class Waiting:
    """How time passes and how a browser opens; a test passes its own."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    browse: Callable[[str], bool] = webbrowser.open
    browser_timeout: float = BROWSER_TIMEOUT  # seconds


def ask_person(
    app: Any,
    credential: DeviceCode | Interactive,
    asker: Asker,
    scope: str,
    *,
    prompt: Callable[[str], None],
    waiting: Waiting,
    claims_challenge: str | None = None,
) -> Mapping[str, Any]:
    """Let the person sign in and give MSAL's answer; `app` is a PublicClientApplication."""
    if isinstance(credential, DeviceCode):
        return _by_device_code(app, asker, scope, prompt, waiting, claims_challenge)
    return _by_browser(app, credential, scope, prompt, waiting, claims_challenge)


def _by_device_code(
    app: Any,
    asker: Asker,
    scope: str,
    prompt: Callable[[str], None],
    waiting: Waiting,
    claims_challenge: str | None,
) -> Mapping[str, Any]:
    flow = app.initiate_device_flow([scope], claims_challenge=claims_challenge)
    if "user_code" not in flow or "device_code" not in flow:
        raise refused(flow, asker)
    prompt(shown(str(flow.get("message") or _message(flow)), asker))
    ends = waiting.monotonic() + _seconds(flow.get("expires_in"), 900)
    interval = _between(_seconds(flow.get("interval"), _SLOWER))
    flow["interval"] = _SLOWER  # with 0, MSAL would never come back from its own loop
    while True:
        # One question at a time: MSAL's own loop neither slows down when told to nor takes our clock.
        answer: Mapping[str, Any] = app.acquire_token_by_device_flow(
            flow, claims_challenge=claims_challenge, exit_condition=lambda _flow: True
        )
        error = answer.get("error")
        if error not in ("authorization_pending", "slow_down"):
            return answer
        if error == "slow_down":
            interval = _between(interval + _SLOWER)
        if waiting.monotonic() + interval >= ends:
            return {"error": "expired_token"}
        waiting.sleep(interval)


def _by_browser(
    app: Any,
    credential: Interactive,
    scope: str,
    prompt: Callable[[str], None],
    waiting: Waiting,
    claims_challenge: str | None,
) -> Mapping[str, Any]:
    def show(url: str) -> None:
        try:
            is_open = waiting.browse(url)
        except webbrowser.Error:
            is_open = False
        where = "in the browser window that has just opened" if is_open else f"here: {url}"
        prompt(f"Sign in {where}")

    try:
        answer: Mapping[str, Any] = app.acquire_token_interactive(
            [scope],
            login_hint=credential.login_hint,
            timeout=waiting.browser_timeout,
            claims_challenge=claims_challenge,
            prompt=None if credential.login_hint else "select_account",
            auth_uri_callback=show,
        )
    except BrowserInteractionTimeoutError:
        raise SignInError(
            f"nobody finished the sign-in within {waiting.browser_timeout:g} s",
            code="authorization_pending",
            hint="start it again; on a machine without a browser use the method device-code",
        ) from None
    return answer


def _message(flow: Mapping[str, Any]) -> str:
    where = (
        flow.get("verification_uri") or flow.get("verification_url") or "https://microsoft.com/devicelogin"
    )
    return f"To sign in, open {where} and enter the code {flow['user_code']}"


def _seconds(value: object, otherwise: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value > 0 else otherwise  # type: ignore[arg-type, operator]


def _between(interval: float) -> float:
    return min(max(interval, _POLL_FLOOR), _POLL_CEILING)
