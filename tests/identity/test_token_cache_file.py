from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import msal
import pytest
from token_server import APP, TENANT, TokenServer

from exo_auth.cloud import Cloud
from exo_auth.errors import InputError
from exo_auth.identity.credential import ClientSecret
from exo_auth.identity.http_session import SignInSession
from exo_auth.identity.secrets import Secret
from exo_auth.identity.token_cache import open_cache
from exo_auth.identity.token_source import token_source

# None of the machines these tests run on has a session keyring: the platform's store is not there.


def store_token(cache: Any, cloud: Cloud, http: SignInSession) -> str:
    source = token_source(
        ClientSecret(APP, Secret("x" * 20)), cloud, TENANT, cache=cache, http=http, environment={}
    )
    return source.token().text.reveal()


def test_the_file_is_private_and_said_to_be_plain(
    tmp_path: Path, cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    path = tmp_path / "state" / "tokens"
    cache, warning = open_cache(path, plaintext=True)
    assert warning is not None
    assert str(path) in warning
    token = store_token(cache, cloud, http)
    assert token in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again, _ = open_cache(path, plaintext=True)
    assert store_token(again, cloud, http) == token
    assert len(entra.tokens_asked()) == 1


def test_without_leave_nothing_is_written(tmp_path: Path, cloud: Cloud, http: SignInSession) -> None:
    cache, warning = open_cache(tmp_path / "tokens")
    store_token(cache, cloud, http)
    assert "forgotten at the end" in str(warning)
    assert list(tmp_path.iterdir()) == []


def test_rights_that_are_too_wide_are_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("{}")
    path.chmod(0o644)
    open_cache(path, plaintext=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("{}")
    (tmp_path / "tokens").symlink_to(target)
    with pytest.raises(InputError, match="cannot be written"):
        open_cache(tmp_path / "tokens", plaintext=True)


DAMAGE = [  # content, reason
    (b'{"AccessToken": {"a": {"sec', "torn in the middle"),
    (b"\x00" * 100, "a disk's zeros"),
    (b"[]", "JSON of another shape"),
    (b'{"AccessToken": []}', "a list where entries belong"),
    (b'{"AccessToken": {"a": "b"}}', "a text where an entry belongs"),
    (b"[" * 100_000, "nested without end"),
]


@pytest.mark.parametrize(("content", "reason"), DAMAGE, ids=[one[1] for one in DAMAGE])
def test_a_damaged_file_is_set_aside_and_said(
    content: bytes, reason: str, tmp_path: Path, cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(content)
    cache, warning = open_cache(path, plaintext=True)
    assert "was damaged" in str(warning), reason
    assert (tmp_path / "tokens.damaged").read_bytes() == content
    assert store_token(cache, cloud, http) in path.read_text()


def test_damage_while_in_use_costs_a_token_not_the_run(
    tmp_path: Path, cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    path = tmp_path / "tokens"
    cache, _ = open_cache(path, plaintext=True)
    store_token(cache, cloud, http)
    path.write_bytes(b"{torn")
    os.utime(path, (2_000_000_000, 2_000_000_000))  # newer than what the cache has read
    assert store_token(cache, cloud, http) in path.read_text()
    assert (tmp_path / "tokens.damaged").read_bytes() == b"{torn"


def test_a_store_that_takes_nothing_leaves_the_token_in_memory(
    tmp_path: Path, cloud: Cloud, http: SignInSession, entra: TokenServer
) -> None:
    folder = tmp_path / "state"
    cache, _ = open_cache(folder / "tokens", plaintext=True)
    (folder / "tokens").unlink()
    folder.rmdir()  # as good as a full disk, and works for root as well
    token = store_token(cache, cloud, http)
    assert store_token(cache, cloud, http) == token
    assert len(entra.tokens_asked()) == 1


def test_two_runs_see_each_others_tokens(tmp_path: Path) -> None:
    one, _ = open_cache(tmp_path / "tokens", plaintext=True)
    two, _ = open_cache(tmp_path / "tokens", plaintext=True)
    for index, cache in enumerate((one, two, one, two)):
        cache.add(
            {
                "client_id": f"client-{index}",
                "scope": ["s"],
                "token_endpoint": f"https://login.example/{TENANT}/oauth2/v2.0/token",
                "response": {"access_token": f"token-{index}", "expires_in": 3600, "token_type": "Bearer"},
            }
        )
    kept = json.loads((tmp_path / "tokens").read_text())["AccessToken"].values()
    assert {entry["secret"] for entry in kept} == {f"token-{index}" for index in range(4)}
    assert [
        one.name for one in tmp_path.iterdir() if one.name.startswith("tokens.") and "lock" not in one.name
    ] == []


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        open_cache(tmp_path / "file" / "tokens", plaintext=True)


def test_no_cache_is_memory_only(cloud: Cloud, http: SignInSession, entra: TokenServer) -> None:
    assert store_token(None, cloud, http) != store_token(msal.TokenCache(), cloud, http)
