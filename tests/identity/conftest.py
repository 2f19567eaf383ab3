"""The token endpoint over TLS, the metadata service without, and a certificate that is made once."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from token_server import TokenServer

from exo_auth.cloud import WORLDWIDE, Cloud, custom_cloud
from exo_auth.identity.certificate import MadeCertificate, make_certificate
from exo_auth.identity.http_session import SignInSession


def _loopback_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "server.pem").write_bytes(secret + pem)
    (folder / "ca.pem").write_bytes(pem)
    return folder


@pytest.fixture(scope="session")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _loopback_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def _shared_entra(tls_folder: Path) -> Iterator[TokenServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_folder / "server.pem")
    server = TokenServer(context)
    yield server
    server.close()


@pytest.fixture(scope="session")
def _shared_metadata() -> Iterator[TokenServer]:
    server = TokenServer(None)
    yield server
    server.close()


@pytest.fixture
def entra(_shared_entra: TokenServer) -> TokenServer:
    _shared_entra.reset()
    return _shared_entra


@pytest.fixture
def metadata(_shared_metadata: TokenServer) -> TokenServer:
    _shared_metadata.reset()
    return _shared_metadata


@pytest.fixture
def cloud(entra: TokenServer, tls_folder: Path) -> Cloud:
    return custom_cloud(WORLDWIDE, authority=entra.url, exchange_url=None, ca_file=str(tls_folder / "ca.pem"))


@pytest.fixture
def http(tls_folder: Path) -> Iterator[SignInSession]:
    """A session that does not try twice, so that a broken answer is seen at once."""
    with SignInSession(str(tls_folder / "ca.pem"), retries=0) as session:
        yield session


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeCertificate:
    prefix = tmp_path_factory.mktemp("app") / "app"
    return make_certificate(prefix, "exo-auth test", 30, lambda: datetime.now(UTC))


@pytest.fixture(autouse=True)
def _no_proxy_and_no_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
