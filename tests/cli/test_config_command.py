"""`config` and `init` as they are typed."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from exo_auth.cli import config, init
from exo_auth.errors import ConfigError, InputError
from exo_auth.run.config import load, validate
from exo_auth.run.config_json_schema import json_schema

GUID = "11111111-2222-3333-4444-555555555555"
SECRET = "hunter2-hunter2"

app = typer.Typer()
app.add_typer(config.app, name="config")
app.command("init")(init.init)


def run(*arguments: str, **environment: str) -> Result:
    """Run one command line with no other EXO_AUTH_ variables than these."""
    return CliRunner(env={"EXO_AUTH_CONFIG": None, "NO_COLOR": "1", **environment}).invoke(
        app, list(arguments)
    )


def test_validate_lists_every_mistake_and_leaves_with_64(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\ncloud: moon\ntennant: x\n")
    result = run("config", "validate", str(path))
    assert result.exit_code == 64
    assert result.stdout.splitlines() == [
        f"{path}:2:8: cloud cannot be “moon” (one of worldwide, gcc, gcchigh, dod, china)",
        f"{path}:3:1: there is no setting “tennant” here (did you mean tenant?)",
    ]


@pytest.mark.parametrize("how", ["argument", "option", "variable"])
def test_validate_says_that_a_file_is_right(tmp_path: Path, how: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\n")
    result = {
        "argument": lambda: run("config", "validate", str(path)),
        "option": lambda: run("config", "validate", "--config", str(path)),
        "variable": lambda: run("config", "validate", EXO_AUTH_CONFIG=str(path)),
    }[how]()
    assert (result.exit_code, result.stdout) == (0, f"{path}: right\n")


def test_validate_of_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    result = run("config", "validate", str(tmp_path / "c.yaml"))
    assert result.exit_code == 64
    assert (
        result.stdout
        == f"{tmp_path / 'c.yaml'}: there is no such file (`exo-auth init` writes a first one)\n"
    )


def test_show_names_value_and_origin_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\ntenant: contoso.com\n")
    result = run(
        "config", "show", "--origin", "-o", "table", EXO_AUTH_CONFIG=str(path), EXO_AUTH_CLIENT_SECRET=SECRET
    )
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert lines["tenant"] == ["contoso.com", "file", f"{path}:2:1"]
    assert lines["auth.client_secret"] == ["…", "env", "EXO_AUTH_CLIENT_SECRET"]
    assert lines["output"] == ["table", "flag", "--output"]
    assert lines["policy.dkim.max_key_age"] == ["180d", "default"]
    assert SECRET not in result.output


def test_show_warns_on_stderr_about_a_variable_that_nothing_reads(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\n")
    result = run("config", "show", EXO_AUTH_CONFIG=str(path), EXO_AUTH_TENNANT="x")
    assert "warning: nothing reads EXO_AUTH_TENNANT; did you mean EXO_AUTH_TENANT?\n" in result.stderr
    assert "warning" not in result.stdout


@pytest.mark.parametrize(("output", "line"), [("csv", "jitter,8m"), ("md", "| jitter | 8m |")])
def test_show_writes_tables_for_other_programs(tmp_path: Path, output: str, line: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\n")
    result = run("config", "show", "-o", output, EXO_AUTH_CONFIG=str(path))
    assert line in result.stdout.splitlines()


def test_show_of_a_wrong_file_raises_its_first_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("version: 1\ncloud: moon\n")
    assert isinstance(run("config", "show", EXO_AUTH_CONFIG=str(path)).exception, ConfigError)


def test_schema_prints_the_schema() -> None:
    assert json.loads(run("config", "schema").stdout) == json_schema()


def test_init_writes_a_private_file_that_is_right(tmp_path: Path) -> None:
    path = tmp_path / "new" / "c.yaml"
    result = run(
        "init", "--config", str(path), "-t", "contoso.com", "--cloud", "dod", "--client-id", GUID,
        "--certificate-file", "app.pem",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert validate(path) == ()
    settings = load({"config": str(path)}, environment={})
    assert (settings.tenant, settings.cloud.name, settings.auth.client_id) == ("contoso.com", "dod", GUID)
    assert settings.auth.certificate_file == Path("app.pem").absolute()  # not relative to the new file


def test_init_asks_nothing_without_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    result = run("init", "--config", str(path))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == f"{path} is written"
    assert load({"config": str(path)}, environment={}).tenant == ""


def test_init_asks_on_a_terminal_for_what_the_options_leave_open(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    ours, theirs = pty.openpty()
    script = (
        "import typer; from exo_auth.cli.init import init; app = typer.Typer(); app.command()(init); app()"
    )
    environment = {name: text for name, text in os.environ.items() if name != "CI"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, "--config", str(path), "--client-id", GUID],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    os.write(ours, b"contoso.com\n\n\n")  # the tenant; worldwide; no certificate yet
    shown, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, shown
    assert b"Tenant" in shown
    assert b"client" not in shown
    settings = load({"config": str(path)}, environment={})
    assert (settings.tenant, settings.cloud.name, settings.auth.client_id) == (
        "contoso.com",
        "worldwide",
        GUID,
    )


def test_init_replaces_a_file_only_with_force(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mine")
    refused = run("init", "--config", str(path), "-t", "contoso.com")
    assert isinstance(refused.exception, InputError)
    assert path.read_text() == "mine"
    assert run("init", "--config", str(path), "-t", "contoso.com", "--force").exit_code == 0
    assert validate(path) == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-t", "contoso"], "--tenant: there is no tenant “contoso” in the configuration"),
        (["--client-id", "x"], "auth.client_id must be a GUID, not “x”"),
        (["--cloud", "moon"], "--cloud cannot be “moon”"),
    ],
)
def test_init_refuses_a_wrong_answer_before_it_writes(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    path = tmp_path / "c.yaml"
    result = run("init", "--config", str(path), *arguments)
    assert str(result.exception).endswith(message)
    assert not path.exists()
