"""Settings: how to sign in, which tenant and cloud, and that no secret ever shows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from exo_auth.cloud import WORLDWIDE
from exo_auth.errors import InputError
from exo_auth.identity.secrets import Secret
from exo_auth.plan.limits import Limits
from exo_auth.run.config import load
from exo_auth.run.config_schema import BY_KEY, METHODS, SETTINGS
from exo_auth.run.secret_reference import SCHEMES, SecretReference
from exo_auth.run.settings import (
    CREDENTIALS,
    AuthSettings,
    DkimSettings,
    Origin,
    Settings,
    Timeouts,
    infer_method,
)

GUID = "11111111-2222-3333-4444-555555555555"
SECRET = "hunter2-hunter2"


def settings_of(
    folder: Path,
    text: str = "version: 1\n",
    flags: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
) -> Settings:
    (folder / "config.yaml").write_text(text)
    return load(flags or {}, environment=environment or {}, config_file=folder / "config.yaml", cwd=folder)


@pytest.mark.parametrize("key", sorted(CREDENTIALS))
def test_one_credential_says_the_method(key: str) -> None:
    assert infer_method({key: Origin("file", "f:1:1")}) == CREDENTIALS[key]
    assert CREDENTIALS[key] in METHODS
    assert key in BY_KEY


@pytest.mark.parametrize(
    ("given", "method"),
    [
        (
            {"auth.client_secret": "env", "auth.certificate_file": "file"},
            "secret",
        ),  # the nearer source counts
        ({"auth.client_secret": "file", "auth.certificate_file": "profile"}, "certificate"),
        ({"auth.token": "flag", "auth.client_secret": "env"}, "token"),
        (
            {"auth.federated_command": "env", "auth.federated_token_file": "env"},
            "federated",
        ),  # both mean the same
    ],
)
def test_the_strongest_source_says_the_method(given: dict[str, str], method: str) -> None:
    assert infer_method({key: Origin(kind, "x") for key, kind in given.items()}) == method


def test_nothing_given_lists_the_ways() -> None:
    with pytest.raises(InputError) as caught:
        infer_method({})
    assert caught.value.message == "nothing says how to sign in"
    hint = caught.value.hint or ""
    assert [key for key in CREDENTIALS if key not in hint] == ["auth.managed_identity_client_id"]
    assert [method for method in ("managed-identity", "device-code", "browser") if method not in hint] == []


def test_two_ways_from_one_source_are_refused_with_both_places() -> None:
    given = {"auth.token": Origin("file", "c:3:1"), "auth.client_secret": Origin("file", "c:4:1")}
    with pytest.raises(InputError, match=r"auth.client_secret .file c:4:1. and auth.token .file c:3:1."):
        infer_method(given)


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (AuthSettings(method="certificate", client_id=GUID), "auth.certificate_file is needed"),
        (AuthSettings(method="certificate", certificate_file=Path("x")), "auth.client_id is needed"),
        (AuthSettings(method="secret", client_id=GUID), "auth.client_secret is needed"),
        (AuthSettings(method="token"), "auth.token is needed"),
    ],
)
def test_what_a_method_needs_is_asked_for_by_name(auth: AuthSettings, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        auth.chosen()
    assert "EXO_AUTH_" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "auth",
    [
        AuthSettings(method="certificate", client_id=GUID, certificate_file=Path("x")),
        AuthSettings(method="federated", client_id=GUID, federated_command=("x",)),
        AuthSettings(method="federated"),  # the platform's own variables may hold the rest
        AuthSettings(method="managed-identity"),  # the system-assigned one needs nothing
        AuthSettings(method="device-code"),  # the client has an id of its own to fall back on
        AuthSettings(method="token", token=Secret("x")),
    ],
)
def test_a_method_with_what_it_needs_is_chosen(auth: AuthSettings) -> None:
    assert auth.chosen() == auth.method


def test_settings_load_without_a_way_to_sign_in_and_say_so_when_asked(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert settings.auth.method == ""
    with pytest.raises(InputError, match="nothing says how to sign in"):
        settings.auth.chosen()


def test_a_method_that_is_written_beats_every_credential(tmp_path: Path) -> None:
    environment = {"EXO_AUTH_METHOD": "browser", "EXO_AUTH_TOKEN": "x", "EXO_AUTH_CLIENT_SECRET": "y"}
    assert settings_of(tmp_path, environment=environment).auth.chosen() == "browser"


TENANTS = f"""\
version: 1
tenants:
  contoso: {{tenant_id: {GUID}, initial_domain: contoso.onmicrosoft.com, cloud: china}}
  fabrikam: {{initial_domain: fabrikam.onmicrosoft.com}}
