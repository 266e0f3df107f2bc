"""How do mood and sales move together? One panel a product: sales above, mood below, one time axis.

python -m charts.trends --target demo
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from charts.panels import (
    MOST_PANELS,
    body_height,
    cells,
    choice_words,
    grid,
    panel_title,
    runs,
    source_words,
    style_time_axis,
    window_words,
)
from charts.picture import Chart, Picture, Table, left_out, script
from charts.reading import (
    BOUGHT,
    MARKED_KINDS,
    Catalogue,
    DailySeries,
    Flags,
    Measure,
    Numbers,
    Overview,
    Published,
    is_quantity,
    measure,
    read_daily,
)
from charts.style import (
    EVENT,
    FAINT,
    MOOD_INK,
    MOOD_LIGHT,
    MUTED,
    PROMOTION,
    SALES,
    SALES_INK,
    SALES_LIGHT,
    SIZE_NOTE,
    STOCK_OUT,
    UNOBSERVED,
    Heading,
    Key,
    Sheet,
    fit,
    message_sheet,
    new_sheet,
    note_in,
    plural,
    short_number,
    text_width,
)
from charts.style import MOOD as MOOD_COLOUR

QUESTION = "How do mood and sales move together?"
WINDOW = 7
MINIMUM = 3
THIN_DAYS = 28
_Z95 = 1.96
_SALES_HEIGHT = 1.05
_MOOD_HEIGHT = 0.75
_LABEL = 0.2
_TITLE = 0.36
_AXIS = 0.34
_BETWEEN = 0.08


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The daily series of the products; raises ChartError with the remedy."""
    chosen = [s for s in catalogue.subjects if s.outcome or s.has_mood][:MOST_PANELS]
    series = read_daily(published, chosen)
    return Picture(
        "trends", draw(overview, catalogue, series), table(series, len(catalogue.subjects))
    )


def table(series: Sequence[DailySeries], products: int) -> Table:
    """Each product's days, posts and means over the window."""
    rows = []
    for one in series:
        sold = one.outcome[np.isfinite(one.outcome)]
        mood = one.mood[np.isfinite(one.mood)]
        rows.append(
            (
                one.subject.name,
                measure(one.subject.outcome).words if one.subject.outcome else "",
                short_number(float(sold.mean())) if sold.size else "",
                f"{sold.size:,}",
                f"{mood.mean():+.2f}".replace("-", "\N{MINUS SIGN}") if mood.size else "",
                f"{mood.size:,}",
                f"{one.subject.posts_count:,}",
            )
        )
    titles = ("product", "outcome", "mean a day", "days", "mean mood", "days with mood", "posts")
    return Table(titles, tuple(rows), frozenset(range(2, 7)), left_out(products, len(rows)))


def draw(overview: Overview, catalogue: Catalogue, series: Sequence[DailySeries]) -> Sheet:
    """The picture; a sheet with a message where there is nothing to draw."""
    if not series:
        return _nothing(overview, catalogue)
    parts = Parts(
        has_sales=any(np.isfinite(one.outcome).any() for one in series),
        has_mood=any(np.isfinite(one.mood).any() for one in series),
    )
    if not (parts.has_sales or parts.has_mood):
        return _nothing(overview, catalogue)
    _, width, panel_width = grid(len(series))
    sheet = new_sheet(
        _heading(overview, catalogue, series, parts),
        width=width,
        body=body_height(len(series), parts.height),
    )
    limits = mood_limits(series)
    for one, (left, top, _) in zip(series, cells(sheet, len(series), parts.height), strict=True):
        panel(sheet, one, catalogue, (left, top, panel_width), parts, limits)
    return sheet


@dataclass(frozen=True, slots=True)
class Parts:
    """Which of its two plots a panel has: what no product has needs no empty room."""

    has_sales: bool
    has_mood: bool

    @property
    def height(self) -> float:
        """Of a panel, in inches."""
        sales = _LABEL + _SALES_HEIGHT if self.has_sales else 0.0
        mood = _LABEL + _MOOD_HEIGHT if self.has_mood else 0.0
        return _TITLE + sales + (_BETWEEN if sales and mood else 0.0) + mood + _AXIS


def _nothing(overview: Overview, catalogue: Catalogue) -> Sheet:
    known = plural(len(catalogue.subjects), "product")
    heading = Heading(
        question=QUESTION,
        headline="Nothing to draw yet",
        caption=(f"Source: {source_words(overview)}. Cut-off: {overview.cutoff}.",),
        is_simulated=overview.is_simulated,
    )
    lines = (
        f"The published file knows {known}, and not one day with a mood or a sale.",
        "Check the sources and the catalogue's terms (social-signals doctor), then run again.",
    )
    return message_sheet(heading, lines)


