"""What does the verdict on one product rest on? Its correlations before and after whitening.

Drawn from numbers that `social-signals analyse` has computed; nothing is read here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from charts.reading import Numbers
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MOOD_INK,
    MUTED,
    NULL_BAND,
    OUTSIDE,
    PAPER,
    SALES,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    Heading,
    Key,
    Sheet,
    clean,
    fit,
    house_style,
    line_height,
    message_sheet,
    name_of,
    new_sheet,
    plural,
    save,
    short_number,
    text_width,
)

MOST_LAG = 14
_WIDTH = 8.0
_PLOT = 1.75
_TITLE = line_height(SIZE_TITLE) + line_height(SIZE_NOTE) + 0.08
_AXIS = 0.42
_GAP = 0.14
_PANEL = _TITLE + _PLOT + _AXIS
_GUTTER = 0.4
_CLAIMS = frozenset({"social_leads", "feedback", "sales_lead"})


class HasCurves(Protocol):
    """Correlation by lag (-14 to 14) and half width of its null band, arrays of shape (29,)."""

    @property
    def correlation(self) -> Numbers:
        """Deseasonalised series."""

    @property
    def null_band(self) -> Numbers:
        """Half width of the simultaneous 95 % band of `correlation`."""

    @property
    def whitened_correlation(self) -> Numbers:
        """Both series filtered so that the outcome has no memory left."""

    @property
    def whitened_band(self) -> Numbers:
        """Half width of the band of `whitened_correlation`."""


def draw_explanation(
    file: Path,
    *,
    name: str,
    signal: str,
    metric: str,
    row: Mapping[str, Any],
    curves: HasCurves | None,
    source: str,
) -> Path:
    """Write `<file>.png` and `<file>.svg`; return the PNG.

    `row`: the product's row of the claims. Without `curves` (the product was not tested) the
    picture says why. Raises ChartError where it cannot be written.
    """
    shown = name_of(name, "")
    question = f"{shown}: does {clean(signal)} precede {clean(metric)}, and is it more than chance?"
    with house_style():
        heading = _heading(question, signal, metric, row, curves, source)
        if curves is None:
            sheet = _nothing(heading, row)
        else:
            sheet = _sheet(heading, (clean(signal), clean(metric)), row, curves)
        png, _ = save(sheet.figure, file, title=question)
    return png


def headline(signal: str, metric: str, row: Mapping[str, Any]) -> str:
    """The verdict on the product in one line."""
    lag, verdict = row["lag_days"], row["verdict"]
    about = "about " if (row["width_days"] or 1) > 1 else ""
    days = plural(abs(lag), "day") if lag else ""
    return {
        "social_leads": f"Changes in {signal} precede changes in {metric} by {about}{days}",
        "feedback": f"{signal[:1].upper()}{signal[1:]} and {metric} precede each other",
        "sales_lead": f"Changes in {metric} precede changes in {signal} by {days}",
        "watchlist": f"Watchlist: nothing is claimed yet about {signal} and {metric}",
        "none": f"No reliable link found between {signal} and {metric}",
    }.get(verdict, "Not testable: no relationship is claimed")


def _sheet(
    heading: Heading, series: tuple[str, str], row: Mapping[str, Any], curves: HasCurves
) -> Sheet:
    sheet = new_sheet(heading, width=_WIDTH, body=2 * _PANEL + _GAP)
    parts = (
        (
            "Before whitening",
            "correlation r without weekday, trend, season, promotions and holidays; memory kept",
            curves.correlation,
            curves.null_band,
        ),
        (
            "After whitening",
            "correlation r, the memory of the outcome filtered out of both: what the test reads",
            curves.whitened_correlation,
            curves.whitened_band,
        ),
    )
    limit = _limit([values for _, _, *pair in parts for values in pair])
    for index, (title, note, values, band) in enumerate(parts):
        top = sheet.top + index * (_PANEL + _GAP)
        _panel(sheet, top, (title, note), (values, band), limit, row)
        _direction(sheet, top + _TITLE + _PLOT + 0.22, series)
    return sheet


def _panel(
    sheet: Sheet,
    top: float,
    words: tuple[str, str],
    curve: tuple[Numbers, Numbers],
    limit: float,
    row: Mapping[str, Any],
) -> None:
    width = _WIDTH - 2 * MARGIN
    title, note = words
    sheet.text(title, MARGIN, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    sheet.text(fit(note, width, SIZE_NOTE), MARGIN, below, SIZE_NOTE, colour=MUTED)
    plot_top = top + _TITLE
    plot_width = width - _GUTTER
    axes = sheet.axes(MARGIN + _GUTTER, plot_top, plot_width, _PLOT)
    _draw(axes, *curve, limit, row, plot_width)


def _draw(
    axes: Axes,
    values: Numbers,
    band: Numbers,
    limit: float,
    row: Mapping[str, Any],
    width: float,
) -> None:
    lags = np.arange(-MOST_LAG, MOST_LAG + 1)
    axes.set_xlim(-MOST_LAG - 0.8, MOST_LAG + 0.8)
    axes.set_ylim(-limit, limit)
    known = np.isfinite(values)
    has_band = np.isfinite(band)
    axes.fill_between(
        lags, -band, band, where=has_band, color=NULL_BAND, linewidth=0, zorder=1, step="mid"
    )
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=2)
    axes.axvline(0, color=FAINT, linewidth=0.6, zorder=1.5)
    outside = known & has_band & (np.abs(values) > band)
    for where, colour in ((known & ~outside, SALES), (outside, OUTSIDE)):
        axes.vlines(lags[where], 0, values[where], color=colour, linewidth=1.3, zorder=3)
        axes.plot(
            lags[where], values[where], "o", color=colour, markersize=4, markeredgewidth=0, zorder=4
        )
    for lag in _marked(row):
        _mark(axes, lag, float(values[lag + MOST_LAG]), width, list(zip(lags, values, strict=True)))
    axes.set_xticks([-14, -7, 0, 7, 14], ["\N{MINUS SIGN}14", "\N{MINUS SIGN}7", "0", "+7", "+14"])
    axes.yaxis.set_major_locator(FixedLocator(_ticks(limit)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"+{value:g}" if value > 0 else short_number(value))
    )
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def _marked(row: Mapping[str, Any]) -> list[int]:
    """The lags that the verdict names; of a feedback one on either side."""
    marked = [row["lag_days"]] if row["lag_days"] else []
    if row["verdict"] == "feedback" and row["reverse_lag_days"]:
        marked.append(-row["reverse_lag_days"])
    return marked


def _mark(
    axes: Axes, lag: int, value: float, width: float, others: Sequence[tuple[float, float]]
) -> None:
    if not math.isfinite(value):
        return
    axes.plot(
        [lag],
        [value],
        "o",
        markersize=7.5,
        markerfacecolor=PAPER,
        markeredgecolor=INK,
        markeredgewidth=1.5,
        zorder=5,
    )
    label = f"{lag:+d} {'day' if abs(lag) == 1 else 'days'}, r = {value:+.2f}"
    label = label.replace("-", "\N{MINUS SIGN}")
    room = (text_width(label, SIZE_TICK + 0.5, bold=True) / 2 + 0.03) / width * (2 * MOST_LAG + 1.6)
    middle = min(max(lag, -MOST_LAG - 0.8 + room), MOST_LAG + 0.8 - room)
    # Beyond the neighbours that it would cover.
    near = [
        abs(other)
        for other_lag, other in others
        if abs(other_lag - middle) <= room and math.isfinite(other) and other * value > 0
    ]
    axes.annotate(
        label,
        (middle, math.copysign(max([abs(value), *near]), value)),
        xytext=(0, 7 if value >= 0 else -7),
        textcoords="offset points",
        ha="center",
        va="bottom" if value >= 0 else "top",
        fontsize=SIZE_TICK + 0.5,
        fontweight="bold",
        color=INK,
        zorder=6,
        path_effects=[patheffects.withStroke(linewidth=2.2, foreground=PAPER)],
    )


def _direction(sheet: Sheet, top: float, series: tuple[str, str]) -> None:
    left, right = MARGIN + _GUTTER, _WIDTH - MARGIN
    middle = "lag, days"
    room = (right - left - text_width(middle, SIZE_TICK)) / 2 - 0.15
    first = fit(f"\N{LEFTWARDS ARROW} {series[1]} first", room, SIZE_TICK)
    last = fit(f"{series[0]} first \N{RIGHTWARDS ARROW}", room, SIZE_TICK)
    sheet.text(first, left, top, SIZE_TICK, colour=MUTED)
    sheet.text(middle, (left + right) / 2, top, SIZE_TICK, colour=MUTED, ha="center")
    sheet.text(last, right, top, SIZE_TICK, colour=MUTED, ha="right")


def _heading(
    question: str,
    signal: str,
    metric: str,
    row: Mapping[str, Any],
    curves: HasCurves | None,
    source: str,
) -> Heading:
    facts = [f"n = {plural(row['n_days'], 'day')} with both"]
    if row["first_day"]:
        facts.append(f"{row['first_day']} to {row['last_day']}")
    if row["uplift"] is not None:
        bounds = " to ".join(f"{100 * row[key]:+.3g}" for key in ("lo", "hi"))
        facts.append(f"{bounds} % {metric} per +1 SD (95 %)".replace("-", "\N{MINUS SIGN}"))
    figures = [
        f"{name} {_figure(row[key])}"
        for key, name in (("p", "p"), ("q", "q"), ("reverse_q", "reverse q"))
        if row[key] is not None
    ]
    if row["q"] is not None and row["products_tested"]:
        figures.append(f"q over {plural(row['products_tested'], 'product')}")
    caption = ["; ".join([", ".join(facts), *([", ".join(figures)] if figures else [])]) + "."]
    if curves is not None:
        caption.append(
            f"Each point: the correlation of {signal} with {metric} so many days later (right) or "
            "earlier (left). Grey: where all 29 correlations of a product without any link stay "
            "together 95 % of the time. The verdict also counts neighbouring days, both "
            "directions and all products. A correlation is no cause."
        )
    caption.append(f"Source: {clean(source)}, columns as given.")
    outside = curves is not None and bool(
        (np.abs(curves.correlation) > curves.null_band).any()
        or (np.abs(curves.whitened_correlation) > curves.whitened_band).any()
    )
    keys: tuple[Key, ...] = ()
    if curves is not None:
        keys = (
            Key("shade", NULL_BAND, "null band: what chance alone gives"),
            Key("dot", SALES, "correlation inside the band", SALES),
            *((Key("dot", OUTSIDE, "outside the band", MOOD_INK),) if outside else ()),
            *((Key("ring", INK, _ring_words(row)),) if _marked(row) else ()),
        )
    return Heading(
        question=question,
        headline=clean(headline(signal, metric, row)),
        caption=tuple(caption),
        keys=keys,
        is_simulated=bool(row["is_simulated"]),
    )


def _ring_words(row: Mapping[str, Any]) -> str:
    return "lag of the claim" if row["verdict"] in _CLAIMS else "strongest lag, nothing claimed"


def _nothing(heading: Heading, row: Mapping[str, Any]) -> Sheet:
    lines = [f"{clean(row['reason']) or 'too little data'}."]
    if row["what_is_missing"]:
        lines.append(f"To collect: {clean(row['what_is_missing'])}.")
    lines.append("No relationship is claimed and none is ruled out.")
    return message_sheet(heading, lines, width=_WIDTH)


def _figure(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def _limit(curves: list[Numbers]) -> float:
    values = np.abs(np.concatenate(curves))
    known = values[np.isfinite(values)]
    most = float(known.max()) if known.size else 0.0
    return max(0.15, math.ceil(most * 1.35 * 20) / 20)


def _ticks(limit: float) -> list[float]:
    step = next(s for s in (0.05, 0.1, 0.2, 0.25, 0.5) if limit / s < 4 or s == 0.5)
    count = int(min(limit, 1.0) / step + 1e-9)
    return [round(index * step, 10) for index in range(-count, count + 1)]
