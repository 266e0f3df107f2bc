"""How many per cent more is sold after a day of one standard deviation more, and how surely.

The baseline is what weekday, trend, season and promotions make one expect; the effect is a
regression of the relative deviation from it on the signal some days before, with autoregressive
errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options
from udfs.lead_lag.preparing import (
    Prepared,
    fitted_values,
    least_squares,
    mean_where,
    solve,
    winsorise,
)
from udfs.lead_lag.whitening import apply_filter, fit_autoregression

DEVIATION_LIMIT = 6.0  # robust standard deviations kept of the relative deviation
BASELINE_ROUNDS = 8
GLS_ROUNDS = 3
POWER = 0.80

_MAX_LOG = 5.0  # an interval that goes beyond a hundredfold says nothing
_MIN_RELIABILITY = 0.1  # below it the correction multiplies noise by more than ten


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect at one lag of each product; arrays of shape (B,), NaN where there is none.

    `slope`, `standard_error`: of the logarithm (of the fraction, where the outcome has no scale),
    per SD.
    """

    slope: FloatArray
    standard_error: FloatArray
    uplift: FloatArray
    uplift_low: FloatArray
    uplift_high: FloatArray
    minimum_detectable: FloatArray
    reliability: FloatArray
    signal_sd: FloatArray


def estimate_effect(
    prepared: Prepared, lag_days: IntArray, critical: FloatArray, options: Options
) -> Effect:
    """Uplift per +1 SD of the denoised, deseasonalised signal at `lag_days` (B,).

    `critical`: (B,), standard errors of a simultaneous 95 % interval over the lags.
    """
    rows = prepared.outcome.fitted
    deviation = relative_deviation(prepared)
    signal = _shifted(prepared.signal.values, lag_days)
    known = _shifted(prepared.signal.observed.astype(float), lag_days) > 0
    slope, error, coefficients, variance = regress(
        prepared.design, deviation, signal, rows, known, options
    )
    noise = np.isfinite(prepared.signal_variance) & prepared.signal.observed
    has_noise = noise.any(axis=1)
    sampling = mean_where(np.where(noise, prepared.signal_variance, 0.0), noise)
    total = mean_where(prepared.signal.values**2, prepared.signal.observed)
    carried = sampling * (1 + (coefficients**2).sum(axis=1))
    reliability = 1 - carried / np.where(variance > 0, variance, np.inf)
    reliability = np.where(has_noise, reliability, 1.0)
    denoised = np.sqrt(np.maximum(total - np.where(has_noise, sampling, 0.0), 0.0))

    is_stated = (reliability >= _MIN_RELIABILITY) & (denoised > 0) & (error > 0)
    per_sd = np.where(is_stated, denoised / np.where(is_stated, reliability, 1.0), np.nan)
    slope, error = slope * per_sd, error * per_sd

    def fraction(value: FloatArray) -> FloatArray:
        """The baseline is log-linear: so is the slope. Outcomes without a scale stay linear."""
        return np.where(prepared.is_identity, value, np.expm1(np.minimum(value, _MAX_LOG)))

    return Effect(
        slope=slope,
        standard_error=error,
        uplift=fraction(slope),
        uplift_low=fraction(slope - critical * error),
        uplift_high=fraction(slope + critical * error),
        minimum_detectable=fraction((critical + special.ndtri(POWER)) * error),
        reliability=np.where(has_noise, np.maximum(reliability, 0.0), np.nan),
        signal_sd=np.where(denoised > 0, denoised, np.nan),
    )


def relative_deviation(prepared: Prepared) -> FloatArray:
    """Outcome over its baseline less 1, (B, L), winsorised; 0 where not observed or out of stock.

    Outcomes without a scale (ratings, prices) deviate by a fraction of their mean.
    """
    rows = prepared.outcome.fitted
    observed = np.where(rows, prepared.outcome_raw, 0.0)
    is_count = ~prepared.is_identity
    deviation = np.zeros_like(observed)
    if is_count.any():
        counted = np.maximum(observed[is_count], 0.0)  # a day of net returns sold nothing
        expected = quasi_poisson_mean(prepared.design[is_count], counted, rows[is_count])
        deviation[is_count] = counted / expected - 1
    if prepared.is_identity.any():
        identity = prepared.is_identity
        mean = mean_where(observed[identity], rows[identity])
        of_mean = np.where(mean == 0, 1.0, np.abs(mean))
        deviation[identity] = prepared.outcome.values[identity] / of_mean[:, None]
    return winsorise(np.where(rows, deviation, 0.0), rows, DEVIATION_LIMIT)


