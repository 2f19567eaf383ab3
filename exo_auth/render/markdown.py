"""Text from outside, written so that it is no Markdown, and what is long folded away (render, pure)."""

from __future__ import annotations

from collections.abc import Iterable

from exo_auth.render.safe_text import visible

FOLDED = 10  # lines; more of them are folded

_MARKUP = frozenset("\\`*_<>[]#&~!|")


def plain(words: str) -> str:
    """Write words that may hold anything: in a paragraph, a heading or a cell of a table."""
    return "".join(f"\\{char}" if char in _MARKUP else char for char in visible(words))


def code(value: str) -> str:
    """Write a value as code; one that would end the code, or the cell it stands in, as plain words."""
    shown = visible(value)
    return plain(value) if not shown.strip() or any(char in shown for char in "`|\\") else f"`{shown}`"


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Write a table of cells that are Markdown already, an empty line after it (GFM §4.10)."""

    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    return [line(columns), line("---" for _ in columns), *map(line, rows), ""]


def fenced(language: str, lines: Iterable[str]) -> list[str]:
    """Write lines as a block of code, an empty line after it."""
    return [f"```{language}", *map(visible, lines), "```", ""]


def folded(count: int, lines: Iterable[str], what: str) -> list[str]:
    """Fold what is long, so that a plan of a thousand domains can be read in a ticket."""
    if count <= FOLDED:
        return list(lines)
    return [f"<details><summary>{count} {what}</summary>", "", *lines, "</details>", ""]
