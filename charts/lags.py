"""At which lag do mood and sales go together, and is that more than chance? One panel a product.

python -m charts.lags --target demo
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from charts.absent import sheet_of_words
from charts.panels import (
    MOST_PANELS,
    body_height,
    cells,
    choice_words,
    grid,
    source_words,
    window_words,
)
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import (
    CLAIMS,
    VERDICTS,
    Catalogue,
    Flags,
    LagCurve,
    Overview,
    Published,
    count_pairs,
    measure,
    read_lags,
)
from charts.style import (
    FAINT,
    INK,
    MOOD_INK,
    MUTED,
    NULL_BAND,
    OUTSIDE,
    PANEL,
    PAPER,
    SALES,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    new_sheet,
    note_in,
    plural,
    short_number,
    text_width,
)

QUESTION = "At which lag do mood and sales go together, and is it more than chance?"
MOST_LAG = 14
DRAWN_GATES = frozenset({"", "descriptive", "tested", "full"})
_VERDICT_LINES = 2
_PLOT = 1.35
_TITLE = line_height(SIZE_TITLE) + _VERDICT_LINES * line_height(SIZE_NOTE) + 0.04
_LABEL = 0.21
_AXIS = 0.4
PANEL_HEIGHT = _TITLE + _LABEL + _PLOT + _AXIS


@dataclass(frozen=True, slots=True)
class Screen:
    """The curves of every product and the verdicts on all pairs together."""

    curves: tuple[LagCurve, ...]
    pairs_claimed: int
    pairs_listed: int
    pairs_tested: int


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The lag curves of the products; raises ChartError with the remedy."""
    curves = tuple(read_lags(published, catalogue.subjects))
    screen = Screen(curves, *count_pairs(published))
    return Picture("lags", draw(overview, catalogue, screen), table(screen))


def table(screen: Screen) -> Table:
    """Each product's verdict, its strongest lag and what that rests on."""
    rows = []
    for curve in ordered(screen.curves)[:MOST_ROWS]:
        verdict, detail = verdict_words(curve)
        peak = curve.peak if _is_drawn(curve) else None
        rows.append(
            (
                curve.subject.name,
                measure(curve.metric).words if curve.metric else "",
                verdict,
                "" if peak is None else _signed_lag(float(curve.lags[peak])),
                "" if peak is None else _signed(float(curve.correlation[peak])),
                "" if curve.n_days is None else f"{curve.n_days:,}",
                detail,
            )
        )
    titles = ("product", "outcome", "verdict", "lag", "r", "days", "what it rests on")
    return Table(titles, tuple(rows), frozenset({3, 4, 5}), left_out(len(screen.curves)))


def draw(overview: Overview, catalogue: Catalogue, screen: Screen) -> Sheet:
    """The picture; a sheet with a message where no product has a curve."""
    shown = _chosen(screen.curves)
    if not any(_is_drawn(curve) for curve in shown):
        return _nothing(overview, screen)
    _, width, panel_width = grid(len(shown))
    sheet = new_sheet(
        _heading(overview, catalogue, screen, shown),
        width=width,
        body=body_height(len(shown), PANEL_HEIGHT),
    )
    limit = scale(shown)
    for curve, (left, top, _) in zip(shown, cells(sheet, len(shown), PANEL_HEIGHT), strict=True):
        panel(sheet, curve, (left, top, panel_width), limit)
    return sheet


def _chosen(curves: Sequence[LagCurve]) -> list[LagCurve]:
    return ordered(curves)[:MOST_PANELS]


def ordered(curves: Sequence[LagCurve]) -> list[LagCurve]:
    """Claims first, then the watchlist, then other curves; each in the catalogue's order."""
    rank = {verdict: min(place, VERDICTS.index("none")) for place, verdict in enumerate(VERDICTS)}
    return sorted(curves, key=lambda c: (rank[c.verdict], not _is_drawn(c)))


def _is_drawn(curve: LagCurve) -> bool:
    return curve.gate in DRAWN_GATES and bool(np.isfinite(curve.correlation).any())


def verdict_words(curve: LagCurve) -> tuple[str, str]:
    """The verdict on one product and what it rests on."""
    if curve.verdict in CLAIMS:
        return _claim_words(curve)
    if curve.verdict == "insufficient":
        return "insufficient", curve.missing or "too few days with both mood and sales"
    verdict = "no reliable link"
    if curve.verdict == "watchlist":
        verdict = "watchlist: nothing is claimed yet"
    if curve.peak is None:
        return verdict, ""
    side = "outside" if curve.is_peak_outside else "inside"
    detail = f"strongest {lag_words(curve.lags[curve.peak])}, {side} the band"
    if curve.q_value is not None:
        detail += f", {q_words(curve.q_value)}"
    if curve.verdict == "none" and curve.is_peak_outside:
        # The band is one product's; the verdict also counts how many products were looked at.
        verdict += " once all products are counted"
    return verdict, detail


