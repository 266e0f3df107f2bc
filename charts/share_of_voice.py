"""Who has the voice? Each product's share of the mentions of its category, week by week.

python -m charts.share_of_voice --target demo
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from charts.absent import lacking, lacks, saying
from charts.panels import date_ticks, runs, source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, day_words
from charts.reading_shares import (
    COLUMNS,
    TABLE,
    CategoryTotal,
    CategoryVoices,
    Standing,
    Voice,
    last_known,
    read_categories,
    read_voices_of,
)
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MUTED,
    NULL_BAND,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    STOCK_OUT,
    UNOBSERVED,
    VOICE,
    VOICE_LIGHT,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    name_of,
    new_sheet,
    plural,
)

QUESTION = "Who has the voice: which product do people speak of most in its category?"
MOST_CATEGORIES = 8
_TOGETHER = "\N{NO-BREAK SPACE}"
_STRIP = 0.44
_STRIP_GAP = 0.13
_TITLE = line_height(SIZE_TITLE) + 2 * line_height(SIZE_NOTE) + 0.1
_AXIS = 0.36
_GAP = 0.5
_ROW_GAP = 0.34
_VALUE = 0.86
# Between the name of a product and its plot: the numbers of the axis.
_SCALE = 0.4


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """Shares of voice of the largest categories; raises ChartError with the remedy."""
    missing = lacks(published, TABLE, COLUMNS)
    if missing:
        return lacking("share_of_voice", QUESTION, overview, missing)
    totals = read_categories(published)
    rivals = [total for total in totals if total.products > 1 and total.mentions]
    if not rivals:
        headline_, lines = _nothing(totals)
        return saying("share_of_voice", QUESTION, overview, headline_, lines)
    names = {subject.product_id: subject.name for subject in catalogue.subjects}
    shown = rivals[:MOST_CATEGORIES]
    found = read_voices_of(published, shown, names, most=strips(len(shown)))
    sheet = draw(overview, totals, found)
    return Picture("share_of_voice", sheet, table(found, len(rivals)))


def strips(categories: int) -> int:
    """How many products of a category are shown each on its own."""
    return 8 if categories == 1 else 6 if categories == 2 else 4 if categories <= 4 else 3


def _nothing(totals: Sequence[CategoryTotal]) -> tuple[str, list[str]]:
    if not any(total.mentions for total in totals):
        return "Nobody was spoken of yet: there is no share to tell", [
            "No relevant post of a person mentions a tracked product on an observed day.",
        ]
    return "Each product is alone in its category: there is no share to tell", [
        "A share of voice compares products of one category.",
        "Give competitors the same category in the catalogue (products.csv) to see theirs.",
    ]


# Words ------------------------------------------------------------------------------------------


def headline(found: Sequence[CategoryVoices]) -> str:
    """Who is clearly ahead in the last full week, in one sentence."""
    standings = [each.standing for each in found if each.standing is not None]
    if not standings:
        return "No week is full yet: too early to say who has the voice"
    clear = sum(standing.is_clear for standing in standings)
    if len(standings) == 1:
        (one,) = standings
        if one.is_clear:
            share = f"{_interval(one)} of the mentions in {_week(one)}"
            return f"{_short(one.first)} is spoken of most: {share}"
        return (
            f"No product is clearly ahead: {_short(one.first)} and {_short(one.second)} "
            "cannot be told apart"
        )
    total = len(standings)
    if not clear:
        return f"In none of {total} categories is a product clearly ahead in the last full week"
    if clear == total:
        return f"In each of {total} categories one product is clearly ahead in the last full week"
    return (
        f"One product is clearly ahead in {clear} of {total} categories in the last full week; "
        f"in {total - clear} the first two cannot be told apart"
    )


def _short(name: str) -> str:
    return fit(name, 2.6, 15, bold=True)


def _interval(one: Standing) -> str:
    words = f"{_percent(one.low)} to {_percent(one.high)} %"
    return words.replace(" ", _TOGETHER)


def _week(one: Standing) -> str:
    return f"the week of {day_words(one.week).replace(' ', _TOGETHER)}"


def _percent(share: float) -> str:
    """A share as a whole percentage; below one, one digit, so that little is not nothing."""
    value = 100 * share
    return f"{value:.1f}" if 0 < value < 0.95 else f"{value:.0f}"


def standing_words(category: CategoryVoices) -> str:
    """Who is ahead in a category and how often."""
    one = category.standing
    if one is None:
        return "no week is full yet"
    week = _week(one)
    if one.is_clear:
        of = f"{category.weeks_first:,} of {plural(category.full_weeks, 'full week')}"
        return f"{one.first} is clearly ahead in {week}; first in {of}"
    return f"{one.first} and {one.second} cannot be told apart in {week}"


def table(found: Sequence[CategoryVoices], categories: int) -> Table:
    """Each product shown, its mentions and its share of the last full week."""
    rows = []
    for category in found:
        for voice in _rows(category):
            week, share, low, high = last_known(voice, category.weeks, category.is_partial)
            is_known = math.isfinite(share)
            rows.append(
                (
                    name_of(category.name, "(category in signs not drawn here)"),
                    voice.name,
                    f"{voice.mentions:,}",
                    week,
                    f"{_percent(share)} %" if is_known else "",
                    f"{_percent(low)} to {_percent(high)} %" if is_known else "",
                )
            )
    titles = ("category", "product", "mentions", "week of", "share", "95 % interval")
    rest = left_out(len(rows))
    if categories > len(found):
        rest = (
            f"{plural(categories - len(found), 'more category').replace('categorys', 'categories')}"
        )
        rest += " in the published file."
    return Table(titles, tuple(rows[:MOST_ROWS]), frozenset({2, 4, 5}), rest)


def _rows(category: CategoryVoices) -> list[Voice]:
    return [*category.voices, *([category.others] if category.others else [])]


# The picture ------------------------------------------------------------------------------------


def draw(
    overview: Overview, totals: Sequence[CategoryTotal], found: Sequence[CategoryVoices]
) -> Sheet:
    """One panel a category, one strip a product; all strips of a category share their scale."""
    columns = 1 if len(found) == 1 else 2
    width = 8.5 if columns == 1 else 11.0
    panel = (width - 2 * MARGIN - (columns - 1) * _GAP) / columns
    heights = [
        max(_panel_height(each) for each in found[start : start + columns])
        for start in range(0, len(found), columns)
    ]
    body = sum(heights) + (len(heights) - 1) * _ROW_GAP
    sheet = new_sheet(_heading(overview, totals, found), width=width, body=body)
    for index, category in enumerate(found):
        row, column = divmod(index, columns)
        top = sheet.top + sum(heights[:row]) + row * _ROW_GAP
        _panel(sheet, category, MARGIN + column * (panel + _GAP), top, panel)
    return sheet


def _panel_height(category: CategoryVoices) -> float:
    count = len(_rows(category))
    return _TITLE + count * _STRIP + (count - 1) * _STRIP_GAP + _AXIS


def _heading(
    overview: Overview, totals: Sequence[CategoryTotal], found: Sequence[CategoryVoices]
) -> Heading:
    mentions = sum(each.mentions for each in found)
    bots = sum(each.bot_mentions for each in found)
    products = sum(each.products for each in found)
    facts = (
        f"n = {plural(mentions, 'mention')} of {plural(products, 'product')} by people; "
        f"{plural(bots, 'mention')} by suspected bots left out. Window: {window_words(overview)}. "
        f"Cut-off: {overview.cutoff}."
    )
    how = (
        "A post that mentions two products counts for both. Bands: Wilson's 95 % interval, one "
        "author's mentions of a week counted as fewer than as many authors'. Clearly ahead: in "
        "the last full week the intervals of the first two do not touch. How much is spoken of a "
        "product says nothing of how well."
    )
    alone = sum(total.products == 1 for total in totals)
    silent = sum(total.products > 1 and not total.mentions for total in totals)
    rivals = len(totals) - alone - silent
    left = []
    if rivals > len(found):
        left.append(f"{rivals - len(found):,} of {rivals:,} categories with fewer mentions")
    if alone:
        left.append(f"{alone:,} with a single product")
    if silent:
        left.append(f"{silent:,} that nobody mentions")
    caption = [facts, how, f"Source: {source_words(overview)}."]
    if left:
        caption.insert(0, f"Left out here: {', '.join(left)}; all are in the published file.")
    return Heading(
        question=QUESTION,
        headline=headline(found),
        caption=tuple(caption),
        keys=_keys(found),
        is_simulated=overview.is_simulated,
    )


def _keys(found: Sequence[CategoryVoices]) -> tuple[Key, ...]:
    keys = [
        Key("line", VOICE, "share of the category's mentions in a week"),
        Key("shade", VOICE_LIGHT, "95 % interval"),
    ]
    if any(each.others for each in found):
        keys.append(Key("line", STOCK_OUT, "all other products together"))
    if any(each.is_partial.any() for each in found):
        keys.append(Key("hatch", UNOBSERVED, "a day of the week was not observed"))
    return tuple(keys)


def _panel(sheet: Sheet, category: CategoryVoices, left: float, top: float, width: float) -> None:
    title = fit(
        name_of(category.name, "(category in signs not drawn here)"), width, SIZE_TITLE, bold=True
    )
    sheet.text(title, left, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    is_clear = category.standing is not None and category.standing.is_clear
    sheet.text(
        fit(standing_words(category), width, SIZE_NOTE), left, below, SIZE_NOTE,
        colour=INK if is_clear else MUTED,
    )  # fmt: skip
    below += line_height(SIZE_NOTE)
    note = f"{plural(category.products, 'product')}, {plural(category.mentions, 'mention')}"
    if category.bot_mentions:
        note += f"; {category.bot_mentions:,} more by suspected bots, left out"
    note = fit(note, width - _VALUE - 0.1, SIZE_NOTE)
    sheet.text(note, left, below, SIZE_NOTE, colour=MUTED)
    column = "last full week" if category.standing is not None else "last week"
    sheet.text(column, left + width, below, SIZE_TICK, colour=MUTED, ha="right")
    rows = _rows(category)
    name_width = min(1.75, width * 0.3)
    limit = _limit(rows)
    for index, voice in enumerate(rows):
        at = top + _TITLE + index * (_STRIP + _STRIP_GAP)
        _names(sheet, category, voice, (left, at, width), name_width)
        inside = name_width + _SCALE
        axes = sheet.axes(left + inside, at, width - inside - _VALUE, _STRIP)
        is_last = index == len(rows) - 1
        _draw(axes, category, voice, limit)
        _week_axis(axes, category, width - inside - _VALUE, labelled=is_last)


def _names(
    sheet: Sheet,
    category: CategoryVoices,
    voice: Voice,
    place: tuple[float, float, float],
    name_width: float,
) -> None:
    left, top, width = place
    colour = MUTED if voice is category.others else INK
    middle = top + _STRIP / 2
    upper, lower = middle - line_height(SIZE_NOTE + 0.5), middle + 0.01
    size = SIZE_NOTE + 0.5
    sheet.text(fit(voice.name, name_width, size), left, upper, size, colour=colour)
    count = fit(plural(voice.mentions, "mention"), name_width, SIZE_TICK)
    sheet.text(count, left, lower, SIZE_TICK, colour=MUTED)
    _, share, low, high = last_known(voice, category.weeks, category.is_partial)
    if math.isfinite(share):
        right = left + width
        sheet.text(f"{_percent(share)} %", right, upper, size, colour=colour, ha="right")
        interval = f"{_percent(low)} to {_percent(high)} %"
        sheet.text(interval, right, lower, SIZE_TICK, colour=MUTED, ha="right")


def _draw(axes: Axes, category: CategoryVoices, voice: Voice, limit: float) -> None:
    edges = np.arange(len(category.weeks) + 1) - 0.5
    is_others = voice is category.others
    colour, light = (STOCK_OUT, NULL_BAND) if is_others else (VOICE, VOICE_LIGHT)
    axes.set_ylim(0, limit)
    for start, end in runs(category.is_partial):
        axes.axvspan(
            start - 0.5, end - 0.5, facecolor="none", edgecolor=UNOBSERVED, hatch="//////",
            linewidth=0, zorder=0,
        )  # fmt: skip
    if np.isfinite(voice.high).any():
        axes.stairs(
            voice.high, edges, baseline=np.where(np.isfinite(voice.high), voice.low, np.nan),
            fill=True, color=light, linewidth=0, zorder=1,
        )  # fmt: skip
    if np.isfinite(voice.share).any():
        axes.stairs(voice.share, edges, baseline=None, color=colour, linewidth=1.1, zorder=2)
    axes.yaxis.set_major_locator(FixedLocator([0, limit]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def _limit(rows: Sequence[Voice]) -> float:
    """The top of all scales of a category: the highest interval, rounded up to a round share."""
    highs = np.concatenate([voice.high for voice in rows])
    most = float(np.nanmax(highs)) if np.isfinite(highs).any() else 1.0
    steps = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
    return next((step for step in steps if most <= step), 1.0)


def _week_axis(axes: Axes, category: CategoryVoices, width: float, *, labelled: bool) -> None:
    """Weeks from edge to edge; the labels are those of an axis of days."""
    weeks = category.weeks
    beside = max(0.0, (4 - len(weeks)) / 2)
    axes.set_xlim(-0.5 - beside, len(weeks) - 0.5 + beside)
    days = np.arange(weeks[0], weeks[-1] + 7)
    share = len(weeks) / max(len(weeks), 4)
    positions, labels = date_ticks(days, width * share)
    places = [(position - 3) / 7 for position in positions]
    axes.set_xticks(places, labels if labelled else [""] * len(places))
    if not labelled:
        axes.tick_params(axis="x", length=0)
    for label in axes.get_xticklabels():
        label.set_linespacing(1.15)


CHART = Chart("share_of_voice", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
