"""What grows? A row a product, a column a measure: change since the month before, with interval.

python -m charts.growth --target demo
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from charts.absent import saying
from charts.changes import (
    MOST_MONTHS,
    Change,
    Growth,
    Level,
    amount,
    column_words,
    interval_words,
    is_known,
    month_words,
    read_growth,
    read_levels,
    reason_words,
    short_amount,
)
from charts.panels import MOST_PANELS, choice_words, source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, Subject
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MUTED,
    OUTSIDE,
    PANEL,
    PAPER,
    SALES_INK,
    SALES_LIGHT,
    SIZE_KEY,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    new_sheet,
    plural,
    short_number,
    text_width,
)
from charts.style import SALES as BLUE

QUESTION = "What grows?"
WIDTH = 11.0
_NAMES = 1.75
_BARS = 1.45
_LEVEL = 0.42
_GAP = 0.16
_HEAD = line_height(SIZE_TITLE) + 2 * line_height(SIZE_NOTE) + 0.08
_ROW = 0.36
_ROW_WITH_YEAR = 0.5
_AXIS = 0.26
_LIMITS = {
    "rating": (0.5, 1.0, 2.0, 4.0),
    "share": (0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
    "": (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 1000.0),
}


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The newest comparable month of every product; raises ChartError with the remedy."""
    if not is_known(published):
        lines = (
            (
                "This file holds no growth of months (mart_growth_metrics): it was published by an "
                "older version."
            ),
            "Build and publish again: social-signals run.",
        )
        return saying("growth", QUESTION, overview, "Growth is not in this file", lines)
    growth = read_growth(published, catalogue.subjects)
    if growth is None:
        return saying(
            "growth",
            QUESTION,
            overview,
            "Not enough months to compare yet",
            (
                (
                    "A change needs two months of the same measure with at least 14 observed days "
                    "each; no product has them."
                ),
                "Nothing is said to grow and nothing to shrink.",
            ),
        )
    ordered = order(growth, catalogue.subjects)
    shown = choose(growth, ordered)
    growth = replace(growth, levels=read_levels(published, shown, growth.newest))
    sheet = draw(overview, catalogue, growth, shown)
    return Picture("growth", sheet, table(growth, catalogue, ordered))


# Which and in which order -----------------------------------------------------------------------


def order(growth: Growth, subjects: Sequence[Subject]) -> list[Subject]:
    """Clear changes of sales from the largest growth to the largest fall, then products with
    another clear change, then the rest by their change; each in the catalogue's order."""
    first = growth.columns[0]

    def rank(subject: Subject) -> tuple[int, float]:
        change = growth.of(subject.product_id, first)
        others = (growth.of(subject.product_id, column) for column in growth.columns[1:])
        size = change.change if change is not None and change.has_interval else None
        if size is not None and change is not None and change.is_clear:
            return 0, -size
        if any(other is not None and other.is_clear for other in others):
            return 1, math.inf if size is None else -size
        return (3, 0.0) if size is None else (2, -size)

    return sorted(subjects, key=rank)


def choose(growth: Growth, ordered: Sequence[Subject]) -> list[Subject]:
    """At most a dozen; of too many clear changes of sales the largest of both directions."""
    first = growth.columns[0]

    def is_(subject: Subject, *, up: bool) -> bool:
        change = growth.of(subject.product_id, first)
        return change is not None and (change.is_up if up else change.is_down)

    grown = [subject for subject in ordered if is_(subject, up=True)]
    fallen = [subject for subject in ordered if is_(subject, up=False)]
    if len(grown) + len(fallen) <= MOST_PANELS:
        return list(ordered[:MOST_PANELS])
    half = MOST_PANELS // 2
    of_grown = min(len(grown), max(half, MOST_PANELS - len(fallen)))
    return [*grown[:of_grown], *fallen[-(MOST_PANELS - of_grown) :]]


# Words ------------------------------------------------------------------------------------------


def headline(growth: Growth, catalogue: Catalogue) -> str:
    """What is more than chance, in one sentence."""
    names = {c: column_words(c, catalogue, catalogue.subjects) for c in growth.columns}
    first = growth.columns[0]
    month, compared = month_words(growth.month), growth.in_column(first)
    up, down = sum(c.is_up for c in compared), sum(c.is_down for c in compared)
    others = [
        (sum(c.is_clear for c in growth.in_column(column)), names[column])
        for column in growth.columns[1:]
    ]
    beside = " and ".join(f"{count:,} in {name}" for count, name in others if count)
    if not compared:
        text = f"{names[first].capitalize()} of {month} cannot be compared with the month before"
        return f"{text}; clear changes: {beside}" if beside else text
    if len(catalogue.subjects) == 1:
        (change,) = compared
        assert change.change is not None
        assert change.low is not None
        assert change.high is not None
        name = catalogue.subjects[0].name
        if change.is_clear:
            sizes = interval_words(change.low, change.high, change.kind)
            word = "grew" if change.change > 0 else "fell"
            text = f"{name}: {names[first]} {word} by more than chance in {month}, {sizes}"
        else:
            text = f"{name}: no change of {names[first]} in {month} that is more than chance"
    elif up or down:
        said = [f"grew in {up:,}"] * (up > 0) + [f"fell in {down:,}"] * (down > 0)
        text = (
            f"{names[first].capitalize()} {' and '.join(said)} of "
            f"{plural(len(compared), 'product')} in {month}, by more than chance"
        )
    else:
        text = (
            f"No change of {names[first]} in {month} is more than chance in any of "
            f"{plural(len(compared), 'product')}"
        )
    return f"{text}; clear changes beside it: {beside}" if beside else text


