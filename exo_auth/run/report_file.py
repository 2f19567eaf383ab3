"""A report that grows while a run goes on, and takes its name only when it is whole (run)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from exo_auth.errors import ConfigError


class ReportFile:
    """Write parts to a temporary file beside `path`; leaving without an error puts it in place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        except OSError as error:
            raise self._refused(error) from None
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "w", encoding="utf-8")
        return self

    def write(self, text: str) -> None:
        """Add a part; raises ConfigError when the disk is full."""
        try:
            self._file.write(text)
        except OSError as error:
            raise self._refused(error) from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._temporary.replace(self._path)
        except OSError as failure:
            raise self._refused(failure) from None
        finally:
            with contextlib.suppress(OSError):
                self._file.close()
            with contextlib.suppress(FileNotFoundError):
                self._temporary.unlink()

    def _refused(self, error: OSError) -> ConfigError:
        return ConfigError(f"cannot be written: {error.strerror or error}", file=str(self._path))
