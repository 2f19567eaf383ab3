"""A certificate authority of a test: it issues whatever a server could show, right or wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class PrivateCa:
    """Keeps its root in `ca_file`."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = self._certificate((), self._key, timedelta(days=30))
        self.ca_file = folder / "private-root.crt"
        self.ca_file.write_bytes(root.public_bytes(Encoding.PEM))

    def issue(self, *names: str, life: timedelta = timedelta(days=90)) -> tuple[bytes, bytes]:
        """Give a certificate for the names and its key, both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(names, key, life)
        return (
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def write(self, path: Path, *names: str, life: timedelta = timedelta(days=90)) -> Path:
        """Put a certificate and its key into one file, in one step."""
        temporary = path.with_suffix(".new")
        temporary.write_bytes(b"".join(self.issue(*names, life=life)))
        return temporary.replace(path)

    def _certificate(
        self, names: tuple[str, ...], key: ec.EllipticCurvePrivateKey, life: timedelta
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "private test root")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]) if names else issuer
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=100))
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
                if names
                else identifier,
                critical=False,
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())