def _heading(
    overview: Overview, catalogue: Catalogue, series: Sequence[DailySeries], parts: Parts
) -> Heading:
    count = len(series)
    with_sales = sum(int(np.isfinite(one.outcome).sum()) for one in series)
    with_mood = sum(int(np.isfinite(one.mood).sum()) for one in series)
    in_all = sum(len(one.days) for one in series)
    posts = sum(one.subject.posts_count for one in series)
    facts = (
        f"n = {plural(count, 'product')}, {plural(posts, 'post')}; of {in_all:,} product-days "
        f"{with_sales:,} with an outcome, {with_mood:,} with a mood. "
        f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    caption = [facts, _how_words(count, parts), f"Source: {source_words(overview)}."]
    what = measure(catalogue.outcome).words if catalogue.outcome else "posts"
    left_out = choice_words(catalogue, count, f"those with the most {what} in the window")
    if left_out:
        caption.insert(0, left_out)
    return Heading(
        question=QUESTION,
        headline=_headline(catalogue, series, parts),
        caption=tuple(caption),
        keys=_keys(series, catalogue),
        is_simulated=overview.is_simulated,
    )


def _headline(catalogue: Catalogue, series: Sequence[DailySeries], parts: Parts) -> str:
    outcomes = {one.subject.outcome for one in series if one.subject.outcome}
    what = measure(next(iter(outcomes))).words if len(outcomes) == 1 else "sales"
    count = len(series)
    products = series[0].subject.name if count == 1 else f"{count} products"
    if len(catalogue.subjects) > count > 1:
        products = f"{count} of {len(catalogue.subjects):,} products"
    if not parts.has_mood:
        return f"{what.capitalize()}, day by day, for {products}: no posts to set beside them"
    if not parts.has_sales:
        return f"Mood, day by day, for {products}: no sales to set beside it"
    return f"Mood and {what}, day by day, for {products}"


def _how_words(count: int, parts: Parts) -> str:
    sentences = [f"Lines are centred {WINDOW}-day means of at least {MINIMUM} days."]
    if parts.has_sales and count > 1:
        sentences.append("Each product has its own sales scale.")
    if parts.has_mood:
        shared = "; all products share one scale" if count > 1 else ""
        sentences.append(
            f"The mood's mean weighs each day by its posts; as a whole it runs from "
            f"\N{MINUS SIGN}1 (all negative) to +1 (all positive), the axis shows the part that "
            f"occurs{shared}."
        )
    sentences.append("A gap is a day that was closed or not observed: never a zero.")
    return " ".join(sentences)


def _keys(series: Sequence[DailySeries], catalogue: Catalogue) -> tuple[Key, ...]:
    outcome = catalogue.measure(catalogue.outcome).words if catalogue.outcome else "outcome"
    keys: list[Key] = []
    if any(np.isfinite(one.outcome).any() for one in series):
        keys.append(Key("bars", SALES_LIGHT, f"{outcome}, each day", SALES_INK))
        if any(np.isfinite(_mean(one.outcome)).any() for one in series):
            keys.append(Key("line", SALES, f"{outcome}, {WINDOW}-day mean", SALES_INK))
    if any(np.isfinite(one.mood).any() for one in series):
        if len(series[0].days) < THIN_DAYS:
            keys.append(Key("dot", MOOD_COLOUR, "mood of posts, each day", MOOD_INK))
        means = [mood_mean(one.mood, one.mood_se, one.posts) for one in series]
        if any(np.isfinite(mean).any() for mean, _ in means):
            keys.append(Key("line", MOOD_COLOUR, f"mood of posts, {WINDOW}-day mean", MOOD_INK))
        if any(np.isfinite(error).any() for _, error in means):
            keys.append(Key("band", MOOD_LIGHT, "its 95 % interval", MOOD_INK))
    if any(one.is_promo.any() for one in series):
        keys.append(Key("shade", PROMOTION, "promotion"))
    if any(one.is_stock_out.any() for one in series):
        keys.append(Key("hatch", STOCK_OUT, "out of stock"))
    kinds = {kind for one in series for _, kind in one.events}
    if kinds:
        listed = ", ".join(kind.replace("_", " ") for kind in MARKED_KINDS if kind in kinds)
        keys.append(Key("dot", EVENT, listed))
    if any(_has_gap(one) for one in series):
        keys.append(Key("strip", UNOBSERVED, "closed or not observed"))
    return tuple(keys)


def _has_gap(one: DailySeries) -> bool:
    is_dark = not one.is_observed_social.all() and bool(np.isfinite(one.mood).any())
    return is_dark or (one.subject.outcome is not None and bool(np.isnan(one.outcome).any()))


# One panel --------------------------------------------------------------------------------------


def panel(
    sheet: Sheet,
    one: DailySeries,
    catalogue: Catalogue,
    place: tuple[float, float, float],
    parts: Parts,
    limits: tuple[float, float],
    *,
    title: str | None = None,
) -> None:
    """Draw one product at left, top and width (inches): its sales above, its mood below.

    `title` stands for the product's name.
    """
    left, top, width = place
    gutter = 0.38
    what = catalogue.measure(one.subject.outcome) if one.subject.outcome else None
    panel_title(sheet, title or one.subject.name, _facts(one, what), left, top, width)
    top += _TITLE
    if parts.has_sales:
        axes = sheet.axes(left + gutter, top + _LABEL, width - gutter, _SALES_HEIGHT)
        _shade(axes, one)
        style_time_axis(axes, one.days, width - gutter, labelled=not parts.has_mood)
        note = _draw_sales(axes, one, width - gutter)
        _mark_events(axes, one, width - gutter, named=True)
        title = (what.title if what else "sales") + note
        sheet.text(fit(title, width, SIZE_NOTE), left, top, SIZE_NOTE, colour=SALES_INK)
        top += _LABEL + _SALES_HEIGHT + _BETWEEN
    if parts.has_mood:
        axes = sheet.axes(left + gutter, top + _LABEL, width - gutter, _MOOD_HEIGHT)
        _shade(axes, one)
        style_time_axis(axes, one.days, width - gutter, labelled=True)
        _draw_mood(axes, one, limits, width - gutter)
        _mark_events(axes, one, width - gutter, named=not parts.has_sales)
        sheet.text(measure("sentiment_mean").title, left, top, SIZE_NOTE, colour=MOOD_INK)


def _facts(one: DailySeries, what: Measure | None) -> str:
    parts = []
    known = one.outcome[np.isfinite(one.outcome)]
    if what is not None and known.size:
        mean = short_number(float(known.mean()))
        is_counted = what.key in {"units", "orders_count", "reviews_count"}
        each = " a day" if " a day" in what.title else ""
        parts.append(
            f"{mean} {what.words}{each} on average"
            if is_counted
            else f"{what.words} {mean}{each} on average"
        )
    parts.append(plural(one.subject.posts_count, "post"))
    return " · ".join(parts)


def _shade(axes: Axes, one: DailySeries) -> None:
    for start, end in runs(one.is_promo):
        axes.axvspan(start - 0.5, end - 0.5, color=PROMOTION, linewidth=0, zorder=0)
    for start, end in runs(one.is_stock_out):
        axes.axvspan(
            start - 0.5,
            end - 0.5,
            facecolor="none",
            edgecolor=STOCK_OUT,
            hatch="//////",
            linewidth=0,
            zorder=0.5,
        )


def _mark_events(axes: Axes, one: DailySeries, width: float, *, named: bool) -> None:
    """A line at the day of each event; where there is room, a dot with its kind above the plot."""
    places = [width * (day + 0.5) / len(one.days) for day, _ in one.events]
    free = 0.0
    for number, (day, kind) in enumerate(one.events):
        axes.axvline(day, color=EVENT, linewidth=0.7, linestyle=(0, (2, 2)), zorder=4.5)
        if not named:
            continue
        at = axes.get_xaxis_transform()
        axes.plot(day, 1, "o", transform=at, color=EVENT, markersize=3, clip_on=False, zorder=7)
        label = kind.replace("_", " ")
        room = text_width(label, SIZE_NOTE) + 0.1
        place, following = places[number], min([*places[number + 1 :], width])
        is_right, is_left = place + room <= following, place - room >= free
        free = place + room if is_right else place + 0.05
        # Where neither side has room the dot alone says that something happened.
        if not (is_right or is_left):
            continue
        axes.annotate(
            label,
            (day, 1),
            xycoords=at,
            xytext=(4 if is_right else -4, 0),
            textcoords="offset points",
            ha="left" if is_right else "right",
            va="center",
            fontsize=SIZE_NOTE,
            color=EVENT,
            zorder=7,
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.85},
        )


