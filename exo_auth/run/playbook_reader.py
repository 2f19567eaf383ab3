"""The text of a playbook → `Playbook`; every mistake has its line, its column and the nearest valid key (run)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from exo_auth.checks.gates import Gate
from exo_auth.errors import ConfigError, InputError
from exo_auth.plan.selection import EVERY, NOBODY, tag_of
from exo_auth.run import yaml_nodes
from exo_auth.run.config_schema import nearest
from exo_auth.run.config_values import SettingError, tags_from_node
from exo_auth.run.durations import parse_duration
from exo_auth.run.playbook import Place, Playbook, Stage
from exo_auth.run.playbook_keys import ABOUT_OTHERS, KEYS, POLICY, STAGE_KEYS, VERBS, VERSION, WITH, Key
from exo_auth.run.yaml_nodes import Entry, Node

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


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
    return Playbook(
        verb.value.text if verb is not None else "",
        reader.patterns(entries.get("domains")) or (EVERY,),
        reader.policy(entries.get("policy")),
        reader.patterns(entries.get("except")),
        reader.stages(stages.value) if stages else (),
        reader.tags(entries.get("tags")),
        reader.tag_places,
    )


def _variables(entry: Entry | None, given: Mapping[str, str], file: str) -> dict[str, str]:
    """Give every variable's value; raises for one that the playbook does not have, and for one without a value."""
    if entry is not None and entry.value.kind != "a mapping":
        raise _wrong(entry.value, file, "“variables” are names with values", "write rua: mailto:d@x.example")
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
        if not _VARIABLE_NAME.fullmatch(name):
            raise _at(variable, file, f"“{name}” is no name of a variable", "small letters, digits and _")
        if name not in given and variable.value.kind == "empty":
            raise _at(variable, file, f"the variable “{name}” has no value", f"give it with --var {name}=…")
        values[name] = given.get(name, variable.value.text)
    return values


