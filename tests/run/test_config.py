"""Configuration files: what is refused and where, which source wins, and what the tables promise."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exo_auth.cli import options
from exo_auth.errors import ConfigError, InputError
from exo_auth.run.config import load, validate
from exo_auth.run.config_json_schema import json_schema
from exo_auth.run.config_schema import (
    BY_KEY,
    SETTINGS,
    TENANT_IDENTITY,
    Scope,
    Setting,
    in_scope,
    unknown_variables,
)
from exo_auth.run.config_template import first_config
from exo_auth.run.private_file import write_private
from exo_auth.run.yaml_nodes import parse

GUID = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-8888-7777-6666-555555555555"


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


WRONG = [  # text, errors as line:column: message
    ("version: 1\ntennant: x.com\n", ["2:1: there is no setting “tennant” here"]),
    ("version: 1\nauth:\n  client-id: x\n", ["3:3: there is no setting “auth.client-id” here"]),
    ("version: 1\nmax_key_age: 90d\n", ["2:1: there is no setting “max_key_age” here"]),
    (
        "version: 1\ntenants:\n  a:\n    state_dir: /x\n",  # one journal for all tenants
        ["4:5: there is no setting “state_dir” here"],
    ),
    ("version: 1\nprofiles:\n  a:\n    profile: b\n", ["4:5: there is no setting “profile” here"]),
    ("version: 1\ntenant_id: " + GUID, ["2:1: there is no setting “tenant_id” here"]),
    ("version: 1\nconfig: x.yaml\n", ["2:1: there is no setting “config” here"]),
    ("cloud: dod\n", ["1:1: the version is missing"]),
    ("", ["1:1: the version is missing"]),
    ("version: 2\n", ["1:10: this program reads version 1 only"]),
    ('version: "1"\n', ["1:10: this program reads version 1 only"]),
    ("- version: 1\n", ["1:1: the file must be a mapping of settings, not a list"]),
    ("version: 1\nversion: 1\n", ["2:1: “version” is set twice; the first is on line 1"]),
    (
        "version: 1\nauth: {user: a, user: b}\n",
        ["2:17: “user” is set twice; the first is on line 2"],
    ),
    ("version: 1\ncloud: moon\n", ["2:8: cloud cannot be “moon”"]),
    ("version: 1\ncloud: [dod]\n", ["2:8: cloud must be a text, not a list"]),
    ("version: 1\ncloud: no\n", ["2:8: cloud must be a text, not true or false"]),  # YAML 1.1's no
    ("version: 1\ncloud:\n", ["2:7: cloud must be a text, not empty"]),
    ("version: 1\ntenant: 12\n", ["2:9: tenant must be a text, not a number"]),
    ("version: 1\nauth: secret\n", ["2:7: auth must be a mapping of settings, not a text"]),
    ("version: 1\nauth: {client_id: abc}\n", ["2:19: auth.client_id must be a GUID, not “abc”"]),
    (
        "version: 1\nauth: {client_secret: hunter2}\n",  # the value is not repeated in the message
        ["2:23: auth.client_secret: a secret is not written here, only where it is kept"],
    ),
    (
        "version: 1\nauth: {token: 'keyring:x'}\n",
        ["2:15: auth.token: a keyring reference names a service and a user"],
    ),
    (
        "version: 1\nauth: {federated_command: gcloud}\n",
        ["2:27: auth.federated_command must be a list, not a text"],
    ),
    ("version: 1\nnameservers: [9.9.9.9, 1]\n", ["2:24: nameservers must hold texts, not a number"]),
    ("version: 1\nauthority: http://x\n", ["2:12: authority must be an https:// URL, not “http://x”"]),
    (
        "version: 1\nauthority: https://me:pw@x\n",
        ["2:12: authority must be an https:// URL, not “https://me:pw@x”"],
    ),
    (
        "version: 1\npolicy:\n  dkim: {key_size: 512}\n",
        ["3:20: policy.dkim.key_size cannot be 512"],
    ),
    (
        "version: 1\npolicy: {dkim: {max_key_age: 180}}\n",
        ["2:30: policy.dkim.max_key_age must be a duration such as 180d, not a number"],
    ),
    (
        "version: 1\npolicy: {dkim: {max_key_age: 6mo}}\n",
        [
            "2:30: policy.dkim.max_key_age: “6mo” is not a duration: “mo” is not a unit; there are w (weeks), "
            "d (days), h (hours), m (minutes) or s (seconds), at character 2"
        ],
    ),
    (
        "version: 1\npolicy: {dkim: {include_initial_domain: 1}}\n",
        ["2:41: policy.dkim.include_initial_domain must be true or false, not a number"],
    ),
    (
        "version: 1\nlimits: {share: 0.5}\n",
        ["2:17: limits.share must be a percentage such as 10%, not a number"],
    ),
    ("version: 1\nlimits: {share: 150%}\n", ["2:17: limits.share must be a percentage, not “150%”"]),
    ("version: 1\nlimits: {share: 0%}\n", ["2:17: limits.share must be a percentage, not “0%”"]),
    (
        "version: 1\nlimits: {changes_per_run: 0}\n",
        ["2:27: limits.changes_per_run must be a whole number above 0, not “0”"],
    ),
    (
        "version: 1\nlimits: {changes_per_run: 0x10}\n",
        ["2:27: limits.changes_per_run must be a whole number above 0, not “0x10”"],
    ),
    ("version: 1\ntenants: [a]\n", ["2:10: tenants must be a mapping of names, not a list"]),
    ("version: 1\ntenants: {a: b}\n", ["2:14: tenants.a must be a mapping of settings, not a text"]),
    (
        "version: 1\ntenants: {a: {initial_domain: 'a b.com'}}\n",
        [
            "2:31: initial_domain: “a b.com” is not a domain name: “ ” at character 2 is not a letter, digit or hyphen"
        ],
    ),
    ("version: 1\nprofile: prod\n", ["2:1: there is no profile “prod” in the configuration"]),
    (
        "version: 1\ntenant: contso\ntenants: {contoso: {}}\n",
        ["2:1: there is no tenant “contso” in the configuration"],
    ),
    (
        "version: 1\nprofiles: {p: {tenant: nobody}}\n",
        ["2:16: there is no tenant “nobody” in the configuration"],
    ),
    ("version: 1\nauth: {client_id: *x}\n", ["2:19: not YAML: found undefined alias 'x'"]),
    ("version: 1\nauth:\n\tuser: a\n", ["3:1: not YAML: a tab indents this line"]),
    ("version: 1\nbase: &b {}\nauth: {<<: *b}\n", ["3:8: “<<” is not supported"]),
    (
        "version: 1\nauth: !!python/object:os.system {}\n",
        ["2:7: the tag tag:yaml.org,2002:python/object:os.system is"],
    ),
    ("version: 1\nauth: &a {user: *a}\n", ["2:7: nested deeper than 20 levels"]),  # an alias to itself
    ("version: 1\n--- \nversion: 1\n", ["2:1: not YAML: found another document"]),
    ("version: 1\nauth: {user: \x07}\n", ["2:14: a control character is not allowed here"]),
    (
        "version: 1\ncloud: moon\nauth: {client_id: x}\nx_y_z: 1\ntenants: {a: {cloud: 3}}\n",  # all in one go
        [
            "2:8: cloud cannot be “moon”",
            "3:19: auth.client_id must be a GUID",
            "4:1: there is no setting “x_y_z” here",
            "5:22: cloud must be a text",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_wrong_file_is_refused_with_every_place(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = write(tmp_path, text)
    errors = validate(path)
    assert len(errors) == len(expected)
    for error, start in zip(errors, expected, strict=True):
        assert str(error).startswith(f"{path}:{start}")
    assert "hunter2" not in "".join(f"{error}{error.hint}" for error in errors)


@pytest.mark.parametrize("text", [text for text, _ in WRONG if "profiles:" not in text])
def test_load_raises_the_first_of_them(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load({"config": str(path)}, environment={})
    assert str(caught.value) == str(validate(path)[0])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("version: 1\ntennant: x.com\n", "did you mean tenant?"),
        ("version: 1\nauth: {client-id: x}\n", "did you mean auth.client_id?"),
        ("version: 1\nmax_key_age: 90d\n", "did you mean policy.dkim.max_key_age?"),
        ("version: 1\nprofils: {}\n", "did you mean profiles?"),
        ("version: 1\npolicies: {}\n", "did you mean policy?"),
        ("version: 1\ntenants: {a: {output: json}}\n", "output belongs to the top level of the file"),
        ("version: 1\nqqq: 1\n", "`exo-auth config schema` lists the settings"),
        (
            "version: 1\ncloud: gchigh\n",
            "did you mean gcchigh? one of worldwide, gcc, gcchigh, dod, china",
        ),
        ("version: 1\nprofile: prd\nprofiles: {prod: {}}\n", "did you mean prod?"),
        ("version: 1\npolicy: {dkim: {max_key_age: 5}}\n", "put it in quotes"),
    ],
)
def test_the_hint_names_what_was_probably_meant(tmp_path: Path, text: str, hint: str) -> None:
    assert [error.hint for error in validate(write(tmp_path, text))] == [hint]


def test_bytes_that_are_not_utf8_are_refused_at_their_place(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"version: 1\ntenant: caf\xe9.com\n")
    assert [str(error) for error in validate(path)] == [f"{path}:2:12: not UTF-8 text"]


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load({"config": str(path)}, environment={})


def test_nested_aliases_do_not_fill_the_memory() -> None:
    rungs = [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 9)]
    text = "a0: &a0 [" + ", ".join(["x"] * 10) + "]\n" + "\n".join(rungs)
    with pytest.raises(ConfigError, match="more than 200000 values"):
        parse(text, "f")


@pytest.mark.parametrize("text", ["[" * 5000, "x" * 1_000_001])
def test_deep_and_long_files_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, "f")


@given(st.text(alphabet="abc:{}[],&*!|>-?# \n\t'\"%@1~<", max_size=40))
def test_any_text_parses_or_is_refused(text: str) -> None:
    place: int | None = 1
    try:
        parse(text, "f")
    except ConfigError as refused:
        place = refused.line
    assert place is not None


FULL = f"""\
version: 1
tenant: contoso
cloud: gcc
auth:
  client_id: {GUID}
  certificate_file: app.pem
  certificate_passphrase: keyring:exo-auth/app
