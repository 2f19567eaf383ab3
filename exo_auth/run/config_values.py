"""From a YAML node, a variable's text or an option's value to the value of a setting (run)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exo_auth.domain_name import DomainName
from exo_auth.errors import InputError
from exo_auth.run.config_schema import Kind, Setting, nearest
from exo_auth.run.durations import parse_duration, render_duration
from exo_auth.run.secret_reference import SecretReference

if TYPE_CHECKING:
    from exo_auth.run.yaml_nodes import Node

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*", re.ASCII)
TAG_HINT = "letters, digits, dots, hyphens, underscores, and = as in ring=canary"
TAGS_HINT = "write parked: [old.example]"
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class SettingError(InputError):
    """A value does not fit its setting; `node` is the part of the file that is wrong, if a file said it."""

    def __init__(self, message: str, *, node: Node | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.node = node


def from_text(setting: Setting, text: str, base: Path) -> Any:
    """Read a variable or an option; paths are relative to `base`. Raises SettingError."""
    if setting.kind is Kind.SWITCH:
        return _switch(text)
    if setting.kind is Kind.LIST:
        words = tuple(part for part in re.split(r"[,\s]+", text) if part)
        for word in words:
            _check_choice(setting, word)
        return words
    if setting.kind is Kind.COMMAND:
        return _words(text)
    if setting.kind is Kind.TAGS:
        return _tags_from_text(text)
    return _from_scalar(setting, text, base)


def from_option(setting: Setting, value: object, base: Path) -> Any:
    """Read what the command line gave, which is text, a number, a switch or a list. Raises SettingError."""
    if isinstance(value, str):
        return _from_scalar(setting, value, base) if setting.kind is not Kind.LIST else (value,)
    if isinstance(value, list | tuple):
        return tuple(str(part) for part in value)
    if isinstance(value, bool):
        return value
    return _from_scalar(setting, str(value), base)


def from_node(setting: Setting, node: Node, base: Path) -> Any:
    """Read a value of the file. Raises SettingError with the node that is wrong."""
    if setting.kind in (Kind.LIST, Kind.COMMAND):
        return _texts(setting, node)
    if setting.kind is Kind.TAGS:
        return tags_from_node(node)
    wanted = _WANTED.get(setting.kind, "a text")
    if node.kind != wanted and not (wanted == "a number" and node.text.isdecimal()):
        raise SettingError(
            f"{setting.key} must be {_SAYS[setting.kind]}, not {node.kind}", node=node, hint=_hint(node)
        )
    if setting.kind is Kind.SWITCH:
        return node.is_true
    try:
        return _from_scalar(setting, node.text, base)
    except SettingError as bad:
        raise SettingError(bad.message, node=node, hint=bad.hint) from None


def render(value: object) -> str:
    """Write a value as `config show` and the file write it; secrets show as “…”."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return render_duration(value)
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, dict):
        return " ".join(f"{tag}={','.join(names)}" for tag, names in value.items())
    if isinstance(value, float):
        return f"{value * 100:.6g}%"
    return str(value)


def _from_scalar(setting: Setting, text: str, base: Path) -> Any:
    if setting.kind is Kind.PATH:
        return _path(setting, text.strip(), base)
    if setting.kind is Kind.SECRET:
        return _secret(setting, text.strip(), base)
    value = _READERS[setting.kind](setting, text.strip())
    _check_choice(setting, value)
    return value


def _check_choice(setting: Setting, value: object, node: Node | None = None) -> None:
    if setting.choices and value not in setting.choices:
        near = nearest(str(value), setting.choices)
        raise SettingError(
            f"{setting.key} cannot be “{value}”",
            node=node,
            hint=(f"did you mean {near}? " if near else "") + f"one of {', '.join(setting.choices)}",
        )


def _texts(setting: Setting, node: Node) -> tuple[str, ...]:
    if node.kind != "a list":
        raise SettingError(
            f"{setting.key} must be a list, not {node.kind}", node=node, hint="write it as [a, b]"
        )
    for item in node.items:
        if item.kind != "a text":
            raise SettingError(f"{setting.key} must hold texts, not {item.kind}", node=item, hint=_hint(item))
        _check_choice(setting, item.text, item)
    return tuple(item.text for item in node.items)