def _strip(axes: Axes, missing: Flags) -> None:
    """Mark days without observation along the lower edge."""
    for start, end in runs(missing):
        axes.axvspan(
            start - 0.5, end - 0.5, ymin=0, ymax=0.05, color=UNOBSERVED, linewidth=0, zorder=4
        )


def _draw_sales(axes: Axes, one: DailySeries, width: float) -> str:
    """Bars a day and their mean; returns what the axis title has to add."""
    values = one.outcome
    known = np.isfinite(values)
    if not known.any():
        _bare(axes)
        note_in(axes, "no day with sales was observed in this window", width=width * 0.9)
        return ""
    is_level = is_level_metric(one.subject.outcome, values)
    low, high = level_limits(values) if is_level else quantity_limits(values)
    axes.set_ylim(low, high)
    edges = np.arange(len(values) + 1) - 0.5
    shown = np.minimum(values, high)
    if is_level:
        _points(axes, values, np.ones(len(values), dtype=bool), SALES, 1.4)
    elif len(values) < THIN_DAYS:
        axes.bar(np.arange(len(values))[known], shown[known], color=SALES_LIGHT, width=0.86)
        axes.axhline(0, color=MUTED, linewidth=0.6, zorder=3)
    else:
        axes.stairs(shown, edges, baseline=0, fill=True, color=SALES_LIGHT, linewidth=0, zorder=2)
        axes.axhline(0, color=MUTED, linewidth=0.6, zorder=3)
    if low < 0:
        # More came back than went out: the line at 0 is the axis, a second one would confuse.
        axes.spines["bottom"].set_visible(False)
    _line(axes, np.where(known, _mean(values), np.nan), SALES)
    _strip(axes, ~known)
    _mark_cut(axes, values, high, width)
    _value_axis(axes, MaxNLocator(nbins=4, min_n_ticks=3, steps=[1, 2, 2.5, 5, 10]))
    return " (scale does not begin at 0)" if is_level and low > 0 else ""


