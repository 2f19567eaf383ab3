"""YAML as nodes that know their line and column; duplicate keys and tricks are refused (run)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import yaml

from exo_auth.errors import ConfigError

MAX_SIZE = 1_000_000  # characters: a configuration for thousands of tenants stays below
MAX_NODES = 200_000  # after aliases are expanded, so that nested ones cannot fill the memory
MAX_DEPTH = 20

_TAG = "tag:yaml.org,2002:"
_WORDS = {
    "null": "empty",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "a text",
}


@dataclass(frozen=True)
class Node:
    """One value of the file. `line` and `column` are 1-based; `kind` says in words what it is."""

    kind: str  # "a text", "a number", "true or false", "empty", "a list", "a mapping"
    text: str  # a scalar as written, "" for the others
    line: int
    column: int
    items: tuple[Node, ...] = ()  # of a list
    entries: Mapping[str, Entry] = field(default_factory=dict)  # of a mapping

    @property
    def is_true(self) -> bool:
        """The value of “true or false”."""
        return self.text.lower() in ("true", "yes", "on")


@dataclass(frozen=True)
class Entry:
    """One key of a mapping, with its own place, and its value."""

    key: str
    line: int
    column: int
    value: Node


def parse(text: str, file: str) -> Node:
    """Read one YAML document; raises ConfigError with the place of the first thing that is not YAML."""
    if len(text) > MAX_SIZE:
        raise ConfigError(f"the file is longer than {MAX_SIZE} characters", file=file)
    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        raise _from_yaml(error, file) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow; it knows only its index
        before = text[: getattr(error, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise ConfigError(
            "a control character is not allowed here", file=file, line=line, column=column
        ) from None
    except RecursionError:
        raise ConfigError(f"the file is nested deeper than {MAX_DEPTH} levels", file=file) from None
    if root is None:
        return Node("a mapping", "", 1, 1)
    return _Reader(file).node(root, depth=0)


def _compose(text: str) -> yaml.Node | None:
    """Read it with libyaml where that came with PyYAML: eight times as fast. PyYAML itself knows better where it is wrong."""
    if yaml.__with_libyaml__:
        with suppress(yaml.YAMLError):
            return yaml.compose(text, Loader=yaml.CSafeLoader)
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _from_yaml(error: yaml.MarkedYAMLError, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or error.context or "no value can begin here").removeprefix("but ")
    if "\\t" in problem:
        problem = "a tab indents this line"
    return ConfigError(
        f"not YAML: {problem}",
        file=file,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        hint="indent with blanks, and put texts with : # or @ in quotes",
    )


class _Reader:
    """Turns pyyaml's nodes into ours, counting as aliases are expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        self.count += 1
        if depth > MAX_DEPTH:
            raise self.error(node, f"nested deeper than {MAX_DEPTH} levels")
        if self.count > MAX_NODES:
            raise self.error(node, f"more than {MAX_NODES} values once aliases are followed")
        line, column = _place(node)
        if isinstance(node, yaml.MappingNode):
            self.plain(node, "map")
            return Node("a mapping", "", line, column, entries=self.entries(node, depth))
        if isinstance(node, yaml.SequenceNode):
            self.plain(node, "seq")
            items = tuple(self.node(item, depth + 1) for item in node.value)
            return Node("a list", "", line, column, items=items)
        return Node(self.scalar_kind(node), str(node.value), line, column)

    def entries(self, node: yaml.MappingNode, depth: int) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not isinstance(key.value, str):
                raise self.error(key, "a key must be a text")
            if key.tag == f"{_TAG}merge":
                raise self.error(
                    key, "“<<” is not supported", hint="write the settings out, or use a profile"
                )
            line, column = _place(key)
            if key.value in found:
                first = found[key.value].line
                raise self.error(key, f"“{key.value}” is set twice; the first is on line {first}")
            found[key.value] = Entry(key.value, line, column, self.node(value, depth + 1))
        return found

    def scalar_kind(self, node: yaml.Node) -> str:
        name = node.tag.removeprefix(_TAG)
        if name in ("timestamp", "value"):
            return "a text"  # an unquoted date, or a lone “=”
        if name not in _WORDS:
            raise self.error(node, f"the tag {node.tag} is not supported")
        return _WORDS[name]

    def plain(self, node: yaml.Node, name: str) -> None:
        if node.tag != _TAG + name:
            raise self.error(node, f"the tag {node.tag} is not supported")

    def error(self, node: yaml.Node, message: str, hint: str | None = None) -> ConfigError:
        line, column = _place(node)
        return ConfigError(message, file=self.file, line=line, column=column, hint=hint)


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
