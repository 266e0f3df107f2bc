"""What did promotions, bursts of posts and days of high mood go with? Intervals by kind of event.

python -m charts.events --target demo
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes

from charts import forest
from charts.absent import not_held, sheet_of_words
from charts.links import outcome_of, plain
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, Subject, measure, number_or_none
from charts.rows import AXIS, ROW, WIDTH, Column, Layout, Line, lay, scale, upright
from charts.sizes import interval_words, number_cell, percent, q_cell
from charts.style import (
    INK,
    MUTED,
    OUTSIDE,
    STOCK_OUT,
    Heading,
    Key,
    Sheet,
    clean,
    new_sheet,
    plural,
)

QUESTION = "What did promotions, bursts of posts and days of high mood go with?"
LAYOUT = Layout(2.0, (Column(2.15), Column(0.5, "right"), Column(0.6, "right")))
FOUND_Q = 0.05
_MOST_FOUND = 8
_MOST_KINDS = 10
_WIDEST = 4.0
_WORDS = {
    "high_mood": "days of high mood",
    "low_mood": "days of low mood",
    "volume_burst": "bursts of posts",
    "promotion": "promotions",
    "holiday": "holidays",
    "launch": "launches",
    "release": "releases",
    "outage": "outages",
    "campaign": "campaigns",
    "price_change": "price changes",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One product's outcome around one kind of event; numbers only where it was tested."""

    subject: Subject
    kind: str
    metric: str
    window_days: int
    events_count: int
    low: float | None
    high: float | None
    estimate: float | None
    q_value: float | None
    is_tested: bool
    why: str

    @property
    def is_found(self) -> bool:
        """Whether the difference is more than chance, all products and kinds counted."""
        return self.is_tested and self.q_value is not None and self.q_value <= FOUND_Q


@dataclass(frozen=True, slots=True)
class Kind:
    """All products around one kind of event."""

    kind: str
    window_days: int
    found: tuple[Event, ...]
    others: tuple[Event, ...]
    untested: tuple[Event, ...]

    @property
    def tested(self) -> int:
        """Products that were tested."""
        return len(self.found) + len(self.others)


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """Outcomes around events; raises ChartError with the remedy."""
    events = read_events(published, catalogue)
    is_held = published.has("mart_event_uplift")
    kinds = by_kind(events)
    return Picture("events", draw(overview, kinds, is_held=is_held), table(kinds))


def read_events(published: Published, catalogue: Catalogue) -> list[Event]:
    """Every product's primary outcome by kind of event, in the catalogue's order."""
    columns = (
        "event_kind", "window_days", "events_count", "uplift_low_ratio", "uplift_high_ratio",
        "uplift_ratio", "q_value", "is_tested", "reason",
    )  # fmt: skip
    if not published.has("mart_event_uplift", "product_id", "metric", *columns):
        return []
    found: dict[tuple[str, str], list[tuple[object, ...]]] = {}
    judged: dict[str, list[str]] = {}
    for row in published.rows(
        f"select product_id, metric, {', '.join(columns)} "
        f"from {published.table('mart_event_uplift')} order by product_id, metric, event_kind"
    ):
        if (row[0], row[1]) not in found:
            judged.setdefault(row[0], []).append(row[1])
        found.setdefault((row[0], row[1]), []).append(row[2:])
    events = []
    for subject in catalogue.subjects:
        metric = outcome_of(subject, judged)
        for values in found.get((subject.product_id, metric), []):
            events.append(_event(subject, metric, *values))
    return events


def _event(
    subject: Subject, metric: str, kind: object, window: object, count: object, low: object,
    high: object, estimate: object, q_value: object, is_tested: object, why: object,
) -> Event:  # fmt: skip
    edges = [number_or_none(value) for value in (low, high)]  # type: ignore[arg-type]
    is_known = bool(is_tested) and None not in edges
    return Event(
        subject=subject,
        kind=str(kind),
        metric=metric,
        window_days=int(str(window or 0)),
        events_count=int(str(count or 0)),
        low=edges[0] if is_known else None,
        high=edges[1] if is_known else None,
        estimate=number_or_none(estimate) if is_known else None,  # type: ignore[arg-type]
        q_value=number_or_none(q_value) if is_known else None,  # type: ignore[arg-type]
        is_tested=is_known,
        why=plain(None if why is None else str(why)) or "not tested",
    )


