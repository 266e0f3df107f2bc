"""Tables of results: laid out on a terminal, plain aligned lines elsewhere.

Names and texts from outside are shown without control characters and are never read as markup.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

_STYLES = {
    "social_leads": "green",
    "feedback": "green",
    "sales_lead": "cyan",
    "watchlist": "yellow",
    "insufficient": "dim",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of results."""

    title: str
    align: Literal["left", "right"] = "left"
    most: int = 16
    """Cells: names beyond are cut, notes beyond are wrapped on a terminal and cut in plain text."""
    is_note: bool = False


def clean(text: str) -> str:
    """Text from outside as one line without control, format and unassigned characters."""
    kept = (
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(kept).split())


def say(console: Console, text: str) -> None:
    """One line, wrapped on a terminal only."""
    console.print(Text(_writable(console, text)), soft_wrap=not console.is_terminal)


def show_table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    verdicts: Sequence[str],
) -> None:
    """Rows of cells under their titles; each row has the colour of its verdict."""
    cells = [[_writable(console, clean(cell)) for cell in row] for row in rows]
    if not console.is_terminal:
        _plain(console, columns, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.title),
            justify=column.align,
            no_wrap=not column.is_note,
            overflow="fold" if column.is_note else "ellipsis",
            max_width=column.most,
        )
    for row, verdict in zip(cells, verdicts, strict=True):
        table.add_row(*(Text(cell) for cell in row), style=_STYLES.get(verdict, ""))
    console.print(table, soft_wrap=False)


def _writable(console: Console, text: str) -> str:
    """What the output's encoding can hold; a pipe may be narrower than Unicode."""
    return text.encode(console.encoding, "replace").decode(console.encoding)


def _plain(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    lines = [[column.title for column in columns], *rows]
    widths = [
        min(max(cell_len(line[index]) for line in lines), column.most)
        for index, column in enumerate(columns)
    ]
    for line in lines:
        padded = []
        for cell, width, column in zip(line, widths, columns, strict=True):
            is_long = cell_len(cell) > width
            text = set_cell_size(cell, width - 1).rstrip() + "…" if is_long else cell
            space = " " * (width - cell_len(text))
            padded.append(space + text if column.align == "right" else text + space)
        say(console, "  ".join(padded).rstrip())