def _heading(
    overview: Overview, catalogue: Catalogue, growth: Growth, shown: Sequence[Subject]
) -> Heading:
    month = month_words(growth.month)
    compared = sum(change.has_interval for change in growth.changes.values())
    clear = sum(change.is_clear for change in growth.changes.values())
    part = ""
    if growth.newest != growth.month:
        observed, expected = growth.newest_days
        part = (
            f"{month_words(growth.newest)} is a part month ({observed} of {expected} days) and is "
            "too short to be compared. "
        )
    facts = (
        f"n = {plural(compared, 'comparison')} of {month} with the month before, {clear:,} of them "
        f"more than chance. {part}Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    how = (
        "Each line: the 95 % interval of the change per observed day, weekdays accounted for, so "
        "part months and months of other length compare fairly; promotions and holidays are not. "
        "More than chance: q at most 0.05, all products of the measure counted. A rating changes "
        "in stars, a positive share in points of 100; an arrow goes on beyond the "
        "scale. No change here is a cause of another."
    )
    caption = [facts, how, f"Source: mart_growth_metrics; {source_words(overview)}."]
    rule = (
        "the largest clear growth and falls of sales first, then other clear changes, then the rest"
    )
    note = choice_words(catalogue, len(shown), rule)
    if note:
        caption.insert(0, note)
    return Heading(
        question=QUESTION,
        headline=headline(growth, catalogue),
        caption=tuple(caption),
        keys=_keys(growth, shown),
        is_simulated=overview.is_simulated,
    )


def _keys(growth: Growth, shown: Sequence[Subject]) -> tuple[Key, ...]:
    drawn = [
        change
        for subject in shown
        for column in growth.columns
        if (change := growth.of(subject.product_id, column)) is not None and change.has_interval
    ]
    keys = []
    if any(change.is_up for change in drawn):
        keys.append(Key("dot", BLUE, "grew by more than chance", SALES_INK))
    if any(change.is_down for change in drawn):
        keys.append(Key("dot", OUTSIDE, "fell by more than chance", OUTSIDE))
    if any(not change.is_clear for change in drawn):
        keys.append(Key("dot", MUTED, "no change that is more than chance", MUTED))
    levels = [level for found in growth.levels.values() for level in found]
    if any(change.is_partial for change in drawn) or any(level.is_partial for level in levels):
        keys.append(Key("ring", MUTED, "hollow: part month, only observed days count"))
    if any(level.level is not None for level in levels):
        keys.append(Key("bars", SALES_LIGHT, "an observed day of each month, from 0", SALES_INK))
    if growth.has_year:
        keys.append(Key("line", FAINT, "square below: since a year before"))
    return tuple(keys)


def table(growth: Growth, catalogue: Catalogue, ordered: Sequence[Subject]) -> Table:
    """Every comparison of the products in their order."""
    rows: list[tuple[str, ...]] = []
    total = 0
    for subject in ordered:
        for column in growth.columns:
            change = growth.of(subject.product_id, column)
            if change is None:
                continue
            total += 1
            if len(rows) < MOST_ROWS:
                what = column_words(column, catalogue, [subject])
                rows.append((subject.name, what, *_cells(change)))
    titles = (
        "product", "measure", "observed days", "a day", "change", "95 % interval", "q",
        "more than chance", "since a year before",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({2, 3, 4, 6}), left_out(total))


def _cells(change: Change) -> tuple[str, ...]:
    days = f"{change.observed_days} of {change.expected_days}"
    year = ""
    if change.year_change is not None and change.year_low is not None:
        year = amount(change.year_change, change.kind)
        if change.year_high is not None:
            year += f" ({interval_words(change.year_low, change.year_high, change.kind)})"
    level = "" if change.level is None else short_number(change.level)
    size = "" if change.change is None else amount(change.change, change.kind)
    if change.low is None or change.high is None:
        return days, level, size, reason_words(change.reason), "", "not known", year
    q_value = "" if change.q_value is None else f"{change.q_value:.2g}"
    clear = "yes" if change.is_clear else "no"
    return (
        days,
        level,
        size,
        interval_words(change.low, change.high, change.kind),
        q_value,
        clear,
        year,
    )


