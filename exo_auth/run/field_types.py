"""Do objects that were read from a file have the types they declare? (run)

JSON gives whatever stands in the file: a number where a name belongs would fail somewhere else, much later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TESTS: dict[str, Callable[[Any], bool]] = {  # by annotation; others are not looked at
    "str": lambda value: isinstance(value, str),
    "str | None": lambda value: value is None or isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "bytes": lambda value: isinstance(value, bytes),
    "int": _is_number,
    "int | None": lambda value: value is None or _is_number(value),
    "tuple[str, ...]": lambda value: isinstance(value, tuple) and all(isinstance(v, str) for v in value),
}


def as_declared(value: T) -> T:
    """Give the object back; raises TypeError that names the first field of another type."""
    for name, annotation in type(value).__annotations__.items():
        test = _TESTS.get(annotation)
        if test is not None and not test(getattr(value, name)):
            raise TypeError(f"{name} is {str(getattr(value, name))[:40]}, which is no {annotation}")
    return value
