"""Whose posts are heard, and which went far beyond their like? Authors, and posts that went viral.

python -m charts.voices --target demo
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from charts.absent import lacking, lacks, saying
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, day_words
from charts.reading_voices import (
    AUTHOR_COLUMNS,
    AUTHORS,
    VIRAL,
    VIRAL_COLUMNS,
    Author,
    ViralPost,
    Voices,
    read_voices,
)
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MUTED,
    PANEL,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    STOCK_OUT,
    VOICE,
    VOICE_LIGHT,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    new_sheet,
    plural,
    short_number,
    wrap,
)

QUESTION = "Whose posts are heard, and which went far beyond their like?"
_WIDTH = 11.0
_GAP = 0.45
_COLUMN = (_WIDTH - 2 * MARGIN - _GAP) / 2
_LABEL = 2.0
_VALUE = 1.12
_ROW = 0.35
_TITLE = line_height(SIZE_TITLE) + line_height(SIZE_NOTE) + 0.1
_AXIS = 0.46
_BOT_GAP = 0.27
MOST_PEOPLE = 12
MOST_BOTS = 3


def picture(published: Published, overview: Overview, _catalogue: Catalogue) -> Picture:
    """Authors with what a post of theirs usually gets, and viral posts; raises ChartError."""
    missing = lacks(published, AUTHORS, AUTHOR_COLUMNS) or lacks(published, VIRAL, VIRAL_COLUMNS)
    if missing:
        return lacking("voices", QUESTION, overview, missing)
    voices = read_voices(published, most=MOST_ROWS // 2)
    if not voices.authors_count and not voices.bots_count and not voices.viral_count:
        lines = [
            "No relevant post of a known author is in the file.",
            "Feeds and some data sets name no author, and tell nothing of what their posts got.",
        ]
        return saying("voices", QUESTION, overview, headline(voices), lines)
    return Picture("voices", draw(overview, voices), table(voices))


# Words ------------------------------------------------------------------------------------------


def headline(voices: Voices) -> str:
    """What was found, in one sentence."""
    if not voices.authors_count and not voices.bots_count and not voices.viral_count:
        return "Nobody to tell of yet: no post of a known author"
    far = _viral_words(voices)
    if not voices.authors:
        if not voices.measured_count and not voices.viral_count:
            return "Nobody can be compared: no platform tells what posts got"
        return f"Too few authors with several posts to say whose are heard; {far}"
    first = voices.authors[0]
    usual = f"{_count(first.low)} to {_count(first.high)} reactions"
    return f"A post of the most heard author usually gets {usual}; {far}"


def _viral_words(voices: Voices) -> str:
    if not voices.viral_count:
        return "no post of a person went viral"
    most = voices.viral[0].ratio if voices.viral else math.nan
    count = plural(voices.viral_count, "post")
    went = f"{count} got far more than {'its' if voices.viral_count == 1 else 'their'} like"
    if not math.isfinite(most):
        return went
    up_to = "" if voices.viral_count == 1 else "up to "
    return f"{went}, {up_to}{_count(most)} times as much"


def _count(value: float) -> str:
    """A number of reactions: whole from ten on."""
    return short_number(float(f"{value:.1f}") if value < 9.95 else round(value))


def author_name(author: Author) -> str:
    """`t2_594y2i on Reddit`, or that the author is not named."""
    return f"{author.name or 'an author, not named,'} on {author.platform}"


def post_name(post: ViralPost) -> str:
    """`12 Mar 2026 on X`."""
    return f"{day_words(post.posted)} on {post.platform}"


def post_detail(post: ViralPost) -> str:
    """What a post was about, and that its counts may grow."""
    words = "about " + post.products[0] if post.products else ""
    if len(post.products) > 1:
        words += f" + {len(post.products) - 1}"
    parts = [words, "still counting" if post.is_counting else ""]
    return ", ".join(part for part in parts if part) or f"held against {post.compared_posts:,}"


def table(voices: Voices) -> Table:
    """Authors, then posts: what they got and what is usual."""
    rows = []
    for author in (*voices.authors, *voices.bot_authors):
        rows.append(
            (
                "suspected bot" if author.is_bot else "author",
                author_name(author),
                author.tier or "followers unknown",
                f"{author.posts:,}",
                _count(author.typical),
                f"{_count(author.low)} to {_count(author.high)}",
                "" if author.tier_typical is None else _count(author.tier_typical),
                "",
            )
        )
    for post in (*voices.viral, *voices.viral_bots):
        named = f" {post.post}" if post.post else ""
        rows.append(
            (
                "post of a suspected bot" if post.is_bot else "post",
                f"{post.platform}{named}, {day_words(post.posted)}",
                ", ".join(post.products) if len(post.products) < 4 else post_detail(post),
                "1",
                f"{post.reactions:,}",
                "",
                _count(post.usual),
                _count(post.ratio),
            )
        )
    titles = (
        "what", "which", "followers or products", "posts", "reactions a post", "95 % interval",
        "usual for its like", "times",
    )  # fmt: skip
    total = voices.compared_count + voices.viral_count + voices.viral_bots_count
    shown = len(voices.authors) + len(voices.viral) + len(voices.viral_bots)
    rest = left_out(total, shown) if total > shown else ""
    return Table(titles, tuple(rows[:MOST_ROWS]), frozenset({3, 4, 5, 6, 7}), rest)


# The picture ------------------------------------------------------------------------------------


def draw(overview: Overview, voices: Voices) -> Sheet:
    """Authors on the left, viral posts on the right; suspected bots below each, apart."""
    sides = (
        (voices.authors[:MOST_PEOPLE], voices.bot_authors[:MOST_BOTS]),
        (voices.viral[:MOST_PEOPLE], voices.viral_bots[:MOST_BOTS]),
    )
    body = _TITLE + max(_plot_height(*side) for side in sides) + _AXIS
    sheet = new_sheet(_heading(overview, voices), width=_WIDTH, body=body)
    _authors(sheet, voices, *sides[0])
    _posts(sheet, voices, *sides[1])
    return sheet


def _plot_height(people: Sequence[object], bots: Sequence[object]) -> float:
    rows = max(len(people), 2) * _ROW
    return rows + (_BOT_GAP + len(bots) * _ROW if bots else 0)


def _heading(overview: Overview, voices: Voices) -> Heading:
    facts = (
        f"n = {plural(voices.authors_count, 'author')} with {plural(voices.posts_count, 'post')}, "
        f"{voices.compared_count:,} of them comparable, and {plural(voices.bots_count, 'account')} "
        f"that a bot rule flags; {plural(voices.viral_count, 'viral post')} of people, "
        f"{voices.viral_bots_count:,} of suspected bots. Window: {window_words(overview)}. "
        f"Cut-off: {overview.cutoff}."
    )
    how = (
        "Left: about the median of what a post of the author gets in likes, replies, reposts and "
        "quotes, drawn towards authors with as many followers where posts are few; the line is "
        "its 95 % interval, and the order is that of its lower end. Right: (1 + reactions) over "
        "(1 + the median of posts of that platform, follower tier and age). Reactions to posts "
        "about the tracked products: neither whom an author reaches nor whom a post convinced."
    )
    names = (
        "Authors go by the platform's id or a pseudonym, and by no name; texts are not quoted: a "
        "picture can be handed on, and what its author deletes would stay in it."
    )
    if overview.is_simulated:
        names = "No author here is a person."
    return Heading(
        question=QUESTION,
        headline=headline(voices),
        caption=(facts, how, f"{names} Source: {source_words(overview)}."),
        keys=_keys(voices),
        is_simulated=overview.is_simulated,
    )


def _keys(voices: Voices) -> tuple[Key, ...]:
    keys = []
    if voices.authors:
        keys.append(Key("line", VOICE_LIGHT, "95 % interval"))
        keys.append(Key("dot", VOICE, "what a post usually gets"))
        keys.append(Key("tick", MUTED, "usual for authors with as many followers"))
    if voices.viral:
        keys.append(Key("dot", VOICE, "a post, times what is usual"))
    if voices.bot_authors or voices.viral_bots:
        keys.append(Key("dot", STOCK_OUT, "suspected bot: no part of what is usual"))
    return tuple(keys)


def _authors(
    sheet: Sheet, voices: Voices, people: Sequence[Author], bots: Sequence[Author]
) -> None:
    left = MARGIN
    note = f"the {len(people)} most heard of {voices.compared_count:,}"
    if voices.compared_count <= len(people):
        note = "all that can be compared" if people else ""
    _titles(sheet, left, "What a post of an author usually gets", note)
    if not people and not bots:
        words = "no platform has ten authors, some of them with several posts, yet"
        _empty(sheet, left, words)
        return
    rows = [*people, *bots]
    axes = _axes(sheet, left, people, bots)
    axes.set_xscale("function", functions=(_log, _unlog))
    most = max(author.high for author in rows)
    tier = max((author.tier_typical or 0.0 for author in rows), default=0.0)
    limit = max(most, tier, 3.0)
    axes.set_xlim(0, float(_unlog(_log(limit) * 1.04)))
    _ticks(axes, [0.0, *(each for each in _decades(limit) if each > 1 or limit < 3e4)])
    axes.set_xlabel("reactions a post, log scale", fontsize=SIZE_TICK, color=MUTED, labelpad=2)
    for author, height in zip(rows, _heights(people, bots), strict=True):
        colour, light = (STOCK_OUT, FAINT) if author.is_bot else (VOICE, VOICE_LIGHT)
        axes.plot([author.low, author.high], [height] * 2, color=light, linewidth=4.0,
                  solid_capstyle="butt", zorder=2)  # fmt: skip
        if author.tier_typical is not None:
            axes.plot([author.tier_typical], [height], "|", color=MUTED, markersize=9,
                      markeredgewidth=1.3, zorder=3)  # fmt: skip
        axes.plot([author.typical], [height], "o", color=colour, markersize=4.6,
                  markeredgewidth=0, zorder=4)  # fmt: skip
        detail = ", ".join(part for part in (author.tier, plural(author.posts, "post")) if part)
        value = (_count(author.typical), f"{_count(author.low)} to {_count(author.high)}")
        _words(sheet, left, height, author_name(author), detail, value)
    _bots_line(sheet, left, people, bots)


def _posts(
    sheet: Sheet, voices: Voices, people: Sequence[ViralPost], bots: Sequence[ViralPost]
) -> None:
    left = MARGIN + _COLUMN + _GAP
    note = f"the {len(people)} furthest of {voices.viral_count:,}"
    if voices.viral_count <= len(people):
        note = "all that went viral" if people else ""
    _titles(sheet, left, "Posts that went far beyond their like", note)
    if not people and not bots:
        words = "no post got far more than posts of its platform, follower tier and age"
        if not voices.measured_count:
            words = "no platform tells what posts got"
        _empty(sheet, left, words)
        return
    rows = [*people, *bots]
    axes = _axes(sheet, left, people, bots)
    axes.set_xscale("log")
    limit = max(max(post.ratio for post in rows), 12.0)
    axes.set_xlim(1, limit**1.04)
    _ticks(axes, [1.0, *(each for each in _decades(limit) if each > 1)])
    axes.set_xlabel("times as many as usual, log scale", fontsize=SIZE_TICK, color=MUTED,
                    labelpad=2)  # fmt: skip
    for post, height in zip(rows, _heights(people, bots), strict=True):
        colour, light = (STOCK_OUT, FAINT) if post.is_bot else (VOICE, VOICE_LIGHT)
        axes.plot([1, post.ratio], [height] * 2, color=light, linewidth=1.6,
                  solid_capstyle="butt", zorder=2)  # fmt: skip
        axes.plot([post.ratio], [height], "o", color=colour, markersize=4.6, markeredgewidth=0,
                  zorder=4)  # fmt: skip
        value = (
            f"{_count(post.ratio)} times",
            f"{_count(post.reactions)}, not {_count(post.usual)}",
        )
        _words(sheet, left, height, post_name(post), post_detail(post), value)
    _bots_line(sheet, left, people, bots)


def _titles(sheet: Sheet, left: float, title: str, note: str) -> None:
    sheet.text(fit(title, _COLUMN, SIZE_TITLE, bold=True), left, sheet.top, SIZE_TITLE, bold=True)
    below = sheet.top + line_height(SIZE_TITLE)
    sheet.text(fit(note, _COLUMN, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)


def _empty(sheet: Sheet, left: float, words: str) -> None:
    top = sheet.top + _TITLE
    sheet.block(left, top, _COLUMN, 2 * _ROW, fill=PANEL)
    for index, line in enumerate(wrap(words, _COLUMN - 0.4, SIZE_NOTE, most=3)):
        below = top + 0.15 + index * line_height(SIZE_NOTE)
        sheet.text(line, left + 0.2, below, SIZE_NOTE, colour=MUTED)


def _axes(sheet: Sheet, left: float, people: Sequence[object], bots: Sequence[object]) -> Axes:
    height = len(people) * _ROW + (_BOT_GAP + len(bots) * _ROW if bots else 0)
    axes = sheet.axes(left + _LABEL, sheet.top + _TITLE, _COLUMN - _LABEL - _VALUE, height)
    # Inches from the top: the rows of the plot and the words beside it share one measure.
    axes.set_ylim(height, 0)
    axes.yaxis.set_major_locator(FixedLocator([]))
    axes.tick_params(axis="x", which="minor", length=0)
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    return axes


def _heights(people: Sequence[object], bots: Sequence[object]) -> list[float]:
    first = [(index + 0.5) * _ROW for index in range(len(people))]
    start = len(people) * _ROW + _BOT_GAP
    return first + [start + (index + 0.5) * _ROW for index in range(len(bots))]


def _words(
    sheet: Sheet, left: float, height: float, name: str, detail: str, value: tuple[str, str]
) -> None:
    middle = sheet.top + _TITLE + height
    right = left + _COLUMN
    for row, size, colour, words, number in (
        (0, SIZE_NOTE + 0.5, INK, name, value[0]),
        (1, SIZE_TICK - 0.5, MUTED, detail, value[1]),
    ):
        top = middle - line_height(SIZE_NOTE + 0.5) * (1 - row) - (0 if row == 0 else 0.01)
        sheet.text(fit(words, _LABEL - 0.12, size), left, top, size, colour=colour)
        shown = fit(number, _VALUE - 0.1, size)
        sheet.text(shown, right, top, size, colour=colour, ha="right")


def _bots_line(sheet: Sheet, left: float, people: Sequence[object], bots: Sequence[object]) -> None:
    if not bots:
        return
    top = sheet.top + _TITLE + len(people) * _ROW + 0.05
    words = fit("suspected bots, apart", _LABEL - 0.1, SIZE_NOTE, bold=True)
    sheet.text(words, left, top, SIZE_NOTE, colour=MUTED, bold=True)


def _log(value: float | np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(value, 0))


def _unlog(value: float | np.ndarray) -> np.ndarray:
    return np.expm1(np.minimum(value, 700))


def _decades(limit: float) -> list[float]:
    """Powers of ten up to the limit, few enough to stand beside each other; 3 between if few."""
    exponents = range(math.floor(math.log10(max(limit, 1))) + 1)
    step = 1 + len(exponents) // 6
    ticks = [10.0**each for each in exponents if each % step == 0]
    if len(ticks) <= 2:
        ticks = sorted({*ticks, *(3 * each for each in ticks if 3 * each <= limit)})
    return ticks


def _ticks(axes: Axes, values: Sequence[float]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


CHART = Chart("voices", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