"""


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        ("contoso", (GUID, "contoso.onmicrosoft.com", "china", GUID)),
        (GUID.upper(), (GUID, "contoso.onmicrosoft.com", "china", GUID)),
        ("Contoso.OnMicrosoft.com.", (GUID, "contoso.onmicrosoft.com", "china", GUID)),
        ("fabrikam", ("", "fabrikam.onmicrosoft.com", "worldwide", "fabrikam.onmicrosoft.com")),
        ("Other.COM", ("", "", "worldwide", "other.com")),  # not in the file: nothing of it is taken
        (GUID.replace("1", "2"), (GUID.replace("1", "2"), "", "worldwide", GUID.replace("1", "2"))),
    ],
)
def test_a_tenant_is_named_by_name_id_or_domain(
    tmp_path: Path, tenant: str, expected: tuple[str, ...]
) -> None:
    found = settings_of(tmp_path, TENANTS, {"tenant": tenant})
    assert (found.tenant_id, found.initial_domain, found.cloud.name, found.issuer_tenant) == expected


def test_the_only_tenant_of_the_file_need_not_be_named(tmp_path: Path) -> None:
    text = "version: 1\ntenants:\n  contoso: {initial_domain: contoso.onmicrosoft.com}\n"
    settings = settings_of(tmp_path, text)
    assert settings.tenant == "contoso"
    assert str(settings.origin("tenant")) == f"file {tmp_path / 'config.yaml'}:3:3"


def test_of_two_tenants_none_is_guessed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, TENANTS)
    assert settings.tenant == ""
    assert [(one.name, one.cloud) for one in settings.tenants] == [
        ("contoso", "china"),
        ("fabrikam", "worldwide"),
    ]
    with pytest.raises(InputError, match="no tenant is named"):
        assert settings.issuer_tenant


def test_endpoints_make_a_cloud_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    environment = {
        "EXO_AUTH_AUTHORITY": "https://127.0.0.1:8443/",
        "EXO_AUTH_EXCHANGE_URL": "https://127.0.0.1:8443",
        "EXO_AUTH_CA_FILE": "ca.pem",
        "EXO_AUTH_NAMESERVER": "127.0.0.1:5353, 127.0.0.2",
    }
    settings = settings_of(tmp_path, environment=environment)
    assert settings.cloud.is_sandbox
    assert settings.cloud.authority == "https://127.0.0.1:8443"
    assert settings.cloud.ca_file == str(tmp_path / "ca.pem")
    assert settings.nameservers == ("127.0.0.1:5353", "127.0.0.2")


def test_the_defaults_are_those_of_the_layers_that_use_them(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert settings.limits == Limits()
    assert settings.policy == DkimSettings()
    assert settings.timeouts == Timeouts()
    assert settings.cloud == WORLDWIDE
    assert settings.jitter == timedelta(minutes=8)


def test_options_arrive_as_the_command_line_gives_them(tmp_path: Path) -> None:
    flags: dict[str, object] = {
        "nameservers": ["9.9.9.9", "1.1.1.1:53"],
        "policy.dkim.key_size": 1024,
        "limits.share": "12.5%",
        "state_dir": "state",
        "output": None,
    }
    settings = settings_of(tmp_path, flags=flags)
    assert settings.nameservers == ("9.9.9.9", "1.1.1.1:53")
    assert settings.policy.key_size == 1024
    assert settings.limits.share == 0.125
    assert settings.state_dir == tmp_path / "state"
    assert settings.output == "table"


@pytest.mark.parametrize("empty", [None, [], ()])
def test_an_option_that_was_not_given_hides_nothing(tmp_path: Path, empty: object) -> None:
    settings = settings_of(
        tmp_path, flags={"nameservers": empty}, environment={"EXO_AUTH_NAMESERVER": "9.9.9.9"}
    )
    assert settings.nameservers == ("9.9.9.9",)


def test_paths_of_a_file_are_relative_to_it_and_others_to_the_working_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "config.yaml").write_text(
        "version: 1\nauth: {certificate_file: a.pem, client_secret: 'file:s'}\n"
    )
    settings = load({"config": "inner/config.yaml"}, environment={}, cwd=tmp_path)
    assert settings.auth.certificate_file == inner / "a.pem"
    assert settings.auth.client_secret == SecretReference("file", str(inner / "s"))
    settings = load(
        {}, environment={"EXO_AUTH_CERTIFICATE_FILE": "b.pem"}, cwd=tmp_path, config_file=tmp_path
    )
    assert settings.auth.certificate_file == tmp_path / "b.pem"


@pytest.mark.parametrize("key", [setting.key for setting in SETTINGS if setting.is_secret])
@pytest.mark.parametrize("way", ["variable", "variable naming a file", "file naming a variable"])
def test_a_secret_is_read_when_asked_for_and_shows_nowhere(tmp_path: Path, key: str, way: str) -> None:
    setting = BY_KEY[key]
    (tmp_path / "kept").write_text(f"{SECRET}\n")
    environment = {"HELD": SECRET}
    text = "version: 1\n"
    if way == "variable":
        environment[setting.env] = SECRET
    elif way == "variable naming a file":
        environment[f"{setting.env}_FILE"] = str(tmp_path / "kept")
    else:
        group, _, name = key.partition(".")
        text += f"{group}: {{{name}: 'env:HELD'}}\n"
    settings = settings_of(tmp_path, text, environment=environment)
    part = settings.auth if key.startswith("auth.") else settings.notify
    secret = part.secret(key.rpartition(".")[2], environment)
    assert secret is not None
    assert secret.reveal() == SECRET
    shown = (
        repr(settings) + str(settings) + repr(settings.rows()) + repr(settings.resolved) + repr(settings.auth)
    )
    assert SECRET not in shown
    assert {row.value for row in settings.rows() if row.key == key} == {"…"}
    if way == "variable":
        with pytest.raises(TypeError):
            pickle.dumps(settings)


def test_the_arguments_of_a_command_are_not_shown(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, environment={"EXO_AUTH_FEDERATED_COMMAND": f"vault read --key '{SECRET} x'"}
    )
    assert settings.auth.federated_command == ("vault", "read", "--key", f"{SECRET} x")
    assert {row.value for row in settings.rows() if row.key == "auth.federated_command"} == {"vault …"}
    assert SECRET not in repr(settings.auth)


def test_a_secret_that_is_not_set_is_none(tmp_path: Path) -> None:
    assert settings_of(tmp_path).auth.secret("token", {}) is None


class Store(KeyringBackend):
    """A platform's store with one entry, which may be locked."""

    priority = 1
    locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("it is locked")
        return SECRET if (service, username) == ("exo-auth", "app") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing writes here")