# The picture ------------------------------------------------------------------------------------


def draw(
    overview: Overview, catalogue: Catalogue, growth: Growth, shown: Sequence[Subject]
) -> Sheet:
    """The grid: names, months of sales, then one axis a measure shared by all rows."""
    row = _ROW_WITH_YEAR if growth.has_year else _ROW
    body = _HEAD + len(shown) * row + _AXIS
    sheet = new_sheet(_heading(overview, catalogue, growth, shown), width=WIDTH, body=body)
    top = sheet.top + _HEAD
    left = MARGIN + _NAMES
    for place, subject in enumerate(shown):
        if place % 2 == 0:
            sheet.block(MARGIN, top + place * row, WIDTH - 2 * MARGIN, row, fill=PANEL)
        sheet.text(
            fit(subject.name, _NAMES - 0.2, SIZE_TITLE),
            MARGIN + 0.08, top + (place + 0.5) * row, SIZE_TITLE, va="center_baseline",
        )  # fmt: skip
    if any(growth.levels.get(subject.product_id) for subject in shown):
        _levels(sheet, catalogue, growth, shown, (left, top, row))
        left += _BARS + _LEVEL + _GAP
    width = (WIDTH - MARGIN - left - (len(growth.columns) - 1) * _GAP) / len(growth.columns)
    for number, column in enumerate(growth.columns):
        _column(
            sheet, catalogue, growth, shown, column, (left + number * (width + _GAP), width, row)
        )
    return sheet


