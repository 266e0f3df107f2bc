"""What pictures share: the grid of panels, the time axis, the choice of products, captions."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from charts.reading import Catalogue, Days, Flags, Overview, day_words, month_word
from charts.style import (
    MARGIN,
    MUTED,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    Sheet,
    clean,
    fit,
    line_height,
    plural,
    text_width,
)

logger = logging.getLogger(__name__)

MOST_PANELS = 12
_MOST_SOURCES = 8
_LONGEST_SOURCE = 40
_GUTTER = 0.36
_ROW_GAP = 0.3
# A single day stands in the middle of a week rather than fill the panel.
_FEWEST_DAYS = 7


def grid(count: int) -> tuple[int, float, float]:
    """Columns, sheet width and panel width (inches) for a number of panels."""
    columns = 1 if count <= 1 else 2 if count in {2, 4} else 3
    width = {1: 8.0, 2: 9.0, 3: 11.0}[columns]
    panel = (width - 2 * MARGIN - (columns - 1) * _GUTTER) / columns
    return columns, width, panel


def body_height(count: int, panel_height: float) -> float:
    """Height in inches of a grid with so many panels."""
    columns, _, _ = grid(count)
    rows = -(-count // columns)
    return rows * panel_height + (rows - 1) * _ROW_GAP


def cells(sheet: Sheet, count: int, panel_height: float) -> Iterator[tuple[float, float, float]]:
    """Left, top and width (inches) of each panel, row by row."""
    columns, _, width = grid(count)
    for index in range(count):
        row, column = divmod(index, columns)
        yield (
            MARGIN + column * (width + _GUTTER),
            sheet.top + row * (panel_height + _ROW_GAP),
            width,
        )


def panel_title(sheet: Sheet, name: str, note: str, left: float, top: float, width: float) -> float:
    """A panel's name and the line below it; returns where the plot may begin."""
    sheet.text(fit(name, width, SIZE_TITLE, bold=True), left, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    sheet.text(fit(note, width, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)
    return below + line_height(SIZE_NOTE) + 0.04


def runs(flags: Flags) -> list[tuple[int, int]]:
    """First index and index after the last of each run of true values."""
    edges = np.diff(np.concatenate(([0], flags.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def date_ticks(days: Days, width: float) -> tuple[list[int], list[str]]:
    """Positions (index of the day) and labels of a time axis of `width` inches.

    The year stands at the first label and wherever it changes.
    """
    dates = [day.astype(object) for day in days]
    step, chosen = _tick_days(dates, width)
    labels: list[str] = []
    year: int | None = None
    for index in chosen:
        day = dates[index]
        if step == "year":
            text = str(day.year)
        else:
            text = (
                month_word(day.month) if step == "month" else f"{day.day} {month_word(day.month)}"
            )
            text = text if day.year == year else f"{text}\n{day.year}"
        year = day.year
        labels.append(text)
    return chosen, labels


def _tick_days(dates: Sequence[date], width: float) -> tuple[str, list[int]]:
    room = max(1, int(width / (text_width("28 Sep", SIZE_TICK) + 0.12)))
    firsts = [i for i, day in enumerate(dates) if day.day == 1]
    if len(firsts) >= 3:
        for months in (1, 2, 3, 6):
            chosen = [i for i in firsts if (dates[i].month - 1) % months == 0]
            if len(chosen) <= room:
                return "month", chosen
        januaries = [i for i in firsts if dates[i].month == 1]
        every = -(-len(januaries) // room)
        return "year", januaries[::every]
    for step in (1, 2, 7, 14, 28):
        chosen = list(range(0, len(dates), step))
        if len(chosen) <= room:
            return "day", chosen
    return "day", chosen[:: -(-len(chosen) // room)]


def style_time_axis(axes: Axes, days: Days, width: float, *, labelled: bool) -> None:
    """Days from edge to edge; ticks at months, weeks or days, whichever fit."""
    beside = max(0.0, (_FEWEST_DAYS - len(days)) / 2)
    axes.set_xlim(-0.5 - beside, len(days) - 0.5 + beside)
    positions, labels = date_ticks(days, width * len(days) / max(len(days), _FEWEST_DAYS))
    axes.set_xticks(positions, labels if labelled else [""] * len(positions))
    if not labelled:
        axes.tick_params(axis="x", length=0)
    for label in axes.get_xticklabels():
        label.set_linespacing(1.15)


def window_words(overview: Overview) -> str:
    """`26 May 2026 to 21 Nov 2026 (180 days)`."""
    if overview.first_day is None or overview.last_day is None:
        return "no day"
    days = (overview.last_day - overview.first_day).days + 1
    if days == 1:
        return f"{day_words(overview.first_day)} (1 day)"
    return (
        f"{day_words(overview.first_day)} to {day_words(overview.last_day)} ({plural(days, 'day')})"
    )


def source_words(overview: Overview) -> str:
    """Where posts and sales come from, for a caption."""
    parts = []
    if overview.post_sources:
        parts.append(f"posts from {_some(overview.post_sources)}")
    if overview.sales_sources:
        parts.append(f"sales from {_some(overview.sales_sources)}")
    text = "; ".join(parts) or "the marts of the published file"
    if overview.is_simulated:
        text = f"simulated records, no real person or shop; {text}"
    return text


def _some(names: Sequence[str]) -> str:
    """Names of sources in a row; of many only the first, for a caption is no list."""
    shown = ", ".join(clean(name)[:_LONGEST_SOURCE] for name in names[:_MOST_SOURCES])
    more = len(names) - _MOST_SOURCES
    return f"{shown} and {more} more" if more > 0 else shown


def choice_words(catalogue: Catalogue, shown: int, rule: str) -> str:
    """Which products are shown and how many are left out; empty where none is."""
    left_out = len(catalogue.subjects) - shown
    if left_out <= 0:
        return ""
    return (
        f"Shown: {shown} of {plural(len(catalogue.subjects), 'product')}, {rule}; "
        f"{left_out:,} left out here, all are in the published file."
    )


# Scripts ----------------------------------------------------------------------------------------


def show_files(files: Sequence[Path]) -> None:
    """Open pictures in the desktop's viewer; a warning where there is no screen."""
    has_screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(variable) for variable in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    for file in files:
        if not has_screen or not webbrowser.open(file.resolve().as_uri()):
            logger.warning("No screen to show pictures on: open %s yourself.", file)
