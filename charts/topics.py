"""What did people talk about, and when far more than usual? One panel a topic.

python -m charts.topics --target demo
"""

from __future__ import annotations

import math
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from charts.absent import lacking, lacks, saying
from charts.lags import q_words
from charts.panels import (
    MOST_PANELS,
    body_height,
    cells,
    grid,
    runs,
    source_words,
    style_time_axis,
    window_words,
)
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import (
    Catalogue,
    Overview,
    Published,
    day_words,
)
from charts.reading_topics import (
    COLUMNS,
    TABLE,
    WORD_KINDS,
    Event,
    Topic,
    TopicDays,
    read_topic_days,
    read_topics,
)
from charts.style import (
    FAINT,
    INK,
    MOOD_INK,
    MUTED,
    NULL_BAND,
    OUTSIDE,
    PER_INCH,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    UNOBSERVED,
    VOICE,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    name_of,
    new_sheet,
    plural,
    short_number,
    text_width,
)

QUESTION = "What did people talk about, and when far more than usual?"
KINDS = {
    "hashtag": "hashtag",
    "cashtag": "cashtag",
    "catalogue_term": "product term",
    "word": "word",
    "bigram": "pair of words",
}
# Panels that calm topics may fill up to.
_CALM_PANELS = 6
_PLOT = 0.85
_TITLE = line_height(SIZE_TITLE) + 2 * line_height(SIZE_NOTE) + 0.05
_LABEL = 0.19
_AXIS = 0.36
PANEL_HEIGHT = _TITLE + _LABEL + _PLOT + _AXIS
_GUTTER = 0.34
_LONGEST = 120


def picture(published: Published, overview: Overview, _catalogue: Catalogue) -> Picture:
    """The strongest topics and their days; raises ChartError with the remedy."""
    missing = lacks(published, TABLE, COLUMNS)
    if missing:
        return lacking("topics", QUESTION, overview, missing)
    topics = read_topics(published, overview.first_day)
    if not topics or overview.first_day is None or overview.last_day is None:
        lines = [
            "On no day did five people use the same hashtag, cashtag or term of the catalogue.",
            "No word emerged.",
            "Rare topics are not shown: they could point to a person.",
        ]
        headline = "Nothing to tell yet: no topic was used by five people on one day"
        return saying("topics", QUESTION, overview, headline, lines)
    first = min(overview.first_day, *(topic.first_day for topic in topics))
    last = max(overview.last_day, *(topic.last_day for topic in topics))
    days = read_topic_days(published, chosen(topics), first, last)
    return Picture("topics", draw(overview, topics, days), table(topics))


def chosen(topics: Sequence[Topic]) -> list[Topic]:
    """The topics with a panel: those that stood out, and the most used where these are few."""
    stood_out = sum(bool(topic.events) for topic in topics)
    return list(topics[: min(MOST_PANELS, max(stood_out, _CALM_PANELS))])


def topic_words(topic: Topic) -> str:
    """The topic as the font can draw it."""
    bare = f"({KINDS.get(topic.kind, 'topic')} in signs not drawn here)"
    shown = name_of(topic.topic, bare)
    return bare if shown in {"#", "$"} else shown


# Words ------------------------------------------------------------------------------------------


def headline(topics: Sequence[Topic]) -> str:
    """What stood out over all topics, in one sentence."""
    events = [event for topic in topics for event in topic.events]
    tested = any(topic.tested_days for topic in topics) or bool(events)
    if not tested:
        return "Too early to say what is unusual: each topic's past of 28 observed days comes first"
    if not events:
        return "Nothing stood out: no topic drew far more people than its past lets expect"
    burst = sum(any(not event.is_week for event in topic.events) for topic in topics)
    emerged = sum(all(event.is_week for event in topic.events) for topic in topics if topic.events)
    parts = []
    if burst:
        parts.append(f"{plural(burst, 'topic')} drew far more people than usual")
    if emerged:
        parts.append(f"{emerged:,} emerged" if burst else f"{plural(emerged, 'topic')} emerged")
    best = next(topic for topic in topics if topic.events)
    said = " and ".join(parts)
    most = ", most clearly" if len(events) > 1 else ":"
    # The topic's own name is text from outside and may be long.
    return f"{said}{most} {fit(topic_words(best), 2.6, 15, bold=True)} {_when(best.best)}"


def _when(event: Event | None) -> str:
    if event is None:
        return ""
    day = day_words(event.day)
    return f"in the week of {day}" if event.is_week else f"on {day}"


