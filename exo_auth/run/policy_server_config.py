"""What the policy server is to serve, from options and from its own YAML file (run).

version: 1
listen: ["0.0.0.0:443", "[::]:443"]
health: 127.0.0.1:8080
access_log: access.log
policies: policies                     # folder of DOMAIN.txt; paths are relative to this file
certificates:
  - {certificate: contoso.pem, key: contoso.key}
certificate_folder: /etc/letsencrypt/live
domains:                               # policies may stand here, too
  contoso.com: {mode: testing, mx: [contoso-com.mail.protection.outlook.com], max_age: 86400}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from exo_auth.domain_name import DomainName
from exo_auth.errors import ConfigError, InputError
from exo_auth.policy_server.certificates import in_folder
from exo_auth.policy_server.options import Address, CertificateFiles, ServerOptions
from exo_auth.policy_server.policies import served_form
from exo_auth.run import yaml_nodes
from exo_auth.run.config_schema import nearest
from exo_auth.run.yaml_nodes import Entry, Node

VERSION = "1"
KEYS = (
    "version",
    "listen",
    "health",
    "access_log",
    "policies",
    "certificates",
    "certificate_folder",
    "domains",
)
CREDENTIALS = "${CREDENTIALS_DIRECTORY}"  # systemd puts the folder of the credentials there
POLICY_KEYS = ("mode", "mx", "max_age")


@dataclass(frozen=True)
class ServeRequest:
    """The words of the command line; an option that is given wins over the file."""

    directory: str | None = None
    file: str | None = None
    listen: Sequence[str] = ()
    certificates: Sequence[str] = ()
    keys: Sequence[str] = ()
    certificate_folder: str | None = None
    health: str | None = None
    access_log: str | None = None


@dataclass(frozen=True)
class ServeSetup:
    """What to serve, and where requests are logged; None for stderr."""

    options: ServerOptions
    access_log: Path | None = None


def setup_of(request: ServeRequest) -> ServeSetup:
    """Read options and file; raises InputError, or ConfigError with line and column."""
    if (request.directory is None) == (request.file is None):
        raise InputError("name a folder of policies, or --file CONFIG", hint="exo-auth mta-sts serve DIR")
    setup = read_setup(Path(request.file)) if request.file else ServeSetup(ServerOptions())
    options = setup.options
    if request.directory is not None:
        options = replace(options, policies=Path(request.directory))
    if request.listen:
        options = replace(options, listen=tuple(Address.parse(text) for text in request.listen))
    if request.certificates:
        options = replace(options, certificates=_pairs(request.certificates, request.keys))
    elif request.keys:
        raise InputError(
            "a --key is given and no --certificate", hint="each --key belongs to a --certificate"
        )
    if request.certificate_folder is not None:
        options = replace(options, certificate_folder=Path(request.certificate_folder))
    if request.health is not None:
        options = replace(options, health=loopback(request.health))
    log = Path(request.access_log) if request.access_log else setup.access_log
    return ServeSetup(options, log)


def loopback(text: str) -> Address:
    """Read the address of the health port; raises InputError where others could reach it."""
    address = Address.parse(text)
    if not address.is_loopback:
        raise InputError(
            f"the health port speaks plain HTTP, and {address.host} is no loopback address",
            hint=f"write 127.0.0.1:{address.port}",
        )
    return address


def read_setup(path: Path) -> ServeSetup:
    """Read the file; raises ConfigError with line and column."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot be read: {reason}", file=str(path)) from None
    return _Reader(str(path), path.parent).setup(yaml_nodes.parse(text, str(path)))


def _pairs(certificates: Sequence[str], keys: Sequence[str]) -> tuple[CertificateFiles, ...]:
    if keys and len(keys) != len(certificates):
        raise InputError(
            f"{len(certificates)} times --certificate and {len(keys)} times --key",
            hint="give a key for each certificate, in the same order, or none where the files hold both",
        )
    paths = [Path(key) for key in keys] if keys else [None] * len(certificates)
    return tuple(CertificateFiles(Path(one), key) for one, key in zip(certificates, paths, strict=True))