def by_kind(events: Sequence[Event]) -> list[Kind]:
    """The kinds with something found first, then the most tested."""
    grouped: dict[tuple[str, int], list[Event]] = {}
    for event in events:
        grouped.setdefault((event.kind, event.window_days), []).append(event)
    kinds = [
        Kind(
            name,
            window,
            tuple(sorted((e for e in group if e.is_found), key=lambda e: e.q_value or 0.0)),
            tuple(e for e in group if e.is_tested and not e.is_found),
            tuple(e for e in group if not e.is_tested),
        )
        for (name, window), group in grouped.items()
    ]
    return sorted(kinds, key=lambda k: (-len(k.found), -k.tested, k.kind, k.window_days))


# Words ------------------------------------------------------------------------------------------


def kind_words(kind: str) -> str:
    """`bursts of posts`."""
    return _WORDS.get(kind) or clean(kind.replace("_", " ")) or "events"


def when(window_days: int) -> str:
    """`after` or `during`."""
    return "after" if window_days else "during"


def headline(kinds: Sequence[Kind]) -> str:
    """What was found over all kinds, in one sentence."""
    tested = [kind for kind in kinds if kind.tested]
    if not tested:
        return "No event could be tested yet"
    metrics = {e.metric for kind in tested for e in (*kind.found, *kind.others)}
    noun = measure(metrics.pop()).noun if len(metrics) == 1 else "outcomes"
    found = [kind for kind in tested if kind.found]
    tests = sum(kind.tested for kind in tested)
    if not found:
        return (
            f"{noun[:1].upper()}{noun[1:]} did not differ more than chance allows after or during "
            f"any kind of event ({plural(tests, 'test')})"
        )
    parts: list[str] = []
    for kind in found[:2]:
        one = kind.found[0]
        size = f" by {interval_words(one.low, one.high)}" if len(kind.found) == 1 else ""
        products = "" if parts else f" {'product' if kind.tested == 1 else 'products'}"
        parts.append(
            f"{when(kind.window_days)} {kind_words(kind.kind)}{size} in {len(kind.found):,} of "
            f"{kind.tested:,}{products}"
        )
    text = f"{noun[:1].upper()}{noun[1:]} differed {', '.join(parts)}"
    rest = len(tested) - len(found[:2])
    if not rest:
        return text
    more = len(found) - len(found[:2])
    said = f"{more:,} more differ" if more else "nothing beyond chance"
    return f"{text}; {said} among {plural(rest, 'other kind')}"


def table(kinds: Sequence[Kind]) -> Table:
    """Every product and kind of event, with its interval or why it has none."""
    events = [e for kind in kinds for e in (*kind.found, *kind.others, *kind.untested)]
    rows = [
        (
            event.subject.name,
            f"{when(event.window_days)} {kind_words(event.kind)}",
            measure(event.metric).words,
            "more than chance" if event.is_found else "no difference found"
            if event.is_tested else "not tested",
            interval_words(event.low, event.high),
            f"{event.events_count:,}",
            q_cell(event.q_value),
            "" if event.is_tested else event.why,
        )
        for event in events[:MOST_ROWS]
    ]  # fmt: skip
    titles = (
        "product", "when", "outcome", "verdict", "95 % interval", "events", "q", "why not tested",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({4, 5, 6}), left_out(len(events)))


# Drawing ----------------------------------------------------------------------------------------


