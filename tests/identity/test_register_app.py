"""scripts/register-app against a stand-in for the Azure CLI that keeps state: exactly what is needed, once, also after a kill."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jmespath
import pytest
import stand_in_az
import tree_sitter
import tree_sitter_pwsh
from terminal import in_process

from exo_auth.cloud import CLOUDS
from exo_auth.exchange.cmdlets import ALLOWED
from exo_auth.identity.app_registration import (
    READS,
    WRITES,
    register_app_script,
    role_group_script,
    setup_steps,
)
from exo_auth.identity.certificate import make_certificate
from exo_auth.identity.permission_advice import EXCHANGE_ADMINISTRATOR, MANAGE_AS_APP_ID, RESOURCE_APP_ID

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "register-app"
TENANT = "contoso.onmicrosoft.com"
GITHUB = "repo:contoso/mail:ref:refs/heads/main"

pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("openssl")), reason="needs bash and openssl"
)


class Azure:
    """The stand-in on a PATH of its own, and what it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_file = folder / "tenant.json"
        program = folder / "bin" / "az"
        program.parent.mkdir()
        # Started dozens of times a test: without what `site` looks for, that takes half as long.
        packages = Path(jmespath.__file__).parent.parent
        start = f'PYTHONPATH="{packages}" exec "{sys.executable}" -S "{stand_in_az.__file__}" "$@"'
        program.write_text(f"#!/bin/sh\n{start}\n")
        program.chmod(0o755)
        self.environment = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "AZ_STAND_IN": str(self.state_file),
        }

    def register(self, *options: str, dies_after: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, "AZ_DIES_AFTER": str(dies_after)}
        line = ["bash", str(SCRIPT), "--tenant", TENANT, *options]
        return subprocess.run(
            line,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            start_new_session=True,
        )

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = (
            json.loads(self.state_file.read_text()) if self.state_file.exists() else stand_in_az.fresh()
        )
        return state

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.state_file.with_suffix(".log").read_text().splitlines()]


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    return Azure(tmp_path)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "app", "exo-auth", 30, lambda: datetime.now(UTC)).public_file


def test_without_apply_everything_is_shown_and_nothing_done(azure: Azure, certificate: Path) -> None:
    done = azure.register("--certificate", str(certificate), "--federated-subject", GITHUB)
    assert done.returncode == 0, done.stderr
    assert azure.state == stand_in_az.fresh()
    assert {call[call.index("--method") + 1] for call in azure.calls} == {"GET"}
    assert done.stdout.count("+ would:") == 6
    assert "Nothing was changed" in done.stdout


def test_it_gives_exactly_what_is_needed_and_a_second_run_changes_nothing(
    azure: Azure, certificate: Path
) -> None:
    options = ("--certificate", str(certificate), "--federated-subject", GITHUB, "--apply")
    done = azure.register(*options)
    assert done.returncode == 0, done.stderr
    (app,) = azure.state["applications"]
    (principal,) = (one for one in azure.state["servicePrincipals"] if one["appId"] == app["appId"])
    assert app["requiredResourceAccess"] == [
        {"resourceAppId": RESOURCE_APP_ID, "resourceAccess": [{"id": MANAGE_AS_APP_ID, "type": "Role"}]}
    ]
    assert app["signInAudience"] == "AzureADMyOrg"
    assert azure.state["assignments"] == [
        {"principalId": principal["id"], "resourceId": "exchange-object", "appRoleId": MANAGE_AS_APP_ID}
    ]
    assert azure.state["roles"] == [
        {"principalId": principal["id"], "roleDefinitionId": EXCHANGE_ADMINISTRATOR, "directoryScopeId": "/"}
    ]
    (key,) = app["keyCredentials"]
    assert base64.b64decode(key["key"]) == certificate.read_bytes()
    (trusted,) = app["federated"]
    assert (trusted["subject"], trusted["issuer"]) == (GITHUB, "https://token.actions.githubusercontent.com")
    assert trusted["audiences"] == ["api://AzureADTokenExchange"]
    assert f"EXO_AUTH_CLIENT_ID={app['appId']}" in done.stdout
    assert "exo-auth doctor" in done.stdout

    before = azure.state
    again = azure.register(*options)
    assert again.returncode == 0, again.stderr
    assert azure.state == before
    assert "+" not in again.stdout
    assert again.stdout.count("\n= ") == 7


@pytest.mark.parametrize("writes", [1, 2, 4, 6])
def test_killed_in_the_middle_it_goes_on(azure: Azure, certificate: Path, writes: int) -> None:
    options = ("--certificate", str(certificate), "--federated-subject", GITHUB, "--apply")
    assert azure.register(*options, dies_after=writes).returncode == -9
    assert azure.state["writes"] == writes
    done = azure.register(*options)
    assert done.returncode == 0, done.stderr
    assert azure.state["writes"] == 6  # none of them twice
    assert len(azure.state["applications"]) == 1


