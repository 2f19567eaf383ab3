"""Secrets from the platform's store, through the optional `keyring` package (identity)."""

from __future__ import annotations

from exo_auth.errors import InputError


def read_keyring(service: str, user: str) -> str:
    """Give the secret kept for `user` of `service`, "" where there is none; raises InputError without a store."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise InputError(
            "the keyring cannot be asked: the package keyring is not installed",
            hint="pip install 'exo-auth[keyring]'",
        ) from None
    try:
        return keyring.get_password(service, user) or ""
    except KeyringError as error:
        raise InputError(
            f"the keyring cannot be asked: {error}", hint="is it unlocked for this user?"
        ) from None
