"""What would a placebo look like? How often the test finds a link where there can be none.

python -m charts.placebo --target demo
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from charts import forest
from charts.absent import not_held, sheet_of_words
from charts.links import Placebo, read_placebos, signal_of
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published, measure
from charts.rows import (
    AXIS,
    INNER,
    MOST_LINES,
    ROW,
    SIZE,
    WIDTH,
    Column,
    Layout,
    Line,
    head_lines,
    lay,
    scale,
    upright,
)
from charts.sizes import percent
from charts.style import (
    INK,
    MUTED,
    OUTSIDE,
    SALES,
    STAMP,
    Heading,
    Key,
    Sheet,
    line_height,
    new_sheet,
    plural,
    wrap,
)

QUESTION = "What would a placebo look like?"
NOMINAL = 0.05
LAYOUT = Layout(
    2.15, (Column(1.15), Column(0.5, "right"), Column(1.0, "right"), Column(0.75, "right"))
)
_EXPLAINED = (
    "The placebo: each product's outcome is set against another product's signal, where no link "
    "can be. A test that says p < 0.05 must still call about 5 in 100 of them a link, by chance; "
    "if it calls many more, its other findings deserve no trust either."
)


@dataclass(frozen=True, slots=True)
class Audit:
    """The placebo tests of every signal and outcome."""

    placebos: tuple[Placebo, ...]
    is_held: bool = True


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The audit; raises ChartError with the remedy."""
    signal = signal_of(published)

    def order(placebo: Placebo) -> tuple[bool, bool, str, bool, str]:
        return (
            placebo.is_as_expected is not False,
            placebo.metric != catalogue.outcome,
            placebo.metric,
            placebo.signal != signal,
            placebo.signal,
        )

    audit = Audit(
        tuple(sorted(read_placebos(published), key=order)), published.has("mart_placebo_audit")
    )
    return Picture("placebo", draw(overview, audit), table(audit))


# Words ------------------------------------------------------------------------------------------


def pair_words(placebo: Placebo) -> str:
    """`mood → units`."""
    return f"{measure(placebo.signal).words} → {measure(placebo.metric).words}"


def share_words(ratio: float | None) -> str:
    """`3.6 %`."""
    return "" if ratio is None else f"{percent(ratio, signed=False)} %"


def span_words(placebo: Placebo) -> str:
    """`1 to 12 %`; empty where it is not known."""
    if placebo.low is None or placebo.high is None:
        return ""
    low, high = percent(placebo.low, signed=False), percent(placebo.high, signed=False)
    return f"{low} to {high} %"


def judged(placebo: Placebo) -> str:
    """What the interval says."""
    if placebo.is_as_expected is None:
        return "too few tests to judge"
    return "as expected" if placebo.is_as_expected else "too many found"


def headline(placebos: Sequence[Placebo]) -> str:
    """What was found over all pairs of signal and outcome, in one sentence."""
    tests = sum(placebo.tests_count for placebo in placebos)
    wrong = [placebo for placebo in placebos if placebo.is_as_expected is False]
    known = [placebo for placebo in placebos if placebo.is_as_expected is not None]
    if not tests:
        return "No placebo could be tested yet"
    if wrong:
        worst = max(wrong, key=lambda placebo: placebo.share or 0.0)
        where = f"in {len(wrong):,} of {plural(len(known), 'check')}"
        return (
            f"The test finds too many links where none can be {where}; up to "
            f"{share_words(worst.share)} instead of 5 %"
        )
    if not known:
        return f"Too few placebo tests to judge: {tests:,} in all"
    judged_tests = sum(placebo.tests_count for placebo in known)
    found = sum((placebo.share or 0.0) * placebo.tests_count for placebo in known)
    return (
        f"Where no link can be, the test finds one in {share_words(found / judged_tests)} of "
        f"{judged_tests:,} tries; 5 % is what chance allows"
    )


def table(audit: Audit) -> Table:
    """The share of every pair of signal and outcome, with its interval, and the real pairs."""
    rows = [
        (
            measure(placebo.signal).words, measure(placebo.metric).words, judged(placebo),
            share_words(placebo.share), span_words(placebo), f"{placebo.tests_count:,}",
            f"{placebo.left_out_count:,}", f"{placebo.real_tested:,}", f"{placebo.real_below:,}",
            f"{placebo.real_claimed:,}",
        )
        for placebo in audit.placebos[:MOST_ROWS]
    ]  # fmt: skip
    titles = (
        "signal", "outcome", "verdict", "placebos found", "95 % interval", "placebo tests",
        "left out", "real pairs tested", "real pairs p < 0.05", "real pairs claimed",
    )  # fmt: skip
    return Table(titles, tuple(rows), frozenset(range(3, 10)), left_out(len(audit.placebos)))


# Drawing ----------------------------------------------------------------------------------------


