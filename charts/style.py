"""How every picture looks: type, colours, the stamp, the caption, and how text is made to fit.

Lengths are inches from the top left corner of the sheet, font sizes are points. Nothing here reads
data. All text is drawn literally: no mathtext, no control characters, no glyph the font lacks.
"""

from __future__ import annotations

import io
import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from udfs.errors import SocialSignalsError

FONT = "DejaVu Sans"
INK = "#1d1f23"
MUTED = "#5b6068"
FAINT = "#c9cdd3"
PAPER = "#ffffff"
SALES = "#0072b2"
SALES_LIGHT = "#b5d3e8"
SALES_INK = "#005a8d"
MOOD = "#d55e00"
MOOD_LIGHT = "#f3c9a9"
MOOD_INK = "#a84a00"
# What people say and to whom they listen, told apart from mood and sales.
VOICE = "#00857a"
VOICE_LIGHT = "#a9d8d2"
VOICE_INK = "#00635b"
NULL_BAND = "#dfe2e6"
EVENT = "#6b3fa0"
PROMOTION = "#f7e9a8"
STOCK_OUT = "#7d838c"
UNOBSERVED = "#b4bac2"
STAMP = "#9b1c1c"
# What lies outside of what chance alone gives.
OUTSIDE = "#b3430e"
# The ground of a panel without a plot.
PANEL = "#f5f6f8"
PER_INCH = 72.0
# The id in an SVG of what a page states itself: question, headline, stamp and caption.
WORDS = "words"
DPI = 160
MARGIN = 0.35

SIZE_KICKER = 8.5
SIZE_HEADLINE = 15.0
SIZE_KEY = 8.0
SIZE_TITLE = 9.5
SIZE_NOTE = 7.5
SIZE_TICK = 7.0
LINE_HEIGHT = 1.35

_SETTINGS = {
    "font.family": FONT,
    "text.parse_math": False,
    "text.usetex": False,
    # Hinting widens letters by whole pixels: what was measured to fit would not fit.
    "text.hinting": "none",
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": SIZE_TICK,
    "ytick.labelsize": SIZE_TICK,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.major.pad": 2.0,
    "ytick.major.size": 0.0,
    "ytick.major.pad": 2.0,
    "hatch.linewidth": 0.5,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "path",
    "svg.hashsalt": "social-signals",
    "path.simplify": False,
}
# At most two marks on one letter: towers of them would run into the line above.
_MAX_MARKS = 2
# Other versions of the drawing library round advances a little differently.
_SAFETY = 1.01
_MISSING = "\N{WHITE SQUARE}"


class ChartError(SocialSignalsError):
    """A picture cannot be made or written; the message names the file and the remedy."""


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with the house's settings only, whatever the machine's matplotlibrc says."""
    with mpl_style.context(["default", _SETTINGS]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*missing from font.*")
        yield


# Text -------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def clean(text: str) -> str:
    """Text from outside as one line that the font can draw.

    Control, format and unassigned characters go, white space becomes single blanks, a character
    without a glyph becomes a square.
    """
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if category[0] == "Z" or character in "\t\n\r\v\f":
            kept.append(" ")
        elif category[0] == "C":
            continue
        elif category in {"Mn", "Me"}:
            marks += 1
            if marks <= _MAX_MARKS and ord(character) in _glyphs():
                kept.append(character)
            continue
        else:
            kept.append(character if ord(character) in _glyphs() else _MISSING)
        marks = 0
    return " ".join("".join(kept).split())


def name_of(product_name: str | None, product_id: str) -> str:
    """A product's name for a picture: its id where the font cannot draw most of the name."""
    name = clean(product_name or "")
    visible = name.replace(" ", "")
    if visible and visible.count(_MISSING) * 3 <= len(visible):
        return " ".join(name.replace(_MISSING, "").split())
    fallback = clean(product_id)
    if fallback and fallback.count(_MISSING) * 3 <= len(fallback):
        return fallback
    return name or fallback or "(no name)"


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of one line of text in inches."""
    if not text:
        return 0.0
    font = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width) * _SAFETY / PER_INCH


# What a line may differ from the sum of its words: kerning across a blank, a hundred times over.
_JOINED = 0.03


def _fits(text: str, width: float, size: float, *, bold: bool) -> bool:
    """Whether a line is no wider than `width`; its words tell, except where it is close."""
    words = text.split(" ")
    blank = text_width(" ", size, bold=bold)
    about = sum(text_width(word, size, bold=bold) for word in words) + blank * (len(words) - 1)
    if abs(about - width) > _JOINED * width:
        return about < width
    return text_width(text, size, bold=bold) <= width


def fit(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than `width` inches."""
    if text_width(text, size, bold=bold) <= width:
        return text
    low, high = 0, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle].rstrip() + "…", size, bold=bold) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(
    text: str, width: float, size: float, *, bold: bool = False, most: int | None = None
) -> list[str]:
    """The text in lines no wider than `width` inches; the last of `most` lines is cut to fit."""
    lines: list[str] = []
    line = ""
    # Only at blanks: a no-break space keeps "q = 0.04" together.
    words = [word for word in text.split(" ") if word]
    for index, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if _fits(longer, width, size, bold=bold):
            line = longer
            continue
        if most is not None and len(lines) == most - 1:
            rest = " ".join([line, *words[index:]]).strip()
            return [*lines, fit(rest, width, size, bold=bold)]
        if line:
            lines.append(line)
        line = fit(word, width, size, bold=bold)
    return [*lines, line] if line else lines


