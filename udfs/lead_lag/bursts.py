"""Bursts: days on which far more people use a topic than its own past lets expect.

Each topic is forecast one day ahead from its own past: a level that forgets, weekday factors
shrunk to those of all topics, and a dispersion learnt from how wrong the forecasts of the past
were. A day's p-value is the upper tail of the negative binomial that this gives: Poisson counts
whose rate is Gamma distributed (Greenwood & Yule 1920), as in the outbreak detection of Farrington
et al. 1996 and Noufaily et al. 2013, who also weigh down past outbreaks. Benjamini & Hochberg 1995
over all topic-days.

Only days before a day speak about it: tomorrow's data never change today's p-value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc
from scipy.stats import nbinom

from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import BoolArray, DayArray, FloatArray, IntArray

Q_MAX = 0.05
MIN_HISTORY_DAYS = 28  # four of each weekday
MIN_AUTHORS = 5  # fewer people than this are no trend, however unusual they are

_LEVEL_HALF_LIFE_DAYS = 14.0
_WEEKDAY_HALF_LIFE_DAYS = 56.0
_DISPERSION_HALF_LIFE_DAYS = 84.0
_WEEKDAY_PRIOR_COUNT = 20.0
# A day tells at most 1 / _TYPICAL_DISPERSION**2 about the dispersion; the prior weighs as much as
# eight such days.
_TYPICAL_DISPERSION = 0.2
_DISPERSION_PRIOR = 8.0 / _TYPICAL_DISPERSION**2
_LEAST_DISPERSION = 0.02
_DISPERSION_CAUTION = 0.5  # standard errors
_CLIP_SD = 4.0
_WEEK_DAYS = 7
_USUAL_TAIL = 0.025  # of each side of the usual range


@dataclass(frozen=True, slots=True)
class Bursts:
    """What each topic-day was held against. Arrays (N, T), NaN where a day is not tested.

    `expected`: mean count that the past lets expect; `size`: of the negative binomial (variance =
    expected + expected**2 / size); `p`: chance of as many or more; `q`: corrected over all tested
    topic-days; `is_burst`: q <= .05, at least `MIN_AUTHORS`, above the expectation.
    """

    expected: FloatArray
    size: FloatArray
    p: FloatArray
    q: FloatArray
    is_burst: BoolArray


def find_bursts(counts: FloatArray, dates: DayArray) -> Bursts:
    """Find the days on which a topic bursts.

    `counts`: (N, T), distinct authors of the topic a day, 0 on a quiet day and NaN on one that was
    not observed. `dates`: (T,), consecutive days. A day is tested once `MIN_HISTORY_DAYS` earlier
    days were observed. Cost: T steps over N topics.
    """
    expected, size = _forecasts(counts, _weekdays(dates))
    p = upper_tail(counts, expected, size)
    q = benjamini_hochberg(p.ravel()).reshape(p.shape)
    with np.errstate(invalid="ignore"):  # comparisons with NaN are false, as they should be
        is_burst = (q <= Q_MAX) & (counts >= MIN_AUTHORS) & (counts > expected)
    return Bursts(expected=expected, size=size, p=p, q=q, is_burst=is_burst)


def upper_tail(counts: FloatArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Return P(Y >= count) of negative binomials with this mean and size; NaN in, NaN out.

    P(Y >= y) = I_x(y, size) with x = mean / (mean + size), the regularised incomplete beta
    function; it keeps its relative precision far below 1e-16.
    """
    is_known = np.isfinite(counts) & np.isfinite(mean) & np.isfinite(size)
    count = np.where(is_known & (counts > 0), counts, 1.0)
    safe_mean, safe_size = np.where(is_known, mean, 1.0), np.where(is_known, size, 1.0)
    tail = betainc(count, safe_size, safe_mean / (safe_mean + safe_size))
    return np.where(is_known, np.where(counts > 0, tail, 1.0), np.nan)