def event_words(topic: Topic) -> tuple[str, str]:
    """What the strongest event of a topic was and what it rests on; how it is used without one."""
    kind = KINDS.get(topic.kind, topic.kind)
    used = f"{plural(topic.posts, 'post')} on {plural(topic.days, 'day')}"
    event = topic.best
    if event is None:
        state = "no day stands out" if topic.tested_days else "too early to say what is usual"
        return state, f"{kind}, {used}"
    what = f"week of {day_words(event.day)}" if event.is_week else f"burst {_when(event)}"
    people = f"{what}: {_people(event.authors)}"
    if event.expected is not None:
        people += f", {_expected_words(event.expected)} expected"
    parts = [kind, "emerged"] if event.is_week else [kind]
    if event.q_value is not None:
        parts.append(q_words(event.q_value))
    parts.append(_age_words(topic))
    return people, ", ".join(part for part in parts if part)


def _age_words(topic: Topic) -> str:
    if topic.episodes > 1:
        return f"{topic.episodes} times in the window"
    return "new" if topic.is_new else "known before"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _expected_words(value: float) -> str:
    return "under 0.1" if value < 0.1 else short_number(_rounded(value))


def _rounded(value: float) -> float:
    return round(value, 1) if value < 100 else round(value)


def table(topics: Sequence[Topic]) -> Table:
    """Each topic, its strongest day or week, and what that rests on."""
    rows = []
    for topic in topics[:MOST_ROWS]:
        event = topic.best
        rows.append(
            (
                _plain(topic.topic),
                KINDS.get(topic.kind, topic.kind),
                f"{topic.posts:,}",
                f"{topic.days:,}",
                f"{topic.bot_posts:,}",
                *_event_cells(event),
                _age_words(topic) if event else "",
            )
        )
    titles = (
        "topic", "kind", "posts", "days used", "posts of suspected bots", "stood out", "people",
        "expected", "times", "q", "before",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({2, 3, 4, 6, 7, 8, 9}), left_out(len(topics)))


def _event_cells(event: Event | None) -> tuple[str, str, str, str, str]:
    if event is None:
        return ("no", "", "", "", "")
    return (
        f"week of {day_words(event.day)}" if event.is_week else day_words(event.day),
        f"{event.authors:,}",
        "" if event.expected is None else _expected_words(event.expected),
        "" if event.ratio is None else short_number(_rounded(event.ratio)),
        "" if event.q_value is None else q_words(event.q_value).partition("\N{NO-BREAK SPACE}")[2],
    )


def _plain(text: str) -> str:
    """The topic for a page: what no font draws is left out, other scripts are not."""
    kept = "".join(sign for sign in text if unicodedata.category(sign)[0] != "C")
    return " ".join(kept.split())[:_LONGEST] or "(no name)"


# The picture ------------------------------------------------------------------------------------


def draw(overview: Overview, topics: Sequence[Topic], shown: Sequence[TopicDays]) -> Sheet:
    """One panel a topic, its people a day against what its past lets expect."""
    _, width, panel_width = grid(len(shown))
    sheet = new_sheet(
        _heading(overview, topics, shown), width=width, body=body_height(len(shown), PANEL_HEIGHT)
    )
    for each, (left, top, _) in zip(shown, cells(sheet, len(shown), PANEL_HEIGHT), strict=True):
        _panel(sheet, each, left, top, panel_width)
    return sheet