def _balanced(text: str, width: float, size: float) -> list[str]:
    """A headline in as few lines as it needs, none of them a lonely last word."""
    lines = wrap(text, width, size, bold=True, most=3)
    first, mark, rest = text.partition("; ")
    if len(lines) == 2 and mark:
        halves = [first + ";", rest]
        if all(text_width(half, size, bold=True) <= width for half in halves):
            return halves
    for share in (0.6, 0.7, 0.8, 0.9):
        narrower = wrap(text, width * share, size, bold=True, most=3)
        if len(lines) > 1 and len(narrower) == len(lines) and "…" not in narrower[-1]:
            return narrower
    return lines


def line_height(size: float) -> float:
    """Height of one line of text in inches."""
    return size * LINE_HEIGHT / PER_INCH


def plural(count: int, noun: str) -> str:
    """`1 day`, `1,234 days`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def short_number(value: float) -> str:
    """A number for a label, three significant digits: `0.31`, `74`, `1,234`, `80.9k`, `3.2M`."""
    size = abs(value)
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= limit * 0.9995:
            scale = 1e3 if unit == "k" else limit
            text = f"{value / scale:.1f}" if size < scale * 99.95 else f"{value / scale:,.0f}"
            return text.replace("-", "\N{MINUS SIGN}").removesuffix(".0") + unit
    if size >= 100 or value == round(value):
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.1f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


# Sheets -----------------------------------------------------------------------------------------


KeyKind = Literal["line", "bars", "band", "shade", "hatch", "strip", "tick", "dot", "ring"]


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of the legend: a swatch and its words."""

    kind: KeyKind
    colour: str
    text: str
    ink: str = INK


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the panels and below them."""

    question: str
    headline: str
    caption: tuple[str, ...]
    keys: tuple[Key, ...] = ()
    is_simulated: bool = False


@dataclass(slots=True)
class Sheet:
    """A figure with its heading and caption drawn; `top` is where the panels begin (inches).

    Between `keys_top` and `caption_top` lies what a page shows that states the words itself.
    """

    figure: Figure
    width: float
    height: float
    top: float
    heading: Heading
    keys_top: float
    caption_top: float

    def text(
        self,
        text: str,
        left: float,
        top: float,
        size: float,
        *,
        colour: str = INK,
        bold: bool = False,
        ha: Literal["left", "center", "right"] = "left",
        va: Literal["top", "center_baseline"] = "top",
        group: str | None = None,
    ) -> None:
        """One line of text, its top at `top`; `group` is its id in an SVG."""
        self.figure.text(
            left / self.width,
            1 - top / self.height,
            text,
            fontsize=size,
            color=colour,
            fontweight="bold" if bold else "normal",
            ha=ha,
            va=va,
            parse_math=False,
            gid=group,
        )

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A plot of that size with its upper left corner there."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.figure.add_axes(box)

    def block(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        edge: str = "none",
        line: float = 0.0,
        hatch: str | None = None,
        group: str | None = None,
    ) -> None:
        """A filled or outlined rectangle on the sheet itself, below every plot."""
        self.figure.add_artist(
            Rectangle(
                (left / self.width, 1 - (top + height) / self.height),
                width / self.width,
                height / self.height,
                transform=self.figure.transFigure,
                facecolor=fill,
                edgecolor=edge,
                linewidth=line,
                hatch=hatch,
                zorder=-1,
                gid=group,
            )
        )


_STAMP_TEXT = "SIMULATED DATA"
_STAMP_SIZE = 10.0
_SWATCH = 0.26
_KEY_GAP = 0.19


def new_sheet(heading: Heading, *, width: float, body: float) -> Sheet:
    """A sheet with heading, keys, stamp and caption around a body of `body` inches of height."""
    inner = width - 2 * MARGIN
    stamp_width = text_width(_STAMP_TEXT, _STAMP_SIZE, bold=True) + 0.26
    for_title = inner - (stamp_width + 0.3 if heading.is_simulated else 0)
    question = fit(heading.question, for_title, SIZE_KICKER)
    headline = _balanced(heading.headline, for_title, SIZE_HEADLINE)
    rows = _key_rows(heading.keys, inner)
    caption = [line for part in heading.caption for line in wrap(part, inner, SIZE_NOTE, most=4)]

    title_top = MARGIN + line_height(SIZE_KICKER) + 0.06
    keys_top = title_top + len(headline) * line_height(SIZE_HEADLINE) + 0.12
    body_top = keys_top + len(rows) * (line_height(SIZE_KEY) + 0.05) + (0.2 if rows else 0.08)
    caption_top = body_top + body + 0.18
    height = caption_top + len(caption) * line_height(SIZE_NOTE) + MARGIN * 0.8

    sheet = Sheet(
        Figure(figsize=(width, height)),
        width,
        height,
        body_top,
        heading,
        keys_top=keys_top - 0.06,
        caption_top=caption_top - 0.1,
    )
    sheet.block(MARGIN, MARGIN - 0.12, 0.55, 0.055, fill=STAMP, line=0, group=WORDS)
    sheet.text(question, MARGIN, MARGIN, SIZE_KICKER, colour=MUTED, group=WORDS)
    for index, line in enumerate(headline):
        top = title_top + index * line_height(SIZE_HEADLINE)
        sheet.text(line, MARGIN, top, SIZE_HEADLINE, bold=True, group=WORDS)
    for index, row in enumerate(rows):
        _draw_keys(sheet, row, keys_top + index * (line_height(SIZE_KEY) + 0.05))
    if heading.is_simulated:
        _draw_stamp(sheet, width - MARGIN - stamp_width, MARGIN - 0.1, stamp_width)
    if caption:
        sheet.block(MARGIN, caption_top - 0.08, inner, 0.008, fill=FAINT, line=0, group=WORDS)
    for index, line in enumerate(caption):
        top = caption_top + index * line_height(SIZE_NOTE)
        sheet.text(line, MARGIN, top, SIZE_NOTE, colour=MUTED, group=WORDS)
    return sheet


def message_sheet(heading: Heading, lines: Sequence[str], *, width: float = 9.0) -> Sheet:
    """A sheet that says in words why there is nothing to draw."""
    inner = width - 2 * MARGIN - 0.5
    wrapped = [line for part in lines for line in wrap(part, inner, 10.0, most=4)]
    body = max(1.6, len(wrapped) * line_height(10.0) + 0.7)
    sheet = new_sheet(heading, width=width, body=body)
    sheet.block(
        MARGIN,
        sheet.top,
        width - 2 * MARGIN,
        body,
        fill=PANEL,
        edge=FAINT,
        line=0.6,
    )
    start = sheet.top + (body - len(wrapped) * line_height(10.0)) / 2
    for index, line in enumerate(wrapped):
        sheet.text(line, MARGIN + 0.25, start + index * line_height(10.0), 10.0)
    return sheet


def note_in(axes: Axes, text: str, *, width: float, size: float = SIZE_NOTE, most: int = 4) -> None:
    """Words in the middle of an empty plot of `width` inches."""
    lines = [line for part in text.split("\n") for line in wrap(part, width, size, most=most)]
    axes.text(
        0.5,
        0.5,
        "\n".join(lines),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=size,
        color=MUTED,
        linespacing=LINE_HEIGHT,
        parse_math=False,
    )


def _key_rows(keys: Sequence[Key], inner: float) -> list[list[Key]]:
    rows: list[list[Key]] = []
    used = inner + 1
    for key in keys:
        needed = _SWATCH + 0.07 + text_width(key.text, SIZE_KEY) + _KEY_GAP
        if used + needed - _KEY_GAP > inner:
            rows.append([])
            used = 0.0
        rows[-1].append(key)
        used += needed
    return rows


def _draw_keys(sheet: Sheet, keys: Sequence[Key], top: float) -> None:
    left = MARGIN
    middle = top + line_height(SIZE_KEY) / 2
    for key in keys:
        _draw_swatch(sheet, key, left, middle)
        limit = sheet.width - 2 * MARGIN - _SWATCH
        sheet.text(
            fit(key.text, limit, SIZE_KEY),
            left + _SWATCH + 0.07,
            middle,
            SIZE_KEY,
            colour=key.ink,
            va="center_baseline",
        )
        left += _SWATCH + 0.07 + text_width(key.text, SIZE_KEY) + _KEY_GAP


def _draw_swatch(sheet: Sheet, key: Key, left: float, middle: float) -> None:
    if key.kind == "line":
        sheet.block(left, middle - 0.012, _SWATCH, 0.024, fill=key.colour, line=0)
    elif key.kind == "bars":
        for index, height in enumerate((0.06, 0.11, 0.085, 0.12)):
            sheet.block(
                left + index * _SWATCH / 4,
                middle + 0.06 - height,
                _SWATCH / 4 * 0.8,
                height,
                fill=key.colour,
                line=0,
            )
    elif key.kind == "strip":
        sheet.block(left, middle + 0.015, _SWATCH, 0.035, fill=key.colour, line=0)
    elif key.kind == "tick":
        sheet.block(left + _SWATCH / 2 - 0.009, middle - 0.06, 0.018, 0.12, fill=key.colour, line=0)
    elif key.kind in {"dot", "ring"}:
        axes = sheet.axes(left, middle - _SWATCH / 2, _SWATCH, _SWATCH)
        axes.set_axis_off()
        axes.set_xlim(-1, 1)
        axes.set_ylim(-1, 1)
        _ = axes.plot(
            [0],
            [0],
            "o",
            markersize=6 if key.kind == "ring" else 4,
            color=key.colour,
            markerfacecolor=PAPER if key.kind == "ring" else key.colour,
            markeredgewidth=1.4,
        )
    elif key.kind == "hatch":
        sheet.block(
            left,
            middle - 0.06,
            _SWATCH,
            0.12,
            fill="none",
            edge=key.colour,
            hatch="//////",
            line=0,
        )
    else:
        sheet.block(left, middle - 0.06, _SWATCH, 0.12, fill=key.colour, line=0)


def _draw_stamp(sheet: Sheet, left: float, top: float, width: float) -> None:
    height = line_height(_STAMP_SIZE) + 0.1
    sheet.block(left, top, width, height, fill=PAPER, edge=STAMP, line=1.6, group=WORDS)
    sheet.text(
        _STAMP_TEXT,
        left + width / 2,
        top + height / 2,
        _STAMP_SIZE,
        colour=STAMP,
        bold=True,
        ha="center",
        va="center_baseline",
        group=WORDS,
    )


# Files ------------------------------------------------------------------------------------------


def write_whole(file: Path, content: bytes) -> None:
    """Write a file completely or not at all. Raises ChartError with the remedy."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
    except OSError as error:
        if partial.exists():
            partial.unlink()
        raise ChartError(
            f"{file} cannot be written: {error.strerror or error}.",
            "Make room or make the folder writable, or name another folder.",
        ) from error


def save(figure: Figure, file: Path, *, title: str, dpi: int = DPI) -> list[Path]:
    """Write `<file>.png` and `<file>.svg`; the same figure gives the same bytes each time."""
    written = []
    for kind in ("png", "svg"):
        metadata: dict[str, Any] = {"Title": title}
        metadata |= {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "social-signals"}):
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
        target = file.with_suffix(f".{kind}")
        write_whole(target, buffer.getvalue())
        written.append(target)
    return written
