"""Fits on a growing past: what could have been known on each day, and how wrong it was.

At each of a bounded number of origins everything is fitted on the days before it: the design, the
limits of the residuals, the autoregression. The days up to the next origin are then judged by that
fit. So an error never shaped the fit that it is held against, nor did the days after it.

The design is weekdays, holidays and promotions. It has no trend and no cosines: run on past the
last day that shaped them they err for weeks in one direction, in the signal and in the outcome,
which looks like a link (9-16 % of nulls at 365 days); the autoregression carries the level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from udfs.lead_lag.gates import windows
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options, Panel
from udfs.lead_lag.preparing import (
    OUTCOME_LIMIT,
    SIGNAL_LIMIT,
    WEEKDAYS,
    fitted_values,
    least_squares,
    robust_sd,
    scale_outcome,
)
from udfs.lead_lag.whitening import apply_filter, fit_autoregression

ORIGINS_MAX = 12

_DAYS_PER_ORIGIN = 7


class Training(NamedTuple):
    """How many days the first fit has: at least `min_days`, and `share` of a product's days."""

    min_days: int
    share: float


@dataclass(frozen=True, slots=True)
class Origin:
    """One fit of N products; arrays are (N, T) unless said otherwise.

    `used`: training days whose outcome counts. `block`: days judged by this fit, at most one
    origin's a day. `outcome`: residual on the outcome's scale, `bounded` the same within the
    training days' limit; `predictor`: residual of the signal, within its limit; all 0 where not
    observed. `coefficients`: (N, p), of the autoregression.
    """

    used: BoolArray
    block: BoolArray
    outcome: FloatArray
    bounded: FloatArray
    predictor: FloatArray
    coefficients: FloatArray


def first_origins(panel: Panel, training: Training) -> tuple[IntArray, IntArray]:
    """First day forecast and the day after the last one of each product, (N,) columns each."""
    first, length = windows(np.isfinite(panel.signal), np.isfinite(panel.outcome))
    days = np.maximum(training.min_days, np.ceil(training.share * length).astype(np.int64))
    return first + np.minimum(days, length), first + length


def origins(
    panel: Panel, training: Training, options: Options, *, horizon: int = 1
) -> Iterator[Origin]:
    """Fit all products at each origin, at most 12 of them.

    The fit of a block ends `horizon` days before its first day, when that day is forecast.
    """
    scaled, counted = scaled_outcome(panel, options)
    design = _design(panel)
    day = np.arange(panel.n_days)
    start, end = first_origins(panel, training)
    turns = np.clip((end - start) // _DAYS_PER_ORIGIN, 1, ORIGINS_MAX)
    for turn in range(int(turns.max(initial=0))):
        # Products with fewer origins have none left: their block is empty.
        begin = start + (end - start) * np.minimum(turn, turns) // turns
        until = start + (end - start) * np.minimum(turn + 1, turns) // turns
        is_training = day <= begin[:, None] - horizon
        used = is_training & counted
        outcome = _residual(design, scaled, used)
        signal = _residual(design, panel.signal, is_training & np.isfinite(panel.signal))
        bounded = limited(outcome, used, OUTCOME_LIMIT)
        coefficients, _ = fit_autoregression(
            np.where(used, bounded, 0.0), used, options.ar_order_max
        )
        yield Origin(
            used=used,
            block=(day >= begin[:, None]) & (day < until[:, None]) & counted,
            outcome=outcome,
            bounded=bounded,
            predictor=limited(signal, is_training & np.isfinite(panel.signal), SIGNAL_LIMIT),
            coefficients=coefficients,
        )


def scaled_outcome(panel: Panel, options: Options) -> tuple[FloatArray, BoolArray]:
    """The outcome on its scale and the days that count, observed and in stock, (N, T) each."""
    in_stock = ~panel.stock_out
    _, scaled = scale_outcome(panel.outcome, in_stock, panel.scale, options.scale)
    return scaled, in_stock & np.isfinite(scaled)


def limited(values: FloatArray, used: BoolArray, limit: float) -> FloatArray:
    """All values within `limit` robust standard deviations of the days `used`, (N, T)."""
    bound = limit * robust_sd(values, used)[:, None]
    return np.clip(values, -bound, bound)


def steps_ahead(coefficients: FloatArray, horizon: int) -> FloatArray:
    """Coefficients, (N, horizon - 1 + p), of the forecast `horizon` days ahead.

    The days in between are 0, for they are not known yet. The recursion puts each next day's own
    forecast in its place.
    """
    ahead = coefficients.copy()
    for _ in range(horizon - 1):
        moved = np.zeros_like(ahead)
        moved[:, :-1] = ahead[:, 1:]
        ahead = moved + ahead[:, :1] * coefficients
    unknown = np.zeros((len(coefficients), horizon - 1))
    return np.concatenate([unknown, ahead], axis=1)


def errors_ahead(origin: Origin, horizon: int) -> FloatArray:
    """Errors of the autoregressive forecast made `horizon` days before, (N, T), not limited."""
    ahead = steps_ahead(origin.coefficients, horizon)
    # What is known of the past is within its limit; the day itself is as it is.
    return origin.outcome - origin.bounded + apply_filter(origin.bounded, ahead)


def _design(panel: Panel) -> FloatArray:
    """Weekdays, holidays and promotions as (N, T, 9)."""
    weekday = panel.dates.astype("datetime64[D]").astype(np.int64) % WEEKDAYS
    is_weekday = weekday[:, None] == np.arange(WEEKDAYS)
    return np.concatenate(
        [
            np.broadcast_to(is_weekday, (*panel.signal.shape, WEEKDAYS)),
            panel.holiday[:, :, None],
            panel.promo[:, :, None],
        ],
        axis=2,
    ).astype(np.float64)


def _residual(design: FloatArray, values: FloatArray, used: BoolArray) -> FloatArray:
    """Values less the design as fitted on `used`; 0 where not observed."""
    observed = np.isfinite(values)
    known = np.where(observed, values, 0.0)
    coefficients = least_squares(design, known, used)
    return np.where(observed, known - fitted_values(design, coefficients), 0.0)
