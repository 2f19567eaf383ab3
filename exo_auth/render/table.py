"""`Table`: rows for people and for programs (render, pure). Values are never cut."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from exo_auth.render.safe_text import visible, width

LEAST_LAST_COLUMN = 40  # characters

_STYLES = {  # of whole cells
    "fail": "red",
    "blocked": "red",
    "stuck": "red",
    "failed": "red",
    "refused": "red",
    "unknown": "magenta",
    "warn": "yellow",
    "waiting": "yellow",
    "pending": "yellow",
    "due": "cyan",
    "steady": "green",
    "applied": "green",
    "ok": "green",
    "ready": "green",
}


@dataclass(frozen=True)
class Table:
    """Named columns and rows of texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_text(self, output: str, *, color: bool = False) -> str:
        """Write the table as `table`, `csv`, `md` or `ndjson`; rich draws it when colour is wanted."""
        if output == "csv":
            return self._csv()
        if output == "md":
            return self._markdown()
        if output == "ndjson":
            keys = [column.lower().replace(" ", "_") for column in self.columns]
            return "\n".join(
                json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) for row in self.rows
            )
        return self._rich() if color else self._plain()

    def _csv(self) -> str:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(
            [self.columns, *(map(visible, row) for row in self.rows)]
        )
        return buffer.getvalue().rstrip("\n")

    def _markdown(self) -> str:
        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(visible(cell).replace("|", "\\|") for cell in cells) + " |"

        return "\n".join([line(self.columns), line(["---"] * len(self.columns)), *map(line, self.rows)])

    def _plain(self) -> str:
        rows = [
            tuple(column.upper() for column in self.columns),
            *(tuple(map(visible, row)) for row in self.rows),
        ]
        widths = [max(width(row[i]) for row in rows) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _rich(self) -> str:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in self.columns[:-1]:
            table.add_column(column.upper(), no_wrap=True)
        table.add_column(self.columns[-1].upper(), overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(visible(cell), style=_STYLES.get(cell, "")) for cell in row))
        console = Console(force_terminal=True, color_system="standard", highlight=False)
        # Names are never folded: a terminal narrower than they are wraps the line itself.
        console.width = max(console.width, self._least_width())
        with console.capture() as capture:
            console.print(table)
        return "\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n"))

    def _least_width(self) -> int:
        """How wide all columns are together when only the last one is folded."""
        rows = [self.columns, *self.rows]
        widths = [max(width(visible(row[i])) for row in rows) for i in range(len(self.columns))]
        return sum(widths[:-1]) + 2 * len(widths) + min(widths[-1], LEAST_LAST_COLUMN)


def painted(text: str, style: str, *, color: bool) -> str:
    """Give the text in a colour, or as it is."""
    codes = {"red": 31, "green": 32, "yellow": 33, "magenta": 35, "cyan": 36, "bold": 1}
    return f"\x1b[{codes[style]}m{text}\x1b[0m" if color else text
