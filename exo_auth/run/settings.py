"""`Settings`: everything a run was told, resolved, and where each value came from (run)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exo_auth.cloud import Cloud
from exo_auth.errors import InputError
from exo_auth.identity.secrets import Secret
from exo_auth.plan.limits import Limits
from exo_auth.run.config_schema import BY_KEY, SETTINGS, Kind, Setting
from exo_auth.run.config_values import render
from exo_auth.run.secret_reference import SecretReference

if TYPE_CHECKING:
    from exo_auth.plan.dkim import DkimPolicy

KINDS = ("flag", "env", "profile", "file", "default")  # the strongest first


@dataclass(frozen=True)
class Origin:
    """Where a value came from: `where` is an option, a variable, or `file:line:column`; "" for a default."""

    kind: str  # one of KINDS
    where: str = ""

    @property
    def rank(self) -> int:
        """The lower, the stronger."""
        return KINDS.index(self.kind)

    def __str__(self) -> str:
        return f"{self.kind} {self.where}".strip()


@dataclass(frozen=True)
class Resolved:
    """A value with its origin."""

    value: Any
    origin: Origin


@dataclass(frozen=True)
class Row:
    """One line of `config show`; a secret's value is “…”."""

    key: str
    value: str
    origin: Origin


@dataclass(frozen=True)
class DkimSettings:
    """When DKIM keys are due, and which domains are looked after."""

    max_key_age: timedelta = timedelta(days=180)
    key_size: int = 2048  # bits
    min_gap: timedelta = timedelta(days=7)
    ignore: tuple[str, ...] = ()  # globs
    include_initial_domain: bool = False

    def as_policy(self) -> DkimPolicy:
        """Give the part that the planners read."""
        from exo_auth.plan.dkim import DkimPolicy

        return DkimPolicy(max_key_age=self.max_key_age, key_size=self.key_size, min_gap=self.min_gap)


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for what."""

    lock: timedelta = timedelta(0)
    connect: timedelta = timedelta(seconds=10)
    answer: timedelta = timedelta(minutes=2)
    dns: timedelta = timedelta(seconds=5)


@dataclass(frozen=True)
class ConfiguredTenant:
    """One entry under `tenants:`; what is not said is ""."""

    name: str
    tenant_id: str
    initial_domain: str
    cloud: str
    where: str


@dataclass(frozen=True)
class HookSettings:
    """Which programs hear of a run: argument vectors, empty for none."""

    before_plan: tuple[str, ...] = ()
    before_apply: tuple[str, ...] = ()
    after_change: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    after_run: tuple[str, ...] = ()
    timeout: timedelta = timedelta(minutes=1)
    keep: tuple[str, ...] = ()  # names of variables


@dataclass(frozen=True)
class NotifySettings:
    """Who hears of a run, and of what."""

    urls: Secret | SecretReference | None = None
    on: tuple[str, ...] = ("failure", "finding")
    heartbeat_url: Secret | SecretReference | None = None
    timeout: timedelta = timedelta(seconds=30)

    def secret(self, name: str, environment: Mapping[str, str]) -> Secret | None:
        """Read the secret of that field now, None where it is not set; raises InputError when it cannot be read."""
        return _revealable(getattr(self, name), environment)


CREDENTIALS = {  # what gives a method away
    "auth.certificate_file": "certificate",
    "auth.client_secret": "secret",
    "auth.token": "token",
    "auth.federated_token_file": "federated",
    "auth.federated_command": "federated",
    "auth.managed_identity_client_id": "managed-identity",
}
# Any one of each group. A federated sign-in can also take its parts from the variables of the platform it runs on.
_NEEDED = {
    "certificate": (("auth.client_id",), ("auth.certificate_file",)),
    "secret": (("auth.client_id",), ("auth.client_secret",)),
    "token": (("auth.token",),),
}
WAYS = (
    "give one of: auth.certificate_file (EXO_AUTH_CERTIFICATE_FILE) with auth.client_id, "
    "auth.federated_token_file or auth.federated_command with auth.client_id, "
    "auth.client_secret (EXO_AUTH_CLIENT_SECRET) with auth.client_id, auth.token (EXO_AUTH_TOKEN); "
    "or set auth.method (EXO_AUTH_METHOD) to managed-identity, device-code or browser"
)


def infer_method(given: Mapping[str, Origin]) -> str:
    """Name the sign-in method that the credentials in `given` mean: those of the strongest origin count.

    `given` holds the origin of every key of CREDENTIALS that is set. Raises InputError when there is none, and
    when two methods are equally near.
    """
    if not given:
        raise InputError("nothing says how to sign in", hint=WAYS)
    strongest = min(origin.rank for origin in given.values())
    keys = sorted(key for key, origin in given.items() if origin.rank == strongest)
    methods = {CREDENTIALS[key] for key in keys}
    if len(methods) > 1:
        places = " and ".join(f"{key} ({given[key]})" for key in keys)
        raise InputError(
            f"two ways to sign in are given: {places}",
            hint="take one away, or say which with auth.method (EXO_AUTH_METHOD)",
        )
    return methods.pop()


@dataclass(frozen=True)
class AuthSettings:
    """How to sign in. `method` is "" while undecided; `chosen` raises then, and says why."""

    method: str = ""
    client_id: str | None = None
    certificate_file: Path | None = None
    certificate_passphrase: Secret | SecretReference | None = None
    client_secret: Secret | SecretReference | None = None
    token: Secret | SecretReference | None = None
    federated_token_file: Path | None = None
    federated_command: tuple[str, ...] = field(default=(), repr=False)
    managed_identity_client_id: str | None = None
    user: str | None = None
    token_cache: str = "auto"  # noqa: S105 - a word, not a password
    undecided: InputError | None = field(default=None, repr=False, compare=False)

    def chosen(self) -> str:
        """Give the method, once what it needs is there too; raises InputError."""
        if self.undecided is not None:
            raise self.undecided
        for group in _NEEDED.get(self.method, ()):
            if not any(getattr(self, key.removeprefix("auth.")) for key in group):
                variables = " or ".join(BY_KEY[key].env for key in group)
                raise InputError(
                    f"to sign in with {self.method}, {' or '.join(group)} is needed", hint=f"set {variables}"
                )
        return self.method

    def secret(self, name: str, environment: Mapping[str, str]) -> Secret | None:
        """Read the secret of that field now, None where it is not set; raises InputError when it cannot be read."""
        return _revealable(getattr(self, name), environment)


def _revealable(value: object, environment: Mapping[str, str]) -> Secret | None:
    if isinstance(value, SecretReference):
        return value.resolve(environment)
    if value is None or isinstance(value, Secret):
        return value
    raise KeyError(type(value).__name__)


@dataclass(frozen=True)
class Settings:
    """Everything a run was told. `origin` and `rows` take the dotted keys of the settings table."""

    tenant: str  # as given: an id, a domain, or a name under `tenants:`; "" while nobody named one
    tenant_id: str  # GUID, "" while unknown
    initial_domain: str  # "" while unknown
    cloud: Cloud
    auth: AuthSettings
    nameservers: tuple[str, ...]
    state_dir: Path
    output: str
    policy: DkimSettings
    limits: Limits
    jitter: timedelta
    timeouts: Timeouts
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # domains and globs by tag
    transport: str = "rest"  # or powershell
    validate_dnssec: bool = False
    trust_anchors: Path | None = None
    policy_port: int = 443
    octodns_config: Path | None = None
    public_resolvers: tuple[str, ...] = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
    smtp_port: int = 25
    authority_port: int = 53
    profile: str | None = None
    config_file: Path | None = None
    hooks: HookSettings = HookSettings()
    notify: NotifySettings = NotifySettings()
    tenants: tuple[ConfiguredTenant, ...] = ()
    warnings: tuple[str, ...] = ()
    resolved: Mapping[str, Resolved] = field(default_factory=dict, repr=False, compare=False)

    @property
    def issuer_tenant(self) -> str:
        """What stands for the tenant in the URL that issues tokens: its id or a domain; raises InputError."""
        if not self.tenant:
            raise InputError(
                "no tenant is named",
                hint="give -t DOMAIN, set EXO_AUTH_TENANT, or write “tenant:” into the configuration file",
            )
        return self.tenant_id or self.initial_domain or self.tenant

    def origin(self, key: str) -> Origin:
        """Say where the value of that key came from."""
        return self.resolved[key].origin

    def rows(self) -> tuple[Row, ...]:
        """Give every setting in the order of the table, secrets as “…”."""
        return tuple(self._rows())

    def _rows(self) -> Iterator[Row]:
        for setting in SETTINGS:
            found = self.resolved[setting.key]
            yield Row(setting.key, _shown(setting, found.value), found.origin)


def _shown(setting: Setting, value: object) -> str:
    if setting.is_secret:
        return "…" if value is not None else ""
    if setting.kind is Kind.COMMAND and isinstance(value, tuple) and len(value) > 1:
        return f"{value[0]} …"  # arguments may hold what must not be shown
    return render(value)
