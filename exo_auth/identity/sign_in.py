"""Tokens for a person; signing in, signing out, and who is signed in (identity)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import msal

from exo_auth.errors import SignInError
from exo_auth.identity.access_token import AccessToken
from exo_auth.identity.credential import DeviceCode, Interactive
from exo_auth.identity.person_prompt import Waiting, ask_person
from exo_auth.identity.sign_in_errors import is_transient
from exo_auth.identity.sign_in_failures import told
from exo_auth.identity.stored_people import Person, forget_people, stored_people
from exo_auth.identity.token_place import TokenPlace

# RFC 6749 §5.2 and OpenID Connect Core §3.1.2.6: only the person can help
_NEEDS_PERSON = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})


class PersonTokens:
    """Asks Entra for a person: silently while the stored sign-in holds, else through the prompt."""

    def __init__(
        self,
        credential: DeviceCode | Interactive,
        place: TokenPlace,
        prompt: Callable[[str], None],
        waiting: Waiting | None = None,
    ) -> None:
        self._credential = credential
        self._place = place
        self._prompt = prompt
        self._waiting = waiting or Waiting()
        self._asker = place.asker(credential.client_id)
        self._user = credential.login_hint if isinstance(credential, Interactive) else None
        self._lock = threading.Lock()
        self._app: Any = None

    def token(self, claims_challenge: str | None = None, *, renew: bool = False) -> AccessToken:
        """Give a token; `renew` and a challenge go past the cache; raises SignInError."""
        return self._guarded(lambda: self._silently(claims_challenge, renew=renew), claims_challenge)

    def login(self) -> AccessToken:
        """Ask the person now, whatever is stored; raises SignInError."""
        return self._guarded(lambda: None, None)

    def _guarded(
        self, silently: Callable[[], Mapping[str, Any] | None], claims_challenge: str | None
    ) -> AccessToken:
        with self._lock:
            try:
                with told(self._asker):
                    self._app = self._app or self._application()
                    answer = silently() or self._ask(claims_challenge)
                    return self._place.accept(answer, self._asker, self._app.authority.tenant)
            except SignInError as error:
                if not is_transient(error):
                    self._app = None  # MSAL repeats a stored refusal for a minute
                raise

    def _silently(self, claims_challenge: str | None, *, renew: bool) -> Mapping[str, Any] | None:
        account = self._account()
        if account is None:
            return None
        answer: Mapping[str, Any] | None = self._app.acquire_token_silent_with_error(
            [self._place.cloud.scope], account, force_refresh=renew, claims_challenge=claims_challenge
        )
        return None if answer and answer.get("error") in _NEEDS_PERSON else answer

    def _ask(self, claims_challenge: str | None) -> Mapping[str, Any]:
        answer = ask_person(
            self._app,
            self._credential,
            self._asker,
            self._place.cloud.scope,
            prompt=self._prompt,
            waiting=self._waiting,
            claims_challenge=claims_challenge,
        )
        claims = answer.get("id_token_claims")
        if isinstance(claims, Mapping):
            self._user = claims.get("preferred_username") or self._user
        return answer

    def _account(self) -> Any:
        accounts = self._app.get_accounts(username=self._user)
        here = [one for one in accounts if one.get("realm") == self._app.authority.tenant] or accounts
        if len(here) > 1:
            names = ", ".join(sorted(str(one.get("username")) for one in here))
            raise SignInError(
                f"several people are signed in: {names}",
                code="several_accounts",
                hint="name one (auth.user), or sign out and in again: exo-auth auth logout",
            )
        return here[0] if here else None

    def _application(self) -> Any:
        return msal.PublicClientApplication(
            self._credential.client_id,
            authority=self._place.authority,
            instance_discovery=None if self._place.cloud.instance_discovery else False,
            token_cache=self._place.cache,
            http_client=self._place.http,
            client_capabilities=["CP1"],  # this client answers claims challenges
        )


def login(
    credential: DeviceCode | Interactive,
    place: TokenPlace,
    prompt: Callable[[str], None],
    waiting: Waiting | None = None,
) -> AccessToken:
    """Sign a person in and store that in the place's cache; raises SignInError."""
    return PersonTokens(credential, place, prompt, waiting).login()


def logout(cache: Any) -> tuple[Person, ...]:
    """Forget every person's stored sign-in and name them; Entra itself is not told."""
    return forget_people(cache)


def status(cache: Any) -> tuple[Person, ...]:
    """Name the people whose sign-in is stored, without the network."""
    return stored_people(cache)
