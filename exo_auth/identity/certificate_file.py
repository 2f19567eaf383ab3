"""The key and certificate an application signs in with, read from PEM or PFX (identity)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from exo_auth.errors import SignInError
from exo_auth.identity.credential import Certificate

_LARGEST = 1_000_000  # bytes


@dataclass(frozen=True)
class SigningKey:
    """A private key with its certificate."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    def for_msal(self, *, thumbprint_only: bool) -> dict[str, Any]:
        """Give MSAL's `client_credential`: PS256 with x5t#S256 and x5c, or RS256 with x5t."""
        if thumbprint_only:
            return {"private_key": self.key, "thumbprint": sha1_of(self.certificate)}
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        return {"private_key": self.key, "public_certificate": pem}


def read_signing_key(credential: Certificate, now: datetime) -> SigningKey:
    """Read and check the file; raises SignInError that says what is wrong with it."""
    content = _content(credential.path)
    passphrase = credential.passphrase.reveal().encode() if credential.passphrase else None
    try:
        is_pem = b"-----BEGIN " in content
        pair = _from_pem(content, passphrase) if is_pem else _from_pfx(content, passphrase)
    except TypeError:  # cryptography's word for a passphrase that is missing, or superfluous
        what = "needs no passphrase, but one is given" if passphrase else "needs a passphrase"
        raise _bad(credential.path, what, "set or remove the passphrase") from None
    except ValueError:
        raise _bad(
            credential.path,
            "cannot be opened: the passphrase is wrong or missing, or the file is damaged",
            "it must be PEM with key and certificate, or PFX (PKCS #12)",
        ) from None
    return _checked(pair, credential.path, now)


def sha1_of(certificate: x509.Certificate) -> str:
    """Give the thumbprint Entra's pages show: upper case hexadecimal."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a protection


def sha256_of(certificate: x509.Certificate) -> str:
    """Give the SHA-256 thumbprint, upper case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex().upper()


_Pair = tuple[Any, list[x509.Certificate]]


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise _bad(
            path, f"cannot be read: {error.strerror or error}", "check the path and who may read it"
        ) from None


def _from_pem(content: bytes, passphrase: bytes | None) -> _Pair:
    if b"PRIVATE KEY-----" not in content:
        return None, x509.load_pem_x509_certificates(content)
    is_encrypted = b"ENCRYPTED" in content  # PKCS #8 in its label, PKCS #1 in the header Proc-Type
    key = serialization.load_pem_private_key(content, passphrase if is_encrypted else None)
    return key, x509.load_pem_x509_certificates(content) if b"BEGIN CERTIFICATE" in content else []


def _from_pfx(content: bytes, passphrase: bytes | None) -> _Pair:
    key, certificate, others = pkcs12.load_key_and_certificates(content, passphrase)
    return key, ([certificate] if certificate else []) + others


def _checked(pair: _Pair, path: Path, now: datetime) -> SigningKey:
    key, certificates = pair
    if key is None:
        raise _bad(path, "holds no private key", "put key and certificate into one file")
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _bad(path, "holds a key that is not RSA", "Entra takes RSA keys only: make a new certificate")
    ours = next((one for one in certificates if one.public_key() == key.public_key()), None)
    if ours is None:
        what = "holds a certificate of another key" if certificates else "holds no certificate"
        raise _bad(path, what, "put the key and its own certificate into one file")
    if now >= ours.not_valid_after_utc:
        raise _bad(
            path,
            f"holds a certificate that expired on {ours.not_valid_after_utc:%Y-%m-%d}",
            "make a new one, upload its .cer file to the app registration, then use it here",
        )
    if now < ours.not_valid_before_utc:
        raise _bad(
            path,
            f"holds a certificate that begins on {ours.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "is this machine's clock right?",
        )
    return SigningKey(key, ours)


def _bad(path: Path, what: str, hint: str) -> SignInError:
    return SignInError(f"the certificate file {path} {what}", code="certificate", hint=hint)
