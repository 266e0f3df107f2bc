"""How is each product spoken of, by platform? Praise less criticism, the model's errors mended.

python -m charts.mood --target demo
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from charts.absent import lacking, lacks, saying
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, day_words, number_or_none
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MOOD,
    MOOD_LIGHT,
    MUTED,
    SIZE_NOTE,
    SIZE_TICK,
    Heading,
    Key,
    Sheet,
    clean,
    fit,
    line_height,
    name_of,
    new_sheet,
    plural,
)

QUESTION = "How is each product spoken of, platform by platform?"
TABLE = "mart_brand_sentiment"
COLUMNS = (
    "product_id", "platform", "week_start_date", "is_partial_week", "scored_posts_count",
    "net_sentiment", "net_sentiment_low", "net_sentiment_high", "net_sentiment_corrected",
    "net_sentiment_corrected_low", "net_sentiment_corrected_high", "net_change", "is_change_clear",
)  # fmt: skip
MOST_PLACES = 20
_Z = 1.959963984540054
_FALSE_ALARMS = 0.05
_WIDTH = 9.5
_LABEL = 2.6
_VALUE = 1.35
_ROW = 0.36
_AXIS = 0.44
_PAIRS = "pairs of product and platform"
Interval: TypeAlias = tuple[float, float, float]
"""Estimate, lower and upper end."""


@dataclass(frozen=True, slots=True)
class Place:
    """A product on a platform in one week; None where the mart states nothing."""

    product: str
    platform: str
    posts: int
    labelled: Interval
    corrected: Interval | None
    change: float | None
    """Against the week before; None where it is not more than chance."""

    @property
    def best(self) -> Interval:
        """With the correction for the model's known mistakes where there is one."""
        return self.corrected or self.labelled

    @property
    def p_value(self) -> float:
        """Two-sided chance of a mood as far from 0, by the half of the interval towards 0."""
        estimate, low, high = self.best
        half = estimate - low if estimate > 0 else high - estimate
        if half <= 0:
            return 0.0 if estimate else 1.0
        return math.erfc(abs(estimate) / half * _Z / math.sqrt(2))


def sides(places: Sequence[Place]) -> list[int]:
    """1 where praise surely prevails, -1 where criticism does, else 0, all places counted.

    Of a thousand intervals fifty miss: a place counts only among those that Benjamini and Hochberg
    (1995) let stand at .05.
    """
    ordered = sorted(place.p_value for place in places)
    passed = [p for rank, p in enumerate(ordered, 1) if p <= _FALSE_ALARMS * rank / len(ordered)]
    most = max(passed, default=-1.0)
    return [0 if place.p_value > most else 1 if place.best[0] > 0 else -1 for place in places]


