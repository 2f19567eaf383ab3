"""Holds a document to the types of one of Microsoft's generated clients: names, kinds, words, and what must be there."""

from __future__ import annotations

import datetime as dt
import re
import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

from azure.mgmt.appcontainers import models


def mistakes(value: Any, kind: Any, place: str = "") -> Iterator[str]:
    """Name everything in `value` that a type of the client does not know, by its place."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        yield from _of_choices(value, typing.get_args(kind), place)
    elif typing.get_origin(kind) is list:
        if not isinstance(value, list):
            yield f"{place}: no list"
            return
        for number, item in enumerate(value):
            yield from mistakes(item, typing.get_args(kind)[0], f"{place}[{number}]")
    elif typing.get_origin(kind) is dict:
        yield from () if isinstance(value, dict) else [f"{place}: no mapping"]
    elif kind in (str, int, float, bool):
        wanted = (int, float) if kind is float else kind
        if not isinstance(value, wanted) or (kind is not bool and isinstance(value, bool)):
            yield f"{place}: {value!r} is no {kind.__name__}"
    else:
        yield from _of_model(value, kind, place)


def _of_choices(value: Any, kinds: tuple[Any, ...], place: str) -> Iterator[str]:
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):  # beside str, which would take any word
            known = {str(member.value) for member in kind}
            yield from () if value in known else [f"{place}: {value!r} is none of {sorted(known)}"]
            return
    (kind,) = (kind for kind in kinds if kind is not type(None))
    yield from mistakes(value, kind, place)


def _of_model(value: Any, model: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: no {model.__name__}"
        return
    hints = typing.get_type_hints(model, localns={"_models": models, "datetime": dt})
    fields = {_as_in_json(name): kind for name, kind in hints.items() if not name.startswith("_")}
    for name, item in value.items():
        if name in fields:
            yield from mistakes(item, fields[name], f"{place}.{name}")
        else:
            yield f"{place}: {model.__name__} has no {name}"
    for name, kind in fields.items():
        if name not in value and type(None) not in typing.get_args(kind):
            yield f"{place}: {model.__name__} needs {name}"


def _as_in_json(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
