"""Playbooks: what is wanted for which domains, as a YAML file, by path or by the name of one that ships (run)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from exo_auth.errors import ConfigError, InputError
from exo_auth.run import yaml_nodes
from exo_auth.run.config_schema import nearest
from exo_auth.run.yaml_nodes import Entry, Node

VERSION = "1"
VERBS = ("all", "enable", "rotate", "upgrade-keys")
POLICY = {"max_key_age": "policy.dkim.max_key_age", "key_size": "policy.dkim.key_size"}
KEYS = ("version", "do", "domains", "policy")
SUFFIX = ".yaml"


@dataclass(frozen=True)
class Playbook:
    """`verb` is one of VERBS; `policy` holds values for keys of the settings table, as texts."""

    verb: str
    domains: tuple[str, ...]
    policy: Mapping[str, str] = field(default_factory=dict)


def shipped() -> dict[str, Path]:
    """Give the playbooks that ship with the package, by name."""
    package = Path(str(files("exo_auth")))
    inside = package / "playbooks"
    # The wheel has them inside the package; in a checkout they stand beside it.
    folder = inside if inside.is_dir() else package.parent / "playbooks"
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def read_playbook(name: str) -> Playbook:
    """Read a playbook by path or name; raises InputError, or ConfigError with line and column."""
    known = shipped()
    path = known.get(name) or Path(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        near = nearest(name, known)
        raise InputError(
            f"there is no playbook “{name}”, neither by that name nor as a file",
            hint=f"did you mean {near}?" if near else f"those that ship: {', '.join(known)}",
        ) from None
    return parse_playbook(text, str(path))


def parse_playbook(text: str, file: str) -> Playbook:
    """Read the text of a playbook; raises ConfigError with line and column."""
    root = yaml_nodes.parse(text, file)
    entries = _mapping(root, KEYS, file)
    version, verb = entries.get("version"), entries.get("do")
    if version is None or version.value.text != VERSION:
        raise _wrong(
            version.value if version else root, file, f"the version must be {VERSION}", "write “version: 1”"
        )
    if verb is None or verb.value.text not in VERBS:
        raise _wrong(
            verb.value if verb else root, file, "“do” says what is to be done", f"one of {', '.join(VERBS)}"
        )
    domains = entries.get("domains")
    policy = entries.get("policy")
    return Playbook(
        verb.value.text,
        _texts(domains.value, file) if domains else ("*",),
        {POLICY[key]: entry.value.text for key, entry in _mapping(policy.value, tuple(POLICY), file).items()}
        if policy
        else {},
    )


def _mapping(node: Node, keys: tuple[str, ...], file: str) -> Mapping[str, Entry]:
    if node.kind != "a mapping":
        raise _wrong(node, file, f"here stands {node.kind} where keys belong", f"one of {', '.join(keys)}")
    for key, entry in node.entries.items():
        if key not in keys:
            near = nearest(key, keys)
            hint = f"did you mean {near}?" if near else f"one of {', '.join(keys)}"
            raise ConfigError(
                f"“{key}” is no key here", file=file, line=entry.line, column=entry.column, hint=hint
            )
    return node.entries


def _texts(node: Node, file: str) -> tuple[str, ...]:
    if node.kind != "a list" or not node.items:
        raise _wrong(node, file, "“domains” is a list of names or globs", 'write domains: ["*"]')
    return tuple(item.text for item in node.items)


def _wrong(node: Node, file: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, file=file, line=node.line, column=node.column, hint=hint)
