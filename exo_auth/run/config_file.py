"""One configuration file: its settings, tenants and profiles, and everything that is wrong with it (run)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exo_auth.errors import ConfigError
from exo_auth.run.config_schema import Scope, Setting, in_scope, nearest
from exo_auth.run.config_values import SettingError, from_node

if TYPE_CHECKING:
    from exo_auth.run.yaml_nodes import Entry, Node

VERSION = 1
MAX_BYTES = 4_000_000


@dataclass(frozen=True)
class Located:
    """A value of the file and its place, such as `config.yaml:3:5`."""

    value: Any
    where: str


@dataclass(frozen=True)
class Section:
    """The settings of one part of the file by key: of the top level, a tenant or a profile."""

    where: str
    values: Mapping[str, Located] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfigFile:
    """What a file says. `errors` holds all that is wrong, in the order of the file."""

    path: Path
    top: Section
    tenants: Mapping[str, Section] = field(default_factory=dict)
    profiles: Mapping[str, Section] = field(default_factory=dict)
    errors: tuple[ConfigError, ...] = ()


def read_file(path: Path) -> ConfigFile:
    """Read a file; what cannot even be read as YAML is in `errors`, too."""
    from exo_auth.run.yaml_nodes import parse  # for those who have a file

    try:
        root = parse(_text(path), str(path))
    except ConfigError as error:
        return ConfigFile(path, Section(str(path)), errors=(error,))
    return _Checker(path).file(root)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file", file=str(path), hint="`exo-auth init` writes a first one"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=str(path)) from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the file is larger than {MAX_BYTES} bytes", file=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigError("not UTF-8 text", file=str(path), line=line, column=column) from None


class _Checker:
    """Walks the nodes once, collecting values and errors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = path.absolute().parent
        self.errors: list[ConfigError] = []

    def file(self, root: Node) -> ConfigFile:
        if root.kind != "a mapping":
            self.error(root, f"the file must be a mapping of settings, not {root.kind}")
            return ConfigFile(self.path, Section(str(self.path)), errors=tuple(self.errors))
        special = ("version", "tenants", "profiles")
        self.version(root)
        top = self.section(root, Scope.TOP, extra=special)
        tenants = self.sections(root.entries.get("tenants"), Scope.TENANT)
        profiles = self.sections(root.entries.get("profiles"), Scope.PROFILE)
        self.errors.sort(key=lambda error: (error.line or 0, error.column or 0))
        return ConfigFile(self.path, top, tenants, profiles, tuple(self.errors))

    def version(self, root: Node) -> None:
        entry = root.entries.get("version")
        if entry is None:
            self.error(root, "the version is missing", hint=f"write “version: {VERSION}” in the first line")
        elif entry.value.text != str(VERSION) or entry.value.kind != "a number":
            self.error(entry.value, f"this program reads version {VERSION} only", hint=f"version: {VERSION}")

    def sections(self, entry: Entry | None, scope: Scope) -> dict[str, Section]:
        if entry is None or entry.value.kind == "empty":
            return {}
        if entry.value.kind != "a mapping":
            self.error(entry.value, f"{entry.key} must be a mapping of names, not {entry.value.kind}")
            return {}
        found = {}
        for name, part in entry.value.entries.items():
            if part.value.kind not in ("a mapping", "empty"):
                self.error(
                    part.value, f"{entry.key}.{name} must be a mapping of settings, not {part.value.kind}"
                )
            found[name] = self.section(part.value, scope, where=self.where(part))
        return found

    def section(self, node: Node, scope: Scope, extra: Iterable[str] = (), where: str = "") -> Section:
        values: dict[str, Located] = {}
        self.collect(node, "", in_scope(scope), tuple(extra), values)
        return Section(where or str(self.path), values)

    def collect(
        self,
        node: Node,
        prefix: str,
        known: Mapping[str, Setting],
        extra: tuple[str, ...],
        values: dict[str, Located],
    ) -> None:
        for entry in node.entries.values():
            key = prefix + entry.key
            if key in known:
                self.value(known[key], entry, values)
            elif any(other.startswith(f"{key}.") for other in known):
                if entry.value.kind == "a mapping":
                    self.collect(entry.value, f"{key}.", known, (), values)
                elif entry.value.kind != "empty":
                    self.error(entry.value, f"{key} must be a mapping of settings, not {entry.value.kind}")
            elif entry.key not in extra:
                self.unknown(entry, key, [*known, *extra])

    def value(self, setting: Setting, entry: Entry, values: dict[str, Located]) -> None:
        try:
            values[setting.key] = Located(from_node(setting, entry.value, self.base), self.where(entry))
        except SettingError as bad:
            self.error(bad.node or entry.value, bad.message, hint=bad.hint)

    def unknown(self, entry: Entry, key: str, candidates: list[str]) -> None:
        level = key.rpartition(".")[0]
        groups = {name.partition(".")[0] for name in candidates} if not level else set()
        near = nearest(key, [*candidates, *groups])
        elsewhere = in_scope(Scope.TOP).get(key)
        if near is None and elsewhere is not None:
            hint: str | None = f"{key} belongs to the top level of the file"
        else:
            hint = f"did you mean {near}?" if near else "`exo-auth config schema` lists the settings"
        self.errors.append(
            ConfigError(
                f"there is no setting “{key}” here",
                file=str(self.path),
                line=entry.line,
                column=entry.column,
                hint=hint,
            )
        )

    def where(self, entry: Entry) -> str:
        return f"{self.path}:{entry.line}:{entry.column}"

    def error(self, node: Node, message: str, hint: str | None = None) -> None:
        self.errors.append(
            ConfigError(message, file=str(self.path), line=node.line, column=node.column, hint=hint)
        )
