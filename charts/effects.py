"""How large is the effect, and how sure? One row a product, then what the products share.

python -m charts.effects --target demo
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
from charts.links import Effect, Pooled, read_effects, read_pooled, signal_of
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import CLAIMS, VERDICTS, Catalogue, Overview, Published, count_pairs, measure
from charts.rows import (
    AXIS,
    MOST_LINES,
    ROW,
    WIDTH,
    Column,
    Layout,
    Line,
    lay,
    scale,
    upright,
)
from charts.sizes import (
    LEADS,
    SHARED,
    headline,
    interval_words,
    later,
    middle,
    note_words,
    number_cell,
    percent,
    pooled_note,
    pooled_words,
    q_cell,
    result_words,
    share_cell,
)
from charts.style import (
    INK,
    MOOD_INK,
    MUTED,
    NULL_BAND,
    OUTSIDE,
    SALES,
    Heading,
    Key,
    Sheet,
    new_sheet,
    plural,
)

QUESTION = "How large is the effect, and how sure is it?"
MOST_POOLED = 9
LAYOUT = Layout(
    1.9, (Column(1.95), Column(0.4, "right"), Column(0.55, "right"), Column(0.5, "right"))
)
_NARROWEST = 0.1
# An interval so many times wider than the middle one runs off the axis, with an arrow.
_WIDEST = 4.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """The effects of every product on the outcome that stands for sales, and the shared ones."""

    signal: str
    metric: str
    effects: tuple[Effect, ...]
    pooled: tuple[Pooled, ...]
    pairs: tuple[int, int, int] = (0, 0, 0)
    """Pairs of any signal and outcome that are claimed, on the watchlist, and tested."""
    is_held: bool = True
    """Whether the file has the mart at all."""


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The forest plot; raises ChartError with the remedy."""
    signal = signal_of(published)
    effects = tuple(sorted(read_effects(published, catalogue, signal), key=_order))
    counted = Counter(effect.metric for effect in effects if effect.metric)
    metric = catalogue.outcome or (counted.most_common(1)[0][0] if counted else "")
    if counted and metric not in counted:
        metric = counted.most_common(1)[0][0]
    sizes = Sizes(
        signal,
        metric,
        effects,
        tuple(read_pooled(published, signal, metric)),
        count_pairs(published) if published.has("mart_lag_correlation") else (0, 0, 0),
        published.has("mart_effect"),
    )
    return Picture("effects", draw(overview, sizes), table(sizes))


def _order(effect: Effect) -> tuple[int, bool, float]:
    """Claims with a size first, whose interval stays farthest from zero before; then the rest."""
    rank = VERDICTS.index(effect.verdict)
    if effect.verdict in LEADS:
        rank = 0
    away = 0.0
    if effect.low is not None and effect.high is not None:
        # Not the largest estimate: of many those are the luckiest.
        away = max(effect.low, -effect.high)
    return rank, not effect.has_size, -away


def table(sizes: Sizes) -> Table:
    """Each product's interval or why it has none, and the shared effects."""
    rows = []
    for pooled in sizes.pooled[: MOST_POOLED + 11]:
        rows.append(
            (
                f"{pooled.category} ({plural(pooled.products_count, 'product')} pooled)",
                measure(sizes.metric).words, pooled_words(pooled),
                interval_words(pooled.low, pooled.high), "",
                number_cell(pooled.n_days or None), q_cell(pooled.q_value), "", pooled_note(pooled),
            )
        )  # fmt: skip
    room = MOST_ROWS - len(rows)
    products = [
        (
            effect.subject.name,
            measure(effect.metric).words if effect.metric else "",
            result_words(effect),
            interval_words(effect.low, effect.high),
            "" if effect.detectable is None else f"{percent(effect.detectable, signed=False)} %",
            number_cell(effect.n_days),
            q_cell(effect.q_value),
            share_cell(effect.stability),
            note_words(effect, sizes.signal),
        )
        for effect in sizes.effects[:room]
    ]
    titles = (
        "product", "outcome", "verdict", "per +1 SD, 95 % interval", "smallest visible effect",
        "days", "q", "other choices agree", "why no size",
    )  # fmt: skip
    numbers = frozenset({3, 4, 5, 6, 7})
    return Table(titles, (*products, *rows), numbers, left_out(len(sizes.effects), room))