def _heading(overview: Overview, topics: Sequence[Topic], shown: Sequence[TopicDays]) -> Heading:
    posts = sum(topic.posts for topic in topics)
    bots = sum(topic.bot_posts for topic in topics)
    tested = sum(topic.tested_days for topic in topics)
    kinds = Counter(topic.kind for topic in topics)
    named = ", ".join(
        plural(kinds[kind], words).replace("pair of wordss", "pairs of words")
        for kind, words in KINDS.items()
        if kinds[kind]
    )
    facts = (
        f"n = {plural(len(topics), 'topic')} ({named}) in {plural(posts, 'mention')}, "
        f"{tested:,} topic-days tested; {plural(bots, 'mention')} by suspected bots left out. "
        f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    how = (
        "Counted are different people a day, not posts. Expected: the topic's own past days of "
        "that weekday; a burst is a day with five people or more that a negative binomial chance "
        "would hardly give (q: share of false alarms to expect among all tested days); the first "
        "28 observed days are not tested. Words are shown only in the weeks in which they emerged, "
        "against the eight weeks before. A burst says that many spoke of it, not why and not "
        "whether they liked it."
    )
    caption = [facts, how, f"Each panel has its own scale. Source: {source_words(overview)}."]
    if len(topics) > len(shown):
        rule = "those that stood out by evidence, then those most spoken of"
        caption.insert(
            0,
            f"Shown: {len(shown)} of {plural(len(topics), 'topic')}, {rule}; "
            f"{len(topics) - len(shown):,} left out here, all are in the published file.",
        )
    return Heading(
        question=QUESTION,
        headline=headline(topics),
        caption=tuple(caption),
        keys=_keys(shown),
        is_simulated=overview.is_simulated,
    )


def _keys(shown: Sequence[TopicDays]) -> tuple[Key, ...]:
    keys = [Key("bars", VOICE, "people who used it (words: of the week)")]
    if any(np.isfinite(each.high).any() for each in shown):
        keys.append(Key("shade", NULL_BAND, "what its past lets expect on 95 % of days"))
    if any((np.isfinite(each.expected) & ~np.isfinite(each.high)).any() for each in shown):
        keys.append(Key("line", MUTED, "what its past lets expect"))
    if any(each.is_event.any() for each in shown):
        keys.append(Key("bars", OUTSIDE, "far more than that: q ≤ 0.05", MOOD_INK))
    if any(not each.is_observed.all() for each in shown):
        keys.append(Key("hatch", UNOBSERVED, "not observed"))
    return tuple(keys)


def _panel(sheet: Sheet, each: TopicDays, left: float, top: float, width: float) -> None:
    name = fit(topic_words(each.topic), width, SIZE_TITLE, bold=True)
    sheet.text(name, left, top, SIZE_TITLE, bold=True)
    what, detail = event_words(each.topic)
    below = top + line_height(SIZE_TITLE)
    has_event = bool(each.topic.events)
    sheet.text(
        fit(what, width, SIZE_NOTE), left, below, SIZE_NOTE, colour=INK if has_event else MUTED
    )
    below += line_height(SIZE_NOTE)
    sheet.text(fit(detail, width, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)
    label = "people a week" if each.topic.kind in WORD_KINDS else "people a day"
    sheet.text(label, left, top + _TITLE, SIZE_TICK, colour=MUTED)
    axes = sheet.axes(left + _GUTTER, top + _TITLE + _LABEL, width - _GUTTER, _PLOT)
    _draw(axes, each, width - _GUTTER)


def _draw(axes: Axes, each: TopicDays, width: float) -> None:
    edges = np.arange(len(each.days) + 1) - 0.5
    style_time_axis(axes, each.days, width, labelled=True)
    known = [a[np.isfinite(a)] for a in (each.authors, each.expected, each.high)]
    most = max((float(values.max()) for values in known if len(values)), default=1.0)
    top = max(most, 1.0) * 1.16
    axes.set_ylim(0, top)
    band = np.isfinite(each.low) & np.isfinite(each.high)
    if band.any():
        low = np.where(band, each.low, np.nan)
        axes.stairs(
            np.where(band, each.high, np.nan), edges, baseline=low, fill=True, color=NULL_BAND,
            linewidth=0, zorder=1,
        )  # fmt: skip
    # Of years, a day is thinner than the eye sees: a line around the bar keeps it visible.
    of_day = width * PER_INCH / max(len(each.days), 1)
    for values, colour, order, least in (
        (np.where(each.is_event, np.nan, each.authors), VOICE, 2, 0.5),
        (np.where(each.is_event, each.authors, np.nan), OUTSIDE, 3, 1.4),
    ):
        if np.isfinite(values).any():
            line = max(0.0, least - of_day)
            edge = colour if line else "none"
            axes.stairs(
                values, edges, fill=True, color=colour, edgecolor=edge, linewidth=line, zorder=order
            )
    expected = np.where(band, np.nan, each.expected)
    if np.isfinite(expected).any():
        axes.stairs(expected, edges, baseline=None, color=MUTED, linewidth=0.8, zorder=4)
    for start, end in runs(~each.is_observed):
        axes.axvspan(
            start - 0.5, end - 0.5, facecolor="none", edgecolor=UNOBSERVED, hatch="//////",
            linewidth=0, zorder=0,
        )  # fmt: skip
    _mark_best(axes, each, width)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(lambda value, _: short_number(value))
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def _mark_best(axes: Axes, each: TopicDays, width: float) -> None:
    """The number of people beside the bar of the strongest event."""
    event = each.topic.best
    if event is not None and event.is_week and each.topic.kind not in WORD_KINDS:
        return  # The words count the week's people, the bars each day's.
    index = best_index(event, each)
    if index is None or not math.isfinite(each.authors[index]):
        return
    value = float(each.authors[index])
    label = short_number(value)
    length = len(each.days)
    room = (text_width(label, SIZE_TICK, bold=True) / 2 + 0.02) / width * length
    at = min(max(index, room - 0.5), length - 0.5 - room)
    axes.annotate(
        label, (at, value), xytext=(0, 1.5), textcoords="offset points", ha="center", va="bottom",
        fontsize=SIZE_TICK, fontweight="bold", color=MOOD_INK, zorder=6, annotation_clip=False,
    )  # fmt: skip


def best_index(event: Event | None, each: TopicDays) -> int | None:
    """The place among the days that stands for an event: of a week, its middle."""
    if event is None:
        return None
    start = int((np.datetime64(event.day, "D") - each.days[0]).astype(int))
    index = start + 3 if event.is_week else start
    return index if 0 <= index < len(each.days) else None


CHART = Chart("topics", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
