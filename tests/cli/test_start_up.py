"""What a start costs: the version answers at once, help imports nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = {
    "msal",
    "msal_extensions",
    "requests",
    "urllib3",
    "dns",
    "rich",
    "cryptography",
    "yaml",
    "tenacity",
    "pydantic",
}


def imported(*arguments: str, codes: tuple[int, ...] = (0, 64)) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "exo_auth", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done.stderr[-500:]
    return {
        line.rsplit("|", 1)[-1].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["dkim", "--help"],
        ["dkim", "rotate", "--help"],
        ["completion", "bash"],
        ["sandbox", "start", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert {name.split(".")[0] for name in imported(*arguments)} & HEAVY == set()


def test_a_check_by_dns_imports_neither_http_nor_the_tenants_side() -> None:
    """Most checks are of few domains, for which starting is what takes time."""
    line = ["check", "--no-sign-in", "--nameserver", "127.0.0.1:1", "--only", "mx", "-o", "json", "x.example"]
    found = imported(*line, codes=(6,))
    assert "exo_auth.checks.whole" in found
    assert not {name.split(".")[0] for name in found} & HEAVY
    assert not found & {"http.client", "exo_auth.facts.tenant", "exo_auth.plan.plan"}


def test_the_version_imports_nothing_but_itself() -> None:
    plain = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "pass"], capture_output=True, text=True, check=True
    )
    bare = {line.rsplit("|", 1)[-1].strip() for line in plain.stderr.splitlines()}
    assert "typer" not in imported("--version")
    assert {name for name in imported("--version") - bare if name.startswith("exo_auth")} == {"exo_auth"}