def draw(overview: Overview, audit: Audit) -> Sheet:
    """The picture; a sheet with a message where no placebo was tested."""
    if not any(placebo.tests_count for placebo in audit.placebos):
        return _nothing(overview, audit)
    shown = audit.placebos[:MOST_LINES]
    heads = ("placebos found", "tests", "real p < 0.05", "claimed")
    lines = [Line("Signal → outcome", heads, is_head=True), *(_line(each) for each in shown)]
    text = wrap(_EXPLAINED, INNER, SIZE)
    words = len(text) * line_height(SIZE) + 0.1
    sheet = new_sheet(
        _heading(overview, audit, len(shown)), width=WIDTH, body=words + len(lines) * ROW + AXIS
    )
    top = head_lines(text, sheet, sheet.top)
    most = max([placebo.high or 0.0 for placebo in shown] + [2 * NOMINAL])
    axes = lay(sheet, lines, LAYOUT, top=top, limits=(-0.01 * most, 1.04 * most))
    upright(axes, NOMINAL, STAMP, is_dashed=True)
    for index, placebo in enumerate(shown):
        _mark(axes, placebo, index + 1.5)
    scale(axes, LAYOUT, lambda value: f"{100 * value:g} %", "share of placebo pairs called a link")
    return sheet


def _line(placebo: Placebo) -> Line:
    is_wrong = placebo.is_as_expected is False
    real = f"{placebo.real_below:,} of {placebo.real_tested:,}" if placebo.real_tested else ""
    claimed = f"{placebo.real_claimed:,}" if placebo.real_tested else ""
    return Line(
        pair_words(placebo),
        (span_words(placebo), f"{placebo.tests_count:,}", real, claimed),
        note="" if placebo.low is not None else "nothing could be tested",
        is_bold=is_wrong,
        colour=INK if placebo.is_as_expected is not None else MUTED,
    )


def _mark(axes: Axes, placebo: Placebo, y: float) -> None:
    if placebo.low is None or placebo.high is None:
        return
    colour = {True: SALES, False: OUTSIDE, None: MUTED}[placebo.is_as_expected]
    forest.interval(axes, placebo.low, placebo.high, y, colour)
    if placebo.share is not None:
        forest.point(axes, placebo.share, y)


def _heading(overview: Overview, audit: Audit, shown: int) -> Heading:
    placebos = audit.placebos
    tests = sum(placebo.tests_count for placebo in placebos)
    left = sum(placebo.left_out_count for placebo in placebos)
    known = sum(placebo.is_as_expected is not None for placebo in placebos)
    facts = (
        f"n = {plural(tests, 'placebo test')}, {left:,} more left out since the two signals move "
        f"together. Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    how = (
        "Bars: 95 % intervals (Wilson) of the share with p < 0.05; the line: 5 %. The tests of one "
        "row share products, so its interval is a rough one; of "
        f"{plural(known, 'interval')} about {_few(known * 0.025)} would lie above the line by "
        "chance alone. Real p < 0.05: each product with its own signal, before all products are "
        "counted together; claimed: signal first, after that and every other check. Few products "
        "give few placebos: read the interval, not the point."
    )
    caption = [facts, how, f"Source: {source_words(overview)}."]
    if shown < len(placebos):
        caption.insert(
            0,
            f"Shown: {shown:,} of {len(placebos):,} pairs of signal and outcome, those with too "
            "many found first, then those of the main outcome; all are in the published file.",
        )
    return Heading(
        question=QUESTION,
        headline=headline(placebos),
        caption=tuple(caption),
        keys=_keys(placebos[:shown]),
        is_simulated=overview.is_simulated,
    )


def _few(count: float) -> str:
    return "none" if count < 0.25 else "half a one" if count < 0.75 else f"{count:.0f}"


def _keys(placebos: Sequence[Placebo]) -> tuple[Key, ...]:
    kinds = {placebo.is_as_expected for placebo in placebos if placebo.low is not None}
    keys = []
    if False in kinds:
        keys.append(Key("line", OUTSIDE, "too many found", OUTSIDE))
    if True in kinds:
        keys.append(Key("line", SALES, "as expected: reaches down to 5 % or below", SALES))
    if None in kinds:
        keys.append(Key("line", MUTED, "fewer than 20 tests: not judged", MUTED))
    keys.append(Key("line", STAMP, "5 %: what chance allows"))
    return tuple(keys)


def _nothing(overview: Overview, audit: Audit) -> Sheet:
    if not audit.is_held:
        title = "This file holds no placebo audit"
        lines = not_held("mart_placebo_audit")
    else:
        title = headline(audit.placebos)
        lines = [
            "A placebo needs two products that may be tested and whose signals move apart.",
            "There are none yet, so this file cannot show how often its test errs on these data.",
        ]
    return sheet_of_words(QUESTION, overview, title, lines)


CHART = Chart("placebo", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