def is_level_metric(outcome: str | None, values: Numbers) -> bool:
    """Whether a series is a level (a price, a rating) that an axis from 0 would flatten.

    What is counted or sold never is: its axis begins at 0.
    """
    known = values[np.isfinite(values)]
    if outcome is None or outcome in BOUGHT or is_quantity(outcome) or known.size < 2:
        return False
    least, most = float(known.min()), float(known.max())
    return 0 < 0.5 * most < least < most


def level_limits(values: Numbers) -> tuple[float, float]:
    """Lower and upper end of the axis of a level."""
    known = values[np.isfinite(values)]
    least, most = float(known.min()), float(known.max())
    return least - 0.12 * (most - least), most + 0.12 * (most - least)


def quantity_limits(values: Numbers) -> tuple[float, float]:
    """Lower and upper end of a quantity's axis, which holds 0.

    Where the highest day is more than three times the 99th percentile the axis ends above that
    percentile, and the days beyond are marked with their value.
    """
    known = values[np.isfinite(values)]
    least, most = min(float(known.min()), 0.0), max(float(known.max()), 0.0)
    upper = float(np.percentile(known, 99))
    if upper > 0 and most > 3 * upper:
        most = 1.3 * upper
    if most == least:
        most = least + 1.0
    room = 0.08 * (most - least)
    return (least - room if least < 0 else 0.0), most + room


def _mark_cut(axes: Axes, values: Numbers, high: float, width: float) -> None:
    above = np.flatnonzero(np.nan_to_num(values, nan=-math.inf) > high)
    if not above.size:
        return
    axes.plot(
        above,
        np.full(above.size, 0.97),
        "^",
        transform=axes.get_xaxis_transform(),
        markersize=3,
        color=SALES_INK,
        linewidth=0,
        zorder=6,
    )
    top = int(above[np.argmax(values[above])])
    label = short_number(float(values[top]))
    if above.size > 1:
        label = f"up to {label}"
    share = top / max(len(values) - 1, 1)
    room = (text_width(label, SIZE_NOTE) + 0.08) / width
    is_left = share + room > 1
    axes.annotate(
        label,
        (top, 0.97),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-4 if is_left else 4, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="center",
        fontsize=SIZE_NOTE,
        color=SALES_INK,
        zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
    )


def _draw_mood(axes: Axes, one: DailySeries, limits: tuple[float, float], width: float) -> None:
    axes.set_ylim(*limits)
    if not np.isfinite(one.mood).any():
        _bare(axes)
        note_in(axes, "no post with a mood in this window", width=width * 0.9)
        return
    mean, error = mood_mean(one.mood, one.mood_se, one.posts)
    seen = one.is_observed_social
    mean, error = np.where(seen, mean, np.nan), np.where(seen, error, np.nan)
    low = np.clip(mean - _Z95 * error, -1, 1)
    high = np.clip(mean + _Z95 * error, -1, 1)
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
    positions = np.arange(len(mean))
    axes.fill_between(
        positions, low, high, where=np.isfinite(low), color=MOOD_LIGHT, linewidth=0, zorder=2
    )
    if len(one.days) < THIN_DAYS:
        _points(axes, one.mood, np.ones(len(mean), dtype=bool), MOOD_COLOUR, 2.6)
    _line(axes, mean, MOOD_COLOUR)
    _strip(axes, ~seen)
    _value_axis(axes, FixedLocator(_mood_ticks(*limits)), signed=True)


