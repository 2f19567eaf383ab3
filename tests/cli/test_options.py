"""Every option has an environment twin, and help says which."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exo_auth.cli.app import build
from exo_auth.cli.check import FailOn, findings_exit_code
from exo_auth.cli.commands import BRANCHES, Branch
from exo_auth.run.carry_out import wait_for_our_turn
from exo_auth.run.config import load
from exo_auth.run.config_schema import SETTINGS
from exo_auth.run.jitter import jitter


def options() -> Iterator[tuple[str, Any]]:
    def walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, f"{path} {name}".strip())
        for parameter in command.params:
            if parameter.param_type_name == "option" and parameter.name != "help":
                yield f"{path} {parameter.opts[-1]}", parameter

    tree = build()
    tree.load_all()
    yield from walk(tree, "")


ALL = list(options())
FLAGS = {setting.flag for setting in SETTINGS if setting.flag}


@pytest.mark.parametrize(("name", "parameter"), ALL, ids=[name for name, _ in ALL])
def test_an_option_has_an_environment_twin_and_a_help_text(name: str, parameter: Any) -> None:
    assert parameter.help, name
    in_settings_table = bool(FLAGS & set(parameter.opts))
    assert parameter.envvar or in_settings_table, name
    if in_settings_table and not parameter.envvar:
        assert "[env: EXO_AUTH_" in parameter.help, name


@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.name)
def test_the_table_of_branches_says_what_the_commands_say(branch: Branch) -> None:
    own = (branch.load().help or "").split("\n\n")[0].replace("\n", " ").strip()
    assert own == branch.help


def test_no_option_takes_a_secret() -> None:
    for name, parameter in ALL:
        assert not {"--client-secret", "--secret", "--password", "--token", "--passphrase"} & set(
            parameter.opts
        ), name


# A run that nobody watches


def settings(**environment: str) -> Any:
    return load({}, environment={"EXO_AUTH_TENANT": "contoso.onmicrosoft.com", **environment})


def test_an_unattended_run_waits_its_turn_and_says_how_long() -> None:
    slept: list[float] = []
    said: list[str] = []
    wait_for_our_turn(settings(), said.append, slept.append)
    here = f"contoso.onmicrosoft.com|{socket.gethostname()}"
    wanted = jitter(here, datetime.now(UTC).date(), timedelta(minutes=8)).total_seconds()
    assert slept == ([wanted] if wanted else [])
    assert all("--no-jitter" in text for text in said)


def test_no_jitter_where_none_is_wanted_and_on_a_sandbox() -> None:
    slept: list[float] = []
    wait_for_our_turn(settings(EXO_AUTH_JITTER="0s"), slept.append, slept.append)  # type: ignore[arg-type]
    loopback = {"EXO_AUTH_AUTHORITY": "https://127.0.0.1:1", "EXO_AUTH_EXCHANGE_URL": "https://127.0.0.1:1"}
    wait_for_our_turn(settings(**loopback), slept.append, slept.append)  # type: ignore[arg-type]
    assert slept == []


@pytest.mark.parametrize(
    ("severities", "fail_on", "code"),
    [
        ([], FailOn.WARN, 0),
        (["info"], FailOn.WARN, 0),
        (["warn"], FailOn.WARN, 3),
        (["warn"], FailOn.FAIL, 0),
        (["fail"], FailOn.FAIL, 3),
        (["fail"], FailOn.NEVER, 0),
        (["fail", "unknown"], FailOn.FAIL, 6),
        (["unknown"], FailOn.NEVER, 6),
    ],
)
def test_exit_codes_of_check(severities: list[str], fail_on: FailOn, code: int) -> None:
    assert findings_exit_code(severities, fail_on) == code
