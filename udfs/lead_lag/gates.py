"""Which products can be tested, over which days, and in words why not.

The same gates and words as mart_sufficiency, for panels that never saw a warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options, Panel, TextArray
from udfs.lead_lag.preparing import quantile

MIN_DAYS_DESCRIBED = 60
MIN_DAYS_TESTED = 90
MIN_DAYS_FULL = 180
MAX_MISSING_RATIO = 0.10
MIN_PER_DAY = 3.0
MIN_SOLD_RATIO = 0.5
MIN_PER_DAY_FOR_PERCENTAGE = 5.0
MIN_RELIABILITY = 0.5


@dataclass(frozen=True, slots=True)
class Gates:
    """The gate of each product and what it rests on; all arrays of shape (N,).

    `start`, `length`: first column and days of the window in which both series are kept.
    """

    gate: TextArray
    reason: TextArray
    is_tested: BoolArray
    start: IntArray
    length: IntArray
    n_days: IntArray
    missing_day_ratio: FloatArray
    posts_per_day: FloatArray
    outcome_per_day: FloatArray
    days_sold_ratio: FloatArray


def judge(panel: Panel, options: Options) -> Gates:
    """Judge every product of the panel; means and ratios are NaN where nothing was observed."""
    has_signal, has_outcome = np.isfinite(panel.signal), np.isfinite(panel.outcome)
    start, length = windows(has_signal, has_outcome, options.last_days)
    column = np.arange(panel.n_days)
    inside = (column >= start[:, None]) & (column < (start + length)[:, None])
    both = has_signal & has_outcome & inside & ~panel.stock_out
    n_days = np.count_nonzero(both, axis=1)

    is_closed = _closed_weekdays(panel, has_signal, has_outcome, inside)
    expected = inside & panel.is_open & ~panel.stock_out & ~is_closed
    n_expected = np.count_nonzero(expected, axis=1)
    is_short = n_days < MIN_DAYS_DESCRIBED  # most days out of stock, say
    # Days out of stock are known days; missing ones have a gate of their own.
    n_open = np.count_nonzero(inside & panel.is_open & ~is_closed, axis=1)
    n_missing = np.count_nonzero(expected & ~both, axis=1)
    missing_ratio = n_missing / np.maximum(n_expected, 1)

    posts_per_day = _mean(panel.posts, np.isfinite(panel.posts))
    outcome_per_day = _mean(panel.outcome, has_outcome)
    days_sold_ratio = _mean((panel.outcome > 0).astype(float), has_outcome)
    is_constant = ~(_varies(panel.signal, both) & _varies(panel.outcome, both))
    is_low_posts = posts_per_day < MIN_PER_DAY
    is_low_outcome = (outcome_per_day < MIN_PER_DAY) & (panel.scale != "identity")

    gate = np.select(
        [
            (n_days == 0) | (n_open < MIN_DAYS_DESCRIBED),
            is_constant | (missing_ratio > MAX_MISSING_RATIO),
            is_low_posts | is_low_outcome | (n_open < MIN_DAYS_TESTED) | is_short,
            n_open < MIN_DAYS_FULL,
        ],
        ["insufficient", "blocked", "descriptive", "tested"],
        default="full",
    ).astype(object)
    is_tested = (gate == "tested") | (gate == "full")
    reason = np.full(panel.n_products, "", dtype=object)
    for row in np.flatnonzero(~is_tested):
        reason[row] = _reason(
            n_days=int(n_days[row]),
            n_open=int(n_open[row]),
            n_missing=int(n_missing[row]),
            n_expected=int(n_expected[row]),
            is_constant=bool(is_constant[row]),
            is_missing=bool(missing_ratio[row] > MAX_MISSING_RATIO),
            is_low_posts=bool(is_low_posts[row]),
            is_low_outcome=bool(is_low_outcome[row]),
        )
    return Gates(
        gate=gate,
        reason=reason,
        is_tested=is_tested,
        start=start,
        length=length,
        n_days=n_days,
        missing_day_ratio=np.where(n_expected > 0, missing_ratio, np.nan),
        posts_per_day=posts_per_day,
        outcome_per_day=outcome_per_day,
        days_sold_ratio=days_sold_ratio,
    )


def windows(
    has_signal: BoolArray, has_outcome: BoolArray, last_days: int | None = None
) -> tuple[IntArray, IntArray]:
    """First column and days (N,) from the first to the last day that both series span."""
    if has_signal.shape[1] == 0:
        nothing = np.zeros(len(has_signal), dtype=np.int64)
        return nothing, nothing
    days = has_signal.shape[1]
    first = np.maximum(has_signal.argmax(axis=1), has_outcome.argmax(axis=1))
    last = days - 1 - np.maximum(has_signal[:, ::-1].argmax(axis=1), has_outcome[:, ::-1].argmax(1))
    length = np.where(
        has_signal.any(axis=1) & has_outcome.any(axis=1), np.maximum(last - first + 1, 0), 0
    )
    if last_days is not None:
        kept = np.minimum(length, last_days)
        first, length = first + length - kept, kept
    return np.where(length > 0, first, 0), length


def percentage(panel: Panel, gates: Gates, reliability: FloatArray) -> tuple[BoolArray, TextArray]:
    """Whether a percentage may be stated of each product, and the reason where not, (N,) each.

    An unknown reliability (no standard errors) does not forbid it.
    """
    is_allowed = gates.is_tested.copy()
    reason = np.where(gates.is_tested, "", gates.reason).astype(object)
    is_identity = panel.scale == "identity"
    counted = np.isfinite(panel.outcome) & ~panel.stock_out
    low = quantile(np.where(counted, panel.outcome, np.nan), 0.10)
    is_signed = low < 0  # negative on more than a tenth of its days: not only days of returns
    has_negative = np.any(counted & (panel.outcome < 0), axis=1)
    for row in np.flatnonzero(gates.is_tested):
        mean = gates.outcome_per_day[row]
        why = []
        if is_signed[row] or mean <= 0 or (is_identity and has_negative[row]):
            why.append("values below 0 have no percentage")
        elif not is_identity:
            if gates.days_sold_ratio[row] < MIN_SOLD_RATIO:
                why.append(f"sold on {gates.days_sold_ratio[row]:.0%} of days: 50% needed")
            if mean < MIN_PER_DAY_FOR_PERCENTAGE:
                why.append(f"{mean:.1f} units a day: 5 needed")
        if reliability[row] < MIN_RELIABILITY:
            why.append(
                f"reliability of the signal {max(reliability[row], 0.0):.2f}: 0.50 needed "
                "(about 15 posts a day)"
            )
        is_allowed[row] = not why
        reason[row] = "; ".join(why)
    return is_allowed, reason


def _reason(
    *,
    n_days: int,
    n_open: int,
    n_missing: int,
    n_expected: int,
    is_constant: bool,
    is_missing: bool,
    is_low_posts: bool,
    is_low_outcome: bool,
) -> str:
    missing = f"{n_missing} of {n_expected} open days are missing"
    if n_days == 0:
        return "no day has both signal and outcome"
    if n_open < MIN_DAYS_DESCRIBED:
        return f"{n_open} of {MIN_DAYS_TESTED} days with both signal and outcome"
    if is_constant:
        return "signal or outcome never changes"
    if is_missing:
        is_low = is_low_posts or is_low_outcome
        return f"not testable at this volume by day, and {missing}" if is_low else missing
    if is_low_posts and is_low_outcome:
        return "fewer than 3 posts and fewer than 3 units a day: weekly or pooled"
    if is_low_posts:
        return "fewer than 3 posts a day: weekly or pooled"
    if is_low_outcome:
        return "fewer than 3 units a day: weekly or pooled"
    if n_open >= MIN_DAYS_TESTED:
        return f"in stock on only {n_days} of {n_open} days: described, not tested"
    return f"{n_open} of {MIN_DAYS_TESTED} days: described, not tested"


def _closed_weekdays(
    panel: Panel, has_signal: BoolArray, has_outcome: BoolArray, inside: BoolArray
) -> BoolArray:
    """Days (N, T) of a weekday on which a product never has a signal or never an outcome.

    A shop that never opens on Sundays is closed then, whether or not a calendar says so.
    """
    weekday = panel.dates.astype("datetime64[D]").astype(np.int64) % 7
    is_closed = np.zeros_like(has_signal)
    for day in range(7):
        columns = weekday == day
        for observed in (has_signal, has_outcome):
            never = ~np.any((observed & inside)[:, columns], axis=1)
            is_closed[:, columns] |= np.reshape(never, (-1, 1))
    return is_closed


def _mean(values: FloatArray, used: BoolArray) -> FloatArray:
    count = np.count_nonzero(used, axis=1)
    total = np.where(used, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _varies(values: FloatArray, used: BoolArray) -> BoolArray:
    high = np.where(used, values, -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(used, values, np.inf).min(axis=1, initial=np.inf)
    return np.asarray(high > low)