# Drawing ----------------------------------------------------------------------------------------


def draw(overview: Overview, sizes: Sizes) -> Sheet:
    """The picture; a sheet with a message where nothing was measured."""
    tested = [effect for effect in sizes.effects if effect.verdict != "insufficient"]
    if not sizes.is_held or (not tested and not any(p.is_tested for p in sizes.pooled)):
        return _nothing(overview, sizes)
    shown = list(sizes.effects[:MOST_LINES])
    hidden = list(sizes.effects[MOST_LINES:])
    pooled = list(sizes.pooled[:MOST_POOLED])
    lines: list[Line] = [
        Line("Product by product", ("95 % interval, and when", "days", "q", "agree"), is_head=True)
    ]
    marks: list[Effect | Pooled | list[Effect] | None] = [None]
    for effect in shown:
        lines.append(_line(effect, sizes.signal))
        marks.append(effect)
    groups = _groups(hidden)
    if groups:
        lines.append(Line(f"The other {len(hidden):,} together", is_head=True))
        marks.append(None)
    for name, group in groups:
        lines.append(_group_line(name, group))
        marks.append(group)
    if pooled:
        more = len(sizes.pooled) - len(pooled)
        beyond = f" ({more:,} more categories are in the file)" if more else ""
        lines.append(Line(f"What they have in common{beyond}", is_head=True))
        marks.append(None)
    for each in pooled:
        lines.append(_pooled_line(each))
        marks.append(each)
    sheet = new_sheet(
        _heading(overview, sizes, shown, pooled), width=WIDTH, body=len(lines) * ROW + AXIS
    )
    limits = _limits(shown, [group for _, group in groups], pooled)
    axes = lay(sheet, lines, LAYOUT, top=sheet.top, limits=limits)
    upright(axes, 0, MUTED)
    for index, mark in enumerate(marks):
        _mark(axes, mark, index + 0.5)
    who, noun = measure(sizes.signal).noun, measure(sizes.metric).words
    one = len({effect.metric for effect in shown if effect.metric}) <= 1
    title = f"change of {noun if one else 'the outcome'} per +1 SD of {who}, % (linear)"
    scale(axes, LAYOUT, lambda value: percent(value), title)
    return sheet


def _line(effect: Effect, signal: str) -> Line:
    is_claim = effect.verdict in CLAIMS
    colour = INK if is_claim else MOOD_INK if effect.verdict == "watchlist" else MUTED
    words = result_words(effect)
    if effect.detectable is not None and effect.verdict == "none":
        words = f"none found; {percent(effect.detectable, signed=False)} % would show"
    return Line(
        effect.subject.name,
        (
            words,
            number_cell(effect.n_days),
            q_cell(effect.q_value),
            share_cell(effect.stability),
        ),
        # What stands in brackets is for the table: beside a name there is no room for it.
        note=note_words(effect, signal).partition(" (")[0],
        is_bold=is_claim,
        colour=colour,
        note_colour=INK if is_claim else MUTED,
    )


def _pooled_line(pooled: Pooled) -> Line:
    name = f"{pooled.category} ({pooled.products_count:,})"
    words = interval_words(pooled.low, pooled.high) or pooled_words(pooled)
    is_found = pooled_words(pooled) not in {"no reliable link", "not tested"}
    if is_found and pooled.lag_days:
        words = f"{words}, {later(pooled.lag_days)}"
    elif pooled.has_size:
        words = f"{words}, no reliable link"
    return Line(
        name,
        (words, number_cell(pooled.n_days or None), q_cell(pooled.q_value)),
        note=pooled_note(pooled),
        is_bold=is_found,
        colour=INK if is_found else MUTED,
    )


