"""`Secret`: a text that shows itself only when asked by name (identity)."""

from __future__ import annotations


class Secret:
    """Holds a secret; `str`, `repr`, f-strings, pickles and comparisons by accident never show it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the secret itself: the only way to it, so that `grep reveal` finds every use."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not written anywhere")
