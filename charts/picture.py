"""What every chart script shares: a picture with its words and its table, and how it is written.

A chart is a module with a function `picture` and a `CHART`; the registry in `charts/__init__.py`
lists them, and the report shows each without knowing it.
"""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import matplotlib as mpl

from charts.inline import themed
from charts.panels import show_files
from charts.reading import (
    Catalogue,
    Overview,
    Published,
    open_published,
    published_file,
    read_catalogue,
    read_overview,
)
from charts.style import Heading, Sheet, house_style, save
from udfs.errors import SocialSignalsError

MOST_ROWS = 200


def left_out(count: int, shown: int = MOST_ROWS) -> str:
    """How many of `count` a table does not hold, in words; empty where it holds all."""
    if count <= shown:
        return ""
    return f"{count - shown:,} more are in the published file."


@dataclass(frozen=True, slots=True)
class Table:
    """What a picture shows, in figures: for those who cannot see it and those who ask for more.

    Every row has one cell a title; `numbers` are the indexes of the columns set to the right.
    """

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    left_out: str = ""
    """What the table does not hold, in words; empty where it holds everything."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart, drawn. Made and saved within `house_style()`."""

    name: str
    sheet: Sheet
    table: Table | None = None

    @property
    def heading(self) -> Heading:
        """Question, headline, caption, keys and stamp."""
        return self.sheet.heading

    def save(self, folder: Path) -> list[Path]:
        """Write `<name>.png` and `<name>.svg`; raises ChartError with the remedy."""
        return save(self.sheet.figure, folder / self.name, title=self.heading.question)

    def inline(self) -> str:
        """The plots and keys alone as an SVG element for a page that states the words itself.

        Colours are the page's variables (`charts.inline.VARIABLES`), text stays text.
        """
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": "social-signals", "svg.fonttype": "none"}):
            self.sheet.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return themed(
            buffer.getvalue(),
            name=self.name,
            width=self.sheet.width,
            rows=(self.sheet.keys_top, self.sheet.caption_top),
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """One question, and the function that reads what it needs from the marts and draws it."""

    name: str
    question: str
    picture: Callable[[Published, Overview, Catalogue], Picture]


def write(
    charts: Sequence[Chart], published: Path, output: Path, *, cutoff: datetime | None = None
) -> list[Path]:
    """Write charts of one published file as PNG and SVG into a folder; return the files.

    `cutoff`, the newest instant that counts, stands in the captions. Raises ChartError, whose
    message names the file and whose remedy says what to do.
    """
    written: list[Path] = []
    with open_published(published) as file, house_style():
        overview, catalogue = read_overview(file, cutoff=cutoff), read_catalogue(file)
        for chart in charts:
            written += chart.picture(file, overview, catalogue).save(output)
    return written


def script(chart: Chart, arguments: Sequence[str] | None = None) -> int:
    """The command line of one chart script; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m charts.{chart.name}", description=chart.question
    )
    parser.add_argument("--target", default="demo", help="target whose published file is read")
    parser.add_argument("--file", type=Path, help="another published file, instead of --target")
    parser.add_argument("--output", type=Path, help="folder for the pictures (default: beside it)")
    parser.add_argument("--show", action="store_true", help="open the pictures on the screen")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    file = options.file or published_file(options.target)
    try:
        written = write([chart], file, options.output or file.parent / "charts")
    except SocialSignalsError as error:
        sys.stderr.write(f"{error.message}\n{error.remedy}\n")
        return error.exit_code
    for picture in written:
        sys.stdout.write(f"{picture}\n")
    if options.show:
        show_files([picture for picture in written if picture.suffix == ".png"])
    return 0
