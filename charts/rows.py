"""A picture of rows: a name at the left, a mark on a common axis, figures at the right.

Lengths are inches. Text from outside is cut to its column; nothing here reads data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MUTED,
    PAPER,
    SIZE_NOTE,
    SIZE_TICK,
    Sheet,
    fit,
    line_height,
    text_width,
)

WIDTH = 10.0
INNER = WIDTH - 2 * MARGIN
ROW = 0.28
AXIS = 0.42
MOST_LINES = 24
SIZE = 8.0
_GAP = 0.14
# The rule below a heading: how far above the next row, and how thick.
_RULE_UP = 0.02
_RULE = 0.008


@dataclass(frozen=True, slots=True)
class Line:
    """One row. A `note` stands in place of a mark; a head names the columns of what follows."""

    name: str
    cells: tuple[str, ...] = ()
    note: str = ""
    is_head: bool = False
    is_bold: bool = False
    colour: str = INK
    note_colour: str = MUTED


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures at the right of the plot."""

    width: float
    ha: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where names, plot and figures stand."""

    name_width: float
    columns: tuple[Column, ...] = ()

    @property
    def plot_left(self) -> float:
        """Left edge of the plot."""
        return MARGIN + self.name_width + _GAP

    @property
    def plot_width(self) -> float:
        """Width of the plot: what names and figures leave."""
        return INNER - self.name_width - _GAP - sum(c.width + _GAP for c in self.columns)


def height(count: int) -> float:
    """Height of so many rows with their axis."""
    return count * ROW + AXIS


def lay(
    sheet: Sheet, lines: Sequence[Line], layout: Layout, *, top: float, limits: tuple[float, float]
) -> Axes:
    """Write names, figures and notes; return the plot, where row i has its middle at i + .5."""
    axes = sheet.axes(layout.plot_left, top, layout.plot_width, len(lines) * ROW)
    axes.set_xlim(*limits)
    axes.set_ylim(len(lines), 0)
    axes.set_yticks([])
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.4)
    for index, line in enumerate(lines):
        middle = top + (index + 0.5) * ROW
        _words(sheet, line, layout, middle)
        if line.is_head or line.note:
            # Where nothing is measured no axis runs through; only the rule below a heading does.
            axes.axhspan(index, index + 1, color=PAPER, linewidth=0, zorder=2.5)
        if line.is_head:
            rule = index + 1 - _RULE_UP / ROW
            axes.axhspan(rule, rule + _RULE / ROW, color=FAINT, linewidth=0, zorder=2.6)
        if line.note and not line.is_head:
            text = fit(line.note, layout.plot_width - 0.1, SIZE_NOTE)
            sheet.text(
                text, layout.plot_left + 0.05, middle, SIZE_NOTE,
                colour=line.note_colour, va="center_baseline",
            )  # fmt: skip
    return axes


def _words(sheet: Sheet, line: Line, layout: Layout, middle: float) -> None:
    size = SIZE_NOTE if line.is_head else SIZE
    colour = MUTED if line.is_head else line.colour
    # A heading of a section may run into the plot, where nothing is drawn.
    room = layout.name_width
    name_bold = line.is_bold
    if line.is_head:
        room, size, name_bold = room + _GAP + layout.plot_width, SIZE, True
        sheet.block(MARGIN, middle + ROW / 2 - _RULE_UP, INNER, _RULE, fill=FAINT, line=0)
    sheet.text(
        fit(line.name, room, size, bold=name_bold), MARGIN, middle, size,
        bold=name_bold, colour=INK if line.is_head else colour, va="center_baseline",
    )  # fmt: skip
    left = layout.plot_left + layout.plot_width + _GAP
    for column, cell in zip(layout.columns, line.cells, strict=False):
        words = fit(cell, column.width, SIZE_NOTE, bold=line.is_bold and not line.is_head)
        at = left if column.ha == "left" else left + column.width
        if words:
            sheet.text(
                words, at, middle, SIZE_NOTE, colour=colour,
                bold=line.is_bold and not line.is_head, ha=column.ha, va="center_baseline",
            )  # fmt: skip
        left += column.width + _GAP


def upright(axes: Axes, at: float, colour: str, *, is_dashed: bool = False) -> None:
    """A line through all rows below the first heading."""
    below = axes.get_ylim()[0]
    axes.plot(
        [at, at], [1, below], color=colour, linewidth=1.0 if is_dashed else 0.8, zorder=2,
        linestyle=(0, (3, 2)) if is_dashed else "-", solid_capstyle="butt",
    )  # fmt: skip


def scale(
    axes: Axes,
    layout: Layout,
    words: Callable[[float], str],
    title: str,
    *,
    ticks: Sequence[float] = (),
) -> None:
    """Ticks, the given ones or as many as have room, and the title of the axis below them."""
    low, high = axes.get_xlim()
    for count in () if ticks else (8, 6, 5, 4, 3, 2):
        locator = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10])
        ticks = [float(t) for t in locator.tick_values(low, high) if low <= t <= high]
        widest = max((text_width(words(tick), SIZE_TICK) for tick in ticks), default=0.0)
        if len(ticks) < 2 or (ticks[1] - ticks[0]) / (high - low) * layout.plot_width > widest:
            break
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axes.set_xlabel(
        fit(title, layout.plot_width, SIZE_NOTE), fontsize=SIZE_NOTE, color=MUTED, labelpad=2
    )


def head_lines(text: Sequence[str], sheet: Sheet, top: float) -> float:
    """Lines of plain words above the rows; returns where the rows may begin."""
    for index, line in enumerate(text):
        sheet.text(line, MARGIN, top + index * line_height(SIZE), SIZE, colour=INK)
    return top + len(text) * line_height(SIZE) + (0.1 if text else 0)