def _claim_words(curve: LagCurve) -> tuple[str, str]:
    """`mood precedes units by 3 days`, and its interval with n and q."""
    claim, mood, outcome = curve.claim, measure(curve.signal).noun, measure(curve.metric).words
    lag = abs(claim.lag_days) if claim and claim.lag_days else 0
    days = f" by {plural(lag, 'day')}" if lag else ""
    verdict = {
        "social_leads": f"changes in {mood} precede {outcome}{days}",
        "sales_lead": f"changes in {outcome} precede {mood}{days}",
    }.get(curve.verdict, f"{mood} and {outcome} precede each other")
    parts = []
    if claim is not None and claim.uplift_low is not None and claim.uplift_high is not None:
        low, high = (f"{100 * each:+.0f}" for each in (claim.uplift_low, claim.uplift_high))
        parts.append(f"{low} to {high} % per +1 SD".replace("-", "\N{MINUS SIGN}"))
    elif curve.verdict != "sales_lead":
        parts.append("direction only")
    if curve.q_value is not None:
        parts.append(q_words(curve.q_value))
    if claim is not None and claim.n_days is not None:
        parts.append(f"n = {plural(claim.n_days, 'day')}".replace(" ", "\N{NO-BREAK SPACE}"))
    return verdict, ", ".join(parts)


def lag_words(lag: float) -> str:
    """`at +3 days`, `at −1 day`, `on the same day`."""
    if lag == 0:
        return "on the same day"
    sign = "+" if lag > 0 else "\N{MINUS SIGN}"
    return f"at {sign}{abs(lag):.0f} day" + ("" if abs(lag) == 1 else "s")


def q_words(value: float) -> str:
    """`q = 0.04`, to two digits; `q < 0.001` where it is smaller."""
    if value < 0.001:
        text = "q < 0.001"
    else:
        text = f"q = {value:.2f}" if value >= 0.095 else f"q = {value:.2g}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _nothing(overview: Overview, screen: Screen) -> Sheet:
    reasons = Counter(curve.missing for curve in screen.curves if curve.missing)
    lines = ["insufficient: no product has enough days with both mood and sales to be screened."]
    lines += [f"{plural(count, 'product')}: {reason}" for reason, count in reasons.most_common(3)]
    lines.append("No relationship is claimed and none is ruled out.")
    return sheet_of_words(QUESTION, overview, "Not enough data for any lag yet", lines)


def _heading(
    overview: Overview, catalogue: Catalogue, screen: Screen, shown: Sequence[LagCurve]
) -> Heading:
    verdicts = Counter(curve.verdict for curve in screen.curves)
    outcomes = sorted({curve.metric for curve in shown if curve.metric})
    noun = measure(outcomes[0]).noun if len(outcomes) == 1 else "outcome"
    tested = [curve for curve in shown if _is_drawn(curve)]
    days = [curve.n_days for curve in tested if curve.n_days]
    effective = [curve.n_eff for curve in tested if curve.n_eff]
    n_words = ""
    if days:
        n_words = f"n = {_span(days)} days with both"
        if effective:
            n_words += f", worth {_span([int(value) for value in effective])} independent ones"
        n_words += " (at the strongest lag). "
    facts = f"{n_words}Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    how = (
        "Each point: the correlation of mood with the outcome so many days later (right) or "
        "earlier (left), after removing weekday, trend, promotions and holidays. Grey: where all "
        "29 correlations of a product without any link stay together 95 % of the time. A claim "
        "also passed the test on whitened series, both directions and all products counted; q: "
        "share of false alarms to expect among the claims. A correlation is no cause."
    )
    pairs = (
        f"Shown is the mood only. Of {plural(screen.pairs_tested, 'tested pair')} with posts, "
        f"engagement and other signals {screen.pairs_claimed:,} "
        f"{'is' if screen.pairs_claimed == 1 else 'are'} claimed and {screen.pairs_listed:,} on "
        "the watchlist (mart_insights says which)."
    )
    caption = [facts, how, f"{pairs} Source: {source_words(overview)}."]
    rule = "claims first, then the watchlist, then those with the most sales in the window"
    left_out = choice_words(catalogue, len(shown), rule)
    if left_out:
        caption.insert(0, left_out)
    return Heading(
        question=QUESTION,
        headline=headline(verdicts, noun),
        caption=tuple(caption),
        keys=_keys(shown, noun),
        is_simulated=overview.is_simulated,
    )


