"""Small figures of one product as SVG, written by hand: a few kilobytes, the page's colours.

Colours are classes of the style sheet. Every figure has a name that a screen reader says; the words
and figures themselves stand in the page beside it. Text from outside never comes here but escaped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape
from typing import TypeAlias

import numpy as np
from markupsafe import Markup

from charts.panels import date_ticks, runs
from charts.reading import DailySeries, LagCurve, Numbers
from charts.report.words import MINUS, percent, span
from charts.style import short_number
from charts.trends import is_level_metric, level_limits, mood_mean, quantity_limits

Place: TypeAlias = Callable[[float], float]

WIDTH = 640.0
_LEFT, _RIGHT = 46.0, 8.0
_MOST_POINTS = 220
_WEEK = 7
_FEWEST = 4
# Inches that 640 px are, for the labels of the time axis.
_INCHES = 6.4


def _figure(parts: Iterable[str], height: float, label: str, kind: str) -> Markup:
    body = "".join(parts)
    # Every part is our own markup and numbers; what comes from outside went through escape().
    return Markup(  # noqa: S704
        f'<svg class="fig {kind}" viewBox="0 0 {WIDTH:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "") -> str:
    end = f' text-anchor="{anchor}"' if anchor else ""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{style}{end}>{escape(words)}</text>'


def _path(line: tuple[Numbers, Numbers], kind: str) -> str:
    """A line that breaks where a value is not known, in halves of a pixel, relative: short."""
    across, down = line
    known = np.isfinite(down)
    xs = np.rint(2 * across).astype(int).tolist()
    ys = np.rint(2 * np.where(known, down, 0.0)).astype(int).tolist()
    steps: list[str] = []
    x0 = y0 = 0
    is_open = False
    for x, y, is_known in zip(xs, ys, known.tolist(), strict=True):
        if is_known:
            steps.append(f"l{x - x0} {y - y0}" if is_open else f"M{x} {y}h0")
            x0, y0 = x, y
        is_open = is_known
    if not steps:
        return ""
    text = "".join(steps).replace(" -", "-")
    return f'<path class="{kind}" transform="scale(.5)" d="{text}"/>'


def _box(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


# Trend ------------------------------------------------------------------------------------------


def trend(one: DailySeries, outcome: str, name: str) -> Markup | None:
    """The outcome above, the mood below, over the days; None where neither is known.

    Thin: days (or their mean where there are many); thick: means of a week. Gaps stay gaps.
    """
    has_outcome, has_mood = bool(np.isfinite(one.outcome).any()), bool(np.isfinite(one.mood).any())
    if not (has_outcome or has_mood):
        return None
    length = len(one.days)
    scale = (WIDTH - _LEFT - _RIGHT) / max(length, 1)

    def x_of(day: float) -> float:
        return _LEFT + (day + 0.5) * scale

    parts: list[str] = []
    top, upper, lower = 18.0, 112.0, 74.0
    for flags, kind in ((one.is_promo, "promo"), (one.is_stock_out, "out")):
        parts += [
            _box(_LEFT + start * scale, top, (end - start) * scale, upper, kind)
            for start, end in runs(flags)
        ]
    parts.append(_text(0, 11, f"{outcome}", "a-sales"))
    if has_outcome:
        parts += _outcome(one, top, upper)
    else:
        parts.append(_text(_LEFT + 8, top + upper / 2, f"no day with {outcome}", "a-note"))
    second = top + upper + 30
    parts.append(_text(0, second - 7, f"mood, {MINUS}1 to +1", "a-mood"))
    if has_mood:
        parts += _mood(one, second, lower)
    else:
        parts.append(_text(_LEFT + 8, second + lower / 2, "no post with a mood", "a-note"))
    bottom = second + lower
    parts.append(_line(_LEFT, bottom, WIDTH - _RIGHT, bottom, "axis"))
    positions, labels = date_ticks(one.days, _INCHES)
    ticks = "".join(f"M{x_of(place):.0f} {bottom:.0f}v4" for place in positions)
    parts.append(f'<path class="axis" d="{ticks}"/>')
    for place, label in zip(positions, labels, strict=True):
        parts += [
            _text(x_of(place), bottom + 16 + 12 * row, line, "tick", "middle")
            for row, line in enumerate(label.split("\n"))
        ]
    label = f"{name}: {outcome} and mood by day, {one.days[0]} to {one.days[-1]}. " + _range_words(
        one, outcome
    )
    return _figure(parts, bottom + 32, label, "trend")


def _range_words(one: DailySeries, outcome: str) -> str:
    words = []
    for what, values in ((outcome, one.outcome), ("mood", one.mood)):
        known = values[np.isfinite(values)]
        if known.size:
            low, high = short_number(float(known.min())), short_number(float(known.max()))
            words.append(f"{what} between {low} and {high} on {known.size} days")
    return "; ".join(words) + "."


def _outcome(one: DailySeries, top: float, height: float) -> list[str]:
    is_level = is_level_metric(one.subject.outcome, one.outcome)
    low, high = (level_limits if is_level else quantity_limits)(one.outcome)

    def y_of(value: float) -> float:
        return top + height - (value - low) / (high - low) * height

    parts = []
    for tick in _ticks(low, high):
        y = y_of(tick)
        parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "grid"))
        parts.append(_text(_LEFT - 5, y + 4, short_number(tick), "tick", "end"))
    scale = (low, high, top, height)
    parts.append(_line_of(one.outcome, scale, "thin sales"))
    parts.append(_line_of(_weekly(one.outcome), scale, "thick sales"))
    most = float(np.nanmax(one.outcome))
    if most > high:
        # The axis ends where the usual days do: a day beyond it is marked and told.
        across = (WIDTH - _LEFT - _RIGHT) / len(one.days)
        marks = "".join(
            f"M{_LEFT + (day + 0.5) * across - 3:.0f} {top:.0f}l3-6 3 6z"
            for day in np.flatnonzero(np.nan_to_num(one.outcome) > high)[:40]
        )
        parts.append(f'<path class="beyond" d="{marks}"/>')
        words = f"\N{BLACK UP-POINTING TRIANGLE} beyond the axis, up to {short_number(most)}"
        parts.append(_text(WIDTH - _RIGHT, 11, words, "a-note", "end"))
    return parts


def _mood(one: DailySeries, top: float, height: float) -> list[str]:
    mean, _ = mood_mean(one.mood, one.mood_se, one.posts)
    mean = np.where(one.is_observed_social, mean, np.nan)
    if not np.isfinite(mean).any():
        mean = one.mood
    known = mean[np.isfinite(mean)]
    low = max(-1.0, math.floor(min(float(known.min()), 0.0) * 10 - 0.2) / 10)
    high = min(1.0, math.ceil(max(float(known.max()), 0.0) * 10 + 0.2) / 10)

    def y_of(value: float) -> float:
        return top + height - (value - low) / (high - low) * height

    parts = []
    for tick in _ticks(low, high, most=3):
        y = y_of(tick)
        parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "zero" if tick == 0 else "grid"))
        words = f"{tick:+.1f}".replace("-", MINUS) if tick else "0"
        parts.append(_text(_LEFT - 5, y + 4, words, "tick", "end"))
    parts.append(_line_of(mean, (low, high, top, height), "thick mood"))
    return parts


def _line_of(values: Numbers, scale: tuple[float, float, float, float], kind: str) -> str:
    """Values by day as a line; `scale` is the axis's low and high end, its top and height."""
    low, high, top, height = scale
    thinned, step = _thinned(values)
    days = np.minimum(np.arange(len(thinned)) * step + (step - 1) / 2, len(values) - 1)
    across = _LEFT + (days + 0.5) * (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    down = top + height - (np.clip(thinned, low, high) - low) / (high - low) * height
    return _path((across, down), kind)


def _thinned(values: Numbers) -> tuple[Numbers, int]:
    """Means of as many days as it takes to be few points, and how many days that is."""
    step = -(-len(values) // _MOST_POINTS)
    if step == 1:
        return values, 1
    room = -(-len(values) // step) * step
    padded = np.concatenate((values, np.full(room - len(values), np.nan))).reshape(-1, step)
    known = np.isfinite(padded)
    total = np.where(known, padded, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan), step


def _weekly(values: Numbers) -> Numbers:
    """Centred means of seven days; NaN with fewer than four known ones."""
    known = np.isfinite(values).astype(float)
    ones = np.ones(_WEEK)
    if len(values) < _WEEK:
        return np.full(len(values), np.nan)
    count = np.convolve(known, ones, "same")
    total = np.convolve(np.nan_to_num(values), ones, "same")
    return np.where(count >= _FEWEST, total / np.maximum(count, 1), np.nan)


def _ticks(low: float, high: float, *, most: int = 4) -> list[float]:
    """At most `most` round values within two ends."""
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


# Lags -------------------------------------------------------------------------------------------


def lag_curve(curve: LagCurve, outcome: str, name: str) -> Markup | None:
    """Correlation by lag with the band of chance; None where none was computed."""
    known = np.isfinite(curve.correlation)
    if not known.any():
        return None
    height, top, bottom = 190.0, 16.0, 150.0
    lags = curve.lags
    least, most = float(lags.min()), float(lags.max())
    everything = np.concatenate((curve.correlation[known], curve.null_low, curve.null_high))
    largest = float(np.nanmax(np.abs(everything)))
    limit = min(1.0, max(0.1, math.ceil(largest * 10.5) / 10))
    scale = (WIDTH - _LEFT - _RIGHT - 16) / max(most - least, 1.0)

    def x_of(lag: float) -> float:
        return _LEFT + 8 + (lag - least) * scale

    def y_of(value: float) -> float:
        return top + (1 - (value + limit) / (2 * limit)) * (bottom - top)

    parts = [_band(curve, x_of, y_of, limit)]
    for tick in _ticks(-limit, limit, most=4):
        words = f"{tick:+.1f}" if abs(tick * 10 - round(tick * 10)) < 1e-9 else f"{tick:+.2f}"
        words = words.replace("-", MINUS) if tick else "0"
        parts.append(_text(_LEFT - 5, y_of(tick) + 4, words, "tick", "end"))
        kind = "zero" if tick == 0 else "grid"
        parts.append(_line(_LEFT, y_of(tick), WIDTH - _RIGHT, y_of(tick), kind))
    parts += _stems(curve, x_of, y_of)
    for lag in (-14, -7, 0, 7, 14):
        if least <= lag <= most:
            words = f"{lag:+d}".replace("-", MINUS) if lag else "same day"
            parts.append(_text(x_of(lag), bottom + 17, words, "tick", "middle"))
    parts.append(_text(_LEFT + 8, height - 4, f"← {outcome} first", "a-note"))
    parts.append(_text(WIDTH - _RIGHT, height - 4, "mood first, days →", "a-note", "end"))
    return _figure(parts, height, f"{name}: {lag_words(curve, outcome)}", "lags")


def _stems(curve: LagCurve, x_of: Place, y_of: Place) -> list[str]:
    """Every correlation as a stem with a dot, in two colours: within the band and outside."""
    middle = y_of(0)
    stems: dict[str, list[str]] = {"near": [], "far": []}
    dots: dict[str, list[str]] = {"near": [], "far": []}
    for lag, value, low, high in zip(
        curve.lags, curve.correlation, curve.null_low, curve.null_high, strict=True
    ):
        if not math.isfinite(value):
            continue
        kind = "far" if value > high or value < low else "near"
        x, y = x_of(lag), y_of(value)
        stems[kind].append(f"M{x:.0f} {middle:.0f}V{y:.1f}")
        dots[kind].append(f"M{x:.0f} {y:.1f}h0")
    parts = []
    for kind in ("near", "far"):
        if stems[kind]:
            parts.append(f'<path class="stem {kind}" d="{"".join(stems[kind])}"/>')
            parts.append(f'<path class="dots {kind}" d="{"".join(dots[kind])}"/>')
    if curve.peak is not None and math.isfinite(curve.correlation[curve.peak]):
        kind = "far" if curve.is_peak_outside else "near"
        x, y = x_of(curve.lags[curve.peak]), y_of(curve.correlation[curve.peak])
        parts.append(f'<circle class="dot {kind}" cx="{x:.0f}" cy="{y:.1f}" r="5.5"/>')
    return parts


def lag_words(curve: LagCurve, outcome: str) -> str:
    """What the lag curve shows, in a sentence."""
    if curve.peak is None:
        return "no correlation could be computed."
    lag = round(float(curve.lags[curve.peak]))
    value = float(curve.correlation[curve.peak])
    days = f"{abs(lag)} day" + ("" if abs(lag) == 1 else "s")
    where = (
        "on the same day"
        if lag == 0
        else f"with mood {days} earlier"
        if lag > 0
        else f"with {outcome} {days} earlier"
    )
    side = "outside" if curve.is_peak_outside else "within"
    return f"Marked: r = {value:+.2f} {where}, {side} the band that chance alone gives.".replace(
        "-", MINUS
    )


def _band(curve: LagCurve, x_of: Place, y_of: Place, limit: float) -> str:
    known = np.flatnonzero(np.isfinite(curve.null_low) & np.isfinite(curve.null_high))
    if known.size < 2:
        return ""
    upper = [(x_of(curve.lags[i]), y_of(min(curve.null_high[i], limit))) for i in known]
    lower = [(x_of(curve.lags[i]), y_of(max(curve.null_low[i], -limit))) for i in reversed(known)]
    points = " ".join(f"{x:.0f},{y:.1f}" for x, y in (*upper, *lower))
    return f'<polygon class="band" points="{points}"/>'


# Interval ---------------------------------------------------------------------------------------


def interval(
    bounds: tuple[float, float], *, estimate: float | None = None, smallest: float | None = None
) -> Markup:
    """An effect's interval on a scale with 0; the smallest that would have been found as a tick."""
    marks = [0.0, *bounds, *(value for value in (estimate, smallest) if value is not None)]
    low, high = min(marks), max(marks)
    room = 0.12 * (high - low) or 0.1
    low, high = low - room, high + room
    height = 58.0

    def x_of(value: float) -> float:
        return 12 + (value - low) / (high - low) * (WIDTH - 24)

    parts = [
        _line(12, 26, WIDTH - 12, 26, "grid"),
        _line(x_of(0), 10, x_of(0), 40, "zero"),
        _text(x_of(0), 8, "0", "tick", "middle"),
        _line(x_of(bounds[0]), 26, x_of(bounds[1]), 26, "bar"),
        _line(x_of(bounds[0]), 19, x_of(bounds[0]), 33, "end"),
        _line(x_of(bounds[1]), 19, x_of(bounds[1]), 33, "end"),
    ]
    is_narrow = x_of(bounds[1]) - x_of(bounds[0]) < 90
    if is_narrow:
        middle = (x_of(bounds[0]) + x_of(bounds[1])) / 2
        parts.append(
            _text(min(max(middle, 70), WIDTH - 70), 12, span(*bounds), "a-sales", "middle")
        )
    else:
        parts += [
            _text(min(max(x_of(each), 26), WIDTH - 30), 12, percent(each), "a-sales", "middle")
            for each in bounds
        ]
    if estimate is not None:
        parts.append(f'<circle class="dot far" cx="{x_of(estimate):.1f}" cy="26" r="4"/>')
    label = f"95 % interval {span(*bounds)}"
    if estimate is not None:
        label += f", estimate {percent(estimate)}"
    if smallest is not None and abs(x_of(smallest) - x_of(0)) > 24:
        parts.append(_line(x_of(smallest), 33, x_of(smallest), 42, "tickmark"))
        parts.append(
            _text(
                min(max(x_of(smallest), 140), WIDTH - 130),
                54,
                f"smallest that would be found: {percent(smallest)}",
                "tick",
                "middle",
            )
        )
    return _figure(parts, height, label + ".", "interval")
