"""The sandbox's own CA, its server certificate, and a client certificate for the application (sandbox)."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=30)
ALWAYS = ("localhost", "127.0.0.1")
ISSUER = "Let's Encrypt"  # whom CAA records know
ISSUER_FILE = "policy-issuer.pem"


@dataclass(frozen=True)
class HostCertificate:
    """What a host shows: for which name (its own when empty), until when from now, by whose signature."""

    name: str = ""
    life: timedelta = LIFE
    self_signed: bool = False


@dataclass(frozen=True)
class Certificates:
    """Files in one private folder. `server_file` and `client_file` hold key and certificate as PEM."""

    ca_file: Path
    server_file: Path
    client_file: Path
    client_certificate: str  # PEM, without the key
    issuer_file: Path  # key and certificate of the authority below the CA that signs for policy hosts
    mail_files: Mapping[str, Path]  # key and certificate of each mail host, by host name

    @classmethod
    def make(
        cls,
        folder: Path,
        extra_host_names: tuple[str, ...] = (),
        mail_hosts: Mapping[str, HostCertificate] | None = None,
    ) -> Certificates:
        """Make all of them; files that are there already are kept, so that a kept tenant keeps its trust."""
        mail_hosts = mail_hosts or {}
        found = cls._found(folder, mail_hosts)
        if found is not None and not extra_host_names:
            return found
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = _name("exo-auth sandbox CA")
        ca = (
            _builder(ca_name, ca_name, ca_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        server_key = ec.generate_private_key(ec.SECP256R1())
        names = [_general_name(name) for name in dict.fromkeys((*ALWAYS, *extra_host_names))]
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
        _write(folder / ISSUER_FILE, _issuer_pem(ca_key, ca_name))
        for host, wanted in mail_hosts.items():
            _write(_mail_file(folder, host), _host_pem(host, wanted, ca_key, ca_name))
        made = cls._found(folder, mail_hosts)
        assert made is not None  # noqa: S101 - the files were just written
        return made

    @classmethod
    def _found(cls, folder: Path, mail_hosts: Iterable[str]) -> Certificates | None:
        files = [folder / name for name in ("ca.pem", "server.pem", "client.pem", ISSUER_FILE)]
        mail_files = {host: _mail_file(folder, host) for host in mail_hosts}
        if not all(file.exists() for file in (*files, *mail_files.values())):
            return None
        text = files[2].read_text(encoding="ascii")
        start = text.index("-----BEGIN CERTIFICATE-----")
        return cls(files[0], files[1], files[2], text[start:], files[3], mail_files)


class PolicyIssuer:
    """Signs for policy hosts as a public authority would that CAA records can name: letsencrypt.org."""

    def __init__(self, file: Path) -> None:
        data = file.read_bytes()
        key = load_pem_private_key(data, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - written by this module
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(data)

    def context(self, host: str, wanted: HostCertificate) -> ssl.SSLContext:
        """Make a certificate for a host, and a context that shows it with the chain up to the CA."""
        chain = b"" if wanted.self_signed else self._certificate.public_bytes(Encoding.PEM)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # ssl reads keys from files alone
            file.write(_host_pem(host, wanted, self._key, self._certificate.subject) + chain)
            file.flush()
            context.load_cert_chain(file.name)
        return context


def _mail_file(folder: Path, host: str) -> Path:
    return folder / f"mail-{host}.pem"


def _host_pem(
    host: str, wanted: HostCertificate, ca_key: ec.EllipticCurvePrivateKey, ca_name: x509.Name
) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    shown = wanted.name or host
    issuer, signer = (_name(shown), key) if wanted.self_signed else (ca_name, ca_key)
    until = datetime.now(UTC) + wanted.life
    certificate = (
        _builder(_name(shown), issuer, key.public_key(), until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(shown)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(Encoding.PEM)


def _issuer_pem(ca_key: ec.EllipticCurvePrivateKey, ca_name: x509.Name) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ISSUER)
    name = x509.Name([organization, *_name("exo-auth sandbox policy hosts")])
    certificate = (
        _builder(name, ca_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return _pem(key) + certificate.public_bytes(Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    until: datetime | None = None,
) -> x509.CertificateBuilder:
    until = until or datetime.now(UTC) + LIFE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(until, datetime.now(UTC)) - timedelta(hours=1))
        .not_valid_after(until)
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