nameservers: [9.9.9.9]
policy: {{dkim: {{max_key_age: 90d, ignore: ["*.vendor.com"], include_initial_domain: yes}}}}
limits: {{changes_per_run: 5, share: 10%}}
timeouts: {{lock: 5m}}
tenants:
  contoso:
    tenant_id: {GUID}
    initial_domain: Contoso.OnMicrosoft.com
    policy: {{dkim: {{max_key_age: 60d}}}}
  fabrikam: {{tenant_id: {OTHER}, cloud: dod, auth: {{client_id: {OTHER}}}}}
profiles:
  careful: {{limits: {{changes_per_run: 1}}, policy: {{dkim: {{max_key_age: 30d}}}}}}
"""


def test_the_full_file_is_right_for_us_and_for_its_schema(tmp_path: Path) -> None:
    assert validate(write(tmp_path, FULL)) == ()
    jsonschema.validate(yaml.safe_load(FULL), json_schema())


@pytest.mark.parametrize(
    ("flags", "environment", "expected", "origin"),
    [
        ({}, {}, 60, "file {path}:16:21"),  # the tenant's own entry is nearer than the top level
        ({"tenant": "fabrikam"}, {}, 90, "file {path}:9:17"),
        ({"profile": "careful"}, {}, 30, "profile {path}:19:59"),
        ({}, {"EXO_AUTH_PROFILE": "careful"}, 30, "profile {path}:19:59"),
        ({"profile": "careful"}, {"EXO_AUTH_MAX_KEY_AGE": "20d"}, 20, "env EXO_AUTH_MAX_KEY_AGE"),
        (
            {"profile": "careful", "policy.dkim.max_key_age": "10d"},
            {"EXO_AUTH_MAX_KEY_AGE": "20d"},
            10,
            "flag --max-key-age",
        ),
        ({}, {"EXO_AUTH_MAX_KEY_AGE": ""}, 60, "file {path}:16:21"),  # empty counts as not set
    ],
)
def test_the_nearest_source_wins(
    tmp_path: Path, flags: dict[str, object], environment: dict[str, str], expected: int, origin: str
) -> None:
    path = write(tmp_path, FULL)
    settings = load({"config": str(path), **flags}, environment=environment)
    assert settings.policy.max_key_age.days == expected
    assert str(settings.origin("policy.dkim.max_key_age")) == origin.format(path=path)


def test_without_any_source_the_defaults_count(tmp_path: Path) -> None:
    settings = load({}, environment={}, config_file=tmp_path / "none.yaml", state_dir=tmp_path / "state")
    assert settings.config_file is None
    assert settings.tenant == ""
    assert settings.state_dir == tmp_path / "state"
    assert {row.origin.kind for row in settings.rows()} == {"default"}


def test_the_file_is_found_by_option_then_variable_then_platform(tmp_path: Path) -> None:
    for name in ("flag", "env", "platform"):
        (tmp_path / name).write_text(f"version: 1\ntenant: {name}.com\n")
    environment = {"EXO_AUTH_CONFIG": str(tmp_path / "env")}
    platform = tmp_path / "platform"
    assert load({"config": str(tmp_path / "flag")}, environment=environment).tenant == "flag.com"
    assert load({}, environment=environment, config_file=platform).tenant == "env.com"
    assert load({}, environment={}, config_file=platform).tenant == "platform.com"


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        ({"limits.share": "50"}, {}, "--max-share must be a percentage, not “50”"),
        ({"policy.dkim.max_key_age": "5"}, {}, "--max-key-age: “5” is not a duration: a unit is expected"),
        ({"policy.dkim.key_size": 3000}, {}, "--key-size cannot be 3000"),
        ({"cloud": "mars"}, {}, "--cloud cannot be “mars”"),
        ({"tenant": "contso"}, {}, "--tenant: there is no tenant “contso”"),
        ({"tenant": "a_b.com"}, {}, "--tenant: “a_b.com” is not a domain name"),
        ({"profile": "x"}, {}, "--profile: there is no profile “x”"),
        ({}, {"EXO_AUTH_KEY_SIZE": "big"}, "EXO_AUTH_KEY_SIZE must be a whole number above 0, not “big”"),
        (
            {},
            {"EXO_AUTH_INCLUDE_INITIAL_DOMAIN": "maybe"},
            "EXO_AUTH_INCLUDE_INITIAL_DOMAIN: “maybe” is neither",
        ),
        ({}, {"EXO_AUTH_CLIENT_ID": "x"}, "EXO_AUTH_CLIENT_ID must be a GUID"),
        (
            {},
            {"EXO_AUTH_FEDERATED_COMMAND": "a 'b"},
            "EXO_AUTH_FEDERATED_COMMAND: the command cannot be split",
        ),
        (
            {},
            {"EXO_AUTH_TOKEN": "t", "EXO_AUTH_TOKEN_FILE": "/t"},
            "EXO_AUTH_TOKEN and EXO_AUTH_TOKEN_FILE are both set",
        ),
        (
            {},
            {"EXO_AUTH_CA_FILE": "/nowhere/ca.pem"},
            "EXO_AUTH_CA_FILE: the file /nowhere/ca.pem of ca_file is not",
        ),
        ({}, {"EXO_AUTH_AUTHORITY": "http://x"}, "EXO_AUTH_AUTHORITY must be an https:// URL"),
    ],
)
def test_a_wrong_option_or_variable_is_named(
    tmp_path: Path, flags: dict[str, object], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        load(flags, environment=environment, config_file=tmp_path / "none.yaml")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("EXO_AUTH_TENNANT", "nothing reads EXO_AUTH_TENNANT; did you mean EXO_AUTH_TENANT?"),
        ("EXO_AUTH_QQQQQQ", "nothing reads EXO_AUTH_QQQQQQ"),
        ("EXO_AUTH_TENANT_FILE", "nothing reads EXO_AUTH_TENANT_FILE; did you mean EXO_AUTH_TENANT?"),
    ],
)
def test_a_variable_that_nothing_reads_is_warned_about(tmp_path: Path, name: str, warning: str) -> None:
    settings = load({}, environment={name: "x"}, config_file=tmp_path / "none.yaml")
    assert settings.warnings == (warning,)


@pytest.mark.parametrize("name", ["EXO_AUTH_SANDBOX_CONTROL", "EXO_AUTH_CORPORA", "EXO_AUTH_YES", "HOME"])
def test_other_variables_are_left_alone(tmp_path: Path, name: str) -> None:
    assert load({}, environment={name: "x"}, config_file=tmp_path / "none.yaml").warnings == ()


def test_the_shared_options_name_the_variables_that_are_read() -> None:
    text = Path(options.__file__).read_text(encoding="utf-8")
    used = re.findall(r'_setting\("([a-z._]+)"\)', text)
    assert used
    for key in used:
        assert f"[env: {BY_KEY[key].env}]" in text


def test_no_variable_of_an_option_is_warned_about() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(options.__file__).parent.glob("*.py"))
    read = set(re.findall(r'envvar="(EXO_AUTH_[A-Z_]+)"', text))
    assert "EXO_AUTH_YES" in read
    assert unknown_variables(read) == ()  # a new option's variable belongs into OPTION_VARIABLES


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_has_a_twin_and_a_place_in_the_schema(setting: Setting) -> None:
    assert re.fullmatch(r"EXO_AUTH_[A-Z_]+", setting.env)
    assert [other.key for other in SETTINGS if other.env == setting.env] == [setting.key]
    assert setting.help.endswith(".")
    if setting.is_secret:
        assert setting.flag is None  # the command line is seen by everyone on the machine
    part = json_schema()
    if Scope.TOP in setting.scopes:
        for step in setting.key.split("."):
            part = part["properties"][step]
        assert setting.env in part["description"]
    else:
        assert setting.key == "config"


def test_the_schema_holds_nothing_else() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {key.split(".")[0] for key in in_scope(Scope.TOP)} | {
        "version",
        "tenants",
        "profiles",
    }
    entry = schema["properties"]["tenants"]["additionalProperties"]["properties"]
    assert {row.key for row in TENANT_IDENTITY} <= set(entry)
    json.dumps(schema)


@pytest.mark.parametrize(
    "text",
    [
        "cloud: dod",
        "version: 2",
        "- version: 1",
        "{version: 1, tennant: x.com}",
        "{version: 1, auth: {client-id: x}}",
        "{version: 1, auth: {client_id: abc}}",
        "{version: 1, auth: {client_secret: hunter2}}",
        "{version: 1, auth: {federated_command: gcloud}}",
        "{version: 1, tenants: {a: {state_dir: /x}}}",
        "{version: 1, profiles: {a: {profile: b}}}",
        "{version: 1, cloud: moon}",
        "{version: 1, nameservers: [9.9.9.9, 1]}",
        "{version: 1, authority: 'http://x'}",
        "{version: 1, policy: {dkim: {key_size: 512}}}",
        "{version: 1, policy: {dkim: {max_key_age: 6mo}}}",
        "{version: 1, policy: {dkim: {include_initial_domain: 1}}}",
        "{version: 1, limits: {share: 0.5}}",
        "{version: 1, limits: {changes_per_run: 0}}",
    ],
)
def test_the_schema_refuses_what_we_refuse(tmp_path: Path, text: str) -> None:
    assert validate(write(tmp_path, text))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), json_schema())


def test_the_first_file_is_right_also_with_every_comment_taken_away(tmp_path: Path) -> None:
    answers = {"tenant": "contoso.com", "auth.client_id": GUID, "auth.certificate_file": "C:\\keys\\a b.pem"}
    text = first_config(answers)
    assert validate(write(tmp_path, text)) == ()
    assert load({"config": str(tmp_path / "config.yaml")}, environment={}).tenant == "contoso.com"
    bare = re.sub(r"(?m)^( *)# ?(?=( *)[a-z_]+:( |$))", r"\1", text).replace("production", "careful")
    assert validate(write(tmp_path, bare)) == ()
    quoted = bare.replace(" on:", ' "on":')  # YAML 1.1, which this loader reads, takes a bare on for true
    jsonschema.validate(yaml.safe_load(quoted), json_schema())
    assert set(parse(bare, "f").entries) == set(json_schema()["properties"])


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20))
def test_an_answer_comes_back_from_the_first_file(answer: str) -> None:
    root = parse(first_config({"auth.user": answer}), "f")
    user = root.entries["auth"].value.entries["user"].value
    assert (user.kind, user.text) == ("a text", answer)


def test_the_first_file_is_private_whole_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    write_private(path, "version: 1\n", replace=False, make_folder=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="there is a file already"):
        write_private(path, "other", replace=False, make_folder=True)
    assert path.read_text() == "version: 1\n"
    write_private(path, "other", replace=True, make_folder=True)
    assert path.read_text() == "other"
    assert [one.name for one in path.parent.iterdir()] == ["config.yaml"]


LOCAL = [  # mode, is it a link, does it count, reason
    (0o600, False, True, "ours alone"),
    (0o644, False, True, "others may read it"),
    (0o664, False, False, "the group may write it"),
    (0o646, False, False, "everybody may write it"),
    (0o600, True, False, "a link leads anywhere"),
]


@pytest.mark.parametrize(("mode", "is_link", "counts", "reason"), LOCAL, ids=[row[3] for row in LOCAL])
def test_a_file_in_the_working_directory_counts_when_it_is_ours_alone(
    tmp_path: Path, mode: int, is_link: bool, counts: bool, reason: str
) -> None:
    from exo_auth.run.config import default_file

    file = tmp_path / "exo-auth.yaml"
    if is_link:
        (tmp_path / "real.yaml").write_text("version: 1\n")
        file.symlink_to(tmp_path / "real.yaml")
    else:
        file.write_text("version: 1\n")
        file.chmod(mode)
    assert (default_file(tmp_path) == file) is counts, reason
    assert default_file(tmp_path / "nowhere").name == "config.yaml"
