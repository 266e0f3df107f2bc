"""Is there enough data? Days against what the tests need, product by product, and what is missing.

python -m charts.sufficiency --target demo
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from matplotlib.axes import Axes

from charts.absent import not_held, sheet_of_words
from charts.links import Gate, read_gates, read_gates_by_outcome, signal_of
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, measure
from charts.rows import AXIS, MOST_LINES, ROW, WIDTH, Column, Layout, Line, lay, scale
from charts.style import (
    FAINT,
    INK,
    MUTED,
    SALES,
    SALES_INK,
    SALES_LIGHT,
    SIZE_TICK,
    STOCK_OUT,
    Heading,
    Key,
    Sheet,
    new_sheet,
    plural,
)

QUESTION = "Is there enough data?"
LAYOUT = Layout(1.9, (Column(0.72), Column(0.42, "right"), Column(0.32), Column(3.05)))
_LONGEST = 250
GATES = {
    "full": ("every test", SALES_INK),
    "tested": ("tested", SALES),
    "descriptive": ("described", SALES_LIGHT),
    "blocked": ("blocked", STOCK_OUT),
    "insufficient": ("too little", FAINT),
}
"""What a gate lets be said, best first, and its colour."""
DESCRIBED, TESTED, FULL = 60, 90, 180
_MOST_GROUPS = 14
_MOST_ALIKE = 12
_MOST_OUTCOMES = 8
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_UNKNOWN = ("not known", MUTED)


@dataclass(frozen=True, slots=True)
class Amounts:
    """The gate of every product's pair, and how many products each other outcome has."""

    signal: str
    gates: tuple[Gate, ...]
    outcomes: tuple[tuple[str, str, int], ...] = ()
    is_held: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Products that lack the same."""

    gate: str
    words: str
    days: tuple[int, ...]
    count: int
    sized: int


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """Days and what is missing; raises ChartError with the remedy."""
    signal = signal_of(published)
    gates = tuple(sorted(read_gates(published, catalogue, signal), key=lambda g: _rank(g.gate)))
    amounts = Amounts(
        signal,
        gates,
        tuple(read_gates_by_outcome(published, signal)),
        published.has("mart_sufficiency"),
    )
    return Picture("sufficiency", draw(overview, amounts), table(amounts))


def _rank(gate: str) -> int:
    return list(GATES).index(gate) if gate in GATES else len(GATES)


# Words ------------------------------------------------------------------------------------------


def gate_words(gate: str) -> str:
    """What the gate lets be said."""
    return GATES.get(gate, _UNKNOWN)[0]


def missing_words(gate: Gate) -> str:
    """What to collect, else why the gate is what it is."""
    if gate.gate == "blocked" and gate.reason:
        # How to mend gaps takes a sentence; how many there are is shorter and comes first.
        volume, _, gaps = gate.reason.rpartition(", and ")
        return f"{gaps}; {volume}" if volume else gaps
    parts = (gate.missing or gate.reason).split("; ")
    # Days for tests beyond the first matter least: where room is short they are cut.
    return "; ".join(sorted(parts, key=lambda part: part.endswith("for every test")))


def days_to_test(gate: Gate) -> int | None:
    """Days that are missing until the pair may be tested; None where days are not what lacks."""
    if gate.is_tested or gate.days_open is None or gate.days_open >= TESTED:
        return None
    return TESTED - gate.days_open


def headline(gates: Sequence[Gate], signal: str) -> str:
    """Which products may be tested, in one sentence."""
    total = len(gates)
    if not total:
        return "There is no product to test yet"
    if all(gate.days_observed == 0 for gate in gates):
        metrics = {gate.metric for gate in gates}
        what = measure(metrics.pop()).noun if len(metrics) == 1 else "outcome"
        return f"Nothing can be tested yet: no day has both {measure(signal).noun} and {what}"
    tested = [gate for gate in gates if gate.is_tested]
    if not tested:
        waits = [days for days in map(days_to_test, gates) if days is not None]
        who = "No product may" if total > 1 else "The product may not"
        text = f"{who} be tested yet"
        if waits:
            return f"{text}; the nearest needs {plural(min(waits), 'more day')}"
        blocked = sum(gate.gate == "blocked" for gate in gates)
        return f"{text}; {blocked:,} blocked by gaps" if blocked else text
    if len(tested) == total:
        who = f"All {total:,} products have" if total > 1 else "The product has"
        text = f"{who} enough data to be tested"
    else:
        verb = "has" if len(tested) == 1 else "have"
        text = f"{len(tested):,} of {total:,} products {verb} enough data to be tested"
    rest = Counter(gate.gate for gate in gates if not gate.is_tested)
    parts = [
        f"{rest[gate]:,} {words}"
        for gate, words in (
            ("descriptive", "can only be described"),
            ("blocked", "blocked by gaps"),
            ("insufficient", "lacks data" if rest["insufficient"] == 1 else "lack data"),
        )
        if rest[gate]
    ]
    if not parts:
        full = sum(gate.gate == "full" for gate in gates)
        if full == total:
            return f"{text}, by every test"
        parts = [f"{full:,} by every test" if full else "some tests need more days"]
    return f"{text}; {', '.join(parts)}"


def grouped(gates: Sequence[Gate]) -> list[Group]:
    """Products that lack the same in one group, best gate first, then the largest.

    Where only numbers differ the words say from where to where they go.
    """
    found: dict[tuple[str, str], list[tuple[Gate, list[str]]]] = {}
    for gate in gates:
        words = re.sub(r"\bmore days?\b", "more days", missing_words(gate))
        key = (gate.gate, _NUMBER.sub("\0", words))
        found.setdefault(key, []).append((gate, _NUMBER.findall(words)))
    groups = []
    for (gate_name, pattern), members in found.items():
        columns = list(zip(*(numbers for _, numbers in members), strict=True))
        words = pattern
        for column in columns:
            words = words.replace("\0", _span(column), 1)
        groups.append(
            Group(
                gate_name,
                words,
                tuple(gate.days_open for gate, _ in members if gate.days_open is not None),
                len(members),
                sum(gate.is_percentage_allowed is True for gate, _ in members),
            )
        )
    return sorted(groups, key=lambda g: (_rank(g.gate), -g.count, g.words))


def _span(values: Sequence[str]) -> str:
    ordered = sorted(set(values), key=lambda text: float(text.replace(",", "")))
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def table(amounts: Amounts) -> Table:
    """Each product's days, gate and what is missing."""
    rows = [
        (
            gate.subject.name,
            measure(gate.metric).words,
            gate_words(gate.gate),
            "" if gate.days_observed is None else f"{gate.days_observed:,}",
            "" if gate.days_needed is None else f"{gate.days_needed:,}",
            "" if gate.posts_per_day is None else f"{gate.posts_per_day:,.1f}",
            _yes(gate.is_percentage_allowed),
            gate.reason,
            gate.missing,
        )
        for gate in amounts.gates[:MOST_ROWS]
    ]
    titles = (
        "product", "outcome", "may be", "days with both", "days needed", "posts a day",
        "percentage possible", "why", "what is missing",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset({3, 4, 5}), left_out(len(amounts.gates)))


