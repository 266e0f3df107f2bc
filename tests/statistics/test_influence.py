"""Author influence: one lucky post is no influence; intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from udfs.lead_lag.influence import MIN_TIER_AUTHORS, Authors, Influence, shrink_authors

TIER_MEANS = np.array([0.3, 1.0, 2.0, 3.5])
Floats = NDArray[np.float64]


def from_posts(
    author: NDArray[np.int64], log_engagement: Floats, tier: NDArray[np.int64]
) -> Authors:
    posts = np.bincount(author).astype(float)
    mean = np.bincount(author, log_engagement) / posts
    squares = np.bincount(author, (log_engagement - mean[author]) ** 2)
    return Authors(
        platform=np.zeros(len(posts), dtype=np.int64),
        tier=tier,
        posts=posts,
        log_mean=mean,
        log_square_sum=squares,
        is_model=np.ones(len(posts), dtype=np.bool_),
    )


def audience(seed: int, count: int, spread: float) -> tuple[Authors, Floats]:
    """Authors of four tiers, most with one post or two, and what each usually gets (log)."""
    generator = np.random.default_rng(seed)
    tier = generator.integers(0, len(TIER_MEANS), count)
    usual = TIER_MEANS[tier] + spread * generator.standard_normal(count)
    busy = generator.integers(5, 40, count) * (generator.random(count) < 0.1)
    author = np.repeat(np.arange(count), np.minimum(generator.geometric(0.5, count) + busy, 50))
    return from_posts(author, usual[author] + generator.standard_normal(len(author)), tier), usual


@pytest.mark.parametrize("count", [60, 300, 3000])
@pytest.mark.parametrize("spread", [0.1, 0.4, 1.0])
def test_intervals_cover_and_shrinking_helps(count: int, spread: float) -> None:
    covered, shrunk_error, raw_error = [], [], []
    for seed in range(max(4, 3000 // count)):
        authors, usual = audience(seed, count, spread)
        found = shrink_authors(authors)
        typical = np.expm1(np.maximum(usual, 0))
        covered.append(np.mean((found.low <= typical) & (typical <= found.high)))
        shrunk_error.append(np.mean((np.log1p(found.typical) - usual) ** 2))
        raw_error.append(np.mean((authors.log_mean - usual) ** 2))
    assert np.mean(covered) >= 0.94
    assert np.mean(shrunk_error) < 0.8 * np.mean(raw_error)


def test_the_formula_by_hand() -> None:
    """Equal posts: between = mean square of the means less noise, by hand."""
    generator = np.random.default_rng(41)
    count, posts = 400, 4
    author = np.repeat(np.arange(count), posts)
    usual = 2 + 0.7 * generator.standard_normal(count)
    log_engagement = usual[author] + generator.standard_normal(len(author))
    authors = from_posts(author, log_engagement, np.zeros(count, dtype=np.int64))
    found = shrink_authors(authors)
    noise = authors.log_square_sum.sum() / (count * (posts - 1)) / posts
    between = authors.log_mean.var(ddof=1) - noise
    between += np.sqrt(2 / count) * (between + noise)  # one standard error more
    weight = between / (between + noise)
    np.testing.assert_allclose(found.own_weight, weight, rtol=1e-6)
    mean = authors.log_mean.mean()
    shrunk = weight * authors.log_mean + (1 - weight) * mean
    np.testing.assert_allclose(np.log1p(found.typical), shrunk, rtol=1e-6)
    np.testing.assert_allclose(np.log1p(found.tier_typical), mean, rtol=1e-9)


def with_one_more(authors: Authors, tier: int, posts: float, mean: float, bot: bool) -> Authors:
    return Authors(
        platform=np.append(authors.platform, 0),
        tier=np.append(authors.tier, tier),
        posts=np.append(authors.posts, posts),
        log_mean=np.append(authors.log_mean, mean),
        log_square_sum=np.append(authors.log_square_sum, posts - 1),
        is_model=np.append(authors.is_model, not bot),
    )


def last(found: Influence) -> tuple[float, float, float]:
    return float(found.low[-1]), float(found.typical[-1]), float(found.high[-1])


def test_one_lucky_post_is_no_influence_and_thirty_are() -> None:
    authors, _ = audience(5, 1000, 0.4)
    lucky = last(shrink_authors(with_one_more(authors, 0, 1, 6.0, bot=False)))
    steady = last(shrink_authors(with_one_more(authors, 0, 30, 6.0, bot=False)))
    assert lucky[1] < 0.05 * np.expm1(6.0) < 0.5 * np.expm1(6.0) < steady[1]
    assert lucky[2] / (1 + lucky[0]) > steady[2] / (1 + steady[0])


def test_suspected_bots_are_estimated_but_do_not_count() -> None:
    authors, _ = audience(6, 1000, 0.4)
    before = shrink_authors(authors)
    after = shrink_authors(with_one_more(authors, 0, 5000, 9.0, bot=True))
    np.testing.assert_allclose(before.typical, after.typical[:-1], rtol=1e-9)
    assert after.typical[-1] == pytest.approx(np.expm1(9.0), rel=0.05)


def test_a_small_tier_takes_the_platform_s_mean() -> None:
    authors, _ = audience(7, 200, 0.4)
    for _ in range(MIN_TIER_AUTHORS - 1):
        authors = with_one_more(authors, 4, 1, 3.0, bot=False)
    small = shrink_authors(authors)
    large = shrink_authors(with_one_more(authors, 4, 1, 3.0, bot=False))
    rest = shrink_authors(authors).tier_typical[: -MIN_TIER_AUTHORS + 1]
    assert rest.min() < small.tier_typical[-1] < rest.max()
    assert large.tier_typical[-1] == pytest.approx(np.expm1(3.0), rel=1e-6)


def test_where_nothing_is_known_nothing_is_said() -> None:
    once, _ = audience(8, 9, 0.4)
    found = shrink_authors(once)
    assert np.isnan(found.typical).all()
    generator = np.random.default_rng(9)
    single = from_posts(np.arange(50), generator.random(50), np.zeros(50, dtype=np.int64))
    assert np.isnan(shrink_authors(single).low).all()
    empty = np.empty(0)
    number = np.empty(0, dtype=np.int64)
    flag = np.empty(0, dtype=np.bool_)
    assert shrink_authors(Authors(number, number, empty, empty, empty, flag)).low.shape == (0,)


def test_no_engagement_at_all_is_zero() -> None:
    author = np.repeat(np.arange(30), 3)
    found = shrink_authors(from_posts(author, np.zeros(90), np.zeros(30, dtype=np.int64)))
    np.testing.assert_allclose(found.typical, 0, atol=1e-6)
    np.testing.assert_allclose(found.high, 0, atol=1e-4)
