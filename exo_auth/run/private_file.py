"""Files of ours: written whole or not at all, and read by their owner alone (run)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from exo_auth.errors import ConfigError


def write_private(path: Path, text: str, *, replace: bool, make_folder: bool = False) -> None:
    """Write the file whole or not at all, readable by its owner only; raises ConfigError when it is there."""
    try:
        if make_folder:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if replace or not _linked(temporary, path):
                Path(temporary).replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                Path(temporary).unlink()
    except FileExistsError:
        raise ConfigError("there is a file already", file=str(path), hint="--force replaces it") from None
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", file=str(path)) from None


def _linked(temporary: str, path: Path) -> bool:
    """Give the file its name without taking one in use; False where the file system has no links."""
    if os.path.lexists(path):
        raise FileExistsError
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
