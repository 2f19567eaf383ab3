"""`Entra`: discovery, tokens, device codes and the sign-in page of the sandbox (sandbox)."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from exo_auth.sandbox.entra_clients import ClientCheck, FederatedCredential, Registration
from exo_auth.sandbox.entra_errors import pending, refusal
from exo_auth.sandbox.entra_tokens import EXCHANGE, TokenMint
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response, json_response
from exo_auth.sandbox.principal import BadToken, Principal

__all__ = ["Entra", "FederatedCredential", "Registration", "User"]

DEVICE_CODE_LIFE = timedelta(minutes=15)
CODE_LIFE = timedelta(minutes=10)  # of an authorization code
POLL_SECONDS = 1
ANY_TENANT = ("common", "organizations")
GRAPH = "00000003-0000-0000-c000-000000000000"  # what a token is for when no resource is named
OIDC_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})


@dataclass(frozen=True)
class User:
    """A person of the tenant, with what was granted."""

    name: str  # UPN
    directory_roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset({"Exchange.Manage"})


@dataclass
class _Device:
    """A device code and what became of it."""

    client_id: str
    scope: str
    expires_at: datetime
    user_code: str
    user: User | None = None
    declined: bool = False
    polled_at: datetime | None = None


@dataclass(frozen=True)
class _Grant:
    """What an authorization code or a refresh token stands for."""

    user: User
    client_id: str
    scope: str
    nonce: str = ""


@dataclass(frozen=True)
class _Code:
    """An authorization code: its grant, and what its redeemer has to match."""

    grant: _Grant
    redirect_uri: str
    expires_at: datetime
    challenge: str = ""  # of PKCE
    is_plain: bool = False  # the challenge is the verifier itself


class Entra:
    """Answers Entra's paths. It runs on the real clock, as MSAL does."""

    def __init__(
        self,
        tenant_id: str,
        initial_domain: str,
        base_url: str,
        registrations: tuple[Registration, ...],
        users: tuple[User, ...],
        faults: Faults,
        *,
        token_life: timedelta = timedelta(minutes=65),
        real_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        key: rsa.RSAPrivateKey | None = None,
        assertions_once: bool = True,
    ) -> None:
        self.tenant_id = tenant_id
        self.token_life = token_life
        self._initial_domain = initial_domain.lower()
        self._base_url = base_url
        self._clients = {registration.app_id.lower(): registration for registration in registrations}
        self._users = users
        self._faults = faults
        self.clock = real_clock
        self._lock = threading.Lock()
        self._devices: dict[str, _Device] = {}
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Grant] = {}
        signing = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._mint = TokenMint(tenant_id, base_url, real_clock, signing)
        endpoints = [
            f"{base_url}/{name}/oauth2/v2.0/token" for name in (tenant_id, initial_domain, *ANY_TENANT)
        ]
        self._check = ClientCheck(
            real_clock, (*endpoints, self._mint.issuer), assertions_once=assertions_once
        )

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None when the path belongs to another door."""
        path = request.path.strip("/")
        lower = path.lower()
        if lower == "common/discovery/instance":
            return self._instance(request)
        tenant, _, rest = lower.partition("/")
        if rest == "v2.0/.well-known/openid-configuration":
            return self._openid(tenant)
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            slow = self._faults.take("sign-in-slow")
            given = self._token(tenant, request)
            return replace(given, delay_seconds=float(slow.value or 5)) if slow else given
        if lower == "devicelogin" and request.method == "GET":
            return self._device_page(request.query)
        answers: dict[tuple[str, str], Callable[[], Response]] = {
            ("GET", "discovery/v2.0/keys"): lambda: json_response(200, self._mint.jwks()),
            ("POST", "oauth2/v2.0/devicecode"): lambda: self._device_code(request.form()),
            ("GET", "oauth2/v2.0/authorize"): lambda: self._authorize(request.query),
        }
        answer = answers.get((request.method, rest))
        if answer is None:
            return None
        return answer() if self._is_known(tenant) else refusal(90002, status=400)

    def _device_page(self, query: Mapping[str, str]) -> Response:
        """The page a person opens to enter a device code; whoever enters it is the first user, and agrees."""
        code = query.get("code", "").strip().upper()
        text = '<form>Code <input name="code" autofocus> <button>Sign in</button></form>'
        if code:
            try:
                self.approve_device(code, self._users[0].name)
                text = f"Signed in as {self._users[0].name}. You may close this page."
            except KeyError:
                text = f"There is no such code.{text}"
        page = f"<!doctype html><title>Sandbox sign-in</title><main>{text}</main>"
        return Response(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode())

    def verify(self, bearer: str) -> Principal | BadToken:
        """Say who an access token speaks for, or why it does not count."""
        return self._mint.verify(bearer)

    def issue(self, who: str | Principal, life: timedelta | None = None, *, audience: str = EXCHANGE) -> str:
        """Give an access token of an application, by its id, or of anybody, without asking for any proof."""
        client = self._clients[who.lower()] if isinstance(who, str) else None
        principal = who if isinstance(who, Principal) else self._app(self._clients[who.lower()])
        return self._mint.issue(
            principal,
            audience=audience.rstrip("/"),
            life=self.token_life if life is None else life,
            app_name=client.name if client else "",
        )

    def approve_device(self, user_code: str, user_name: str) -> None:
        """Let the person with that name confirm a device code; raises KeyError for an unknown name or code."""
        user = self._user(user_name)
        if user is None:
            raise KeyError(user_name)
        with self._lock:
            self._device(user_code).user = user

    def decline_device(self, user_code: str) -> None:
        """Let the person refuse; raises KeyError for an unknown code."""
        with self._lock:
            self._device(user_code).declined = True

    def revoke_all(self, claims: str | None = None) -> None:
        """Refuse every token issued so far, with a challenge for these claims; later ones count."""
        self._mint.revoke(claims)

    def federate(self, app_id: str, credential: FederatedCredential) -> None:
        """Let an application accept somebody's assertions."""
        client = self._clients[app_id.lower()]
        self._clients[app_id.lower()] = replace(client, federated=(*client.federated, credential))

    # Discovery

    def _is_known(self, tenant: str) -> bool:
        return tenant in (self.tenant_id.lower(), self._initial_domain, *ANY_TENANT)

    def _instance(self, request: Request) -> Response:
        host = request.headers.get("host", "127.0.0.1")
        return json_response(
            200,
            {
                "tenant_discovery_endpoint": f"{self._base_url}/{self.tenant_id}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
        )

    def _openid(self, tenant: str) -> Response:
        if not self._is_known(tenant):
            return refusal(90002, word="invalid_tenant", status=400)
        base = f"{self._base_url}/{self.tenant_id}"
        return json_response(
            200,
            {
                "issuer": self._mint.issuer,
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token"],
                "response_modes_supported": ["query", "form_post"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "tenant_region_scope": "EU",
            },
        )

    # Tokens

    def _token(self, tenant: str, request: Request) -> Response:
        faulty = self._fault()
        if faulty is not None:
            return faulty
        if not self._is_known(tenant):
            return refusal(90002, status=400)
        form = request.form()
        client = self._clients.get(form.get("client_id", "").lower())
        if client is None:
            return refusal(700016, status=400)
        if _asked_claims(form) is None:
            return refusal(9002313, more=" The claims are no JSON object.")
        if not client.is_public:
            refused = self._check.refuse(client, form)
            if refused is not None:
                return refused
        grant = form.get("grant_type", "")
        answers: dict[str, Callable[[Registration, Mapping[str, str]], Response]] = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refreshed,
            "authorization_code": self._code_redeemed,
            "device_code": self._device_polled,
            "urn:ietf:params:oauth:grant-type:device_code": self._device_polled,
        }
        if grant not in answers:
            return refusal(70003, more=f" The app sent '{grant}'.")
        return answers[grant](client, form)

    def _fault(self) -> Response | None:
        if fault := self._faults.take("sign-in"):
            return refusal(int(fault.value or 7000215))
        if fault := self._faults.take("sign-in-throttle"):
            return Response(429, {"Retry-After": fault.value or "5"})
        if self._faults.take("sign-in-broken"):
            return Response(500, {"Content-Type": "text/html"}, b"<html>500</html>")
        if self._faults.take("sign-in-malformed"):
            return Response(200, {"Content-Type": "application/json"}, b'{"token_type": "Bea')
        return None

    def _client_credentials(self, client: Registration, form: Mapping[str, str]) -> Response:
        if client.is_public:
            return refusal(7000216)
        scope = form.get("scope", "")
        if not scope.strip():
            return refusal(900144)
        if len(scope.split()) != 1 or not scope.strip().endswith("/.default"):
            return refusal(1002012)
        token = self._mint.issue(
            self._app(client),
            audience=_resource(scope),
            life=self.token_life,
            app_name=client.name,
            capabilities=_capabilities(form),
        )
        seconds = int(self.token_life.total_seconds())
        return json_response(
            200,
            {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token},
        )

    def _app(self, client: Registration) -> Principal:
        return Principal(
            self.tenant_id, client.app_id, roles=client.roles, directory_roles=client.directory_roles
        )

    def _delegated(self, grant: _Grant, form: Mapping[str, str]) -> Response:
        user, scope = grant.user, form.get("scope") or grant.scope
        audience, client = _resource(scope), self._clients[grant.client_id.lower()]
        principal = Principal(
            self.tenant_id,
            grant.client_id,
            user_name=user.name,
            scopes=user.scopes,
            directory_roles=user.directory_roles,
        )
        refresh = secrets.token_urlsafe(24)
        with self._lock:
            self._refresh[refresh] = replace(grant, scope=scope, nonce="")
        seconds = int(self.token_life.total_seconds())
        return json_response(
            200,
            {
                "token_type": "Bearer",
                "scope": _granted(scope, audience, user.scopes),
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": self._mint.issue(
                    principal,
                    audience=audience,
                    life=self.token_life,
                    app_name=client.name,
                    capabilities=_capabilities(form),
                ),
                "refresh_token": refresh,
                "id_token": self._mint.id_token(principal, life=self.token_life, nonce=grant.nonce or None),
                "client_info": self._mint.client_info(principal),
            },
        )

    def _refreshed(self, client: Registration, form: Mapping[str, str]) -> Response:
        with self._lock:
            grant = self._refresh.get(form.get("refresh_token", ""))
        if grant is None or grant.client_id != client.app_id:
            return refusal(70008, status=400)
        return self._delegated(grant, form)

    # Device code

    def _device(self, user_code: str) -> _Device:
        for device in self._devices.values():
            if device.user_code == user_code.strip().upper():
                return device
        raise KeyError(user_code)

    def _user(self, name: str) -> User | None:
        return next((user for user in self._users if user.name.lower() == name.lower()), None)

    def _device_code(self, form: Mapping[str, str]) -> Response:
        client = self._clients.get(form.get("client_id", "").lower())
        if client is None:
            return refusal(700016, status=400)
        if not form.get("scope", "").strip():
            return refusal(900144)
        code, user_code = secrets.token_urlsafe(24), secrets.token_hex(4).upper()
        device = _Device(
            client.app_id,
            form["scope"],
            self.clock() + DEVICE_CODE_LIFE,
            user_code,
        )
        with self._lock:
            self._devices[code] = device
        page = f"{self._base_url}/devicelogin"
        return json_response(
            200,
            {
                "user_code": user_code,
                "device_code": code,
                "verification_uri": page,
                "expires_in": int(DEVICE_CODE_LIFE.total_seconds()),
                "interval": POLL_SECONDS,
                "message": f"To sign in, use a web browser to open the page {page} and enter the code {user_code}.",
            },
        )

    def _device_polled(self, client: Registration, form: Mapping[str, str]) -> Response:
        now = self.clock()
        with self._lock:
            device = self._devices.get(form.get("device_code", ""))
            if device is None or device.client_id != client.app_id or now >= device.expires_at:
                return pending("expired_token")
            if device.declined:
                return pending("authorization_declined")
            if device.user is None:
                too_soon = device.polled_at is not None and now - device.polled_at < timedelta(
                    seconds=POLL_SECONDS / 2
                )
                device.polled_at = now
                return pending("slow_down" if too_soon else "authorization_pending")
            del self._devices[form["device_code"]]
        return self._delegated(_Grant(device.user, device.client_id, device.scope), form)

    # Browser

    def _authorize(self, query: Mapping[str, str]) -> Response:
        """A sign-in page on which the person agrees at once: the one hinted at, else the first."""
        client = self._clients.get(query.get("client_id", "").lower())
        back = query.get("redirect_uri", "")
        if client is None:
            return refusal(700016, status=400)
        split = urlsplit(back)
        if split.scheme != "http" or split.hostname not in ("localhost", "127.0.0.1"):
            return refusal(50011)
        if not query.get("scope", "").strip():
            return refusal(900144)
        user = self._user(query.get("login_hint", "")) or self._users[0]
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = _Code(
                _Grant(user, client.app_id, query["scope"], query.get("nonce", "")),
                back,
                self.clock() + CODE_LIFE,
                query.get("code_challenge", ""),
                is_plain=query.get("code_challenge_method", "plain") == "plain",  # RFC 7636 §4.3
            )
        answer = {"code": code, "state": query.get("state", "")}
        if query.get("response_mode") == "form_post":
            return _posting_page(back, answer)
        return Response(302, {"Location": f"{back}{'&' if split.query else '?'}{urlencode(answer)}"})

    def _code_redeemed(self, client: Registration, form: Mapping[str, str]) -> Response:
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.grant.client_id != client.app_id or self.clock() >= code.expires_at:
            return refusal(70008, status=400)
        if form.get("redirect_uri", "") != code.redirect_uri:
            return refusal(500112)
        verifier = form.get("code_verifier", "")
        if code.challenge and (verifier if code.is_plain else _challenge(verifier)) != code.challenge:
            return refusal(501481)
        return self._delegated(code.grant, form)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()  # RFC 7636 §4.2
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _posting_page(target: str, fields: Mapping[str, str]) -> Response:
    """A page that posts the fields by itself (OAuth 2.0 Form Post Response Mode)."""
    inputs = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}"/>'
        for name, value in fields.items()
    )
    page = (
        '<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" '
        f'action="{html.escape(target)}">{inputs}<noscript><input type="submit" value="Continue"/></noscript></form>'
        "<script>window.setTimeout('document.forms[0].submit()', 0);</script></body></html>"
    )
    return Response(200, {"Content-Type": "text/html; charset=utf-8"}, page.encode())


def _resource(scope: str) -> str:
    """Give the resource that a scope is about; a trailing slash of it does not count."""
    for word in scope.split():
        if word not in OIDC_SCOPES and "/" in word:
            return word.rpartition("/")[0].rstrip("/")
    return GRAPH


def _granted(scope: str, resource: str, permissions: frozenset[str]) -> str:
    """Name what was granted, the way the token endpoint does: what was asked for, and each permission in full."""
    return " ".join(sorted({*scope.split(), *(f"{resource}/{name}" for name in permissions)}))


def _asked_claims(form: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the `claims` parameter; None when it cannot be read."""
    try:
        claims = json.loads(form.get("claims") or "{}")
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _capabilities(form: Mapping[str, str]) -> tuple[str, ...]:
    """Give what the client says it can do, as `cp1` for claims challenges."""
    token = (_asked_claims(form) or {}).get("access_token")
    wish = token.get("xms_cc") if isinstance(token, dict) else None
    values = wish.get("values") if isinstance(wish, dict) else None
    return tuple(str(value).lower() for value in values) if isinstance(values, list) else ()
