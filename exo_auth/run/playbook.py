"""Playbooks: what is wanted for which domains, as a YAML file, by path or by the name of one that ships (run)."""

from __future__ import annotations

import re
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
KEYS = ("version", "do", "domains", "except", "policy", "variables", "stages")
STAGE_KEYS = ("name", "do", "with")
WITH: Mapping[str, tuple[str, ...]] = {  # what each kind of stage takes
    **dict.fromkeys(VERBS, ()),
    "publish": ("rua", "tls_rua", "policy_host"),
    "park": ("rua",),
    "advance-dmarc": ("to", "rua", "observe"),
    "publish-mta-sts": ("mode",),
    "enforce-tls": ("partners", "mode", "verify", "tls_domain"),
    "dane": (),
}
SUFFIX = ".yaml"

_VARIABLE = re.compile(r"\$\{([a-z_]+)\}", re.ASCII)


@dataclass(frozen=True)
class Stage:
    """One step of a playbook: `do` is a key of WITH, `values` what it was given, as texts."""

    name: str
    do: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def value(self, key: str, default: str = "") -> str:
        """Give the first value of a key."""
        return next(iter(self.values.get(key, ())), default)


@dataclass(frozen=True)
class Playbook:
    """What is wanted for which domains. `verb` is that of a playbook of one DKIM step, "" where there are stages.

    `policy` holds values for keys of the settings table, as texts; `excepted` are names or globs that are left out.
    """

    verb: str
    domains: tuple[str, ...]
    policy: Mapping[str, str] = field(default_factory=dict)
    excepted: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages; a playbook of one DKIM step has one."""
        return self.stages or (Stage(self.verb, self.verb),)


def shipped() -> dict[str, Path]:
    """Give the playbooks that ship with the package, by name."""
    package = Path(str(files("exo_auth")))
    inside = package / "playbooks"
    # The wheel has them inside the package; in a checkout they stand beside it.
    folder = inside if inside.is_dir() else package.parent / "playbooks"
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def playbook_text(name: str) -> tuple[str, str]:
    """Give the text of a playbook and where it lies, by path or name; raises InputError."""
    known = shipped()
    path = known.get(name) or Path(name)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError):
        near = nearest(name, known)
        raise InputError(
            f"there is no playbook “{name}”, neither by that name nor as a file",
            hint=f"did you mean {near}?" if near else f"those that ship: {', '.join(known)}",
        ) from None


def read_playbook(name: str, given: Mapping[str, str] | None = None) -> Playbook:
    """Read a playbook by path or name; raises InputError, or ConfigError with line and column."""
    text, file = playbook_text(name)
    return parse_playbook(text, file, given)


def parse_playbook(text: str, file: str, given: Mapping[str, str] | None = None) -> Playbook:
    """Read the text of a playbook; raises ConfigError with line and column. `given` are values of its variables."""
    root = yaml_nodes.parse(text, file)
    entries = _mapping(root, KEYS, file)
    version, verb, stages = entries.get("version"), entries.get("do"), entries.get("stages")
    if version is None or version.value.text != VERSION:
        raise _wrong(
            version.value if version else root, file, f"the version must be {VERSION}", "write “version: 1”"
        )
    if stages is None and (verb is None or verb.value.text not in VERBS):
        raise _wrong(
            verb.value if verb else root, file, "“do” says what is to be done", f"one of {', '.join(VERBS)}"
        )
    if stages is not None and verb is not None:
        raise _wrong(verb.value, file, "“do” and “stages” exclude each other", "put it into a stage")
    reader = _Reader(file, _variables(entries.get("variables"), given or {}, file))
    domains, excepted, policy = entries.get("domains"), entries.get("except"), entries.get("policy")
    return Playbook(
        verb.value.text if verb is not None else "",
        reader.texts(domains.value, "domains") if domains else ("*",),
        {
            POLICY[key]: reader.text(entry.value)
            for key, entry in _mapping(policy.value, tuple(POLICY), file).items()
        }
        if policy
        else {},
        reader.texts(excepted.value, "except") if excepted else (),
        reader.stages(stages.value) if stages else (),
    )


def _variables(entry: Entry | None, given: Mapping[str, str], file: str) -> dict[str, str]:
    """Give every variable's value; raises for one that the playbook does not have, and for one without a value."""
    known = dict(entry.value.entries) if entry is not None else {}
    for name in given:
        if name not in known:
            near = nearest(name, known)
            raise InputError(
                f"the playbook has no variable “{name}”",
                hint=f"did you mean {near}?" if near else f"it has {', '.join(known) or 'none'}",
            )
    values = {}
    for name, variable in known.items():
        if name not in given and variable.value.kind == "empty":
            raise ConfigError(
                f"the variable “{name}” has no value",
                file=file,
                line=variable.line,
                column=variable.column,
                hint=f"give it with --var {name}=…",
            )
        values[name] = given.get(name, variable.value.text)
    return values


@dataclass(frozen=True)
class _Reader:
    """Reads values, variables put in."""

    file: str
    variables: Mapping[str, str]

    def text(self, node: Node) -> str:
        """Read a scalar; raises for a variable that is none."""

        def value(match: re.Match[str]) -> str:
            if match[1] not in self.variables:
                near = nearest(match[1], self.variables)
                raise _wrong(
                    node,
                    self.file,
                    f"there is no variable “{match[1]}”",
                    f"did you mean {near}?" if near else "see variables:",
                )
            return self.variables[match[1]]

        return _VARIABLE.sub(value, node.text)

    def texts(self, node: Node, what: str) -> tuple[str, ...]:
        """Read a list of texts; a variable may hold several, with commas between."""
        if node.kind != "a list" or not node.items:
            raise _wrong(node, self.file, f"“{what}” is a list of names or globs", f'write {what}: ["*"]')
        return tuple(
            part.strip() for item in node.items for part in self.text(item).split(",") if part.strip()
        )

    def stages(self, node: Node) -> tuple[Stage, ...]:
        """Read the stages in their order."""
        if node.kind != "a list" or not node.items:
            raise _wrong(node, self.file, "“stages” is a list", "each has a name and a “do”")
        return tuple(self._stage(item) for item in node.items)

    def _stage(self, node: Node) -> Stage:
        entries = _mapping(node, STAGE_KEYS, self.file)
        do = entries.get("do")
        if do is None or do.value.text not in WITH:
            near = nearest(do.value.text, WITH) if do else None
            hint = f"did you mean {near}?" if near else f"one of {', '.join(WITH)}"
            raise _wrong(do.value if do else node, self.file, "“do” says what the stage does", hint)
        kind = do.value.text
        given = entries.get("with")
        values = _mapping(given.value, WITH[kind], self.file) if given else {}
        name = entries["name"].value.text if "name" in entries else kind
        return Stage(name, kind, {key: self._values(entry.value, key) for key, entry in values.items()})

    def _values(self, node: Node, key: str) -> tuple[str, ...]:
        if node.kind == "a list":
            return self.texts(node, key)
        return tuple(part.strip() for part in self.text(node).split(",") if part.strip())


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


def _wrong(node: Node, file: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, file=file, line=node.line, column=node.column, hint=hint)