class _Reader:
    """Turns nodes into options; every refusal names its place."""

    def __init__(self, file: str, folder: Path) -> None:
        self._file = file
        self._folder = folder

    def setup(self, root: Node) -> ServeSetup:
        given = self._mapping(root, KEYS)
        version = given.get("version")
        if version is None or version.value.text != VERSION:
            raise self._wrong(version.value if version else root, f"the version must be {VERSION}")
        options = ServerOptions(
            certificates=tuple(self._certificate(item) for item in self._list(given.get("certificates"))),
            certificate_folder=self._path(given.get("certificate_folder")),
            policies=self._path(given.get("policies")),
            written=self._domains(given.get("domains")),
        )
        if "listen" in given:
            addresses = tuple(self._address(item) for item in self._list(given["listen"]))
            options = replace(options, listen=addresses)
        if "health" in given:
            options = replace(options, health=self._loopback(given["health"].value))
        return ServeSetup(options, self._path(given.get("access_log")))

    def _certificate(self, node: Node) -> CertificateFiles:
        entries = self._mapping(node, ("certificate", "key"))
        certificate = self._path(entries.get("certificate"))
        if certificate is None:
            raise self._wrong(node, "“certificate” is missing")
        return CertificateFiles(certificate, self._path(entries.get("key")))

    def _domains(self, entry: Entry | None) -> Mapping[DomainName, bytes]:
        if entry is None:
            return {}
        if entry.value.kind != "a mapping":
            raise self._wrong(entry.value, "“domains” holds domains, each with its policy")
        found: dict[DomainName, bytes] = {}
        for name, one in entry.value.entries.items():
            try:
                domain = DomainName.parse(name)
                found[domain] = self._policy(one.value)
                served_form(found[domain])
            except ConfigError:
                raise
            except InputError as error:
                raise ConfigError(
                    error.message, file=self._file, line=one.line, column=one.column, hint=error.hint
                ) from None
        return found

    def _policy(self, node: Node) -> bytes:
        entries = self._mapping(node, POLICY_KEYS)
        lines = ["version: STSv1"]
        lines += [f"mode: {entries['mode'].value.text}"] if "mode" in entries else []
        lines += [f"mx: {item.text}" for item in self._list(entries.get("mx"))]
        lines += [f"max_age: {entries['max_age'].value.text}"] if "max_age" in entries else []
        return "".join(f"{line}\r\n" for line in lines).encode("utf-8")

    def _address(self, node: Node) -> Address:
        try:
            return Address.parse(node.text)
        except InputError as error:
            raise self._wrong(node, error.message, error.hint) from None

    def _loopback(self, node: Node) -> Address:
        try:
            return loopback(node.text)
        except InputError as error:
            raise self._wrong(node, error.message, error.hint) from None

    def _path(self, entry: Entry | None) -> Path | None:
        if entry is None:
            return None
        if not entry.value.text:
            raise self._wrong(entry.value, f"“{entry.key}” names no file or folder")
        return self._folder / entry.value.text

    def _list(self, entry: Entry | None) -> tuple[Node, ...]:
        if entry is None:
            return ()
        if entry.value.kind != "a list" or not entry.value.items:
            raise self._wrong(entry.value, f"“{entry.key}” is a list", f"write {entry.key}: […]")
        return entry.value.items

    def _mapping(self, node: Node, keys: tuple[str, ...]) -> Mapping[str, Entry]:
        if node.kind != "a mapping":
            raise self._wrong(node, f"here stands {node.kind} where keys belong", f"one of {', '.join(keys)}")
        for key, entry in node.entries.items():
            if key not in keys:
                near = nearest(key, keys)
                hint = f"did you mean {near}?" if near else f"one of {', '.join(keys)}"
                raise ConfigError(
                    f"“{key}” is no key here",
                    file=self._file,
                    line=entry.line,
                    column=entry.column,
                    hint=hint,
                )
        return node.entries

    def _wrong(self, node: Node, message: str, hint: str | None = None) -> ConfigError:
        return ConfigError(message, file=self._file, line=node.line, column=node.column, hint=hint)


def unit_arguments(request: ServeRequest) -> tuple[list[str], dict[str, str]]:
    """Give the arguments for a systemd unit, and the files it hands over as credentials, by name.

    Paths become absolute; certificates and keys are read from the folder of credentials, which alone the service
    may read. What the YAML file names stays where it is.
    """
    arguments = [str(Path(request.directory).resolve())] if request.directory else []
    arguments += ["--file", str(Path(request.file).resolve())] if request.file else []
    pairs = list(_pairs(request.certificates, request.keys))
    pairs += in_folder(Path(request.certificate_folder)) if request.certificate_folder else ()
    credentials: dict[str, str] = {}
    for n, pair in enumerate(pairs, start=1):
        for option, path in (("certificate", pair.certificate), ("key", pair.key or pair.certificate)):
            name = f"{option}-{n}.pem"
            credentials[name] = str(path.absolute())  # a link is followed when the service starts, not now
            arguments += [f"--{option}", f"{CREDENTIALS}/{name}"]
    for address in request.listen:
        arguments += ["--listen", address]
    arguments += ["--health", request.health] if request.health else []
    arguments += ["--access-log", str(Path(request.access_log).absolute())] if request.access_log else []
    return arguments, credentials
