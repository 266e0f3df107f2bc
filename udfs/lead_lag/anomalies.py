"""Anomalies: days that a series' own calendar and past do not let expect.

Calendar (weekday, trend, season, holiday, promotion) is fitted robustly; what is left is forecast
one day ahead by an autoregression; the error over its robust SD is the z-score. An outlier is
taken out of the past of the next days (the robust filter of Denby & Martin 1979), else one odd day
would make the following ones odd too; but a series that moved to a new level is followed there.
p-values come from a Student t as heavy-tailed as the errors of the series themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import BoolArray, DayArray, FloatArray, IntArray, Options, TextArray
from udfs.lead_lag.preparing import (
    build_design,
    fitted_values,
    least_squares,
    quantile,
    robust_sd,
    winsorise,
)
from udfs.lead_lag.whitening import apply_filter, fit_autoregression

Q_MAX = 0.05
MIN_DAYS = 60  # below, nothing is said of any series (mart_sufficiency)

_LIMIT_SD = 3.0
_FIT_ROUNDS = 3
_SERIES_PER_CHUNK = 512
# Freedom of Student's t by the ratio of its 95 % to its 50 % absolute quantile.
_FREEDOM = np.array([50.0, 20.0, 12.0, 8.0, 6.0, 5.0, 4.0, 3.5, 3.0])
_TAIL_RATIO = stdtrit(_FREEDOM, 0.975) / stdtrit(_FREEDOM, 0.75)
_NORMAL_RATIO = 2.9
_TAIL_PRIOR_DAYS = 100.0
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Series:
    """N series over the same T consecutive days, on the scale on which they vary evenly.

    `values`: (N, T), NaN where not observed. `promo`, `holiday`, `stock_out`: (N, T); a stock-out
    is judged but not learnt from. `group`: (N,), series of one group share a correction.
    """

    dates: DayArray
    values: FloatArray
    promo: BoolArray
    holiday: BoolArray
    stock_out: BoolArray
    group: TextArray


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Arrays (N, T), NaN where not observed or not tested.

    `expected`: value on the series' scale; `z`: robust; `p`, `q`: two-sided; `is_anomaly`:
    q <= .05. `is_tested`: (N,), at least `MIN_DAYS` observed days, at most half of them alike.
    """

    expected: FloatArray
    z: FloatArray
    p: FloatArray
    q: FloatArray
    is_anomaly: BoolArray
    is_tested: BoolArray


def find_anomalies(series: Series) -> Anomalies:
    """Judge every day of every series.

    Benjamini-Hochberg over the days of a group, those out of stock apart.
    """
    shape = series.values.shape
    expected, error = np.full(shape, np.nan), np.full(shape, np.nan)
    is_tested = _is_testable(series.values, series.stock_out)
    tested = np.flatnonzero(is_tested)
    for start in range(0, len(tested), _SERIES_PER_CHUNK):
        rows = tested[start : start + _SERIES_PER_CHUNK]
        expected[rows] = _expectations(series, rows)
    observed = np.isfinite(series.values)
    error = series.values - expected
    learnt = observed & ~series.stock_out & is_tested[:, None]
    spread = robust_sd(np.where(learnt, error, 0.0), learnt)
    # Nothing but the calendar is in the series: no error is large or small.
    is_tested &= spread > 1e-9
    known = observed & is_tested[:, None]
    z = np.where(known, error / np.where(spread > 0, spread, 1.0)[:, None], np.nan)
    p = _two_sided_p(z, learnt & known, series.group)
    # Days known to be out of stock are no news, and must not pay for other days.
    q = np.full(shape, np.nan)
    member = np.unique(series.group.astype(str), return_inverse=True)[1]
    family = 2 * member[:, None] + series.stock_out
    # Rounding must not bring a q below its p.
    q[known] = np.maximum(benjamini_hochberg(p[known], groups=family[known]), p[known])
    with np.errstate(invalid="ignore"):  # comparisons with NaN are false, as they should be
        is_anomaly = q <= Q_MAX
    return Anomalies(
        expected=np.where(known, expected, np.nan),
        z=z,
        p=p,
        q=q,
        is_anomaly=is_anomaly,
        is_tested=is_tested,
    )


def _is_testable(values: FloatArray, stock_out: BoolArray) -> BoolArray:
    """Say which series have enough days, and more than one usual value, (N,)."""
    usual = np.where(stock_out, np.nan, values)
    n_days = np.count_nonzero(np.isfinite(usual), axis=1)
    middle = quantile(usual, 0.5)
    n_alike = np.count_nonzero(usual == middle[:, None], axis=1)
    return np.asarray((n_days >= MIN_DAYS) & (2 * n_alike <= n_days))