def headline(verdicts: Counter[str], noun: str) -> str:
    """What was found over all products, in one sentence."""
    total = sum(verdicts.values())
    if any(verdicts[verdict] for verdict in CLAIMS):
        return _claims_headline(verdicts, noun, total)
    listed, none, thin = (verdicts[key] for key in ("watchlist", "none", "insufficient"))
    if not listed and not none:
        return "Not enough data to screen any product"
    if total == 1:
        if listed:
            return f"Mood and {noun} are on the watchlist: nothing is claimed yet"
        return f"No reliable link found between mood and {noun}"
    lacking = f"{thin:,} {'lacks' if thin == 1 else 'lack'} data" if thin else ""
    if listed:
        rest = f"{none:,} {'shows' if none == 1 else 'show'} no reliable link" if none else ""
        after = ", ".join(part for part in (rest, lacking) if part)
        are = "is" if listed == 1 else "are"
        return f"{listed:,} of {total:,} products {are} on the watchlist" + (
            f"; {after}" if after else ""
        )
    who = f"any of {total:,} products" if none == total else f"{none:,} of {total:,} products"
    found = f"No reliable link found between mood and {noun} in {who}"
    return f"{found}; {lacking}" if lacking else found


def _claims_headline(verdicts: Counter[str], noun: str, total: int) -> str:
    """`Mood precedes sales in 2 of 9 products; sales precede mood in 1, 1 on the watchlist`."""
    first, both, back = (verdicts[verdict] for verdict in CLAIMS)
    if total == 1:
        return {
            (1, 0): f"Changes in mood precede changes in {noun}",
            (0, 1): f"Mood and {noun} precede each other",
        }.get((first, both), f"Changes in {noun} precede changes in mood")
    parts = [
        (first, f"mood precedes {noun} in"),
        (back, f"{noun} before mood in"),
        (both, "each before the other in"),
    ]
    said = [f"{words} {count:,}" for count, words in parts if count]
    rest = []
    if verdicts["watchlist"]:
        rest.append(f"{verdicts['watchlist']:,} on the watchlist")
    if verdicts["none"]:
        rest.append(f"no reliable link in {verdicts['none']:,}")
    text = f"{', '.join(said)} of {total:,} products"
    text = text[:1].upper() + text[1:]
    return f"{text}; {', '.join(rest)}" if rest else text


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _keys(shown: Sequence[LagCurve], noun: str) -> tuple[Key, ...]:
    drawn = [curve for curve in shown if _is_drawn(curve)]
    keys = []
    if any(np.isfinite(curve.null_high).any() for curve in drawn):
        keys.append(Key("shade", NULL_BAND, "null band: what chance alone gives"))
    keys.append(Key("dot", SALES, f"correlation of mood and {noun}, inside the band", SALES))
    if any(_outside(curve).any() for curve in drawn):
        keys.append(Key("dot", OUTSIDE, "outside the band", MOOD_INK))
    if any(curve.peak is not None for curve in drawn):
        is_claimed = any(curve.verdict in CLAIMS for curve in drawn)
        words = "lag of the claim, else the strongest" if is_claimed else "strongest lag"
        keys.append(Key("ring", INK, words))
    return tuple(keys)


# One panel --------------------------------------------------------------------------------------


def panel(
    sheet: Sheet,
    curve: LagCurve,
    place: tuple[float, float, float],
    limit: float,
    *,
    title: str | None = None,
) -> None:
    """Draw one product at left, top and width (inches), r from -limit to limit.

    `title` stands for the product's name.
    """
    left, top, width = place
    name = title or curve.subject.name
    sheet.text(fit(name, width, SIZE_TITLE, bold=True), left, top, SIZE_TITLE, bold=True)
    is_claimed = curve.verdict in CLAIMS
    colour = INK if is_claimed else MOOD_INK if curve.verdict == "watchlist" else MUTED
    verdict, detail = verdict_words(curve)
    below = top + line_height(SIZE_TITLE)
    sheet.text(
        fit(verdict, width, SIZE_NOTE, bold=is_claimed), left, below, SIZE_NOTE,
        colour=colour, bold=is_claimed,
    )  # fmt: skip
    label_top = top + _TITLE
    plot_top = label_top + _LABEL
    gutter = 0.38
    if not _is_drawn(curve):
        sheet.block(left, label_top, width, _LABEL + _PLOT, fill=PANEL)
        empty = sheet.axes(left, label_top, width, _LABEL + _PLOT)
        empty.set_axis_off()
        note_in(empty, f"{detail}\nNo relationship is claimed.", width=width * 0.85)
        return
    axes = sheet.axes(left + gutter, plot_top, width - gutter, _PLOT)
    sheet.text(
        fit(detail, width, SIZE_NOTE), left, below + line_height(SIZE_NOTE), SIZE_NOTE, colour=MUTED
    )
    what = measure(curve.metric).words
    sheet.text(
        fit(f"correlation r of mood and {what}", width, SIZE_NOTE),
        left,
        label_top,
        SIZE_NOTE,
        colour=MUTED,
    )
    _draw(axes, curve, limit, width - gutter)
    _direction(sheet, curve, left + gutter, plot_top + _PLOT + 0.21, width - gutter)


