"""The sandbox's own CA, its server certificate, and a client certificate for the application (sandbox)."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=30)
ALWAYS = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Certificates:
    """Files in one private folder. `server_file` and `client_file` hold key and certificate as PEM."""

    ca_file: Path
    server_file: Path
    client_file: Path
    client_certificate: str  # PEM, without the key

    @classmethod
    def make(
        cls, folder: Path, extra_host_names: tuple[str, ...] = (), policy_hosts: tuple[str, ...] = ()
    ) -> Certificates:
        """Make all of them; files that are there already are kept, so that a kept tenant keeps its trust."""
        found = cls._found(folder)
        if found is not None and not extra_host_names:
            return found
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = _name("exo-auth sandbox CA")
        ca = (
            _builder(ca_name, ca_name, ca_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        server_key = ec.generate_private_key(ec.SECP256R1())
        names = [_general_name(name) for name in dict.fromkeys((*ALWAYS, *policy_hosts, *extra_host_names))]
        server = (
            _builder(_name("exo-auth sandbox"), ca_name, server_key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
            .sign(ca_key, hashes.SHA256())
        )
        client_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # Entra takes RSA
        client_name = _name("exo-auth sandbox application")
        client = _builder(client_name, client_name, client_key.public_key()).sign(client_key, hashes.SHA256())
        _write(folder / "ca.pem", ca.public_bytes(Encoding.PEM))
        _write(folder / "server.pem", _pem(server_key) + server.public_bytes(Encoding.PEM))
        _write(folder / "client.pem", _pem(client_key) + client.public_bytes(Encoding.PEM))
        made = cls._found(folder)
        assert made is not None  # noqa: S101 - the three files were just written
        return made

    @classmethod
    def _found(cls, folder: Path) -> Certificates | None:
        files = [folder / name for name in ("ca.pem", "server.pem", "client.pem")]
        if not all(file.exists() for file in files):
            return None
        text = files[2].read_text(encoding="ascii")
        start = text.index("-----BEGIN CERTIFICATE-----")
        return cls(files[0], files[1], files[2], text[start:])


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
