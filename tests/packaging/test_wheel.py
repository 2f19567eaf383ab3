"""The wheel holds what an installed exo-auth needs, and works where nothing else of the repository is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(folder),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "exo_auth/py.typed" in names
    assert "exo_auth/render/schemas/plan.json" in names
    assert "exo_auth/exchange/session.ps1" in names
    assert {name for name in names if name.startswith("exo_auth/playbooks/") and name.endswith(".yaml")}
    assert not [name for name in names if name.startswith("tests/")]


def test_the_wheel_runs_from_elsewhere(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "exo_auth", "schema", "plan"],
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(tmp_path / "site"),
            "PYTHONSAFEPATH": "1",
            "HOME": str(tmp_path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "exo-auth/plan/1" in done.stdout
