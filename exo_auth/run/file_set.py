"""Write a set of files that belong together to a folder, each in one step (run)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from exo_auth.errors import ConfigError

FILE_MODE = 0o644  # what is written is public; a web server or another tool reads it


def write_files(folder: Path, files: Mapping[str, str]) -> dict[str, bool]:
    """Write the files that differ from what is there, each in one step; tell of each whether it changed.

    Raises ConfigError with the file that cannot be written. Files of the folder that are not named stay.
    """
    return {name: _write(folder / name, text.encode("utf-8")) for name, text in files.items()}


def _write(path: Path, content: bytes) -> bool:
    try:
        with contextlib.suppress(FileNotFoundError):
            if path.read_bytes() == content:
                return False
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, FILE_MODE)
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None
    return True
