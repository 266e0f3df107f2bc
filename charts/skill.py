"""Did the signal improve the forecast? The error with it and without it, one row a product.

python -m charts.skill --target demo
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes

from charts.absent import not_held, sheet_of_words
from charts.links import Skill, count_skill, read_skill, signal_of
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, measure
from charts.rows import AXIS, MOST_LINES, ROW, WIDTH, Column, Layout, Line, lay, scale, upright
from charts.sizes import percent, q_cell
from charts.style import (
    INK,
    MUTED,
    OUTSIDE,
    PAPER,
    STOCK_OUT,
    Heading,
    Key,
    Sheet,
    new_sheet,
    plural,
)

QUESTION = "Did knowing the signal improve the forecast?"
LAYOUT = Layout(2.0, (Column(2.15), Column(0.75, "right"), Column(0.6, "right")))
_NAIVE = 1.0
_WIDEST = 2.5


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The forecasts of every product's primary pair."""

    signal: str
    skills: tuple[Skill, ...]
    tested: int = 0
    better: int = 0
    is_held: bool = True


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """Errors with and without the signal; raises ChartError with the remedy."""
    signal = signal_of(published)
    skills = tuple(sorted(read_skill(published, catalogue, signal), key=_order))
    forecasts = Forecasts(
        signal, skills, *count_skill(published), is_held=published.has("mart_skill")
    )
    return Picture("skill", draw(overview, forecasts), table(forecasts))


def _order(skill: Skill) -> tuple[int, bool, bool, float]:
    """By horizon; better forecasts first, then those compared, the clearest first."""
    q_value = 2.0 if skill.q_value is None else skill.q_value
    return skill.horizon_days, not skill.is_predictive, not skill.is_tested, q_value


# Words ------------------------------------------------------------------------------------------


def ahead(horizon: int) -> str:
    """`1 day ahead`."""
    return f"{plural(horizon, 'day')} ahead"


def result_words(skill: Skill) -> str:
    """What a row says at its right."""
    if not skill.is_tested:
        return "not tried"
    saved = "" if skill.improvement is None else change_words(skill.improvement)
    return f"{'better' if skill.is_predictive else 'no improvement'}{saved and ': ' + saved}"


def change_words(improvement: float) -> str:
    """`error 4.7 % smaller`, `error unchanged`."""
    text = percent(abs(improvement), signed=False)
    if text == "0":
        return "error unchanged"
    return f"error {text} % {'smaller' if improvement > 0 else 'larger'}"


def headline(skills: Sequence[Skill], signal: str, noun: str) -> str:
    """What was found over all products, in one sentence."""
    who = measure(signal).noun
    tested = [skill for skill in skills if skill.is_tested]
    better = [skill for skill in tested if skill.is_predictive]
    if not tested:
        return "No forecast could be compared yet"
    parts = []
    for horizon in sorted({skill.horizon_days for skill in tested}):
        tried = sum(skill.horizon_days == horizon for skill in tested)
        found = sum(skill.horizon_days == horizon for skill in better)
        parts.append((horizon, tried, found))
    if not better:
        days = _and([str(horizon) for horizon, _, _ in parts])
        where = plural(max(tried for _, tried, _ in parts), "product")
        last = "day" if days == "1" else "days"
        what = f"Knowing the {who} did not improve the {noun} forecast"
        return f"{what} {days} {last} ahead ({where} tried)"
    said = [
        ahead(horizon) + (f" in {found:,} of {tried:,} products tried" if tried > 1 else "")
        for horizon, tried, found in parts
        if found
    ]
    failed = [
        f"not {ahead(horizon)} ({tried:,} tried)" for horizon, tried, found in parts if not found
    ]
    saved = sorted(skill.improvement for skill in better if skill.improvement is not None)
    size = ""
    if saved:
        low, high = percent(saved[0], signed=False), percent(saved[-1], signed=False)
        size = f", errors {low if low == high else f'{low} to {high}'} % smaller"
    text = f"Knowing the {who} improved the {noun} forecast {_and(said)}{size}"
    return f"{text}; {_and(failed)}" if failed else text