def test_what_is_there_stays(azure: Azure, certificate: Path, tmp_path: Path) -> None:
    graph = {
        "resourceAppId": "00000003-0000-0000-c000-000000000000",
        "resourceAccess": [{"id": "x", "type": "Role"}],
    }
    old = {"customKeyIdentifier": "b2xk", "key": "AAAA"}
    app = {"id": "app-object", "appId": "app-client", "displayName": "mail", "requiredResourceAccess": [graph],
           "keyCredentials": [old], "federated": []}  # fmt: skip
    azure.state_file.write_text(json.dumps({**stand_in_az.fresh(), "applications": [app]}))
    done = azure.register(
        "--app-id", "app-client", "--certificate", str(certificate), "--role-group", "--apply"
    )
    assert done.returncode == 0, done.stderr
    (after,) = azure.state["applications"]
    assert after["requiredResourceAccess"][0] == graph
    assert len(after["requiredResourceAccess"]) == 2
    assert after["keyCredentials"][0] == old
    assert len(after["keyCredentials"]) == 2
    assert azure.state["roles"] == []  # the role group gives the rights
    assert "register-role-group.ps1 -AppId app-client -ObjectId" in done.stdout


def test_a_managed_identity_gets_permission_and_role_and_no_application(azure: Azure) -> None:
    assert azure.register("--managed-identity", "identity-object", "--apply").returncode == 0
    assert azure.state["applications"] == []
    assert [one["principalId"] for one in (*azure.state["assignments"], *azure.state["roles"])] == [
        "identity-object"
    ] * 2


def test_another_cloud_is_asked_at_its_own_address(azure: Azure) -> None:
    done = azure.register("--cloud", "gcchigh", "--federated-subject", GITHUB, "--apply")
    assert done.returncode == 0, done.stderr
    assert {call[call.index("--resource") + 1] for call in azure.calls} == {"https://graph.microsoft.us"}
    assert azure.state["applications"][0]["federated"][0]["audiences"] == ["api://AzureADTokenExchangeUSGov"]


WRONG = [  # options, part of the message, reason
    (("--tenant", "fabrikam.com"), "has no domain fabrikam.com", "az is signed in elsewhere"),
    (("--cloud", "moon"), "no cloud 'moon'", "a cloud there is not"),
    (("--secret", "x"), "no option '--secret'", "a secret has no option"),
    (("--name",), "--name needs a value", "half an option"),
    (("--name", "it's"), "quotation mark", "a name that would break the filter"),
    (("--certificate", "none.cer"), "cannot be read", "a file there is not"),
    (("--certificate", "app.pem"), "holds a private key", "the wrong one of the two files"),
    (("--certificate", "text.cer"), "is no certificate", "something else"),
    (("--app-id", "none"), "no application none", "an application there is not"),
    (("--managed-identity", "x", "--app-id", "y"), "a managed identity has no", "two ways at once"),
]


@pytest.mark.parametrize(("options", "part", "reason"), WRONG, ids=[row[2] for row in WRONG])
def test_what_is_wrong_is_told_before_anything_is_changed(
    azure: Azure, certificate: Path, options: tuple[str, ...], part: str, reason: str
) -> None:
    (azure.folder / "text.cer").write_text("no certificate")
    done = azure.register("--apply", *options)
    assert done.returncode == 64, done
    assert part in done.stderr, reason
    if reason != "something else":
        assert azure.state == stand_in_az.fresh()


def test_two_of_the_same_name_are_not_guessed_between(azure: Azure) -> None:
    apps = [{"id": f"o{n}", "appId": f"c{n}", "displayName": "exo-auth"} for n in range(2)]
    azure.state_file.write_text(json.dumps({**stand_in_az.fresh(), "applications": apps}))
    done = azure.register("--apply")
    assert (done.returncode, "several applications" in done.stderr, "c0 c1" in done.stderr) == (
        64,
        True,
        True,
    )


def test_no_secret_and_no_private_key_ever_stands_on_a_command_line(azure: Azure, certificate: Path) -> None:
    azure.register("--certificate", str(certificate), "--apply")
    private = (certificate.with_suffix(".pem")).read_text().splitlines()[1]
    text = json.dumps(azure.calls)
    assert private not in text
    assert "password" not in text.lower()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_takes_the_script() -> None:
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_scripts_are_what_the_product_prints_and_setup_names_the_same_things() -> None:
    role_group = ROOT / "scripts" / "register-role-group.ps1"
    if os.environ.get("EXO_AUTH_UPDATE_GOLDEN"):
        SCRIPT.write_text(register_app_script(), encoding="utf-8")
        SCRIPT.chmod(0o755)
        role_group.write_text(role_group_script(), encoding="utf-8")
    assert SCRIPT.read_text(encoding="utf-8") == register_app_script()
    assert role_group.read_text(encoding="utf-8") == role_group_script()
    environment = {"HOME": "/nonexistent", "EXO_AUTH_TENANT": TENANT}
    assert in_process("auth", "setup", "--as", "script", environment=environment).out == register_app_script()
    assert (
        in_process("auth", "setup", "--as", "role-group", environment=environment).out == role_group_script()
    )
    for text in (register_app_script(), setup_steps(CLOUDS["worldwide"], TENANT)):
        for part in (RESOURCE_APP_ID, MANAGE_AS_APP_ID, EXCHANGE_ADMINISTRATOR):
            assert part in text
    assert "register-app" in setup_steps(CLOUDS["worldwide"], TENANT)
    assert "@" not in register_app_script().replace("${subjects[@]", "").replace("admin@", "").replace(
        '"$@"', ""
    )


def test_the_role_group_has_the_cmdlets_that_are_sent_and_no_others() -> None:
    assert set(READS) == {name for name, cmdlet in ALLOWED.items() if not cmdlet.is_write}
    assert set(WRITES) == {name for name, cmdlet in ALLOWED.items() if cmdlet.is_write}
    text = role_group_script()
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
    assert not parser.parse(text.encode()).root_node.has_error
    assert all(f"'{name}'" in text for name in ALLOWED)
