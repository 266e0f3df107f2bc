"""What is sold in the days after an event, compared with what those days usually bring.

"The 3 days after a high-mood day" is a window of days, 1 in it and 0 elsewhere, in the same
regression with autoregressive errors as the effect. Comparing means of those days instead (Welch's
test, block bootstrap) calls 8-33 % of unrelated events an effect, since good days come in rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from udfs.lead_lag.effect import regress, relative_deviation
from udfs.lead_lag.gates import judge
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options, Panel, TextArray
from udfs.lead_lag.preparing import prepare, robust_sd

WINDOW_DAYS = 3
MIN_EVENTS = 5
MIN_WINDOW_DAYS = 8
MIN_OTHER_DAYS = 30
HIGH_SD = 1.0  # robust standard deviations above what weekday, trend and season make one expect
BURST_SD = 2.0

_NO_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True)
class EventTests:
    """What followed the events of N products; arrays (N,), numbers NaN where not tested.

    `uplift`, `uplift_low`, `uplift_high`: fraction of the outcome on days of the window against
    other days, 95 %. `p`: two-sided. `n_events`: events, days in a row being one.
    `n_window_days`, `n_other_days`: days of either kind that count. `reason`: why not tested.
    """

    product_ids: tuple[str, ...]
    uplift: FloatArray
    uplift_low: FloatArray
    uplift_high: FloatArray
    p: FloatArray
    n_events: IntArray
    n_window_days: IntArray
    n_other_days: IntArray
    is_tested: BoolArray
    reason: TextArray


def event_uplift(
    panel: Panel,
    events: BoolArray,
    *,
    window_days: int = WINDOW_DAYS,
    options: Options | None = None,
) -> EventTests:
    """Test the days 1 to `window_days` after the events; 0: the days of the events themselves.

    `events`: (N, T), days with an event. An event that the design holds too (promotions, holidays)
    must be taken out of the panel first, see `without_flag`. Products are tested from 90 days (the
    gates of the panel) with at least 5 events and 8 days in their windows.
    """
    options = options or Options()
    gates = judge(panel, options)
    window = _window(events, window_days)
    counted = (
        np.isfinite(panel.outcome) & ~panel.stock_out & _inside(panel, gates.start, gates.length)
    )
    n_window = np.count_nonzero(window & counted, axis=1)
    n_other = np.count_nonzero(~window & counted, axis=1)
    begins = events.copy()
    begins[:, 1:] &= ~events[:, :-1]
    n_events = np.count_nonzero(begins & _inside(panel, gates.start, gates.length), axis=1)
    reason = np.where(gates.is_tested, "", gates.reason).astype(object)
    few = gates.is_tested & ((n_events < MIN_EVENTS) | (n_window < MIN_WINDOW_DAYS))
    reason[few] = [f"{count} of {MIN_EVENTS} events needed" for count in n_events[few]]
    reason[few & (n_events >= MIN_EVENTS)] = f"fewer than {MIN_WINDOW_DAYS} days after events"
    reason[(reason == "") & (n_other < MIN_OTHER_DAYS)] = f"fewer than {MIN_OTHER_DAYS} other days"

    found = {name: np.full(panel.n_products, np.nan) for name in ("uplift", "low", "high", "p")}
    rows = np.flatnonzero(reason == "")
    if rows.size:
        part = _regression(
            panel.select(rows), window[rows], gates.start[rows], gates.length[rows], options
        )
        for name, values in part.items():
            found[name][rows] = values
    is_tested = np.isfinite(found["p"])
    reason[(reason == "") & ~is_tested] = (
        "nothing is left to compare after weekday, season and promotions"
    )
    return EventTests(
        product_ids=panel.product_ids,
        uplift=found["uplift"],
        uplift_low=found["low"],
        uplift_high=found["high"],
        p=found["p"],
        n_events=n_events,
        n_window_days=n_window,
        n_other_days=n_other,
        is_tested=is_tested,
        reason=reason,
    )


def signal_events(panel: Panel, threshold: float) -> BoolArray:
    """Days (N, T) whose deseasonalised signal is at least `threshold` robust SDs from 0.

    `threshold` below 0: days that far below. A day without a signal is no event.
    """
    whole = np.full(panel.n_products, panel.n_days, dtype=np.int64)
    prepared = prepare(panel, np.zeros_like(whole), whole, Options())
    signal = prepared.signal
    spread = robust_sd(signal.values, signal.observed)[:, None]
    is_far = np.sign(threshold) * signal.values >= abs(threshold) * spread
    return np.asarray(is_far & signal.observed & (spread > 0))


def without_flag(panel: Panel, name: str) -> Panel:
    """The panel without one flag of its design: "promo" or "holiday"."""
    nothing = np.zeros(panel.signal.shape, dtype=np.bool_)
    return replace(panel, promo=nothing) if name == "promo" else replace(panel, holiday=nothing)


def _regression(
    panel: Panel, window: BoolArray, start: IntArray, length: IntArray, options: Options
) -> dict[str, FloatArray]:
    prepared = prepare(panel, start, length, options)
    rows = prepared.outcome.fitted
    column = start[:, None] + np.arange(rows.shape[1])
    inside = np.arange(rows.shape[1]) < length[:, None]
    dummy = np.take_along_axis(window, np.where(inside, column, 0), axis=1) & inside
    slope, error, _, variance = regress(
        prepared.design,
        relative_deviation(prepared),
        dummy.astype(np.float64),
        rows,
        inside,
        options,
    )
    # Days that the design explains by itself leave a variance of rounding errors.
    is_known = (error > 0) & (variance > _NO_VARIANCE) & ~prepared.outcome.is_flat
    count = np.count_nonzero(rows, axis=1)
    freedom = np.maximum(count - prepared.rank - options.ar_order_max - 1, 1)
    # What the autoregression took from the days (without it nulls reject 6-8 % below 200 days).
    error = error * np.sqrt(count / np.maximum(count - options.ar_order_max, 1))
    safe = np.where(is_known, error, 1.0)
    p = 2 * special.stdtr(freedom, -np.abs(slope / safe))
    reach = special.stdtrit(freedom, 0.975) * error
    # The baseline holds the window's days too: relative to it the others are 1 / (1 + u share).
    share = np.count_nonzero(dummy & rows, axis=1) / np.maximum(count, 1)
    share = np.where(prepared.is_identity, 0.0, share)

    def uplift(value: FloatArray) -> FloatArray:
        return np.where(is_known, value / np.maximum(1 - value * share, 0.1), np.nan)

    return {
        "uplift": uplift(slope),
        "low": uplift(slope - reach),
        "high": uplift(slope + reach),
        "p": np.where(is_known, p, np.nan),
    }


def _window(events: BoolArray, window_days: int) -> BoolArray:
    if window_days == 0:
        return events
    window = np.zeros_like(events)
    for day in range(1, min(window_days, events.shape[1] - 1) + 1):
        window[:, day:] |= events[:, :-day]
    return window


def _inside(panel: Panel, start: IntArray, length: IntArray) -> BoolArray:
    day = np.arange(panel.n_days)
    return np.asarray((day >= start[:, None]) & (day < (start + length)[:, None]))
