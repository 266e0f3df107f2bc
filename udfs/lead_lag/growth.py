"""Growth from one month to another, with an interval that days of unequal weight have earned.

Months differ in length, in weekdays and in days that nobody observed. So what is compared is the
level of an observed day: y = level of the month x factor of the weekday, fitted to both months
together (quasi-Poisson, log link: McCullagh & Nelder 1989). Given their sum, the totals of the two
months are a share of it (Przyborowski & Wilenski 1940), whose score interval (Wilson 1927) is
taken for as many independent records as the days are worth: the variance of a day over its mean is
estimated, and what a day has in common with the one before (first-order autoregression: Bayley &
Hammersley 1946, the estimate corrected for its bias: Marriott & Pope 1954).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray

MIN_DAYS = 14  # observed in each month: below, a change may be told, an interval not
_ROUNDS = 8
_MOST_ALIKE = 0.9  # two months cannot tell more from a trend
_SMALL = 1e-12


@dataclass(frozen=True, slots=True)
class Change:
    """Changes of S series between two months, arrays (S,).

    `ratio`: level of an observed day over that of the base month, less 1, weekdays accounted for;
    NaN without a day in either month or with a base that is not above 0. `low`, `high`: its 95 %
    interval and `p` the two-sided p-value that belongs to it; NaN where there is no ratio, with
    fewer than `MIN_DAYS` days, or if a day's value is below 0 so often that a total is. `days`,
    `base_days`: observed days.
    """

    ratio: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    days: IntArray
    base_days: IntArray


def compare_months(
    current: FloatArray,
    base: FloatArray,
    weekday: IntArray,
    base_weekday: IntArray,
    *,
    gap_days: int,
    is_count: bool,
) -> Change:
    """Compare a month with another one, for many series at once.

    `current` (S, D), `base` (S, B): daily values, NaN where a day is not observed; `weekday`,
    `base_weekday`: 0 to 6; `gap_days`: days from the end of the base month to the first of the
    current one, 0 where they follow each other. `is_count`: whether values count things, which
    then vary no less than by chance.
    """
    values = np.concatenate([base, current], axis=1)
    days = np.concatenate([base_weekday, weekday])
    is_current = np.arange(values.shape[1]) >= base.shape[1]
    seen = np.isfinite(values)
    value = np.where(seen, values, 0.0)
    n = seen[:, is_current].sum(axis=1)
    n_base = seen[:, ~is_current].sum(axis=1)
    total = value[:, is_current].sum(axis=1)
    total_base = value[:, ~is_current].sum(axis=1)
    has_ratio = (n > 0) & (n_base > 0) & (total_base > 0) & (total >= 0)
    factor = _weekday_factors(value, seen, days, is_current)
    exposure = (factor * seen)[:, is_current].sum(axis=1)
    exposure_base = (factor * seen)[:, ~is_current].sum(axis=1)
    has_ratio &= (exposure > 0) & (exposure_base > 0)
    safe_base = np.where(has_ratio, total_base, 1.0)
    per_exposure = np.where(has_ratio, exposure_base / np.where(has_ratio, exposure, 1.0), 1.0)
    ratio = np.where(has_ratio, total / safe_base * per_exposure - 1.0, np.nan)

    level = np.where(
        is_current,
        _over(total, exposure)[:, None],
        _over(total_base, exposure_base)[:, None],
    )
    expected = level * factor
    parameters = np.array([len(np.unique(days))]) + 1
    per_record, freedom = _variance_per_mean(
        value, expected, seen, parameters, gap=gap_days, split=base.shape[1], is_count=is_count
    )
    low, high, p = _interval(total, total_base, exposure, exposure_base, per_record, freedom)
    is_told = has_ratio & (n >= MIN_DAYS) & (n_base >= MIN_DAYS) & (freedom > 0)
    return Change(
        ratio=ratio,
        low=np.where(is_told, low, np.nan),
        high=np.where(is_told, high, np.nan),
        p=np.where(is_told, p, np.nan),
        days=n.astype(np.int64),
        base_days=n_base.astype(np.int64),
    )


def no_change(count: int) -> Change:
    """Return the changes of `count` series for which there is nothing to compare."""
    unknown = np.full(count, np.nan)
    none = np.zeros(count, dtype=np.int64)
    return Change(unknown, unknown, unknown, unknown, none, none)


def _weekday_factors(
    value: FloatArray, seen: BoolArray, days: IntArray, is_current: BoolArray
) -> FloatArray:
    """Factors (S, D) of the days' weekdays, mean 1 over the weekdays that were observed."""
    names = np.unique(days)
    member = (days[:, None] == names).astype(np.float64)  # (D, W)
    by_weekday = value @ member
    factor = np.ones((len(value), len(names)))
    is_seen = (seen @ member) > 0
    for _ in range(_ROUNDS):
        each = (factor @ member.T) * seen
        level = np.where(
            is_current,
            _over(value[:, is_current].sum(axis=1), each[:, is_current].sum(axis=1))[:, None],
            _over(value[:, ~is_current].sum(axis=1), each[:, ~is_current].sum(axis=1))[:, None],
        )
        factor = _over(by_weekday, (level * seen) @ member)
        # A weekday on which nothing is sold still has its days: a factor of next to nothing.
        factor = np.where(is_seen, np.maximum(factor, _SMALL), 0.0)
        mean = _over(factor.sum(axis=1), is_seen.sum(axis=1))
        factor = factor / np.where(mean > 0, mean, 1.0)[:, None]
    return np.asarray(factor @ member.T)