def draw(overview: Overview, kinds: Sequence[Kind], *, is_held: bool = True) -> Sheet:
    """The picture; a sheet with a message where nothing was tested."""
    shown = list(kinds[:_MOST_KINDS])
    if not any(kind.tested for kind in shown):
        return _nothing(overview, kinds, is_held=is_held)
    lines: list[Line] = []
    marks: list[Event | tuple[Event, ...] | None] = []
    most = max(2, _MOST_FOUND // max(1, sum(bool(kind.found) for kind in shown)))
    for kind in shown:
        heads = ("95 % interval", "events", "q") if not lines else ()
        name = f"{when(kind.window_days)} {kind_words(kind.kind)}"
        days = f" ({plural(kind.window_days, 'day')})" if kind.window_days else ""
        lines.append(Line(f"{name[:1].upper()}{name[1:]}{days}", heads, is_head=True))
        marks.append(None)
        for event in kind.found[:most]:
            lines.append(_line(event))
            marks.append(event)
        for words, group, colour in (
            ("more", kind.found[most:], INK),
            ("none found in", kind.others, MUTED),
        ):
            if group:
                lines.append(_group(words, group, colour))
                marks.append(group)
        if kind.untested:
            why, count = Counter(event.why for event in kind.untested).most_common(1)[0]
            total = len(kind.untested)
            note = why if count == total else f"{count:,} of them: {why}"
            lines.append(Line(f"{total:,} not tested", note=note, colour=MUTED))
            marks.append(None)
    sheet = new_sheet(
        _heading(overview, kinds, len(shown)), width=WIDTH, body=len(lines) * ROW + AXIS
    )
    axes = lay(sheet, lines, LAYOUT, top=sheet.top, limits=_limits(shown))
    upright(axes, 0, MUTED)
    for index, mark in enumerate(marks):
        _mark(axes, mark, index + 0.5)
    scale(axes, LAYOUT, percent, "difference from other days, % (linear)")
    return sheet


def _line(event: Event) -> Line:
    cells = (
        interval_words(event.low, event.high), number_cell(event.events_count),
        q_cell(event.q_value),
    )  # fmt: skip
    return Line(event.subject.name, cells, is_bold=True)


def _group(words: str, group: Sequence[Event], colour: str) -> Line:
    count = f"{len(group):,} {words}" if group[0].is_found else f"{words} {len(group):,}"
    return Line(count, (f"the middle one: {interval_words(*_middle(group))}",), colour=colour)


def _middle(group: Sequence[Event]) -> tuple[float, float]:
    lows = [event.low for event in group if event.low is not None]
    highs = [event.high for event in group if event.high is not None]
    return median(lows), median(highs)


def _limits(kinds: Sequence[Kind]) -> tuple[float, float]:
    spans = [(e.low, e.high) for k in kinds for e in k.found]
    spans += [_middle(kind.others) for kind in kinds if kind.others]
    known = [(low, high) for low, high in spans if low is not None and high is not None]
    reach = _WIDEST * median(max(abs(low), abs(high)) for low, high in known)
    low = max(min(0.0, *(span[0] for span in known), -0.05), -reach, -1.0)
    high = min(max(0.0, *(span[1] for span in known), 0.05), reach)
    room = 0.03 * (high - low)
    return low - room, high + room


def _mark(axes: Axes, mark: Event | tuple[Event, ...] | None, y: float) -> None:
    if isinstance(mark, tuple):
        colour = OUTSIDE if mark[0].is_found else STOCK_OUT
        lows = [event.low for event in mark if event.low is not None]
        highs = [event.high for event in mark if event.high is not None]
        forest.thin(axes, min(lows), max(highs), y, colour)
        forest.interval(axes, *_middle(mark), y, colour)
    elif mark is not None and mark.low is not None and mark.high is not None:
        forest.interval(axes, mark.low, mark.high, y, OUTSIDE)
        if mark.estimate is not None:
            forest.point(axes, mark.estimate, y)


def _heading(overview: Overview, kinds: Sequence[Kind], shown: int) -> Heading:
    events = [e for kind in kinds for e in (*kind.found, *kind.others)]
    products = len({event.subject.product_id for event in events})
    facts = (
        f"n = {plural(len(events), 'test')} of {plural(products, 'product')} and "
        f"{plural(len(kinds), 'kind')} of event. Window: {window_words(overview)}. "
        f"Cut-off: {overview.cutoff}."
    )
    how = (
        "The outcome on the days of the event, or on those after it, against all other days, by a "
        "regression with autoregressive errors that knows weekday, trend, season and promotions. "
        f"A row by itself: q up to {FOUND_Q:g}, all products and kinds of a signal counted. "
        "The others together: thick the middle interval, thin from the least to the most. At "
        "least 5 events are needed. What happened at the same time would look the same: an "
        "association is no cause."
    )
    caption = [facts, how, f"Source: {source_words(overview)}."]
    if shown < len(kinds):
        caption.insert(0, f"Shown: {shown:,} of {len(kinds):,} kinds, those with findings first.")
    keys = []
    if any(kind.found for kind in kinds):
        keys.append(Key("line", OUTSIDE, "95 % interval: more than chance", OUTSIDE))
    if any(kind.others for kind in kinds):
        keys.append(Key("line", STOCK_OUT, "no difference found", MUTED))
    return Heading(
        question=QUESTION,
        headline=headline(kinds),
        caption=tuple(caption),
        keys=tuple(keys),
        is_simulated=overview.is_simulated,
    )


def _nothing(overview: Overview, kinds: Sequence[Kind], *, is_held: bool) -> Sheet:
    if not is_held:
        title = "This file holds no events"
        lines = not_held("mart_event_uplift")
    else:
        title = headline(kinds)
        reasons = Counter((kind_words(k.kind), e.why) for k in kinds for e in k.untested)
        lines = ["A kind of event needs 5 events of a product that may be tested."]
        lines += [
            f"{words}, {plural(count, 'product')}: {why}"
            for (words, why), count in reasons.most_common(4)
        ]
        lines.append("Nothing is claimed and nothing is ruled out.")
    return sheet_of_words(QUESTION, overview, title, lines)


CHART = Chart("events", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