@pytest.fixture
def store() -> Iterator[Store]:
    before = keyring.get_keyring()
    own = Store()
    keyring.set_keyring(own)
    yield own
    keyring.set_keyring(before)


@pytest.mark.parametrize(
    "text",
    ["env:HELD", "file:kept", "credential:kept", "keyring:exo-auth/app", "command:cat '{folder}/kept'"],
)
def test_every_kind_of_place_gives_its_secret(tmp_path: Path, store: Store, text: str) -> None:
    (tmp_path / "kept").write_text(f"{SECRET}\r\n")
    environment = {"HELD": SECRET, "CREDENTIALS_DIRECTORY": str(tmp_path), "PATH": "/usr/bin:/bin"}
    reference = SecretReference.parse(text.format(folder=tmp_path), tmp_path)
    assert reference.scheme in SCHEMES
    assert reference.resolve(environment).reveal() == SECRET


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("env:ABSENT", "env:ABSENT is empty or not there"),
        ("file:absent", "cannot be read: No such file or directory"),
        ("file:.", "cannot be read: Is a directory"),
        ("file:empty", "is empty or not there"),
        ("file:binary", "is not text"),
        ("credential:x", "no systemd credential of that name is passed"),
        ("keyring:exo-auth/other", "is empty or not there"),
        ("command:false", "command:false … failed with exit code 1"),
        ("command:/nowhere/program x", "cannot be started: No such file or directory"),
        ("command:echo 'x", "is no command line"),
        ("command:true", "is empty or not there"),
    ],
)
def test_a_place_without_its_secret_is_named(tmp_path: Path, store: Store, text: str, fragment: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError) as caught:
        SecretReference.parse(text, tmp_path).resolve({"PATH": "/usr/bin:/bin"})
    assert fragment in caught.value.message


def test_a_locked_keyring_is_said(store: Store) -> None:
    store.locked = True
    with pytest.raises(InputError, match="the keyring cannot be asked: it is locked"):
        SecretReference("keyring", "exo-auth/app").resolve({})


@pytest.mark.parametrize("target", ["../kept", "a/b", "/etc/passwd", ".."])
def test_a_credential_cannot_leave_its_folder(tmp_path: Path, target: str) -> None:
    with pytest.raises(InputError):
        SecretReference("credential", target).resolve({"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize("text", ["", SECRET, "env:", "https://x", "ENV:X", "file: "])
def test_a_text_that_is_no_reference_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        SecretReference.parse(text, tmp_path)
    assert SECRET not in f"{caught.value}{caught.value.hint}"


def test_the_output_of_a_failed_command_is_not_repeated(tmp_path: Path) -> None:
    reference = SecretReference("command", f"sh -c 'echo {SECRET}; echo {SECRET} >&2; exit 3'")
    with pytest.raises(InputError) as caught:
        reference.resolve({"PATH": "/usr/bin:/bin"})
    assert caught.value.message == "command:sh … failed with exit code 3"
    assert SECRET not in repr(reference) + str(reference)