@dataclass(frozen=True, slots=True)
class Week:
    """The last full week with a mood (the last of any, if none is full) and its places."""

    start: date
    is_full: bool
    places: tuple[Place, ...]


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The mood of the last full week; raises ChartError with the remedy."""
    missing = lacks(published, TABLE, COLUMNS)
    if missing:
        return lacking("mood", QUESTION, overview, missing)
    week = read_week(published, {s.product_id: s.name for s in catalogue.subjects})
    if week is None:
        lines = [
            "No relevant post has a mood: none in a language that the model reads, or none at all.",
            "No product is said to be liked or disliked.",
        ]
        return saying("mood", QUESTION, overview, headline(()), lines)
    return Picture("mood", draw(overview, week), table(week))


def read_week(published: Published, names: dict[str, str]) -> Week | None:
    """The last full week in which any post has a mood; its places, those with most posts first."""
    table_name = published.table(TABLE)
    found = published.rows(
        f"""
        select week_start_date::date, not bool_or(is_partial_week) as is_full
        from {table_name} group by week_start_date
        having count(net_sentiment) filter (where isfinite(net_sentiment)) > 0
        order by is_full desc, week_start_date desc limit 1
        """
    )
    if not found:
        return None
    start, is_full = found[0]
    platforms: dict[str, str] = {}
    if published.has("dim_platforms", "platform", "platform_name"):
        platforms = dict(
            published.rows(
                f"select platform, platform_name from {published.table('dim_platforms')}"
            )
        )
    places = []
    for row in published.rows(
        f"""
        select product_id, platform, scored_posts_count, net_sentiment, net_sentiment_low,
            net_sentiment_high, net_sentiment_corrected, net_sentiment_corrected_low,
            net_sentiment_corrected_high, net_change, is_change_clear
        from {table_name} where week_start_date = ?
        order by scored_posts_count desc, product_id, platform
        """,
        [start],
    ):
        labelled = _interval(row[3:6])
        if labelled is None:
            continue
        places.append(
            Place(
                product=names.get(row[0]) or name_of(None, row[0]),
                platform=clean(platforms.get(row[1]) or row[1]) or "(no name)",
                posts=row[2],
                labelled=labelled,
                corrected=_interval(row[6:9]),
                change=number_or_none(row[9]) if row[10] is True else None,
            )
        )
    return Week(start, is_full is True, tuple(places)) if places else None


def _interval(values: Sequence[float | None]) -> Interval | None:
    numbers = [number_or_none(value) for value in values]
    estimate, low, high = numbers
    if estimate is None or low is None or high is None:
        return None
    return estimate, low, high


# Words ------------------------------------------------------------------------------------------


def headline(places: Sequence[Place]) -> str:
    """In how many places praise or criticism surely prevails, in one sentence."""
    if not places:
        return "No mood to tell yet: no post has been scored"
    total = len(places)
    found = sides(places)
    good, bad = found.count(1), found.count(-1)
    if total == 1:
        (place,) = places
        said = {1: "more praise than criticism", -1: "more criticism than praise"}
        if found[0]:
            return f"Of {_short(place)} there is clearly {said[found[0]]}"
        return f"Of {_short(place)} it cannot be told whether praise or criticism prevails"
    if not good and not bad:
        return f"In none of {total:,} {_PAIRS} does praise or criticism clearly prevail"
    parts = []
    if good:
        parts.append(f"more praise than criticism in {good:,}")
    if bad:
        parts.append(f"more criticism {'' if good else 'than praise '}in {bad:,}")
    text = f"Clearly {', '.join(parts)} of {total:,} {_PAIRS}"
    rest = total - good - bad
    return f"{text}; in {rest:,} it cannot be told" if rest else text


def _short(place: Place) -> str:
    return fit(place.product, 2.6, 15, bold=True)


def signed(value: float) -> str:
    """`+0.21`, `−0.30`, `0.00`."""
    text = f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
    return "0.00" if text[1:] == "0.00" else text


def _tick(value: float) -> str:
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _range(interval: Interval) -> str:
    return f"{signed(interval[1])} to {signed(interval[2])}"


def change_words(place: Place) -> str:
    """How the week before was left, where that is more than chance."""
    if place.change is None:
        return ""
    return f"{'up' if place.change > 0 else 'down'} by {abs(place.change):.2f}"


def table(week: Week) -> Table:
    """Each place, as labelled and corrected."""
    rows = [
        (
            place.product,
            place.platform,
            f"{place.posts:,}",
            signed(place.labelled[0]),
            _range(place.labelled),
            signed(place.corrected[0]) if place.corrected else "",
            _range(place.corrected) if place.corrected else "",
            change_words(place),
        )
        for place in week.places[:MOST_ROWS]
    ]
    titles = (
        "product", "platform", "posts with a mood", "net mood", "95 % interval", "corrected",
        "95 % interval of it", "clear change on the week before",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({2, 3, 4, 5, 6}), left_out(len(week.places)))


# The picture ------------------------------------------------------------------------------------


def draw(overview: Overview, week: Week) -> Sheet:
    """One row a place: its net mood, corrected and as labelled, between -1 and +1."""
    # Of the places with most posts; those most surely liked first.
    shown = sorted(
        week.places[:MOST_PLACES], key=lambda p: (-p.best[1], -p.best[0], p.product, p.platform)
    )
    found = dict(zip(week.places, sides(week.places), strict=True))
    height = len(shown) * _ROW
    sheet = new_sheet(_heading(overview, week, shown), width=_WIDTH, body=height + _AXIS)
    width = _WIDTH - 2 * MARGIN - _LABEL - _VALUE
    axes = sheet.axes(MARGIN + _LABEL, sheet.top, width, height)
    _frame(axes, shown, height)
    for index, place in enumerate(shown):
        middle = (index + 0.5) * _ROW
        _draw(axes, place, middle)
        _words(sheet, place, sheet.top + middle, is_clear=found[place] != 0)
    return sheet


def _frame(axes: Axes, shown: Sequence[Place], height: float) -> None:
    ends = [abs(end) for place in shown for each in _intervals(place) for end in each]
    limit = next(step for step in (0.25, 0.5, 1.0) if max(ends) <= step or step == 1.0)
    axes.set_xlim(-limit * 1.03, limit * 1.03)
    axes.set_ylim(height, 0)
    axes.xaxis.set_major_locator(FixedLocator([-limit, -limit / 2, 0, limit / 2, limit]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.yaxis.set_major_locator(FixedLocator([]))
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1.5)
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel(
        "share of praise less share of criticism", fontsize=SIZE_TICK, color=MUTED, labelpad=2
    )


def _intervals(place: Place) -> list[Interval]:
    return [place.labelled, *([place.corrected] if place.corrected else [])]


def _draw(axes: Axes, place: Place, middle: float) -> None:
    estimate, low, high = place.best
    at = middle - (0.03 if place.corrected else 0.0)
    axes.plot([low, high], [at] * 2, color=MOOD_LIGHT, linewidth=4.0,
              solid_capstyle="butt", zorder=2)  # fmt: skip
    axes.plot([estimate], [at], "o", color=MOOD, markersize=4.6, markeredgewidth=0, zorder=4)
    if place.corrected:
        estimate, low, high = place.labelled
        below = middle + 0.055
        axes.plot([low, high], [below] * 2, color=MUTED, linewidth=0.9,
                  solid_capstyle="butt", zorder=3)  # fmt: skip
        axes.plot([estimate], [below], "|", color=MUTED, markersize=5, markeredgewidth=0.9,
                  zorder=3)  # fmt: skip


def _words(sheet: Sheet, place: Place, middle: float, *, is_clear: bool) -> None:
    size = SIZE_NOTE + 0.5
    upper, lower = middle - line_height(size), middle + 0.005
    sheet.text(fit(place.product, _LABEL - 0.15, size), MARGIN, upper, size)
    note = f"{place.platform}, {plural(place.posts, 'post')}"
    sheet.text(fit(note, _LABEL - 0.15, SIZE_TICK), MARGIN, lower, SIZE_TICK, colour=MUTED)
    right = _WIDTH - MARGIN
    change = change_words(place)
    value = f"{change}, {signed(place.best[0])}" if change else signed(place.best[0])
    sheet.text(value, right, upper, size, colour=INK, ha="right", bold=is_clear)
    sheet.text(_range(place.best), right, lower, SIZE_TICK, colour=MUTED, ha="right")


def _heading(overview: Overview, week: Week, shown: Sequence[Place]) -> Heading:
    posts = sum(place.posts for place in week.places)
    full = "full week" if week.is_full else "week, not all of whose days were observed,"
    facts = (
        f"n = {plural(posts, 'post')} with a mood, {plural(len(week.places), 'pair')} of product "
        f"and platform, in the last {full} from {day_words(week.start)}. "
        f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    if any(place.corrected for place in shown):
        correction = (
            "Orange: corrected for how often the model takes one label for another, counted on "
            "tweets; elsewhere it may err otherwise. Grey: as labelled. "
        )
    else:
        correction = "As the model labels posts; its mistakes are not known and not corrected. "
    how = (
        f"{correction}Intervals: 95 %, one author's posts counted as fewer than as many authors'; "
        "one in twenty misses. Irony is taken at its word. Clearly (bold): more than chance, all "
        "pairs counted (q \N{LESS-THAN OR EQUAL TO} 0.05). "
        "Up and down: clear against the week before, all products and platforms counted."
    )
    caption = [facts, how, f"Source: {source_words(overview)}."]
    rest = len(week.places) - len(shown)
    if rest > 0:
        caption.insert(
            0,
            f"Shown: {len(shown)} of {len(week.places):,} {_PAIRS}, those with the most posts; "
            f"{rest:,} left out here, all are in the published file.",
        )
    keys = [Key("dot", MOOD, "net mood"), Key("line", MOOD_LIGHT, "95 % interval")]
    if any(place.corrected for place in shown):
        keys = [
            Key("dot", MOOD, "net mood, the model's known mistakes corrected"),
            Key("line", MOOD_LIGHT, "95 % interval"),
            Key("tick", MUTED, "as labelled, with its interval"),
        ]
    return Heading(
        question=QUESTION,
        headline=headline(week.places),
        caption=tuple(caption),
        keys=tuple(keys),
        is_simulated=overview.is_simulated,
    )


CHART = Chart("mood", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