def quasi_poisson_mean(design: FloatArray, outcome: FloatArray, rows: BoolArray) -> FloatArray:
    """Means (B, L) of a log-linear model by iteratively reweighted least squares.

    McCullagh & Nelder (1989), chapter 9: the mean does not depend on the dispersion. Rows outside
    `rows` do not count and get mean 1.
    """
    level = np.log(np.maximum(mean_where(outcome, rows), 1e-9))[:, None]
    mean = np.where(rows, 0.5 * (outcome + np.exp(level)), 0.0)
    link = np.log(np.where(rows, mean, 1.0))
    for _ in range(BASELINE_ROUNDS):
        working = np.where(rows, link + outcome / np.where(rows, mean, 1.0) - 1, 0.0)
        coefficients = least_squares(design, working, mean)
        # Weekdays on which nothing is ever sold have no finite coefficient.
        link = np.clip(fitted_values(design, coefficients), level - 12, level + 6)
        mean = np.where(rows, np.exp(link), 0.0)
    return np.where(rows, mean, 1.0)


def regress(
    design: FloatArray,
    deviation: FloatArray,
    signal: FloatArray,
    rows: BoolArray,
    known: BoolArray,
    options: Options,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Slope, its standard error, filter (B, p) and the filtered signal's variance, else (B,).

    Generalised least squares with autoregressive errors, iterated (Cochrane & Orcutt 1949), the
    design filtered and partialled out inside (Frisch & Waugh 1933), HC3 standard errors
    (MacKinnon & White 1985). `rows`: days that count; `known`: days with a signal.
    """
    design = design * rows[:, :, None]
    signal = np.where(rows, signal, 0.0)
    pair = np.stack([deviation, signal], axis=2)
    coefficients = np.zeros((len(design), options.ar_order_max))
    order = np.zeros(len(design), dtype=np.int64)
    for turn in range(GLS_ROUNDS + 1):
        columns = apply_filter(design, coefficients) * rows[:, :, None]
        both = apply_filter(pair, coefficients) * rows[:, :, None]
        gram = columns.transpose(0, 2, 1) @ columns
        taken = solve(gram, columns.transpose(0, 2, 1) @ both)
        rest = both - columns @ taken
        left, right = rest[:, :, 0], rest[:, :, 1]
        power = np.einsum("bl,bl->b", right, right)
        power = np.where(power > 0, power, np.inf)
        slope = np.einsum("bl,bl->b", right, left) / power
        if turn < GLS_ROUNDS:
            own = taken[:, :, 0] - slope[:, None] * taken[:, :, 1]
            error = deviation - fitted_values(design, own) - slope[:, None] * signal
            coefficients, order = fit_autoregression(
                np.where(rows, error, 0.0), rows, options.ar_order_max
            )
    error = left - slope[:, None] * right
    inverse = solve(gram, np.broadcast_to(np.eye(gram.shape[1]), gram.shape))
    leverage = np.einsum("blp,blp->bl", columns @ inverse, columns)
    leverage += right**2 / power[:, None]
    jackknifed = error / np.maximum(1 - leverage, 0.05)
    standard_error = np.sqrt(np.einsum("bl,bl->b", right**2, jackknifed**2)) / power
    # HC3 makes up for the design; the filter took degrees of freedom as well.
    n_rows = np.count_nonzero(rows, axis=1)
    standard_error *= np.sqrt(n_rows / np.maximum(n_rows - order, 1))
    count = np.count_nonzero(rows & known, axis=1)
    variance = np.where(np.isfinite(power), power, 0.0) / np.maximum(count, 1)
    return slope, standard_error, coefficients, variance


def _shifted(values: FloatArray, lag_days: IntArray) -> FloatArray:
    """Each product's values (B, L) of its own number of days before; 0 before the window."""
    days = values.shape[1]
    column = np.arange(days) - lag_days[:, None]
    taken = np.take_along_axis(values, np.maximum(column, 0), axis=1)
    return np.where(column >= 0, taken, 0.0)
