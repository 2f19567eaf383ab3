"""Tokens kept between runs: in the platform's store, else in a private file, else not (identity)."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import msal
import msal_extensions

from exo_auth.errors import InputError


def open_cache(path: Path, *, plaintext: bool = False) -> tuple[Any, str | None]:
    """Give MSAL's token cache at `path`, and a warning when it is weaker than wished; raises InputError.

    The platform's encrypted store comes first. Where there is none, `plaintext` allows a file of mode 0600;
    without it tokens live as long as the process.
    """
    _prepare_folder(path.parent)
    store = _encrypted(path)
    if store is not None:
        return _CarefulCache(store, path), None
    if not plaintext:
        return msal.SerializableTokenCache(), (
            "this machine has no encrypted store for tokens: the sign-in is forgotten at the end of this run; "
            "set auth.token_cache to “file” to keep it in a private file"
        )
    aside = _set_aside_if_broken(path)
    _make_private(path)
    warning = f"tokens are kept unencrypted in {path}: whoever reads it acts as the signed-in user"
    if aside:
        warning = f"{path} was damaged and is now {aside.name}: sign in again; {warning}"
    return _CarefulCache(_PrivateFile(str(path)), path), warning


class _PrivateFile(msal_extensions.FilePersistence):  # type: ignore[misc]  # msal has no types
    """A file that readers see whole: replaced in one step, mode 0600."""

    def save(self, content: str) -> None:
        """Write beside the file, then take its place."""
        path = Path(self.get_location())
        descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mkstemp gives 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class _CarefulCache(msal_extensions.PersistedTokenCache):  # type: ignore[misc]  # msal has no types
    """A cache that another process, or a crash, may damage at any time: then it is empty, not an error."""

    def __init__(self, store: Any, path: Path) -> None:
        super().__init__(store)
        self._path = path

    def deserialize(self, state: str | None) -> None:
        """Take over a stored text; raises ValueError for one that is no cache."""
        if state and not _is_cache(state):
            raise ValueError("this is no token cache")
        super().deserialize(state)

    def search(self, credential_type: str, **kwargs: Any) -> Any:
        """Look in the stored tokens, or in those of this process when the store cannot be read."""
        try:
            return super().search(credential_type, **kwargs)
        except (ValueError, OSError, RuntimeError):
            self._start_over()
            return msal.SerializableTokenCache.search(self, credential_type, **kwargs)

    def modify(self, credential_type: str, old_entry: Any, new_key_value_pairs: Any = None) -> None:
        """Store a change; it stays in memory when the store does not take it."""
        change = {"new_key_value_pairs": new_key_value_pairs}
        try:
            super().modify(credential_type, old_entry, **change)
        except (ValueError, msal_extensions.persistence.PersistenceDecryptionError):
            self._start_over()
            super().modify(credential_type, old_entry, **change)
        except (OSError, RuntimeError):
            # A full disk or a stuck lock costs the next sign-in, not this one.
            msal.SerializableTokenCache.modify(self, credential_type, old_entry, **change)

    def _start_over(self) -> None:
        _set_aside_if_broken(self._path)
        super().deserialize("{}")


def _encrypted(path: Path) -> Any | None:
    try:
        store = msal_extensions.build_encrypted_persistence(str(path))
    except (ImportError, RuntimeError, OSError, ValueError, AttributeError):
        # PyGObject or a session keyring is missing: each platform says so in its own way.
        return None
    return store


def _prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} for tokens cannot be made: {error.strerror or error}",
            hint="choose another state folder, or set auth.token_cache to “none”",
        ) from None


def _make_private(path: Path) -> None:
    try:
        # O_NOFOLLOW: a link planted here would make us write tokens elsewhere.
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                os.fchmod(file.fileno(), 0o600)
            if file.tell() == 0:
                file.write(b"{}")
    except OSError as error:
        raise InputError(
            f"the token file {path} cannot be written: {error.strerror or error}",
            hint="check its owner, or set auth.token_cache to “none”",
        ) from None


def _set_aside_if_broken(path: Path) -> Path | None:
    """Rename a file that is no token cache, so that a look into it stays possible; give its new name."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if not content or _is_cache(content):
        return None
    aside = path.with_name(path.name + ".damaged")
    with contextlib.suppress(OSError):
        path.replace(aside)
        return aside
    return None


def _is_cache(content: str | bytes) -> bool:
    try:
        kinds = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(kinds, dict) and all(
        isinstance(entries, dict) and all(isinstance(entry, dict) for entry in entries.values())
        for entries in kinds.values()
    )
