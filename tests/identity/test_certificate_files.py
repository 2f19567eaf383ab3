from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12

from exo_auth.errors import InputError, SignInError
from exo_auth.identity.certificate import MadeCertificate, make_certificate
from exo_auth.identity.certificate_file import read_signing_key
from exo_auth.identity.credential import Certificate
from exo_auth.identity.secrets import Secret

NOW = datetime.now(UTC)
PASSPHRASE = "geheim-und-lang"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeCertificate:
    """Made at NOW: minutes may pass between reading this file and running it."""
    return make_certificate(tmp_path_factory.mktemp("app") / "app", "exo-auth test", 30, lambda: NOW)


def test_the_made_files_hold_what_is_said(made: MadeCertificate) -> None:
    public = x509.load_der_x509_certificate(made.public_file.read_bytes())
    assert public.fingerprint(hashes.SHA1()).hex().upper() == made.sha1
    assert public.fingerprint(hashes.SHA256()).hex().upper() == made.sha256
    assert public.not_valid_after_utc == made.expires_at
    assert stat.S_IMODE(made.private_file.stat().st_mode) == 0o600
    assert b"PRIVATE" not in made.public_file.read_bytes()


def test_a_key_is_never_written_over(made: MadeCertificate) -> None:
    before = made.private_file.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        make_certificate(made.private_file.with_suffix(""), "x", 30, lambda: NOW)
    assert made.private_file.read_bytes() == before


@pytest.mark.parametrize(("name", "days"), [("x", 0), ("x", 5000), ("", 30), ("x" * 65, 30)])
def test_odd_wishes_are_refused_before_a_file_is_written(name: str, days: int, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        make_certificate(tmp_path / "app", name, days, lambda: NOW)
    assert list(tmp_path.iterdir()) == []


def bad_files(made: MadeCertificate) -> dict[str, bytes]:
    content = made.private_file.read_bytes()
    split = content.index(b"-----BEGIN CERTIFICATE")
    key, certificate = content[:split], content[split:]
    other = ec.generate_private_key(ec.SECP256R1())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    loaded = serialization.load_pem_private_key(key, None)
    wrap = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    public = x509.load_pem_x509_certificate(certificate)
    return {
        "empty": b"",
        "garbage": b"\x00\x01 nothing",
        "certificate only": certificate,
        "key only": key,
        "elliptic": other.private_bytes(*plain, serialization.NoEncryption()) + certificate,
        "cut": content[: split // 2],
        "locked": loaded.private_bytes(*plain, wrap) + certificate,
        "locked pfx": pkcs12.serialize_key_and_certificates(b"a", loaded, public, None, wrap),  # type: ignore[arg-type]
    }


BAD = [  # file, passphrase, part of the message
    ("empty", None, "damaged"),
    ("garbage", None, "damaged"),
    ("certificate only", None, "no private key"),
    ("key only", None, "no certificate"),
    ("elliptic", None, "not RSA"),
    ("cut", None, "damaged"),
    ("locked", None, "needs a passphrase"),
    ("locked", "wrong", "passphrase is wrong"),
    ("locked pfx", None, "passphrase is wrong"),
    ("locked pfx", "wrong", "passphrase is wrong"),
]


@pytest.mark.parametrize(("kind", "passphrase", "told"), BAD)
def test_a_bad_file_is_told_with_its_path_and_without_its_passphrase(
    kind: str, passphrase: str | None, told: str, made: MadeCertificate, tmp_path: Path
) -> None:
    path = tmp_path / "app.pem"
    path.write_bytes(bad_files(made)[kind])
    credential = Certificate("app", path, Secret(passphrase) if passphrase else None)
    with pytest.raises(SignInError, match=told) as caught:
        read_signing_key(credential, NOW)
    assert str(path) in str(caught.value)
    assert not passphrase or f" {passphrase} " not in str(caught.value).replace("is wrong", "")


def test_another_keys_certificate_is_noticed(made: MadeCertificate, tmp_path: Path) -> None:
    other = make_certificate(tmp_path / "other", "other", 30, lambda: NOW)
    mine, theirs = made.private_file.read_bytes(), other.private_file.read_bytes()
    mark = b"-----BEGIN CERTIFICATE"
    path = tmp_path / "mixed.pem"
    path.write_bytes(mine[: mine.index(mark)] + theirs[theirs.index(mark) :])
    with pytest.raises(SignInError, match="another key"):
        read_signing_key(Certificate("app", path), NOW)
    path.write_bytes(path.read_bytes() + mine[mine.index(mark) :])  # a chain: ours is found in it
    assert read_signing_key(Certificate("app", path), NOW).certificate.not_valid_after_utc == made.expires_at


@pytest.mark.parametrize(
    ("days", "told"), [(31, "expired on"), (-1, "begins on"), (10_000, "expired on")], ids=str
)
def test_a_certificate_counts_only_in_its_time(days: int, told: str, made: MadeCertificate) -> None:
    with pytest.raises(SignInError, match=told):
        read_signing_key(Certificate("app", made.private_file), NOW + timedelta(days=days))


def test_a_folder_and_a_missing_file_are_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pem"):
        with pytest.raises(SignInError, match="cannot be read"):
            read_signing_key(Certificate("app", path), NOW)