def _and(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def table(forecasts: Forecasts) -> Table:
    """Both errors of every forecast that was compared, and why others were not."""
    rows = [
        (
            skill.subject.name,
            measure(skill.metric).words,
            ahead(skill.horizon_days),
            result_words(skill),
            _error(skill.error_without),
            _error(skill.error_with),
            f"{skill.forecasts_count:,}" if skill.is_tested else "",
            q_cell(skill.q_value) if skill.is_tested else "",
            "" if skill.is_tested else skill.why,
        )
        for skill in forecasts.skills[:MOST_ROWS]
    ]
    titles = (
        "product", "outcome", "horizon", "verdict", "error without", "error with", "days forecast",
        "q", "why not tried",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({4, 5, 6, 7}), left_out(len(forecasts.skills)))


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


# Drawing ----------------------------------------------------------------------------------------


def draw(overview: Overview, forecasts: Forecasts) -> Sheet:
    """The picture; a sheet with a message where no forecast was compared."""
    if not any(skill.is_tested for skill in forecasts.skills):
        return _nothing(overview, forecasts)
    lines: list[Line] = []
    marks: list[Skill | None] = []
    shown = 0
    horizons = sorted({skill.horizon_days for skill in forecasts.skills})
    for horizon in horizons:
        group = [skill for skill in forecasts.skills if skill.horizon_days == horizon]
        heads = ("forecast with the signal", "days forecast", "q") if not lines else ()
        lines.append(Line(ahead(horizon).capitalize(), heads, is_head=True))
        marks.append(None)
        tested = [skill for skill in group if skill.is_tested]
        room = max(4, MOST_LINES // len(horizons))
        for skill in tested[:room]:
            lines.append(_line(skill))
            marks.append(skill)
        shown += len(tested[:room])
        rest = _rest_lines(tested[room:], [skill for skill in group if not skill.is_tested])
        lines += rest
        marks += [None] * len(rest)
    sheet = new_sheet(
        _heading(overview, forecasts, shown), width=WIDTH, body=len(lines) * ROW + AXIS
    )
    drawn = [skill for skill in marks if skill is not None]
    axes = lay(sheet, lines, LAYOUT, top=sheet.top, limits=_limits(drawn))
    upright(axes, _NAIVE, STOCK_OUT, is_dashed=True)
    for index, mark in enumerate(marks):
        if mark is not None:
            _mark(axes, mark, index + 0.5)
    title = "← better · mean absolute error; 1 = last week repeated"
    scale(axes, LAYOUT, lambda value: f"{value:g}", title)
    return sheet


def _line(skill: Skill) -> Line:
    return Line(
        skill.subject.name,
        (result_words(skill), f"{skill.forecasts_count:,}", q_cell(skill.q_value)),
        is_bold=skill.is_predictive,
        colour=INK if skill.is_predictive else MUTED,
    )


def _rest_lines(tested: Sequence[Skill], untried: Sequence[Skill]) -> list[Line]:
    """What is not shown one by one: forecasts left out, and those not tried, by reason."""
    lines = []
    if tested:
        better = sum(skill.is_predictive for skill in tested)
        saved = [skill.improvement for skill in tested if skill.improvement is not None]
        middle = f"middle one: {change_words(median(saved))}" if saved else ""
        note = f"better in {better:,}, no improvement in {len(tested) - better:,}"
        lines.append(Line(f"{len(tested):,} more", (middle,), note=note, colour=MUTED))
    reasons = Counter(skill.why for skill in untried)
    for reason, count in reasons.most_common(3):
        lines.append(Line(plural(count, "product"), ("not tried",), note=reason, colour=MUTED))
    others = len(untried) - sum(count for _, count in reasons.most_common(3))
    if others:
        lines.append(
            Line(plural(others, "product"), ("not tried",), note="other reasons", colour=MUTED)
        )
    return lines


def _limits(skills: Sequence[Skill]) -> tuple[float, float]:
    """Both errors of every row and the naive forecast; a few far off run over the edge."""
    errors = [e for s in skills for e in (s.error_without, s.error_with) if e is not None]
    low = min(*errors, _NAIVE)
    high = max(min(max(errors), _WIDEST * max(median(errors), _NAIVE)), _NAIVE)
    room = 0.06 * (high - low) or 0.1
    return max(0.0, low - room), high + room


def _mark(axes: Axes, skill: Skill, y: float) -> None:
    assert skill.error_with is not None
    assert skill.error_without is not None
    left, right = axes.get_xlim()
    before, after = (min(max(e, left), right) for e in (skill.error_without, skill.error_with))
    colour = OUTSIDE if skill.is_predictive else STOCK_OUT
    axes.plot([before, after], [y, y], color=colour, linewidth=2.2, zorder=3)
    axes.plot(
        [before], [y], "o", markersize=6, markerfacecolor=PAPER, markeredgecolor=STOCK_OUT,
        markeredgewidth=1.4, zorder=4,
    )  # fmt: skip
    axes.plot([after], [y], "o", markersize=5, color=colour, markeredgewidth=0, zorder=5)
    if max(skill.error_without, skill.error_with) > right:
        axes.plot([right], [y], ">", markersize=6, color=colour, zorder=6, clip_on=False)


def _heading(overview: Overview, forecasts: Forecasts, shown: int) -> Heading:
    who = measure(forecasts.signal).noun
    metrics = Counter(skill.metric for skill in forecasts.skills)
    noun = measure(metrics.most_common(1)[0][0]).noun if len(metrics) == 1 else "outcome"
    tested = [skill for skill in forecasts.skills if skill.is_tested]
    days = [skill.forecasts_count for skill in tested]
    products = len({skill.subject.product_id for skill in forecasts.skills})
    span = f"{min(days):,}" if min(days) == max(days) else f"{min(days):,} to {max(days):,}"
    facts = (
        f"n = {plural(len(tested), 'forecast')} compared on {span} unseen days each, of "
        f"{plural(products, 'product')}. Window: {window_words(overview)}. "
        f"Cut-off: {overview.cutoff}."
    )
    how = (
        f"The same model is fitted twice, without and with the {who}, at up to 12 moments, each "
        "time on the days before alone, and both forecast days they have not seen. An error of 1 "
        "is that of repeating the same weekday of last week. Better: the "
        "error is smaller, Clark and West's test finds it (q up to 0.10 over all products, p up to "
        "0.02) and so does the lead test (p up to 0.05). The test states whether, not how much: "
        "the file holds no interval of the saving, so read its size with care."
    )
    pairs = (
        f"Shown: one outcome a product. Of {plural(forecasts.tested, 'comparison')} with any "
        f"signal and outcome {forecasts.better:,} {'is' if forecasts.better == 1 else 'are'} "
        "better."
    )
    caption = [facts, how, f"{pairs} Source: {source_words(overview)}."]
    if shown < len(tested):
        caption.insert(
            0,
            f"Shown one by one: {shown:,} of {len(tested):,}, the better ones first; the others "
            "are counted below them, all are in the published file.",
        )
    return Heading(
        question=QUESTION,
        headline=headline(forecasts.skills, forecasts.signal, noun),
        caption=tuple(caption),
        keys=_keys(tested, who),
        is_simulated=overview.is_simulated,
    )


def _keys(tested: Sequence[Skill], who: str) -> tuple[Key, ...]:
    keys = [Key("ring", STOCK_OUT, f"error without the {who}")]
    if any(skill.is_predictive for skill in tested):
        keys.append(Key("dot", OUTSIDE, f"with the {who}: better"))
    if not all(skill.is_predictive for skill in tested):
        keys.append(Key("dot", STOCK_OUT, f"with the {who}: no improvement"))
    return tuple(keys)


def _nothing(overview: Overview, forecasts: Forecasts) -> Sheet:
    if not forecasts.is_held:
        title = "This file holds no forecasts"
        lines = not_held("mart_skill")
    else:
        title = headline(forecasts.skills, forecasts.signal, "")
        reasons = Counter(skill.why for skill in forecasts.skills)
        lines = ["No pair has enough data, or ground in the lead test, to try a forecast."]
        lines += [f"{plural(n, 'forecast')}: {reason}" for reason, n in reasons.most_common(3)]
        lines.append("No improvement is claimed and none is ruled out.")
    return sheet_of_words(QUESTION, overview, title, lines)


CHART = Chart("skill", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