def tags_from_node(node: Node) -> dict[str, tuple[str, ...]]:
    """Read a mapping of tags to lists of domains and globs. Raises SettingError with the node that is wrong."""
    from exo_auth.plan.selection import tag_of

    if node.kind not in ("a mapping", "empty"):
        raise SettingError(f"tags must be a mapping, not {node.kind}", node=node, hint=TAGS_HINT)
    found = {}
    for entry in node.entries.values():
        if not TAG.fullmatch(entry.key):
            raise SettingError(f"“{entry.key}” is no name for a tag", node=entry.value, hint=TAG_HINT)
        if entry.value.kind != "a list":
            text = f"the tag {entry.key} must be a list of domains and globs, not {entry.value.kind}"
            raise SettingError(text, node=entry.value, hint=TAGS_HINT)
        for item in entry.value.items:
            if item.kind != "a text" or tag_of(item.text) is not None:
                text = f"the tag {entry.key} must hold domains and globs"
                raise SettingError(text, node=item, hint=_hint(item) or "a tag cannot hold another tag")
        found[entry.key] = tuple(item.text for item in entry.value.items)
    return found


def _tags_from_text(text: str) -> dict[str, tuple[str, ...]]:
    """Read tags of a variable: `parked=old.example,*.brand.example busy=contoso.com`."""
    found = {}
    for word in text.split():
        tag, equals, names = word.rpartition("=")
        if not equals or not TAG.fullmatch(tag):
            raise SettingError(
                f"“{word}” is no tag with its domains", hint="write parked=a.example,b.example"
            )
        found[tag] = tuple(name for name in names.split(",") if name)
    return found


def _hint(node: Node) -> str | None:
    return "put it in quotes" if node.kind in ("a number", "true or false") else None


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise SettingError(f"“{text}” is neither true nor false", hint="write true or false")
    return word in _TRUE


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise SettingError(f"the command cannot be split into words: {error}") from None


def _text(setting: Setting, text: str) -> str:
    if not text:
        raise SettingError(f"{setting.key} is empty", hint="leave it out instead")
    return text.lower() if setting.choices else text


def _url(setting: Setting, text: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise SettingError(
            f"{setting.key} must be an https:// URL, not “{text}”", hint="without user, query or #"
        )
    return text.rstrip("/")


def _guid(setting: Setting, text: str) -> str:
    if not GUID.fullmatch(text):
        raise SettingError(
            f"{setting.key} must be a GUID, not “{text}”", hint="such as 11111111-2222-3333-4444-555555555555"
        )
    return text.lower()


def _domain(setting: Setting, text: str) -> str:
    try:
        return DomainName.parse(text).ascii
    except InputError as error:
        raise SettingError(f"{setting.key}: {error.message}", hint=error.hint) from None


def _path(setting: Setting, text: str, base: Path) -> Path:
    if not text or "\0" in text:
        raise SettingError(f"{setting.key} must be a path", hint="leave it out instead")
    try:
        return base / Path(text).expanduser()
    except RuntimeError as error:  # “~name” of a user that does not exist
        raise SettingError(f"{setting.key}: {error}") from None


def _integer(setting: Setting, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) > 0):
        raise SettingError(f"{setting.key} must be a whole number above 0, not “{text}”")
    if setting.numbers and int(text) not in setting.numbers:
        raise SettingError(
            f"{setting.key} cannot be {int(text)}",
            hint=f"one of {', '.join(str(part) for part in setting.numbers)}",
        )
    return int(text)


def _share(setting: Setting, text: str) -> float:
    found = _PERCENT.fullmatch(text)
    if found is None or not 0 < float(found[1]) <= 100:
        raise SettingError(
            f"{setting.key} must be a percentage, not “{text}”", hint="write it with the sign: 10%"
        )
    return float(found[1]) / 100


def _duration(setting: Setting, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except InputError as error:
        raise SettingError(f"{setting.key}: {error.message}", hint=error.hint) from None


def _secret(setting: Setting, text: str, base: Path) -> SecretReference:
    try:
        return SecretReference.parse(text, base)
    except InputError as error:
        raise SettingError(f"{setting.key}: {error.message}", hint=error.hint) from None


_READERS: dict[Kind, Callable[[Setting, str], Any]] = {
    Kind.TEXT: _text,
    Kind.URL: _url,
    Kind.GUID: _guid,
    Kind.DOMAIN: _domain,
    Kind.INTEGER: _integer,
    Kind.SHARE: _share,
    Kind.DURATION: _duration,
}
_WANTED = {Kind.INTEGER: "a number", Kind.SWITCH: "true or false"}
_SAYS = dict.fromkeys(Kind, "a text") | {
    Kind.INTEGER: "a number",
    Kind.SWITCH: "true or false",
    Kind.DURATION: "a duration such as 180d",
    Kind.SHARE: "a percentage such as 10%",
    Kind.SECRET: "a reference such as file:/run/secrets/app",
}
