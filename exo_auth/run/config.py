"""Where settings come from: option over environment over profile over file over default (run)."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from exo_auth.cloud import Cloud, cloud_named, custom_cloud
from exo_auth.domain_name import DomainName
from exo_auth.errors import ConfigError, InputError
from exo_auth.identity.secrets import Secret
from exo_auth.plan.limits import Limits
from exo_auth.run.config_file import ConfigFile, Located, Section, read_file
from exo_auth.run.config_schema import BY_KEY, SETTINGS, Kind, Setting, nearest, unknown_variables
from exo_auth.run.config_values import GUID, SettingError, from_option, from_text
from exo_auth.run.secret_reference import SecretReference
from exo_auth.run.settings import (
    CREDENTIALS,
    AuthSettings,
    ConfiguredTenant,
    DkimSettings,
    HookSettings,
    NotifySettings,
    Origin,
    Resolved,
    Settings,
    Timeouts,
    infer_method,
)

APP = "exo-auth"
FILE_NAME = "config.yaml"
LOCAL_NAME = "exo-auth.yaml"


def default_file(cwd: Path | None = None) -> Path:
    """Give where the configuration is looked for: `exo-auth.yaml` in the working directory, else this user's.

    The one in the working directory counts only when it is this user's own and nobody else may write it: it can
    name programs to run, and whose directory one stands in is chance.
    """
    local = (cwd or Path.cwd()) / LOCAL_NAME
    return local if _is_our_own(local) else platformdirs.user_config_path(APP) / FILE_NAME


def _is_our_own(file: Path) -> bool:
    try:
        found = file.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode):
        return False
    if not hasattr(os, "getuid"):  # Windows: no owner to compare
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def chosen_file(named: str | None, environment: Mapping[str, str]) -> Path:
    """Give the file that `load` reads: named by the option, else by EXO_AUTH_CONFIG, else this user's."""
    text = named or environment.get(BY_KEY["config"].env)
    return Path(text).expanduser() if text else default_file()