def _rows(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.patch.set_visible(False)


def _levels(
    sheet: Sheet,
    catalogue: Catalogue,
    growth: Growth,
    shown: Sequence[Subject],
    place: tuple[float, float, float],
) -> None:
    """A small bar a month, each row from 0 to its own highest month; the newest compared named."""
    left, top, row = place
    months = sorted({level.month for s in shown for level in growth.levels.get(s.product_id, ())})
    months = months[-MOST_MONTHS:]
    outcomes = {subject.outcome for subject in shown if subject.outcome}
    what = catalogue.measure(next(iter(outcomes))).title if len(outcomes) == 1 else "sales a day"
    _title(sheet, what, ["each month from 0", ""], left, _BARS + _LEVEL)
    axes = sheet.axes(left, top, _BARS, len(shown) * row)
    _rows(axes, len(shown))
    axes.set_xlim(-0.6, max(len(months), 3) - 0.4)
    axes.spines["bottom"].set_visible(False)
    ends = sorted({0, len(months) - 1})
    axes.set_xticks(ends, [month_words(months[end]) for end in ends])
    axes.tick_params(axis="x", length=0, pad=3)
    for number, label in enumerate(axes.get_xticklabels()):
        label.set_horizontalalignment("right" if number else "left")
    for number, subject in enumerate(shown):
        _row_of_bars(axes, growth.levels.get(subject.product_id, ()), months, growth, number)
        compared = next(
            (each for each in growth.levels.get(subject.product_id, ())
             if each.month == growth.month),
            None,
        )  # fmt: skip
        if compared is not None and compared.level is not None:
            sheet.text(
                short_number(compared.level), left + _BARS + _LEVEL - 0.04,
                top + (number + 0.5) * row, SIZE_NOTE, colour=SALES_INK, ha="right",
                va="center_baseline",
            )  # fmt: skip


def _row_of_bars(
    axes: Axes, levels: Sequence[Level], months: Sequence[object], growth: Growth, number: int
) -> None:
    known = [each for each in levels if each.level is not None and each.month in months]
    most = max((abs(each.level or 0.0) for each in known), default=0.0)
    if most <= 0:
        return
    for each in known:
        height = 0.72 * max(each.level or 0.0, 0.0) / most
        colour = BLUE if each.month == growth.month else SALES_LIGHT
        axes.bar(
            months.index(each.month), -height, bottom=number + 0.38, width=0.74,
            facecolor=PAPER if each.is_partial else colour, edgecolor=colour, linewidth=0.8,
        )  # fmt: skip


def _title(sheet: Sheet, title: str, notes: Sequence[str], left: float, width: float) -> None:
    sheet.text(fit(title, width, SIZE_KEY, bold=True), left, sheet.top, SIZE_KEY, bold=True)
    for index, note in enumerate(notes):
        top = sheet.top + line_height(SIZE_TITLE) + index * line_height(SIZE_NOTE)
        sheet.text(fit(note, width, SIZE_TICK), left, top, SIZE_TICK, colour=MUTED)


def _tally(changes: Sequence[Change]) -> str:
    """`↑1 ↓2 of 9`: how many are more than chance."""
    up, down = sum(c.is_up for c in changes), sum(c.is_down for c in changes)
    said = [f"↑{short_number(up)}"] * (up > 0) + [f"↓{short_number(down)}"] * (down > 0)
    return f"{' '.join(said) or 'none clear'} of {short_number(len(changes))}"


def _column(
    sheet: Sheet,
    catalogue: Catalogue,
    growth: Growth,
    shown: Sequence[Subject],
    column: str,
    place: tuple[float, float, float],
) -> None:
    left, width, row = place
    top = sheet.top + _HEAD
    kind = next((c.kind for (_, name), c in growth.changes.items() if name == column), "")
    unit = {"rating": "change, stars", "share": "change, points"}.get(kind, "change a day, %")
    name = column_words(column, catalogue, catalogue.subjects)
    _title(sheet, name, [unit, _tally(growth.in_column(column))], left, width)
    axes = sheet.axes(left, top, width, len(shown) * row)
    _rows(axes, len(shown))
    changes = [growth.of(subject.product_id, column) for subject in shown]
    limit = _limit([change for change in changes if change is not None], kind)
    axes.set_xlim(-limit, limit)
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    ticks = [-limit / 2, 0.0, limit / 2]
    axes.set_xticks(
        ticks, [short_amount(tick, kind).removesuffix(" %") if tick else "0" for tick in ticks]
    )
    for number, change in enumerate(changes):
        if change is None or not change.has_interval:
            words = reason_words(change.reason) if change is not None else "no data"
            axes.text(
                0, number, fit(words, width - 0.04, SIZE_TICK), ha="center", va="center",
                fontsize=SIZE_TICK, color=MUTED, parse_math=False,
                bbox={"facecolor": PANEL if number % 2 == 0 else PAPER, "edgecolor": "none",
                      "pad": 0.5},
            )  # fmt: skip
            continue
        _mark(axes, change, number, limit, width, with_year=growth.has_year)


def _mark(
    axes: Axes, change: Change, number: int, limit: float, width: float, *, with_year: bool
) -> None:
    assert change.change is not None
    assert change.low is not None
    assert change.high is not None
    colour = BLUE if change.is_up else OUTSIDE if change.is_down else MUTED
    at = number + (-0.02 if with_year else 0.12 if change.is_clear else 0.0)
    _interval(axes, (change.low, change.change, change.high), at, limit, colour, "o",
              is_hollow=change.is_partial)  # fmt: skip
    if change.is_clear:
        label = short_amount(change.change, change.kind)
        room = text_width(label, SIZE_NOTE, bold=True) / width * limit
        middle = min(max(change.change, -limit + room), limit - room)
        axes.annotate(
            label, (middle, at), xytext=(0, 3.2), textcoords="offset points", ha="center",
            va="bottom", fontsize=SIZE_NOTE, fontweight="bold",
            color=SALES_INK if change.is_up else OUTSIDE,
        )  # fmt: skip
    if change.year_change is None or change.year_low is None or change.year_high is None:
        return
    year = INK if change.is_year_clear else FAINT
    ends = (change.year_low, change.year_change, change.year_high)
    _interval(axes, ends, number + 0.28, limit, year, "s", is_hollow=False)


def _interval(
    axes: Axes,
    ends: tuple[float, float, float],
    at: float,
    limit: float,
    colour: str,
    marker: str,
    *,
    is_hollow: bool,
) -> None:
    low, middle, high = ends
    axes.plot(
        [max(low, -limit), min(high, limit)], [at, at], "-", color=colour, linewidth=1.5,
        solid_capstyle="butt", zorder=2,
    )  # fmt: skip
    for end, sign in ((low, -1), (high, 1)):
        if sign * end > limit:
            axes.plot(
                [sign * limit * 0.985], [at], "<" if sign < 0 else ">", color=colour,
                markersize=3.4, markeredgewidth=0, zorder=3,
            )  # fmt: skip
    if abs(middle) <= limit:
        axes.plot(
            [middle], [at], marker, color=colour, markersize=4.4 if marker == "o" else 3.2,
            markerfacecolor=PAPER if is_hollow else colour, markeredgewidth=1.1, zorder=4,
        )  # fmt: skip


def _limit(changes: Sequence[Change], kind: str) -> float:
    """Half the width of a column's scale: all clear changes and most intervals lie within it."""
    ends = [abs(end) for c in changes if c.has_interval for end in (c.low, c.high) if end]
    clear = [abs(c.change) * 1.1 for c in changes if c.is_clear and c.change is not None]
    most = max([float(np.percentile(ends, 80)) if ends else 0.0, *clear])
    steps = _LIMITS.get(kind, _LIMITS[""])
    return next((step for step in steps if step >= most), max(most, steps[-1]))


CHART = Chart("growth", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
