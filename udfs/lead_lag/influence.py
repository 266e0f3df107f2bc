"""Author influence: how much engagement a post of an author usually gets, honestly uncertain.

An author with one lucky post is no influencer. Engagement is taken as ln(1 + engagement), where
it is about normal; an author's mean is shrunk towards that of authors with as many followers on
the same platform, the more so the fewer posts there are (empirical Bayes: Efron & Morris 1975;
between-author variance by Paule & Mandel 1982; uncertainty of the tier's mean as in Morris 1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray

MIN_TIER_AUTHORS = 10  # fewer lend no mean: such a tier takes the whole platform's
MIN_WITHIN_DEGREES = 10  # posts beyond each author's first that a variance needs

_CONFIDENCE = 0.95
_BISECTIONS = 40
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Authors:
    """One entry an author, arrays (M,).

    `platform`, `tier`: numbers of the platform and of the tier, unique over platforms. `posts`:
    posts whose engagement is known, at least 1. `log_mean`, `log_square_sum`: mean of their
    ln(1 + engagement) and sum of squares about it. `is_model`: counts towards what is usual
    (suspected bots do not).
    """

    platform: IntArray
    tier: IntArray
    posts: FloatArray
    log_mean: FloatArray
    log_square_sum: FloatArray
    is_model: BoolArray


@dataclass(frozen=True, slots=True)
class Influence:
    """Arrays (M,), NaN where the platform has too few authors, or none with several posts.

    `tier_typical`: what a post of that tier usually gets (the median if ln(1 + engagement) is
    normal); `typical`, `low`, `high`: the same of the author, shrunk, with its 95 % interval;
    `own_weight`: share of the author's own posts in it, 0 to 1.
    """

    tier_typical: FloatArray
    typical: FloatArray
    low: FloatArray
    high: FloatArray
    own_weight: FloatArray


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual of the authors of each of G groups, arrays (G,)."""

    mean: FloatArray
    mean_variance: FloatArray
    between: FloatArray
    between_se: FloatArray
    degrees: FloatArray

    def of(self, group: IntArray) -> _Usual:
        """Return the same for each author, arrays (M,)."""
        return _Usual(
            self.mean[group],
            self.mean_variance[group],
            self.between[group],
            self.between_se[group],
            self.degrees[group],
        )


def shrink_authors(authors: Authors) -> Influence:
    """Estimate what a post of each author usually gets."""
    noise = _first_known(
        _within_variance(authors, authors.tier), _within_variance(authors, authors.platform)
    )
    sampling = noise / authors.posts
    tier = _usual(authors, authors.tier, sampling).of(authors.tier)
    platform = _usual(authors, authors.platform, sampling).of(authors.platform)
    mean = _first_known(tier.mean, platform.mean)
    is_of_tier = np.isfinite(tier.mean)
    between = np.where(is_of_tier, tier.between, platform.between)
    between_se = np.where(is_of_tier, tier.between_se, platform.between_se)
    mean_variance = np.where(is_of_tier, tier.mean_variance, platform.mean_variance)
    degrees = np.where(is_of_tier, tier.degrees, platform.degrees)

    total = np.maximum(between + sampling, _TINY)
    own_weight = between / total
    centre = own_weight * authors.log_mean + (1 - own_weight) * mean
    # The weight itself is estimated: its variance times how far apart the two means are.
    weight_variance = (sampling / total**2 * between_se) ** 2
    variance = (
        own_weight * sampling
        + (1 - own_weight) ** 2 * mean_variance
        + weight_variance * (authors.log_mean - mean) ** 2
    )
    critical = stdtrit(np.where(np.isfinite(degrees), degrees, 1.0), 0.5 + _CONFIDENCE / 2)
    reach = critical * np.sqrt(variance)
    return Influence(
        tier_typical=np.expm1(mean),
        typical=np.expm1(centre),
        low=np.maximum(np.expm1(centre - reach), 0.0),
        high=np.expm1(centre + reach),
        own_weight=own_weight,
    )


def _first_known(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.where(np.isfinite(first), first, second)


def _within_variance(authors: Authors, group: IntArray) -> FloatArray:
    """Return the pooled variance of an author's posts about their mean, for each author, (M,).

    NaN where the group has too few posts beyond the first of each author.
    """
    weight = authors.is_model.astype(np.float64)
    squares = np.bincount(group, weight * authors.log_square_sum)
    degrees = np.bincount(group, weight * (authors.posts - 1))
    is_enough = degrees >= MIN_WITHIN_DEGREES
    variance = np.where(is_enough, squares / np.maximum(degrees, 1.0), np.nan)
    return np.asarray(variance[group])


def _usual(authors: Authors, group: IntArray, sampling: FloatArray) -> _Usual:
    """Return mean and between-author variance of each group; NaN where it has too few authors.

    Paule & Mandel's variance: the one at which the weighted squares about the weighted mean equal
    their degrees of freedom, by bisection over all groups at once. It is stated one standard error
    too large: authors are shrunk a little less than might be, and intervals keep their coverage.
    """
    n_groups = int(group.max(initial=-1)) + 1
    is_used = authors.is_model & np.isfinite(sampling)
    rows = np.flatnonzero(is_used)
    member, noise, value = group[rows], sampling[rows], authors.log_mean[rows]
    n_authors = np.bincount(member, minlength=n_groups).astype(np.float64)
    is_enough = n_authors >= MIN_TIER_AUTHORS

    def total(weights: FloatArray) -> FloatArray:
        return np.maximum(np.bincount(member, weights, minlength=n_groups), _TINY)

    def weighted(between: FloatArray) -> tuple[FloatArray, FloatArray]:
        weight = 1.0 / np.maximum(noise + between[member], _TINY)
        return weight, total(weight * value) / total(weight)

    value_mean = np.bincount(member, value, minlength=n_groups) / np.maximum(n_authors, 1.0)
    low = np.zeros(n_groups)
    high = np.bincount(member, (value - value_mean[member]) ** 2, minlength=n_groups) + _TINY
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        weight, mean = weighted(middle)
        is_too_small = total(weight * (value - mean[member]) ** 2) > n_authors - 1
        low = np.where(is_too_small, middle, low)
        high = np.where(is_too_small, high, middle)
    weight, _ = weighted(low)
    between_se = np.sqrt(2.0 / total(weight**2))
    between = low + between_se
    weight, mean = weighted(between)

    def known(values: FloatArray) -> FloatArray:
        return np.where(is_enough, values, np.nan)

    return _Usual(
        mean=known(mean),
        mean_variance=known(1.0 / total(weight)),
        between=known(between),
        between_se=known(between_se),
        degrees=known(n_authors - 1),
    )
