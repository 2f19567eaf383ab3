"""`Entra`: discovery, tokens, device codes and the sign-in page of the sandbox (sandbox)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric import rsa

from exo_auth.sandbox.entra_clients import ClientCheck, FederatedCredential, Registration
from exo_auth.sandbox.entra_errors import pending, refusal
from exo_auth.sandbox.entra_tokens import EXCHANGE, TokenMint
from exo_auth.sandbox.faults import Faults
from exo_auth.sandbox.http_message import Request, Response, json_response
from exo_auth.sandbox.principal import BadToken, Principal

__all__ = ["Entra", "FederatedCredential", "Registration", "User"]

DEVICE_CODE_LIFE = timedelta(minutes=15)
POLL_SECONDS = 1
ANY_TENANT = ("common", "organizations")


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
    audience: str
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
    challenge: str = ""  # of PKCE
    nonce: str = ""


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
    ) -> None:
        self.tenant_id = tenant_id
        self.token_life = token_life
        self._initial_domain = initial_domain.lower()
        self._base_url = base_url
        self._clients = {registration.app_id.lower(): registration for registration in registrations}
        self._users = users
        self._faults = faults
        self._clock = real_clock
        self._lock = threading.Lock()
        self._devices: dict[str, _Device] = {}
        self._codes: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}
        signing = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._mint = TokenMint(tenant_id, base_url, real_clock, signing)
        endpoints = [
            f"{base_url}/{name}/oauth2/v2.0/token" for name in (tenant_id, initial_domain, *ANY_TENANT)
        ]
        self._check = ClientCheck(real_clock, (*endpoints, self._mint.issuer))

    def handle(self, request: Request) -> Response | None:
        """Answer a request; None when the path belongs to another door."""
        path = request.path.strip("/")
        lower = path.lower()
        if lower == "common/discovery/instance":
            return self._instance(request)
        tenant, _, rest = lower.partition("/")
        if rest == "v2.0/.well-known/openid-configuration":
            return self._openid(tenant)
        if rest == "discovery/v2.0/keys":
            return json_response(200, self._mint.jwks())
        if rest == "oauth2/v2.0/token" and request.method == "POST":
            return self._token(tenant, request)
        if rest == "oauth2/v2.0/devicecode" and request.method == "POST":
            return self._device_code(request.form())
        if rest == "oauth2/v2.0/authorize":
            return self._authorize(request.query)
        return None

    def verify(self, bearer: str) -> Principal | BadToken:
        """Say who an access token speaks for, or why it does not count."""
        return self._mint.verify(bearer)

    def issue(self, app_id: str, life: timedelta | None = None) -> str:
        """Give an access token of an application without asking it for anything."""
        client = self._clients[app_id.lower()]
        return self._mint.issue(self._app(client), audience=EXCHANGE, life=life or self.token_life)

    def approve_device(self, user_code: str, user_name: str) -> None:
        """Let the person with that name confirm a device code; raises KeyError for an unknown one."""
        with self._lock:
            self._device(user_code).user = next(user for user in self._users if user.name == user_name)

    def decline_device(self, user_code: str) -> None:
        """Let the person refuse; raises KeyError for an unknown code."""
        with self._lock:
            self._device(user_code).declined = True

    def revoke_all(self, claims: str | None = None) -> None:
        """Refuse every token issued so far, with a challenge for these claims."""
        self._mint.issued_before = self._clock() + timedelta(seconds=1)
        self._mint.wanted_claims = claims

    def federate(self, app_id: str, credential: FederatedCredential) -> None:
        """Let an application accept somebody's assertions."""
        from dataclasses import replace

        client = self._clients[app_id.lower()]
        self._clients[app_id.lower()] = replace(client, federated=(*client.federated, credential))

    # Discovery

    def _is_known(self, tenant: str) -> bool:
        return tenant in (self.tenant_id, self._initial_domain, *ANY_TENANT)

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
            return refusal(9002313, more=f" The grant type '{grant}' is not supported.")
        return answers[grant](client, form)

    def _fault(self) -> Response | None:
        if fault := self._faults.take("sign-in"):
            return refusal(int(fault.value or 7000215))
        if fault := self._faults.take("sign-in-throttle"):
            return Response(429, {"Retry-After": fault.value or "5"})
        if self._faults.take("sign-in-broken"):
            return Response(500, {"Content-Type": "text/html"}, b"<html>500</html>")
        if fault := self._faults.take("sign-in-slow"):
            return Response(200, delay_seconds=float(fault.value or 5))
        if self._faults.take("sign-in-malformed"):
            return Response(200, {"Content-Type": "application/json"}, b'{"token_type": "Bea')
        return None

    def _client_credentials(self, client: Registration, form: Mapping[str, str]) -> Response:
        audience = _audience(form.get("scope", ""))
        if audience is None or client.is_public:
            return refusal(9002313, more=" The scope must end in /.default.")
        token = self._mint.issue(self._app(client), audience=audience, life=self.token_life)
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
        user = grant.user
        principal = Principal(
            self.tenant_id,
            grant.client_id,
            user_name=user.name,
            scopes=user.scopes,
            directory_roles=user.directory_roles,
        )
        refresh = secrets.token_urlsafe(24)
        with self._lock:
            self._refresh[refresh] = _Grant(user, grant.client_id)
        seconds = int(self.token_life.total_seconds())
        audience = _audience(form.get("scope", "")) or EXCHANGE
        return json_response(
            200,
            {
                "token_type": "Bearer",
                "scope": form.get("scope", ""),
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": self._mint.issue(principal, audience=audience, life=self.token_life),
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
        return next(device for device in self._devices.values() if device.user_code == user_code)

    def _device_code(self, form: Mapping[str, str]) -> Response:
        client = self._clients.get(form.get("client_id", "").lower())
        if client is None:
            return refusal(700016, status=400)
        code, user_code = secrets.token_urlsafe(24), secrets.token_hex(4).upper()
        device = _Device(
            client.app_id,
            _audience(form.get("scope", "")) or EXCHANGE,
            self._clock() + DEVICE_CODE_LIFE,
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

    def _device_polled(self, _client: Registration, form: Mapping[str, str]) -> Response:
        now = self._clock()
        with self._lock:
            device = self._devices.get(form.get("device_code", ""))
            if device is None or now >= device.expires_at:
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
        return self._delegated(_Grant(device.user, device.client_id), form)

    # Browser

    def _authorize(self, query: Mapping[str, str]) -> Response:
        """A sign-in page on which the person agrees at once: the one hinted at, else the first."""
        client = self._clients.get(query.get("client_id", "").lower())
        back = query.get("redirect_uri", "")
        if client is None or not back.startswith(("http://localhost", "http://127.0.0.1")):
            return refusal(700016, status=400)
        hinted = [user for user in self._users if user.name == query.get("login_hint")]
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = _Grant(
                (hinted or list(self._users))[0],
                client.app_id,
                query.get("code_challenge", ""),
                query.get("nonce", ""),
            )
        answer = {"code": code, "state": query.get("state", "")}
        return Response(302, {"Location": f"{back}?{urlencode(answer)}"})

    def _code_redeemed(self, client: Registration, form: Mapping[str, str]) -> Response:
        with self._lock:
            grant = self._codes.pop(form.get("code", ""), None)
        if grant is None or grant.client_id != client.app_id:
            return refusal(70008, status=400)
        if grant.challenge and _challenge(form.get("code_verifier", "")) != grant.challenge:
            return refusal(9002313, more=" The code verifier does not match.")
        return self._delegated(grant, form)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()  # RFC 7636 §4.2
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _audience(scope: str) -> str | None:
    """Give the resource whose /.default is asked for."""
    for word in scope.split():
        if word.endswith("/.default"):
            return word.removesuffix("/.default")
        if word.startswith("https://"):
            return word.rsplit("/", 1)[0]
    return None