def _yes(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


# Drawing ----------------------------------------------------------------------------------------


def draw(overview: Overview, amounts: Amounts) -> Sheet:
    """The picture; a sheet with a message where the file knows no product."""
    if not amounts.gates:
        return _nothing(overview, amounts)
    groups = grouped(amounts.gates)
    # Many rows that all say the same are a wall too.
    is_same = len(groups) == 1 and len(amounts.gates) > _MOST_ALIKE
    is_grouped = is_same or len(amounts.gates) > MOST_LINES
    groups = groups if is_grouped else []
    name = "Products that lack the same" if is_grouped else "Product"
    lines = [Line(name, ("may be", "days", "size", "what is missing"), is_head=True)]
    if is_grouped:
        lines += [_group_line(group) for group in groups[:_MOST_GROUPS]]
    else:
        lines += [_line(gate) for gate in amounts.gates]
    outcomes = _by_outcome(amounts)
    below = [
        Line("Every outcome", ("", "", "", "products"), is_head=True),
        *(
            Line(measure(metric).words, ("", "", "", _counts(counts)), colour=INK)
            for metric, counts in outcomes
        ),
    ]
    height = len(lines) * ROW + AXIS + (len(below) * ROW + AXIS + 0.1 if outcomes else 0)
    sheet = new_sheet(_heading(overview, amounts, len(groups)), width=WIDTH, body=height)
    axes = lay(sheet, lines, LAYOUT, top=sheet.top, limits=(0, _LONGEST))
    if is_grouped:
        for index, group in enumerate(groups[:_MOST_GROUPS]):
            _group_bar(axes, group, index + 1.5)
    else:
        for index, gate in enumerate(amounts.gates):
            _bar(axes, gate, index + 1.5)
    _thresholds(axes, len(lines))
    title = f"days with both {_both(amounts)}"
    scale(axes, LAYOUT, lambda value: f"{value:,.0f}", title, ticks=(0, DESCRIBED, TESTED, FULL))
    if outcomes:
        _stack(sheet, below, outcomes, sheet.top + len(lines) * ROW + AXIS + 0.1)
    return sheet


def _both(amounts: Amounts) -> str:
    metrics = {gate.metric for gate in amounts.gates}
    what = measure(metrics.pop()).words if len(metrics) == 1 else "the outcome"
    return f"{measure(amounts.signal).noun} and {what}"


def _line(gate: Gate) -> Line:
    return Line(
        gate.subject.name,
        (
            gate_words(gate.gate),
            "" if gate.days_observed is None else f"{gate.days_observed:,}",
            _yes(gate.is_percentage_allowed),
            missing_words(gate) or "nothing",
        ),
        colour=INK if gate.is_tested else MUTED,
    )


def _group_line(group: Group) -> Line:
    size = "no" if not group.sized else "yes" if group.sized == group.count else "some"
    return Line(
        plural(group.count, "product"),
        (
            gate_words(group.gate),
            f"{median(group.days):,.0f}" if group.days else "",
            size,
            group.words or "nothing",
        ),
        colour=INK if group.gate in {"full", "tested"} else MUTED,
    )


def _bar(axes: Axes, gate: Gate, y: float) -> None:
    colour = GATES.get(gate.gate, _UNKNOWN)[1]
    # Days that were due are a thin bar, those with both a thick one before it.
    _days(axes, gate.days_open, y, 0.16, colour)
    _days(axes, gate.days_observed, y, 0.52, colour)


def _days(axes: Axes, days: float | None, y: float, height: float, colour: str) -> None:
    """A bar; an arrow where it goes on beyond the axis."""
    if days is None:
        return
    axes.barh([y], [min(days, _LONGEST)], height=height, color=colour, linewidth=0, zorder=3)
    if days > _LONGEST:
        axes.plot(
            [_LONGEST], [y], ">", markersize=7, color=colour, markeredgewidth=0, zorder=3,
            clip_on=False,
        )  # fmt: skip


def _group_bar(axes: Axes, group: Group, y: float) -> None:
    """The middle product as a bar, all of them as a line from the fewest days to the most."""
    if not group.days:
        return
    _days(axes, median(group.days), y, 0.52, GATES.get(group.gate, _UNKNOWN)[1])
    ends = [min(days, _LONGEST) for days in (min(group.days), max(group.days))]
    axes.plot(ends, [y + 0.36, y + 0.36], color=MUTED, linewidth=1.2, zorder=4)


def _thresholds(axes: Axes, lines: int) -> None:
    for days, words in ((DESCRIBED, "described"), (TESTED, "tested"), (FULL, "every test")):
        axes.plot(
            [days, days], [1, lines], color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=5
        )
        axes.text(
            days,
            0.62,
            words,
            fontsize=SIZE_TICK,
            color=MUTED,
            zorder=5,
            parse_math=False,
            va="center_baseline",
            ha="right" if days == DESCRIBED else "left",
        )


def _by_outcome(amounts: Amounts) -> list[tuple[str, Counter[str]]]:
    """Counts by gate of every outcome, the most tested first."""
    found: dict[str, Counter[str]] = {}
    for metric, gate, count in amounts.outcomes:
        found.setdefault(metric, Counter())[gate] += count

    def order(item: tuple[str, Counter[str]]) -> tuple[int, str]:
        return -(item[1]["full"] + item[1]["tested"]), item[0]

    return sorted(found.items(), key=order)[:_MOST_OUTCOMES] if len(found) > 1 else []


def _counts(counts: Counter[str]) -> str:
    known = [f"{counts[gate]:,} {gate_words(gate)}" for gate in GATES if counts[gate]]
    return ", ".join(known)


def _stack(
    sheet: Sheet, lines: Sequence[Line], outcomes: Sequence[tuple[str, Counter[str]]], top: float
) -> None:
    most = max(sum(counts.values()) for _, counts in outcomes)
    axes = lay(sheet, lines, LAYOUT, top=top, limits=(0, most * 1.03))
    for index, (_, counts) in enumerate(outcomes):
        left = 0
        for gate, (_, colour) in GATES.items():
            if counts[gate]:
                axes.barh(
                    [index + 1.5], [counts[gate]], left=left, height=0.52, color=colour,
                    linewidth=0, zorder=3,
                )  # fmt: skip
                left += counts[gate]
    scale(axes, LAYOUT, lambda value: f"{value:,g}", "products")


def _heading(overview: Overview, amounts: Amounts, groups: int) -> Heading:
    gates = amounts.gates
    days = [gate.days_observed for gate in gates if gate.days_observed is not None]
    n_words = f"n = {plural(len(gates), 'product')}"
    if days:
        low, high = min(days), max(days)
        n_words += f", {low:,}" if low == high else f", {low:,} to {high:,}"
        n_words += " days with both"
    facts = f"{n_words}. Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    how = (
        f"Counted are days on which the shop was open, from the first to the last with both. Below "
        f"{DESCRIBED}: nothing is said; from {DESCRIBED}: described; from {TESTED}: tested; from "
        f"{FULL}: by every test. Fewer than 3 posts or sales a day, or more than a tenth "
        "of the days missing, closes the gate however long the series. Size: whether volume and "
        "noise could bear a percentage (about 15 posts and 5 sales a day; the test itself may "
        "still refuse one). Too little data is no evidence "
        "against a link."
    )
    caption = [facts, how, f"Source: {source_words(overview)}."]
    if groups:
        shown = plural(min(groups, _MOST_GROUPS), "group")
        beyond = f" of {groups:,}" if groups > _MOST_GROUPS else ""
        caption.insert(
            0,
            f"{len(gates):,} products in {shown}{beyond} that lack the same; bar: the "
            "middle product, line: from the fewest days to the most. Each is in the published "
            "file (mart_sufficiency).",
        )
    present = {gate.gate for gate in gates} | {gate for _, gate, _ in amounts.outcomes}
    keys = tuple(
        Key("band", colour, _KEYS[gate]) for gate, (_, colour) in GATES.items() if gate in present
    )
    return Heading(
        question=QUESTION,
        headline=headline(gates, amounts.signal),
        caption=tuple(caption),
        keys=keys,
        is_simulated=overview.is_simulated,
    )


_KEYS = {
    "full": "every test applies",
    "tested": "tested",
    "descriptive": "described, not tested",
    "blocked": "blocked by gaps or no change",
    "insufficient": "too little to say anything",
}


def _nothing(overview: Overview, amounts: Amounts) -> Sheet:
    if not amounts.is_held:
        title = "This file does not say what its data can bear"
        lines = not_held("mart_sufficiency")
    else:
        title = headline(amounts.gates, amounts.signal)
        lines = ["No product of the catalogue has a signal and an outcome to set against it."]
    return sheet_of_words(QUESTION, overview, title, lines)


CHART = Chart("sufficiency", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