def load(
    flags: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    config_file: Path | None = None,
    state_dir: Path | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Resolve every setting; `flags` holds the given options by the key of the table.

    `config_file`, `state_dir` and `cwd` replace the platform's defaults. Raises ConfigError for the first
    mistake in the file, InputError for one in an option or a variable.
    """
    base = cwd or Path.cwd()
    given = _given(flags, environment, base)
    file = _file(given.get("config"), config_file or default_file(base))
    if file is not None and file.errors:
        raise file.errors[0]
    layers = _Layers(given, file)
    tenant = layers.tenant()
    resolved = layers.resolve(tenant.section)
    if resolved["state_dir"].value is None:
        folder = state_dir or platformdirs.user_state_path(APP)
        resolved["state_dir"] = Resolved(folder, resolved["state_dir"].origin)
    return _settings(resolved, tenant, file, unknown_variables(environment))


def validate(path: Path) -> tuple[ConfigError, ...]:
    """Give everything that is wrong with a file, in its order; empty when it is right.

    Only the file itself is judged: what it points to may be there on another machine only.
    """
    file = read_file(path)
    if file.errors:
        return file.errors
    errors: list[ConfigError] = []
    for profile in (None, *file.profiles):
        given = {"profile": Resolved(profile, Origin("default"))} if profile else {}
        try:
            _Layers(given, file).tenant()
        except ConfigError as error:
            if str(error) not in map(str, errors):
                errors.append(error)
    return tuple(errors)


@dataclass(frozen=True)
class _Tenant:
    """The tenant that was named, and its entry in the file, if it has one."""

    text: str
    section: Section | None

    def fact(self, key: str) -> str:
        located = self.section.values.get(key) if self.section else None
        return str(located.value) if located else ""

    @property
    def tenant_id(self) -> str:
        return self.fact("tenant_id") or (self.text.lower() if GUID.fullmatch(self.text) else "")


class _Layers:
    """Options and variables, the profile, and the file, to be laid over each other."""

    def __init__(self, given: Mapping[str, Resolved], file: ConfigFile | None) -> None:
        self.given = given
        self.top: Mapping[str, Located] = file.top.values if file else {}
        self.tenants: Mapping[str, Section] = file.tenants if file else {}
        self.profile: Mapping[str, Located] = {}
        chosen = self.find("profile")
        if chosen.value is not None:
            profiles = file.profiles if file else {}
            if chosen.value not in profiles:
                raise _no_such("profile", chosen, profiles, file)
            self.profile = profiles[chosen.value].values
        self.file = file

    def find(self, key: str, entry: Section | None = None) -> Resolved:
        if key in self.given:
            return self.given[key]
        if key in self.profile:
            return Resolved(self.profile[key].value, Origin("profile", self.profile[key].where))
        for values in (entry.values if entry else {}, self.top):
            if key in values:
                return Resolved(values[key].value, Origin("file", values[key].where))
        return Resolved(BY_KEY[key].default, Origin("default"))

    def resolve(self, entry: Section | None) -> dict[str, Resolved]:
        resolved = {setting.key: self.find(setting.key, entry) for setting in SETTINGS}
        if resolved["tenant"].value is None and entry is not None:
            resolved["tenant"] = Resolved(self.tenant().text, Origin("file", entry.where))
        return resolved

    def tenant(self) -> _Tenant:
        named = self.find("tenant")
        if named.value is None:
            if len(self.tenants) == 1:  # nothing else can be meant
                return _Tenant(*next(iter(self.tenants.items())))
            return _Tenant("", None)
        text = str(named.value)
        if text in self.tenants:
            return _Tenant(text, self.tenants[text])
        for section in self.tenants.values():
            facts = (section.values.get(key) for key in ("tenant_id", "initial_domain"))
            if text.lower().rstrip(".") in {fact.value for fact in facts if fact}:
                return _Tenant(text, section)
        if GUID.fullmatch(text):
            return _Tenant(text, None)
        if "." not in text:
            raise _no_such("tenant", named, self.tenants, self.file)
        try:
            return _Tenant(DomainName.parse(text).ascii, None)
        except InputError as error:
            raise _refusal(named.origin, error.message, error.hint) from None


def _given(flags: Mapping[str, object], environment: Mapping[str, str], base: Path) -> dict[str, Resolved]:
    """Read options and variables; an option wins, and an empty variable counts as not set."""
    found: dict[str, Resolved] = {}
    for setting in SETTINGS:
        resolved = _from_environment(setting, environment, base)
        if resolved is not None:
            found[setting.key] = resolved
    for key, value in flags.items():
        setting = BY_KEY[key]
        origin = Origin("flag", setting.flag or key)
        if value not in (None, (), []):  # a repeatable option that was not given
            try:
                found[key] = Resolved(from_option(setting, value, base), origin)
            except SettingError as bad:
                raise _refusal(origin, bad.message.replace(key, origin.where, 1), bad.hint) from None
    return found


def _from_environment(setting: Setting, environment: Mapping[str, str], base: Path) -> Resolved | None:
    text = environment.get(setting.env, "")
    file = environment.get(setting.env_file, "") if setting.env_file else ""
    if text and file:
        raise InputError(f"{setting.env} and {setting.env_file} are both set", hint="unset one of them")
    if file:
        return Resolved(SecretReference("file", str(base / Path(file))), Origin("env", str(setting.env_file)))
    origin = Origin("env", setting.env)
    if not text:
        return None
    if setting.kind is Kind.SECRET:
        return Resolved(Secret(text), origin)
    try:
        return Resolved(from_text(setting, text, base), origin)
    except SettingError as bad:
        raise _refusal(origin, bad.message.replace(setting.key, setting.env, 1), bad.hint) from None


def _file(named: Resolved | None, default: Path) -> ConfigFile | None:
    if named is not None:
        return read_file(named.value)
    try:
        exists = default.is_file()
    except OSError:
        exists = True  # it may be there and cannot be looked at: reading it says why
    return read_file(default) if exists else None


def _refusal(origin: Origin, message: str, hint: str | None) -> InputError:
    """Give the error that names the place: a ConfigError where that is in a file."""
    if origin.kind in ("profile", "file"):
        file, line, column = origin.where.rsplit(":", 2)
        return ConfigError(message, file=file, line=int(line), column=int(column), hint=hint)
    where = origin.where
    return InputError(message if message.startswith(where) else f"{where}: {message}", hint=hint)


def _no_such(what: str, named: Resolved, names: Mapping[str, Section], file: ConfigFile | None) -> InputError:
    near = nearest(str(named.value), names)
    if near:
        hint = f"did you mean {near}?"
    elif names:
        hint = f"the file has {', '.join(names)}"
    else:
        hint = "the file has none" if file else "`exo-auth init` writes a first configuration file"
    if what == "tenant":
        hint += "; a tenant can also be named by its id or a domain"
    return _refusal(named.origin, f"there is no {what} “{named.value}” in the configuration", hint)


def _cloud(resolved: Mapping[str, Resolved]) -> Cloud:
    ca_file = resolved["ca_file"]
    if ca_file.value is not None and not ca_file.value.is_file():
        raise _refusal(ca_file.origin, f"the file {ca_file.value} of ca_file is not there", None)
    return custom_cloud(
        cloud_named(resolved["cloud"].value),
        authority=resolved["authority"].value,
        exchange_url=resolved["exchange_url"].value,
        ca_file=str(ca_file.value) if ca_file.value is not None else None,
    )


def _auth(resolved: Mapping[str, Resolved]) -> AuthSettings:
    values = {
        key.removeprefix("auth."): found.value for key, found in resolved.items() if key.startswith("auth.")
    }
    undecided = None
    if values["method"] is None:
        given = {key: resolved[key].origin for key in CREDENTIALS if resolved[key].value}
        try:
            values["method"] = infer_method(given)
        except InputError as error:
            values["method"], undecided = "", error
    return AuthSettings(**values, undecided=undecided)


def _settings(
    resolved: Mapping[str, Resolved], tenant: _Tenant, file: ConfigFile | None, warnings: Sequence[str]
) -> Settings:
    def below(prefix: str) -> dict[str, object]:
        return {
            key.removeprefix(prefix): found.value for key, found in resolved.items() if key.startswith(prefix)
        }

    return Settings(
        tenant=tenant.text,
        tenant_id=tenant.tenant_id,
        initial_domain=tenant.fact("initial_domain"),
        cloud=_cloud(resolved),
        auth=_auth(resolved),
        nameservers=resolved["nameservers"].value,
        tags=resolved["tags"].value,
        transport=resolved["transport"].value,
        validate_dnssec=resolved["validate_dnssec"].value,
        trust_anchors=resolved["trust_anchors"].value,
        policy_port=resolved["policy_port"].value,
        octodns_config=resolved["octodns_config"].value,
        public_resolvers=resolved["public_resolvers"].value,
        smtp_port=resolved["smtp_port"].value,
        authority_port=resolved["authority_port"].value,
        state_dir=resolved["state_dir"].value,
        output=resolved["output"].value,
        policy=DkimSettings(**below("policy.dkim.")),  # type: ignore[arg-type]  # the table has these types
        limits=Limits(**below("limits.")),  # type: ignore[arg-type]
        jitter=resolved["jitter"].value,
        timeouts=Timeouts(**below("timeouts.")),  # type: ignore[arg-type]
        hooks=HookSettings(**below("hooks.")),  # type: ignore[arg-type]
        notify=NotifySettings(**below("notify.")),  # type: ignore[arg-type]
        profile=resolved["profile"].value,
        config_file=file.path if file else None,
        tenants=_configured(file),
        warnings=tuple(warnings),
        resolved=resolved,
    )


def _configured(file: ConfigFile | None) -> tuple[ConfiguredTenant, ...]:
    if file is None:
        return ()
    rows = []
    for name, section in file.tenants.items():
        values = {**file.top.values, **section.values}
        tenant_id, initial, cloud = (
            str(values[key].value) if key in values else ""
            for key in ("tenant_id", "initial_domain", "cloud")
        )
        rows.append(ConfiguredTenant(name, tenant_id, initial, cloud or "worldwide", section.where))
    return tuple(rows)
