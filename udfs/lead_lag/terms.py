"""Emerging terms: words that more people use this week than the weeks before let expect.

What is counted is people, not words: a term's count is the number of authors who used it at least
once, so neither one loud account nor a repeated text makes a topic.

Terms are ranked by their log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi &
Quinn 2008, "Fightin' Words"). Its z-score is a normal approximation that is poor just where terms
emerge, at a past of nearly nothing: so whether one emerges is decided by a count's exact tail, the
negative binomial that the weeks before predict, as wide as ordinary words of that week vary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udfs.lead_lag.bursts import MIN_AUTHORS, Q_MAX, upper_tail
from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray

_ORDINARY_COUNT = 10.0  # terms expected this often are present in any week: no choice by outcome
_ORDINARY_TERMS_MIN = 30
_MEDIAN_CHI_SQUARE = 0.4549364  # of one degree of freedom
_LEAST_DISPERSION = 0.02
_LARGEST_DISPERSION = 4.0
_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class TermWeeks:
    """Terms in weeks, one entry each, arrays (M,).

    `week`: number of the week. `authors`: who used the term in it; `authors_before`: the same
    summed over the weeks that it is held against. `week_authors`, `before_authors`: authors of any
    text in the same weeks. `family`: terms of one family are corrected together;
    `family_size`: how many terms and weeks it has, those that are not here included.
    """

    week: IntArray
    authors: FloatArray
    authors_before: FloatArray
    week_authors: FloatArray
    before_authors: FloatArray
    family: IntArray
    family_size: FloatArray


@dataclass(frozen=True, slots=True)
class Emerging:
    """Arrays (M,), NaN where there is no week before.

    `expected`: authors that the weeks before let expect; `odds_ratio`: smoothed odds of the week
    over those before; `z`: its log over its standard error, with what ordinary words vary; `p`:
    chance of as many authors or more; `q`: corrected over the family; `is_emerging`: q <= .05, at
    least `MIN_AUTHORS` and above the expectation.
    """

    expected: FloatArray
    odds_ratio: FloatArray
    z: FloatArray
    p: FloatArray
    q: FloatArray
    is_emerging: BoolArray


def log_odds(
    counts: FloatArray,
    total: FloatArray,
    other_counts: FloatArray,
    other_total: FloatArray,
    prior: FloatArray,
    prior_total: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return the log-odds ratio of each term between two corpora and its standard error.

    All arrays broadcast. `counts`, `other_counts`: of the term; `total`, `other_total`: of the
    corpora; `prior`: pseudo-counts of the term, above 0; `prior_total`: of the corpus. Count and
    prior together stay below their totals.

    Source: Monroe, Colaresi & Quinn 2008, eq. 16 (ratio) and 20 (variance); their z, eq. 22, is the
    one over the other.
    """
    with_prior, other_with_prior = counts + prior, other_counts + prior
    ratio = np.log(with_prior / (total + prior_total - with_prior)) - np.log(
        other_with_prior / (other_total + prior_total - other_with_prior)
    )
    deviation = np.sqrt(1.0 / with_prior + 1.0 / other_with_prior)
    return np.asarray(ratio), np.asarray(deviation)


def find_emerging(terms: TermWeeks) -> Emerging:
    """Find the terms that emerge in their week.

    The prior of the log-odds is an ordinary week's talk: the term's share of all the weeks seen,
    weighing as much as the authors of the week itself. A week without weeks before is not tested.
    """
    is_known = (terms.before_authors > 0) & (terms.week_authors > 0)
    week_total = np.where(is_known, terms.week_authors, 1.0)
    before_total = np.where(is_known, terms.before_authors, 1.0)
    counts = np.minimum(terms.authors, week_total)
    before = np.minimum(terms.authors_before, before_total)
    total = week_total + before_total
    # Half an author at least on either side: a word that everybody or nobody used still has odds.
    share = np.clip((counts + before) / total, 0.5 / total, 1.0 - 0.5 / total)
    ratio, deviation = log_odds(
        counts, week_total, before, before_total, share * week_total, week_total
    )
    # Laplace's rule: a term never seen before has a rate, that of one seen once. Less (Jeffreys'
    # half) makes news of rare words that merely were not said for some weeks.
    shape = before + 1.0
    expected = shape * week_total / before_total
    dispersion = _dispersion(terms.week, counts, before, expected, is_known)
    # Common words vary by more than chance: without that they would lead every week.
    z = ratio / np.sqrt(deviation**2 + dispersion)
    p = upper_tail(counts, expected, 1.0 / (dispersion + 1.0 / shape))
    p = np.where(is_known, p, np.nan)
    q = _corrected(p, terms.family, terms.family_size)
    with np.errstate(invalid="ignore"):  # comparisons with NaN are false, as they should be
        is_emerging = (q <= Q_MAX) & (counts >= MIN_AUTHORS) & (counts > expected)
    return Emerging(
        expected=np.where(is_known, expected, np.nan),
        odds_ratio=np.where(is_known, np.exp(ratio), np.nan),
        z=np.where(is_known, z, np.nan),
        p=p,
        q=q,
        is_emerging=is_emerging,
    )


def _dispersion(
    week: IntArray,
    counts: FloatArray,
    before: FloatArray,
    expected: FloatArray,
    is_known: BoolArray,
) -> FloatArray:
    """Return how much more than by chance ordinary terms vary in their week, (M,).

    The variance of a term's log rate from week to week. Found where the median of the squared
    standardised log ratios is that of a chi-square: the few terms that do emerge leave it alone.
    A week with few ordinary terms takes that of all weeks together.
    """
    is_ordinary = is_known & (expected >= _ORDINARY_COUNT) & (counts > 0)
    surprise = np.zeros(len(counts))
    chance = np.ones(len(counts))
    rows = np.flatnonzero(is_ordinary)
    surprise[rows] = np.log(counts[rows] / expected[rows]) ** 2
    chance[rows] = 1.0 / counts[rows] + 1.0 / before[rows]
    dispersion = np.full(len(counts), _median_dispersion(surprise[rows], chance[rows]))
    order = np.argsort(week, kind="stable")
    for of_week in np.split(order, np.flatnonzero(np.diff(week[order])) + 1):
        ordinary = of_week[is_ordinary[of_week]]
        if len(ordinary) >= _ORDINARY_TERMS_MIN:
            dispersion[of_week] = _median_dispersion(surprise[ordinary], chance[ordinary])
    return dispersion


def _median_dispersion(surprise: FloatArray, chance: FloatArray) -> float:
    """Solve median(surprise / (chance + dispersion)) = the median of a chi-square by bisection."""
    if len(surprise) == 0:
        return _LEAST_DISPERSION
    low, high = _LEAST_DISPERSION, _LARGEST_DISPERSION
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if np.median(surprise / (chance + middle)) > _MEDIAN_CHI_SQUARE:
            low = middle
        else:
            high = middle
    return low


def _corrected(p: FloatArray, family: IntArray, family_size: FloatArray) -> FloatArray:
    """Return q-values within families, as if every term and week of them were here.

    Those that are not were hardly used: their p-values are near 1, and they count only by their
    number.
    """
    q = np.fmax(benjamini_hochberg(p, groups=family), p)  # not below p by rounding
    _, index, tested = np.unique(family, return_inverse=True, return_counts=True)
    return np.asarray(np.minimum(1.0, q * np.maximum(family_size / tested[index], 1.0)))
