"""Secrets are looked for everywhere something is written."""

import os
from pathlib import Path

import pytest
from bench import Bench
from terminal import as_cron

from exo_auth.sandbox.serve import SECRET

COMMANDS = [
    "whoami --verbose",
    "doctor --verbose",
    "config show --origin",
    "auth status",
    "auth test",
    "dkim rotate --yes --verbose",
    "dkim rotate --yes --verbose -o json",
    "plan --out plan.json",
    "journal show -o json",
    "dkim status --no-such-option",
]


@pytest.mark.parametrize("fault", [None, "expired-token", "unavailable", "sign-in", "no-right"])
def test_no_secret_and_no_token_is_written_anywhere(bench: Bench, tmp_path: Path, fault: str | None) -> None:
    environment = {
        **bench.environment,
        "PATH": os.defpath,
        "HOME": str(bench.state),
        "EXO_AUTH_TOKEN_CACHE": "none",
    }
    folder = tmp_path / "work"
    folder.mkdir()
    said = ""
    for line in COMMANDS:
        if fault:
            bench.fault(fault)
        words = [str(folder / word) if word == "plan.json" else word for word in line.split()]
        done = as_cron(*words, environment=environment)
        said += done.out + done.err
    written = [path for root in (bench.state, folder) for path in root.rglob("*") if path.is_file()]
    said += "".join(path.read_text(encoding="utf-8", errors="replace") for path in written)
    assert written or fault == "sign-in"  # whoever cannot sign in leaves nothing
    assert SECRET not in said
    assert "eyJ" not in said  # how every JWT begins