def usual_range(mean: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return between which counts 95 % of days lie, by negative binomials; NaN in, NaN out.

    The ends are counts: at most 2.5 % of days lie below the first, as many above the second.
    """
    is_known = np.isfinite(mean) & np.isfinite(size)
    safe_mean, safe_size = np.where(is_known, mean, 1.0), np.where(is_known, size, 1.0)
    chance = safe_size / (safe_size + safe_mean)
    low, high = (
        np.where(is_known, nbinom.ppf(tail, safe_size, chance), np.nan)
        for tail in (_USUAL_TAIL, 1 - _USUAL_TAIL)
    )
    return low, high


def _weekdays(dates: DayArray) -> IntArray:
    """Return 0 to 6 for each day; which weekday is 0 does not matter."""
    return np.asarray(dates.astype("datetime64[D]").astype(np.int64) % _WEEK_DAYS)


def _forecasts(counts: FloatArray, weekdays: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and size of each day's one-day-ahead forecast, both (N, T).

    The level is a discounted Gamma-Poisson rate under Jeffreys' prior. What lies above
    `_CLIP_SD` standard deviations of its forecast is learnt from as if it lay there, so that a
    burst does not hide the next one.
    """
    n_topics, n_days = counts.shape
    expected = np.full((n_topics, n_days), np.nan)
    size = np.full((n_topics, n_days), np.nan)
    keep_level = 0.5 ** (1 / _LEVEL_HALF_LIFE_DAYS)
    keep_weekday = 0.5 ** (1 / _WEEKDAY_HALF_LIFE_DAYS)
    keep_dispersion = 0.5 ** (1 / _DISPERSION_HALF_LIFE_DAYS)
    count_sum = np.zeros(n_topics)
    exposure = np.zeros(n_topics)
    weekday_count = np.zeros((n_topics, _WEEK_DAYS))
    weekday_level = np.zeros((n_topics, _WEEK_DAYS))
    excess = np.zeros(n_topics)  # weighted sum of what the Poisson variance leaves over
    information = np.zeros(n_topics)
    n_seen = np.zeros(n_topics)

    for day in range(n_days):
        weekday = weekdays[day]
        factor = _weekday_factor(weekday_count, weekday_level, weekday)
        level_shape = count_sum + 0.5
        level = level_shape / np.maximum(exposure, 1.0)
        mean = level * factor
        dispersion = _dispersion(excess, information)
        # Two sources of a varying rate: days differ, and the level is only estimated.
        inverse_size = dispersion + 1.0 / level_shape
        is_tested = n_seen >= MIN_HISTORY_DAYS
        expected[is_tested, day] = mean[is_tested]
        size[is_tested, day] = 1.0 / inverse_size[is_tested]

        count_sum *= keep_level
        exposure *= keep_level
        weekday_count *= keep_weekday
        weekday_level *= keep_weekday
        excess *= keep_dispersion
        information *= keep_dispersion
        seen = np.flatnonzero(np.isfinite(counts[:, day]))
        is_first_week = n_seen < _WEEK_DAYS
        mean_seen = mean[seen]
        limit = mean_seen + _CLIP_SD * np.sqrt(mean_seen + inverse_size[seen] * mean_seen**2)
        count = counts[seen, day]
        # The first week has no past to be judged by.
        clipped = np.where(is_first_week[seen], count, np.minimum(count, np.maximum(limit, 1.0)))
        count_sum[seen] += clipped
        exposure[seen] += factor[seen]
        judged = np.where(is_first_week[seen], 0.0, 1.0)
        weekday_count[seen, weekday] += judged * clipped
        weekday_level[seen, weekday] += judged * level[seen]
        weight = judged / (1.0 + _TYPICAL_DISPERSION * mean_seen) ** 2
        # The square of an error holds the level's own uncertainty, which is counted apart.
        surplus = (clipped - mean_seen) ** 2 - mean_seen - mean_seen**2 / level_shape[seen]
        excess[seen] += weight * surplus
        information[seen] += weight * mean_seen**2
        n_seen[seen] += 1
    return expected, size


def _weekday_factor(count: FloatArray, level: FloatArray, weekday: int) -> FloatArray:
    """Return how much busier than its level each topic is on this weekday, (N,).

    A topic's own factor, shrunk to the one that all topics share as if that had been seen on
    `_WEEKDAY_PRIOR_COUNT` posts.
    """
    weight = _WEEKDAY_PRIOR_COUNT
    shared = (count.sum(axis=0) + weight) / (level.sum(axis=0) + weight)
    own = (count + weight * shared) / (level + weight)
    return np.asarray(own[:, weekday] / own.mean(axis=1))


def _dispersion(excess: FloatArray, information: FloatArray) -> FloatArray:
    """Return 1 / size of the day-to-day variation, each topic's own shrunk to the shared one.

    Stated half a standard error too large: a tail far out is sensitive to it.
    """
    prior = _DISPERSION_PRIOR
    shared = (excess.sum() + prior * _TYPICAL_DISPERSION) / (information.sum() + prior)
    shared = max(float(shared), _LEAST_DISPERSION)
    own = np.maximum((excess + prior * shared) / (information + prior), _LEAST_DISPERSION)
    days = (information + prior) * _TYPICAL_DISPERSION**2
    return np.asarray(own * (1.0 + _DISPERSION_CAUTION * np.sqrt(2.0 / days)))
