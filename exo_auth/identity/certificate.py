"""Makes the self-signed certificate of an app registration (identity)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from exo_auth.errors import InputError
from exo_auth.identity.certificate_file import sha1_of, sha256_of

KEY_SIZE = 2048  # bits
_MAX_DAYS = 3650
_MAX_NAME = 64  # RFC 5280 appendix A: ub-common-name


@dataclass(frozen=True)
class MadeCertificate:
    """What was written: `private_file` stays here, `public_file` goes to the app registration."""

    private_file: Path
    public_file: Path
    sha1: str
    sha256: str
    expires_at: datetime  # UTC


def make_certificate(
    path_prefix: Path, common_name: str, days: int, clock: Callable[[], datetime]
) -> MadeCertificate:
    """Write `<prefix>.pem` (key and certificate, mode 0600) and `<prefix>.cer`; raises InputError.

    An existing file is never replaced: the key in it may be the only way into a tenant.
    """
    if not 1 <= days <= _MAX_DAYS:
        raise InputError(f"a certificate lives 1 to {_MAX_DAYS} days, not {days}")
    if not 1 <= len(common_name) <= _MAX_NAME:
        raise InputError(f"a certificate's name has 1 to {_MAX_NAME} characters", hint="such as exo-auth")
    private = path_prefix.with_name(path_prefix.name + ".pem")
    public = path_prefix.with_name(path_prefix.name + ".cer")
    for path in (private, public):
        if path.exists():
            raise InputError(f"{path} exists already", hint="choose another name, or move it away first")
    key = rsa.generate_private_key(65537, KEY_SIZE)
    certificate = _self_signed(key, common_name, clock().replace(microsecond=0), days)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(private, secret + pem, 0o600)
    # DER: the portal takes it as it takes PEM, and Microsoft Graph's `key` is these very bytes.
    _write(public, certificate.public_bytes(serialization.Encoding.DER), 0o644)
    return MadeCertificate(
        private, public, sha1_of(certificate), sha256_of(certificate), certificate.not_valid_after_utc
    )


def _self_signed(key: rsa.RSAPrivateKey, common_name: str, now: datetime, days: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: created with this mode from the first byte on, and never over another file.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}", hint="choose another folder"
        ) from None