def _points(axes: Axes, values: Numbers, where: Flags, colour: str, size: float) -> None:
    chosen = np.flatnonzero(np.isfinite(values) & where)
    axes.plot(
        chosen, values[chosen], "o", markersize=size, color=colour, markeredgewidth=0, zorder=3
    )


def _line(axes: Axes, values: Numbers, colour: str) -> None:
    """A line that breaks at every gap; a day between two gaps is a point."""
    axes.plot(
        np.arange(len(values)),
        values,
        color=colour,
        linewidth=1.4,
        zorder=5,
        solid_capstyle="round",
        solid_joinstyle="round",
    )
    known = np.concatenate(([False], np.isfinite(values), [False]))
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    if alone.any():
        _points(axes, values, alone, colour, 2.0)


def _bare(axes: Axes) -> None:
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0)


def _value_axis(axes: Axes, locator: MaxNLocator | FixedLocator, *, signed: bool = False) -> None:
    axes.yaxis.set_major_locator(locator)

    def words(value: float, _: int | None) -> str:
        text = short_number(round(value, 10))
        return f"+{text}" if signed and value > 1e-9 else text

    axes.yaxis.set_major_formatter(FuncFormatter(words))
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)


# Numbers ----------------------------------------------------------------------------------------


def _windows(values: Numbers) -> Numbers:
    """Shape (days, WINDOW): each day with its neighbours, NaN beyond the ends."""
    half = WINDOW // 2
    padded = np.concatenate((np.full(half, np.nan), values, np.full(half, np.nan)))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)


def _mean(values: Numbers) -> Numbers:
    """Centred mean over the known days of a window; NaN with fewer than MINIMUM of them."""
    windows = _windows(values)
    known = np.isfinite(windows)
    count = known.sum(axis=1)
    total = np.where(known, windows, 0.0).sum(axis=1)
    return np.where(count >= MINIMUM, total / np.maximum(count, 1), np.nan)


def mood_mean(mood: Numbers, mood_se: Numbers, posts: Numbers) -> tuple[Numbers, Numbers]:
    """The centred mean of the mood, each day weighed by its posts, and its standard error.

    A day of one post has no standard error of its own: it takes the one that a single post of this
    product has on its other days. Without any the error is NaN.
    """
    known = np.isfinite(mood)
    weight = np.where(known, np.maximum(np.nan_to_num(posts, nan=1.0), 1.0), np.nan)
    single = mood_se * np.sqrt(weight)
    usual = float(np.median(single[np.isfinite(single)])) if np.isfinite(single).any() else math.nan
    error = np.where(np.isfinite(mood_se), mood_se, usual / np.sqrt(weight))
    weights = np.nan_to_num(_windows(weight))
    total = weights.sum(axis=1)
    enough = (weights > 0).sum(axis=1) >= MINIMUM
    safe = np.maximum(total, 1.0)
    mean = (weights * np.nan_to_num(_windows(mood))).sum(axis=1) / safe
    variance = (weights**2 * np.nan_to_num(_windows(error**2))).sum(axis=1) / safe**2
    spread = np.sqrt(variance) if math.isfinite(usual) else np.full(len(mood), np.nan)
    return np.where(enough, mean, np.nan), np.where(enough, spread, np.nan)


def mood_limits(series: Sequence[DailySeries]) -> tuple[float, float]:
    """One mood scale for all panels: it holds 0 and every band, in steps of .1, at most -1 to 1."""
    low, high = 0.0, 0.0
    for one in series:
        mean, error = mood_mean(one.mood, one.mood_se, one.posts)
        spread = np.nan_to_num(_Z95 * error)
        candidates = [mean - spread, mean + spread]
        if len(one.days) < THIN_DAYS:
            candidates.append(one.mood)
        for values in candidates:
            known = values[np.isfinite(values)]
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
    low, high = (
        max(-1.0, math.floor(low * 10 - 0.2) / 10),
        min(1.0, math.ceil(high * 10 + 0.2) / 10),
    )
    return min(low, -0.1), max(high, 0.1)


def _mood_ticks(low: float, high: float) -> list[float]:
    step = next(s for s in (0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 4 or s == 1.0)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


CHART = Chart("trends", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
