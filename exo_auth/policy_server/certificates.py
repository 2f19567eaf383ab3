"""The certificates the server shows, by name, read again when their files change (policy_server; I/O)."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from exo_auth.errors import InputError
from exo_auth.facts.served import EventKind
from exo_auth.policy_server.options import CertificateFiles
from exo_auth.policy_server.policies import Say, Signature, signature_of

ENDS_SOON = timedelta(days=21)
CHAIN_FILE, KEY_FILE = "fullchain.pem", "privkey.pem"  # as ACME clients name them


class ShownCertificate(ssl.SSLContext):
    """A context that shows one certificate; `names` are its DNS names, lower case."""

    names: tuple[str, ...] = ()
    not_after: datetime


@dataclass
class _Pair:
    """One certificate: what is shown, and what its files looked like when they were last read."""

    files: CertificateFiles
    shown: ShownCertificate | None = None
    signature: tuple[Signature, ...] = ()
    refusal: str = ""


class CertificateStore:
    """Certificates from files. Connections that are open keep the certificate they were opened with."""

    def __init__(self, files: Iterable[CertificateFiles], folder: Path | None, say: Say) -> None:
        self._say = say
        self._pairs: dict[Path, _Pair] = {}
        self._by_name: dict[str, _Pair] = {}
        self.take(files, folder)

    def take(self, files: Iterable[CertificateFiles], folder: Path | None) -> None:
        """Name the files and the folder that `read_all` reads."""
        self._files = tuple(files)
        self._folder = folder

    def read_all(self) -> None:
        """Read every file that is new or changed; raises InputError when the folder cannot be listed."""
        found = in_folder(self._folder) if self._folder is not None else ()
        wanted = {files.certificate: files for files in (*self._files, *found)}
        self._pairs = {path: self._pairs.get(path, _Pair(files)) for path, files in wanted.items()}
        for pair in self._pairs.values():
            self._refresh(pair)
        self._index()

    def choose(self, name: str | None) -> ShownCertificate | None:
        """Give what to show to a client that asks for `name`; without a name the first certificate there is."""
        pair = self._pair_for(name)
        if pair is not None and self._refresh(pair):
            self._index()
            pair = self._pair_for(name)
        return pair.shown if pair is not None else None

    def covers(self, name: str) -> bool:
        """Does a certificate name that host?"""
        return self._pair_for(name) is not None

    @property
    def shown(self) -> tuple[ShownCertificate, ...]:
        """The certificates that can be shown."""
        return tuple(pair.shown for pair in self._pairs.values() if pair.shown is not None)

    @property
    def refusals(self) -> dict[str, str]:
        """Why a certificate cannot be used, or not its newest file, by path."""
        return {str(path): pair.refusal for path, pair in self._pairs.items() if pair.refusal}

    def _pair_for(self, name: str | None) -> _Pair | None:
        if not name:
            return next((pair for pair in self._pairs.values() if pair.shown is not None), None)
        exact = name.lower().removesuffix(".")
        return self._by_name.get(exact) or self._by_name.get(f"*.{exact.partition('.')[2]}")

    def _index(self) -> None:
        usable = [pair for pair in self._pairs.values() if pair.shown is not None]
        self._by_name = {}
        for pair in sorted(usable, key=_end):  # of two for one name the one that lives longer is shown
            for name in pair.shown.names if pair.shown is not None else ():
                self._by_name[name] = pair

    def _refresh(self, pair: _Pair) -> bool:
        """Read the files of a pair if they changed; tell whether another certificate is shown now."""
        try:
            signature = tuple(signature_of(path) for path in pair.files.paths)
        except OSError as error:
            self._refuse(pair, (), f"{error.filename}: {error.strerror}")
            return False
        if signature == pair.signature:
            return False
        try:
            shown = load(pair.files)
        except (OSError, ValueError, InputError) as error:
            self._refuse(pair, signature, _reason(error))
            return False
        pair.shown, pair.signature, pair.refusal = shown, signature, ""
        self._tell(pair.files, shown)
        return True

    def _refuse(self, pair: _Pair, signature: tuple[Signature, ...], reason: str) -> None:
        if (signature, reason) == (pair.signature, pair.refusal):
            return  # said already
        kept_on = "; the certificate before it is shown still" if pair.shown is not None else ""
        self._say(EventKind.CERTIFICATE_REFUSED, str(pair.files.certificate), reason + kept_on)
        pair.signature, pair.refusal = signature, reason

    def _tell(self, files: CertificateFiles, shown: ShownCertificate) -> None:
        until = f"valid until {shown.not_after:%Y-%m-%d}"
        self._say(
            EventKind.CERTIFICATE_LOADED, str(files.certificate), f"{', '.join(shown.names[:5])}; {until}"
        )
        if shown.not_after - datetime.now(UTC) < ENDS_SOON:
            self._say(EventKind.CERTIFICATE_ENDS, str(files.certificate), until)


def in_folder(folder: Path) -> tuple[CertificateFiles, ...]:
    """Find certificates: .pem files with their keys, or folders as ACME clients keep them; raises InputError."""
    try:
        entries = sorted(folder.iterdir())
        folders = [entry for entry in entries if (entry / CHAIN_FILE).is_file()]
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be listed: {error.strerror}",
            hint=f"name a folder of .pem files, or of folders with {CHAIN_FILE} and {KEY_FILE}",
        ) from None
    files = [CertificateFiles(entry) for entry in entries if entry.suffix == ".pem"]
    return (*files, *(CertificateFiles(entry / CHAIN_FILE, entry / KEY_FILE) for entry in folders))


def load(files: CertificateFiles) -> ShownCertificate:
    """Make a context from a chain and its key; raises OSError, ValueError or InputError."""
    first = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    context = ShownCertificate(ssl.PROTOCOL_TLS_SERVER)
    harden(context)
    # A passphrase would be asked for on the terminal; an empty one fails at once.
    context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    try:
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise InputError("the certificate names no host (subjectAltName)") from None
    context.names = tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))
    context.not_after = first.not_valid_after_utc
    return context


def harden(context: ssl.SSLContext) -> None:
    """Set what every context of the server has in common."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8461 §7.2
    context.set_alpn_protocols(["http/1.1"])


def _end(pair: _Pair) -> datetime:
    return pair.shown.not_after if pair.shown is not None else datetime.min.replace(tzinfo=UTC)


def _reason(error: Exception) -> str:
    if isinstance(error, InputError):
        return error.message
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").lower().replace("_", " ")
        return f"the key does not belong to it, or cannot be read ({reason or error})"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return "no certificate in PEM stands in it"