@dataclass(frozen=True)
class _Reader:
    """Reads values, variables put in."""

    file: str
    variables: Mapping[str, str]
    tag_places: dict[str, Place] = field(default_factory=dict)  # filled while reading

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

    def patterns(self, entry: Entry | None) -> tuple[str, ...]:
        """Read names, globs, tags, `all` or `none`; the words may stand without a list."""
        if entry is None:
            return ()
        node = entry.value
        if node.kind == "a text" and node.text in (EVERY, NOBODY):
            return (node.text,)
        found = self.texts(node, entry.key)
        if not found:  # an empty variable must not come to mean all domains
            hint = f"write {NOBODY} where nobody is meant, {EVERY} for all"
            raise _wrong(node, self.file, f"“{entry.key}” names nobody", hint)
        for item in node.items:
            for part in self._parts(item):
                if (tag := tag_of(part)) is not None:
                    self.tag_places.setdefault(tag, Place(self.file, item.line, item.column))
        return found

    def texts(self, node: Node, what: str) -> tuple[str, ...]:
        """Read a list of texts; a variable may hold several, with commas between."""
        if node.kind != "a list" or not node.items:
            raise _wrong(node, self.file, f"“{what}” is a list of names or globs", f'write {what}: ["*"]')
        return tuple(part for item in node.items for part in self._parts(item))

    def policy(self, entry: Entry | None) -> dict[str, str]:
        """Read what decides when a key is due, by the keys of the settings table."""
        if entry is None:
            return {}
        found = _mapping(entry.value, POLICY, self.file)
        return {POLICY[key]: self.text(one.value) for key, one in found.items()}

    def tags(self, entry: Entry | None) -> dict[str, tuple[str, ...]]:
        """Read the playbook's own tags."""
        if entry is None:
            return {}
        try:
            return tags_from_node(entry.value)
        except SettingError as bad:
            raise _wrong(bad.node or entry.value, self.file, bad.message, bad.hint or "") from None

    def stages(self, node: Node) -> tuple[Stage, ...]:
        """Read the stages in their order; each has a name of its own."""
        if node.kind != "a list" or not node.items:
            raise _wrong(node, self.file, "“stages” is a list", "each has a name and a “do”")
        found: dict[str, Stage] = {}
        for item in node.items:
            stage = self._stage(item)
            if stage.name in found:
                text = f"two stages are called “{stage.name}”"
                raise _wrong(item, self.file, text, "give each its own with name:")
            found[stage.name] = stage
        return tuple(found.values())

    def _stage(self, node: Node) -> Stage:
        entries = _mapping(node, STAGE_KEYS, self.file)
        do = entries.get("do")
        if do is None or do.value.text not in WITH:
            near = nearest(do.value.text, WITH) if do else None
            hint = f"did you mean {near}?" if near else f"one of {', '.join(WITH)}"
            raise _wrong(do.value if do else node, self.file, "“do” says what the stage does", hint)
        kind = do.value.text
        for key in ("domains", "except", "gate", "after"):
            if key in entries and kind in ABOUT_OTHERS:
                text = f"“{kind}” is about others than the tenant's domains: it takes no “{key}”"
                raise _at(entries[key], self.file, text, "leave it out")
        told = entries.get("with")
        given = _mapping(told.value, WITH[kind], self.file) if told else {}
        return Stage(
            entries["name"].value.text if "name" in entries else kind,
            kind,
            self._told(WITH[kind], given, node),
            self.patterns(entries.get("domains")),
            self.patterns(entries.get("except")),
            self._gates(entries.get("gate")),
            self._duration(entries["after"].value) if "after" in entries else None,
        )

    def _gates(self, entry: Entry | None) -> tuple[Gate, ...]:
        if entry is None:
            return ()
        names = [gate.value for gate in Gate]
        node = entry.value
        items = node.items if node.kind == "a list" else (node,)
        for item in items:
            if item.text not in names:
                near = nearest(item.text, names)
                hint = f"did you mean {near}?" if near else f"one of {', '.join(names)}"
                raise _wrong(item, self.file, f"there is no gate “{item.text}”", hint)
        return tuple(Gate(item.text) for item in items)

    def _duration(self, node: Node) -> timedelta:
        try:
            return parse_duration(self.text(node))
        except ConfigError:
            raise
        except InputError as bad:
            raise _wrong(node, self.file, bad.message, bad.hint or "") from None

    def _told(
        self, keys: Mapping[str, Key], given: Mapping[str, Entry], stage: Node
    ) -> dict[str, tuple[str, ...]]:
        """Read what stands behind the keys of `with`; what was left out, or is empty, has its default."""
        found = {}
        for name, key in keys.items():
            values = self._values(given[name].value, name, key) if name in given else ()
            if key.is_needed and not values:  # an empty variable must not come to mean that all is well
                node = given[name].value if name in given else stage
                raise _wrong(node, self.file, f"“{name}” names nobody", f"write {name}: [fabrikam.com]")
            if values or key.default:
                found[name] = values or tuple(key.default.split(", "))
        return found

    def _values(self, node: Node, name: str, key: Key) -> tuple[str, ...]:
        found = self.texts(node, name) if node.kind == "a list" else self._parts(node)
        if len(found) > 1 and not key.is_list:
            raise _wrong(node, self.file, f"“{name}” is one value", f"now {', '.join(found)}")
        if key.is_duration:
            self._duration(node)
        for value in found:
            if key.words and value not in key.words and value not in map(str.capitalize, key.words):
                near = nearest(value.lower(), key.words)
                hint = f"did you mean {near}?" if near else f"one of {', '.join(key.words)}"
                raise _wrong(node, self.file, f"“{name}” cannot be “{value}”", hint)
        return found

    def _parts(self, node: Node) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(node).split(",") if part.strip())


def _mapping(node: Node, keys: Iterable[str], file: str) -> Mapping[str, Entry]:
    if node.kind != "a mapping":
        raise _wrong(node, file, f"here stands {node.kind} where keys belong", f"one of {', '.join(keys)}")
    for key, entry in node.entries.items():
        if key not in keys:
            near = nearest(key, keys)
            hint = f"did you mean {near}?" if near else f"one of {', '.join(keys)}"
            raise _at(entry, file, f"“{key}” is no key here", hint)
    return node.entries


def _wrong(node: Node, file: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, file=file, line=node.line, column=node.column, hint=hint)


def _at(entry: Entry, file: str, message: str, hint: str) -> ConfigError:
    return ConfigError(message, file=file, line=entry.line, column=entry.column, hint=hint)