def _groups(effects: Sequence[Effect]) -> list[tuple[str, list[Effect]]]:
    """What is left out, by what may be said of it."""
    kinds = {
        "sized": "with a size",
        "direction": "direction only",
        "sales_lead": "outcome first",
        "watchlist": "watchlist",
        "none": "no reliable link",
        "insufficient": "not testable",
    }
    found: dict[str, list[Effect]] = {kind: [] for kind in kinds}
    for effect in effects:
        kind = effect.verdict
        if kind in LEADS:
            kind = "sized" if effect.has_size else "direction"
        found[kind].append(effect)
    return [(kinds[kind], group) for kind, group in found.items() if group]


def _group_line(name: str, group: Sequence[Effect]) -> Line:
    days = sorted(effect.n_days for effect in group if effect.n_days is not None)
    cells = [f"{len(group):,} {name}"]
    note = ""
    if group[0].has_size:
        low, high = middle(group)
        cells = [f"the middle one: {interval_words(low, high)}"]
    elif any(effect.detectable is not None for effect in group):
        visible = [effect.detectable for effect in group if effect.detectable is not None]
        cells = [f"half would show {percent(median(visible), signed=False)} %"]
    elif group[0].verdict == "insufficient":
        reasons = Counter(effect.why for effect in group)
        reason, count = reasons.most_common(1)[0]
        note = f"{count:,} of them: {reason}" if len(reasons) > 1 else reason
        cells = [""]
    else:
        note = "named in the published file"
        cells = [""]
    span = f"{days[0]:,}" if days and days[0] == days[-1] else ""
    return Line(f"{len(group):,} {name}", (cells[0], span, ""), note=note, colour=MUTED)


def _limits(
    shown: Sequence[Effect], groups: Sequence[Sequence[Effect]], pooled: Sequence[Pooled]
) -> tuple[float, float]:
    """Edges of the axis: all that is drawn, without the few that would press the rest together."""
    spans = [(e.low, e.high) for e in shown if e.low is not None and e.high is not None]
    spans += [(p.low, p.high) for p in pooled if p.low is not None and p.high is not None]
    visible = [e.detectable for e in shown if e.detectable is not None]
    for group in groups:
        if group[0].has_size:
            spans.append(middle(group))
        found = [e.detectable for e in group if e.detectable is not None]
        visible += [median(found)] if found else []
    spans += [(-each, each) for each in visible]
    if not spans:
        return -_NARROWEST, _NARROWEST
    reach = _WIDEST * median(max(abs(low), abs(high)) for low, high in spans)
    low = max(min(0.0, *(span[0] for span in spans), -_NARROWEST / 2), -reach, -1.0)
    high = min(max(0.0, *(span[1] for span in spans), _NARROWEST / 2), reach)
    room = 0.03 * (high - low)
    return low - room, high + room


def _mark(axes: Axes, mark: Effect | Pooled | list[Effect] | None, y: float) -> None:
    if isinstance(mark, list):
        _strip(axes, mark, y)
    elif mark is None:
        return
    elif mark.low is not None and mark.high is not None:
        if isinstance(mark, Pooled):
            centre = (mark.low + mark.high) / 2 if mark.estimate is None else mark.estimate
            is_filled = pooled_words(mark) == SHARED
            forest.diamond(axes, mark.low, centre, mark.high, y, SALES, is_filled=is_filled)
            return
        forest.interval(axes, mark.low, mark.high, y, OUTSIDE)
        if mark.estimate is not None:
            forest.point(axes, mark.estimate, y)
    elif isinstance(mark, Effect) and mark.detectable is not None:
        forest.band(axes, mark.detectable, y)


def _strip(axes: Axes, group: Sequence[Effect], y: float) -> None:
    """All intervals of a group as a thin line, the middle one as a thick one."""
    sized = [(e.low, e.high) for e in group if e.low is not None and e.high is not None]
    visible = [effect.detectable for effect in group if effect.detectable is not None]
    if sized:
        low, high = min(span[0] for span in sized), max(span[1] for span in sized)
        forest.thin(axes, low, high, y, OUTSIDE)
        forest.interval(axes, *middle(group), y, OUTSIDE)
    elif visible:
        forest.band(axes, median(visible), y)
        forest.thin(axes, -max(visible), max(visible), y, MUTED)