def _draw(axes: Axes, curve: LagCurve, limit: float, width: float) -> None:
    axes.set_xlim(-MOST_LAG - 0.8, MOST_LAG + 0.8)
    axes.set_ylim(-limit, limit)
    band = np.isfinite(curve.null_low) & np.isfinite(curve.null_high)
    axes.fill_between(
        curve.lags,
        curve.null_low,
        curve.null_high,
        where=band,
        color=NULL_BAND,
        linewidth=0,
        zorder=1,
    )
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=2)
    axes.axvline(0, color=FAINT, linewidth=0.6, zorder=1.5)
    outside = _outside(curve)
    known = np.isfinite(curve.correlation)
    is_claimable = curve.verdict != "insufficient"
    for where, colour in ((known & ~outside, SALES), (known & outside, OUTSIDE)):
        shade = colour if is_claimable else MUTED
        axes.vlines(
            curve.lags[where], 0, curve.correlation[where], color=shade, linewidth=1.1, zorder=3
        )
        axes.plot(
            curve.lags[where],
            curve.correlation[where],
            "o",
            color=shade,
            markersize=3.2,
            markeredgewidth=0,
            zorder=4,
        )
    if curve.peak is not None and is_claimable:
        _mark_peak(axes, curve, width)
    axes.set_xticks([-14, -7, 0, 7, 14], ["\N{MINUS SIGN}14", "\N{MINUS SIGN}7", "0", "+7", "+14"])
    axes.yaxis.set_major_locator(FixedLocator(_ticks(limit)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"+{value:g}" if value > 0 else short_number(value))
    )
    axes.grid(visible=True, axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)


def _mark_peak(axes: Axes, curve: LagCurve, width: float) -> None:
    assert curve.peak is not None
    lag, value = float(curve.lags[curve.peak]), float(curve.correlation[curve.peak])
    axes.plot(
        [lag],
        [value],
        "o",
        markersize=6.5,
        markerfacecolor=PAPER,
        markeredgecolor=INK,
        markeredgewidth=1.4,
        zorder=5,
    )
    label = f"{_signed_lag(lag)}, r = {_signed(value)}"
    room = (text_width(label, SIZE_TICK + 0.5, bold=True) / 2 + 0.03) / width * (2 * MOST_LAG + 1.6)
    at = min(max(lag, -MOST_LAG - 0.8 + room), MOST_LAG + 0.8 - room)
    axes.annotate(
        label,
        (at, value),
        xytext=(0, 6 if value >= 0 else -6),
        textcoords="offset points",
        ha="center",
        va="bottom" if value >= 0 else "top",
        fontsize=SIZE_TICK + 0.5,
        fontweight="bold",
        color=INK,
        zorder=6,
        path_effects=[patheffects.withStroke(linewidth=2.2, foreground=PAPER)],
    )


def _direction(sheet: Sheet, curve: LagCurve, left: float, top: float, width: float) -> None:
    noun = measure(curve.metric).noun
    middle = "lag, days"
    room = (width - text_width(middle, SIZE_TICK)) / 2 - 0.1
    sheet.text(fit(f"← {noun} first", room, SIZE_TICK), left, top, SIZE_TICK, colour=MUTED)
    sheet.text(middle, left + width / 2, top, SIZE_TICK, colour=MUTED, ha="center")
    sheet.text(
        fit("mood first →", room, SIZE_TICK), left + width, top, SIZE_TICK, colour=MUTED, ha="right"
    )


def _outside(curve: LagCurve) -> Flags:
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (curve.correlation > curve.null_high) | (curve.correlation < curve.null_low)
        )


def scale(curves: Sequence[LagCurve]) -> float:
    """One scale for all panels, 0 in the middle, with room for the label of the strongest lag."""
    drawn = [curve for curve in curves if _is_drawn(curve)]
    arrays = [np.abs(a) for c in drawn for a in (c.correlation, c.null_low, c.null_high)]
    values = np.concatenate(arrays) if arrays else np.zeros(1)
    most = float(values[np.isfinite(values)].max())
    return max(0.15, math.ceil(most * 1.4 * 20) / 20)


def _ticks(limit: float) -> list[float]:
    step = next(s for s in (0.1, 0.2, 0.25, 0.5) if limit / s < 4 or s == 0.5)
    count = int(min(limit, 1.0) / step + 1e-9)
    return [round(index * step, 10) for index in range(-count, count + 1)]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _signed_lag(lag: float) -> str:
    if lag == 0:
        return "same day"
    return f"{lag:+.0f} day".replace("-", "\N{MINUS SIGN}") + ("" if abs(lag) == 1 else "s")


CHART = Chart("lags", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