def _variance_per_mean(
    value: FloatArray,
    expected: FloatArray,
    seen: BoolArray,
    parameters: IntArray,
    *,
    gap: int,
    split: int,
    is_count: bool,
) -> tuple[FloatArray, FloatArray]:
    """Variance of a total over its mean (S,), and the degrees of freedom it is known with."""
    n = seen.sum(axis=1)
    freedom = np.maximum(n - parameters, 0)
    root = np.sqrt(np.maximum(expected, _SMALL))
    residual = np.where(seen & (expected > _SMALL), (value - expected) / root, 0.0)
    square_sum = (residual**2).sum(axis=1)
    dispersion = _over(square_sum, freedom)
    shared = residual[:, 1:] * residual[:, :-1]
    if gap:  # the last day of the base month is no neighbour of the first of the current
        shared[:, split - 1] = 0.0
    neighbours = (seen[:, 1:] & seen[:, :-1]).sum(axis=1)
    alike = _over(_over(shared.sum(axis=1), neighbours), _over(square_sum, n))
    # Residuals of fitted levels and weekdays look less alike than the days are.
    alike = np.clip(alike + (parameters + 1.0 + 3.0 * alike) / n.clip(1), 0.0, _MOST_ALIKE)
    per_record = dispersion * (1.0 + alike) / (1.0 - alike)
    return (np.maximum(per_record, 1.0) if is_count else per_record), freedom.astype(np.float64)


def _interval(
    total: FloatArray,
    total_base: FloatArray,
    exposure: FloatArray,
    exposure_base: FloatArray,
    per_record: FloatArray,
    freedom: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    from scipy.special import stdtr, stdtrit  # late: scipy.special takes a quarter of a second

    records = _over(total + total_base, per_record)
    records = np.maximum(records, _SMALL)
    share = np.clip(_over(total, total + total_base), 0.0, 1.0)
    even = _over(exposure, exposure + exposure_base)
    days = np.maximum(freedom, 1.0)
    critical = stdtrit(days, 0.975)
    square = critical**2
    middle = (share + square / (2 * records)) / (1 + square / records)
    half = (
        critical
        * np.sqrt(share * (1 - share) / records + square / (4 * records**2))
        / (1 + square / records)
    )
    rest = _over(exposure_base, exposure)

    def as_ratio(part: FloatArray) -> FloatArray:
        return np.asarray(part / np.maximum(1.0 - part, _SMALL) * rest - 1.0)

    low = as_ratio(np.clip(middle - half, 0.0, 1.0))
    high = as_ratio(np.clip(middle + half, 0.0, 1.0))
    score = np.abs(share - even) / np.sqrt(np.maximum(even * (1 - even) / records, _SMALL**2))
    p = 2.0 * stdtr(days, -score)
    return low, high, np.minimum(p, 1.0)


def _over(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> FloatArray:
    """Divide, with 0 where there is nothing to divide by."""
    above = np.asarray(part, dtype=np.float64)
    below = np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))