def _heading(
    overview: Overview, sizes: Sizes, shown: Sequence[Effect], pooled: Sequence[Pooled]
) -> Heading:
    who, noun = measure(sizes.signal).noun, measure(sizes.metric).noun
    total = len(sizes.effects)
    days = [effect.n_days for effect in sizes.effects if effect.n_days]
    n_words = f"n = {plural(total, 'product')}"
    if days:
        low, high = min(days), max(days)
        n_words += f", {low:,}" if low == high else f", {low:,} to {high:,}"
        n_words += " days with both"
    facts = f"{n_words}. Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    how = (
        f"+1 SD: a day whose {who} is one standard deviation above what is usual, weekday, trend "
        "and noise apart. Each interval is simultaneous 95 %: it allows for the choice of the lag; "
        "the point in it is probably overstated. A size stands only where the link passed every "
        "test and the data bear a percentage. An association is no cause."
    )
    beside = (
        "Grey: a link of that size would often have been missed; one beyond would have been found "
        "four times out of five. q: share of false alarms to expect among the claims. Agree: share "
        "of other defensible choices (window, scale, filter) that find the claim again."
    )
    shared = (
        "Shared effect: the average over products after what all share each day is taken out; "
        "single products may differ, and the file holds no measure of how much. "
        if pooled
        else ""
    )
    claimed, listed, tested = sizes.pairs
    pairs = (
        f"Shown: {who} and one outcome a product. Of {plural(tested, 'tested pair')} of any signal "
        f"and outcome {claimed:,} {'is' if claimed == 1 else 'are'} claimed, {listed:,} on the "
        "watchlist (mart_insights). "
        if tested
        else ""
    )
    source = f"Source: {source_words(overview)}."
    caption = [facts, how, beside, f"{shared}{pairs}".strip(), source]
    caption = [part for part in caption if part]
    if len(shown) < total:
        caption.insert(
            0,
            f"Shown one by one: {len(shown):,} of {total:,} products, claims first, of "
            "those the ones whose interval stays farthest from zero; the other "
            f"{total - len(shown):,} together below them, all in the published file.",
        )
    return Heading(
        question=QUESTION,
        headline=headline(sizes.effects, sizes.signal, noun),
        caption=tuple(caption),
        keys=_keys(sizes.effects, pooled),
        is_simulated=overview.is_simulated,
    )


def _keys(effects: Sequence[Effect], pooled: Sequence[Pooled]) -> tuple[Key, ...]:
    keys = []
    if any(effect.has_size for effect in effects):
        keys.append(Key("line", OUTSIDE, "95 % interval of a claim, its estimate", MOOD_INK))
    if any(effect.detectable is not None for effect in effects):
        keys.append(Key("shade", NULL_BAND, "too small to be found reliably here"))
    found = [each for each in pooled if each.has_size]
    if any(pooled_words(each) == SHARED for each in found):
        keys.append(Key("band", SALES, "shared effect, its 95 % interval", SALES))
    if any(pooled_words(each) != SHARED for each in found):
        keys.append(Key("ring", SALES, "shared, but no reliable link", SALES))
    return tuple(keys)


def _nothing(overview: Overview, sizes: Sizes) -> Sheet:
    if not sizes.is_held:
        title = "This file holds no sizes of effects"
        lines = not_held("mart_effect")
    else:
        title = headline(sizes.effects, sizes.signal, measure(sizes.metric).noun)
        reasons = Counter(effect.why for effect in sizes.effects if effect.why)
        lines = ["No product has enough data to be tested, so no size is stated."]
        lines += [f"{plural(n, 'product')}: {reason}" for reason, n in reasons.most_common(3)]
        lines.append("No effect is claimed and none is ruled out.")
    return sheet_of_words(QUESTION, overview, title, lines)


CHART = Chart("effects", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