def _expectations(series: Series, rows: IntArray) -> FloatArray:
    """Return what each day of some series was expected to be, (B, T)."""
    values = series.values[rows]
    days = values.shape[1]
    observed = np.isfinite(values)
    learnt = observed & ~series.stock_out[rows]
    options = Options()
    weekday = series.dates.astype("datetime64[D]").astype(np.int64) % _WEEK_DAYS
    first = np.argmax(observed, axis=1)
    last = days - 1 - np.argmax(observed[:, ::-1], axis=1)
    day = np.arange(days)
    inside = (day >= first[:, None]) & (day <= last[:, None])
    # The design's waves begin at a series' first day.
    shift = np.minimum(first[:, None] + day, days - 1)
    fits = day < (last - first + 1)[:, None]

    def begin(array: FloatArray | BoolArray) -> FloatArray:
        return np.asarray(np.take_along_axis(array, shift, axis=1) * fits)

    design = build_design(
        fits,
        last - first + 1,
        np.take(weekday, shift) * fits,
        begin(series.holiday[rows]).astype(bool),
        begin(series.promo[rows]).astype(bool),
        options.days_per_cosine,
    )
    centre = quantile(np.where(learnt, values, np.nan), 0.5)
    start_values = begin(np.where(observed, values - centre[:, None], 0.0))
    used, seen = begin(learnt).astype(bool), begin(observed).astype(bool)
    calendar = _robust_fit(design, start_values, used)
    left = np.where(seen, start_values - calendar, 0.0)
    coefficients, _ = fit_autoregression(
        winsorise(left, used, _LIMIT_SD) * used, used, options.ar_order_max
    )
    ahead = _robust_forecast(left, used, seen, coefficients)
    expected = np.full(values.shape, np.nan)
    place = np.clip(day - first[:, None], 0, days - 1)
    moved = np.take_along_axis(calendar + ahead, place, axis=1) + centre[:, None]
    expected[inside] = moved[inside]
    return expected


def _robust_fit(design: FloatArray, values: FloatArray, used: BoolArray) -> FloatArray:
    """Return the fitted calendar (B, T): least squares on values drawn to within three SD."""
    drawn = values
    fitted = np.zeros_like(values)
    for _ in range(_FIT_ROUNDS):
        fitted = fitted_values(design, least_squares(design, drawn, used))
        drawn = fitted + winsorise(np.where(used, values - fitted, 0.0), used, _LIMIT_SD)
    return fitted


def _robust_forecast(
    left: FloatArray, used: BoolArray, seen: BoolArray, coefficients: FloatArray
) -> FloatArray:
    """Return one-day-ahead forecasts (B, T) of what the calendar leaves.

    Two pasts are kept: one with outliers drawn to within three SD of their forecast, and one as it
    was. The forecast that comes closer counts: the first after a single odd day, the second after a
    change of level.
    """
    n_series, days = left.shape
    order_max = coefficients.shape[1]
    limit = _LIMIT_SD * robust_sd(apply_filter(left, coefficients), used)
    drawn = np.zeros((n_series, days + order_max))  # with `order_max` days of nothing before
    as_was = np.zeros((n_series, days + order_max))
    ahead = np.zeros((n_series, days))
    backwards = coefficients[:, ::-1]
    for day in range(days):
        past = slice(day, day + order_max)
        from_drawn = np.einsum("bk,bk->b", backwards, drawn[:, past])
        from_as_was = np.einsum("bk,bk->b", backwards, as_was[:, past])
        value, is_seen = left[:, day], used[:, day]
        is_closer = np.abs(value - from_as_was) < np.abs(value - from_drawn)
        ahead[:, day] = np.where(is_closer & seen[:, day], from_as_was, from_drawn)
        error = np.clip(value - from_drawn, -limit, limit)
        # A day that was not seen, or not to be learnt from, is what it was expected to be.
        drawn[:, day + order_max] = from_drawn + np.where(is_seen, error, 0.0)
        as_was[:, day + order_max] = np.where(is_seen, value, from_as_was)
    return ahead


def _two_sided_p(z: FloatArray, learnt: BoolArray, group: TextArray) -> FloatArray:
    """Return P(|error| as large) under a Student t fitted to each series, (N, T).

    High and low errors each have their own: counts are skewed on any scale.
    """
    names, member = np.unique(group.astype(str), return_inverse=True)
    p = np.full(z.shape, np.nan)
    for side in (1.0, -1.0):
        with np.errstate(invalid="ignore"):  # comparisons with NaN are false
            is_side = side * z > 0
        one_sided = _tail(np.where(is_side, np.abs(z), np.nan), learnt, member, len(names))
        p = np.where(is_side, one_sided, p)
    return np.where(z == 0, 1.0, p)


def _tail(size: FloatArray, learnt: BoolArray, member: IntArray, n_groups: int) -> FloatArray:
    """Return the chance of errors as large among those of one sign, (N, T); NaN in, NaN out.

    The heaviness of the tail is read from the ratio of the 95 % to the 50 % quantile: single
    anomalies leave it alone. With some hundred days that is noisy, so it is shrunk to the median
    ratio of the group's series.
    """
    usual = np.where(learnt, size, np.nan)
    days = np.count_nonzero(np.isfinite(usual), axis=1)
    is_known = days > 0
    middle = np.maximum(np.where(is_known, quantile(usual, 0.5), 1.0), 1e-9)
    ratio = np.where(is_known, quantile(usual, 0.95), _NORMAL_RATIO) / middle
    shared = np.full(n_groups, _NORMAL_RATIO)
    for each in range(n_groups):
        of_group = (member == each) & is_known
        if of_group.any():
            shared[each] = np.median(ratio[of_group])
    weight = days / (days + _TAIL_PRIOR_DAYS)
    mixed = weight * ratio + (1 - weight) * shared[member]
    freedom = np.interp(mixed, _TAIL_RATIO, _FREEDOM)
    unit = middle / stdtrit(freedom, 0.75)  # of the t that has this median
    known = np.isfinite(size)
    t_value = np.where(known, size, 0.0) / unit[:, None]
    return np.where(known, 2.0 * stdtr(freedom[:, None], -t_value), np.nan)
