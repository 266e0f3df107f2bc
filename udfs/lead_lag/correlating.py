"""Cross-correlations at lags -14 … 14 and the band that unrelated series stay within."""

from __future__ import annotations

import numpy as np
from scipy import special

from udfs.lead_lag.panel import LAGS, MAX_LAG, BoolArray, FloatArray

_LEVEL = 0.95
_SIDAK = 1 - (1 - _LEVEL ** (1 / len(LAGS))) / 2  # of each tail, for all lags at once


def cross_correlation(
    signal: FloatArray, outcome: FloatArray, signal_days: BoolArray, outcome_days: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Correlation and its days at each lag, (B, 29) each; above 0 the signal comes first.

    Series (B, L) with mean 0, 0 where not observed; days without both do not count.
    """
    shape = (len(signal), len(LAGS))
    correlation, n_days = np.zeros(shape), np.zeros(shape)
    days = signal.shape[1]
    left_days, right_days = signal_days.astype(float), outcome_days.astype(float)
    left_power, right_power = signal**2, outcome**2
    for column, lag in enumerate(LAGS):
        if abs(lag) >= days:
            continue
        first = slice(0, days - lag) if lag >= 0 else slice(-lag, days)
        then = slice(lag, days) if lag >= 0 else slice(0, days + lag)
        product = np.einsum("bl,bl->b", signal[:, first], outcome[:, then])
        power = np.einsum("bl,bl->b", left_power[:, first], right_days[:, then])
        power *= np.einsum("bl,bl->b", left_days[:, first], right_power[:, then])
        correlation[:, column] = product / np.sqrt(np.where(power > 0, power, 1.0))
        n_days[:, column] = np.einsum("bl,bl->b", left_days[:, first], right_days[:, then])
    return correlation, n_days


def null_band(
    signal: FloatArray,
    outcome: FloatArray,
    signal_days: BoolArray,
    outcome_days: BoolArray,
    n_days: FloatArray,
) -> FloatArray:
    """Half width of the simultaneous 95 % band of autocorrelated, unrelated series, (B, 29).

    As the SQL screen has it: Student's t with n / max(1, 1 + 2 Σ (1 - j/n) rx(j) ry(j)) days
    (Bartlett 1935), Šidák over the lags.
    """
    same_day = np.maximum(n_days[:, MAX_LAG], 1.0)
    own = [
        cross_correlation(values, values, days, days)[0][:, MAX_LAG + 1 :]
        for values, days in ((signal, signal_days), (outcome, outcome_days))
    ]
    weight = 1 - np.arange(1, MAX_LAG + 1) / same_day[:, None]
    inflation = np.maximum(1 + 2 * (weight * own[0] * own[1]).sum(axis=1), 1.0)
    freedom = np.maximum(n_days / inflation[:, None] - 2, 1.0)
    limit = special.stdtrit(freedom, _SIDAK)
    return np.asarray(limit / np.sqrt(freedom + limit**2))


def white_band(n_days: FloatArray) -> FloatArray:
    """The same for white series: a normal quantile over the root of the days, (B, 29)."""
    return np.asarray(np.minimum(special.ndtri(_SIDAK) / np.sqrt(np.maximum(n_days, 1.0)), 1.0))
