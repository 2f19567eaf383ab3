"""A stand-in for `pwsh`: a program that does as a real one with the module does (`pwsh_program.py`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python} -S
import sys
sys.path.insert(0, {support!r})
from pwsh_program import main
main({traits!r})
"""


def write_stand_in(folder: Path, **traits: Any) -> Path:
    """Write the program as `pwsh` into a folder for PATH; give the folder. `traits` are those of its machine."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "pwsh"
    support = str(Path(__file__).parent)
    program.write_text(
        _PROGRAM.format(python=sys.executable, support=support, traits=traits), encoding="utf-8"
    )
    program.chmod(0o700)
    return folder
