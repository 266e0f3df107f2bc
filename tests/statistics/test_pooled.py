"""Pooled effects: calibrated without links, strong with many products, refused for one signal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from tests.statistics.simulated_panels import Array, simulated_panel
from udfs.lead_lag.panel import MAX_LAG, Options
from udfs.lead_lag.pooled import Whitened, pooled_effects, summed, two_way_test, whiten
from udfs.lead_lag.testing import lagged

OPTIONS = Options()


def made_up(seed: int, products: int = 7, days: int = 90) -> Whitened:
    """White series with an effect at lag 4, gaps, and shocks that all products share."""
    generator = np.random.default_rng(seed)
    shape = (products, days)
    predictor = generator.standard_normal(shape) + 0.6 * generator.standard_normal((1, days))
    past = lagged(predictor)
    size = generator.uniform(0.5, 2, (products, 1))
    response = size * generator.standard_normal(shape) + generator.standard_normal((1, days))
    response += 0.5 * past[:, 3]
    rows = generator.random(shape) < 0.9
    rows[:, :MAX_LAG] = False
    return Whitened(np.where(rows, response, 0.0), past, past, rows, np.full(shape, 0.05))


def test_slope_and_error_are_those_of_a_regression_with_dummies() -> None:
    white = made_up(1)
    found = two_way_test(white, OPTIONS)
    assert found.lag_days == 4
    product, day = np.nonzero(white.rows)
    variance = (white.response**2).sum(axis=1) / white.rows.sum(axis=1)
    days, place = np.unique(day, return_inverse=True)
    design = np.column_stack([white.past[product, 3, day], np.eye(days.size)[place]])
    fitted = sm.WLS(white.response[product, day], design, weights=1 / variance[product]).fit(
        cov_type="cluster", cov_kwds={"groups": place, "use_correction": False}
    )
    assert found.slope == pytest.approx(fitted.params[0], rel=1e-8)

    # The errors of statsmodels know nothing of what neighbouring days share.
    weight = 1 / variance[:, None] * white.rows
    own = demeaned(white.past, weight) * white.rows[:, None, :]
    left = demeaned(white.response[:, None], weight)[:, 0] * white.rows
    scores = np.einsum("bl,bkl->kl", weight * left, own)[:, MAX_LAG:]
    scores /= np.sqrt((scores**2).sum(axis=1, keepdims=True))
    related = [np.mean([(s[j:] * s[:-j]).sum() for s in scores]) for j in range(1, 8)]
    excess = sum(2 * (1 - j / 8) * r for j, r in enumerate(related, start=1))
    gram = np.einsum("bl,bkl,bjl->kj", weight, own, own)
    correlation = gram / np.sqrt(np.outer(np.diag(gram), np.diag(gram)))
    noise = sum((2 * (1 - j / 8)) ** 2 for j in range(1, 8)) * (correlation**2).mean()
    noise /= scores.shape[1]
    inflation = 1 + max(excess, 0.0) ** 3 / (excess**2 + noise)
    assert found.error == pytest.approx(fitted.bse[0] * np.sqrt(inflation), rel=1e-8)


def demeaned(values: Array, weight: Array) -> Array:
    """Series (B, K, L) less their weighted mean over products."""
    total = (values * weight[:, None]).sum(axis=0)
    return values - total / np.maximum(weight.sum(axis=0), 1e-300)


def test_reliability_and_own_share_follow_the_variances() -> None:
    white = made_up(2, products=40, days=400)
    found = two_way_test(white, OPTIONS)
    # Own variance 1, shared .36, of the own .05 is noise.
    assert found.own_variance_ratio == pytest.approx(0.95 / 1.31, abs=0.03)
    assert found.reliability == pytest.approx(0.95, abs=0.01)


def test_each_day_is_judged_by_what_was_known() -> None:
    panel = simulated_panel(3, 5, 150, uplift=0.2)
    white = whiten(panel, OPTIONS)
    outcome = panel.outcome.copy()
    outcome[:, 120:] = outcome[:, 120:][:, ::-1]
    other = whiten(replace(panel, outcome=outcome), OPTIONS)
    assert white.rows[:, 60:].all()
    assert not white.rows[:, :42].any()
    # The size of a unit comes from the whole sample, the residuals do not.
    ratio = other.response[:, 42:120] / white.response[:, 42:120]
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-9)
    np.testing.assert_allclose(other.news[:, :, :120], white.news[:, :, :120], atol=1e-12)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"shared_mood": 0.5, "shared_noise": 0.5},
        {"buzz_of_sales": 0.6},
        {"units_per_day": 1.5, "posts_per_day": 5},
    ],
    ids=["unrelated", "common shocks", "sales first", "low volume"],
)
def test_unrelated_products_are_seldom_linked(more: dict[str, float]) -> None:
    found = [
        pooled_effects(simulated_panel(40 + seed, 9, 180, **more), ["all"])[0] for seed in range(40)
    ]
    assert not any(effect.is_refused for effect in found)
    p = np.array([effect.p for effect in found], dtype=float)
    assert np.mean(p < 0.05) <= 0.15  # 5 % and three standard errors of 40
    assert np.mean(p < 0.01) <= 0.06
    assert 0.25 <= np.mean(p < 0.5) <= 0.75


def test_shifts_of_level_are_no_link() -> None:
    low = []
    for seed in range(40):
        generator = np.random.default_rng(seed)
        panel = simulated_panel(300 + seed, 8, 180)
        day, start = np.arange(180), generator.integers(20, 170, (2, 8, 1))
        size = generator.normal(0, 0.8, (2, 8, 1))
        moved = (day >= start) * size
        shifted = replace(
            panel,
            outcome=np.round(panel.outcome * np.exp(moved[0])),
            signal=panel.signal + 0.2 * moved[1],
        )
        low.append(pooled_effects(shifted, ["all"])[0].p < 0.05)
    assert np.mean(low) <= 0.15


def test_many_products_show_what_none_shows_alone() -> None:
    found = [
        pooled_effects(simulated_panel(80 + seed, 30, 180, uplift=0.05), ["all"])[0]
        for seed in range(10)
    ]
    assert np.mean([effect.p < 0.05 and abs(effect.lag_days - 3) <= 1 for effect in found]) >= 0.95
    estimate = np.array([effect.uplift for effect in found])
    # Per SD of the deseasonalised mood, which is .92 of the mood's.
    assert 0.85 <= np.median(estimate) / 0.046 <= 1.10
    covered = [effect.uplift_low <= 0.046 <= effect.uplift_high for effect in found]
    assert np.mean(covered) >= 0.9
    assert all(effect.is_percentage_allowed for effect in found)


@pytest.mark.parametrize("posts_per_day", [4000.0, 15.0])
def test_one_signal_for_all_is_refused_and_the_sum_tested(posts_per_day: float) -> None:
    panel = simulated_panel(5, 10, 200, uplift=0.2, shared_mood=1.0, posts_per_day=posts_per_day)
    (effect,) = pooled_effects(panel, ["all"])
    assert effect.is_refused
    assert not effect.is_tested
    assert effect.p is None
    assert effect.uplift is None
    assert effect.own_variance_ratio < 0.2
    assert effect.summed_p < 0.001
    assert effect.summed_lag_days == 3
    assert effect.summed_uplift == pytest.approx(0.18, abs=0.06)
    assert "20% needed" in effect.reason


def test_the_sum_scales_up_for_products_that_miss_a_day() -> None:
    panel = simulated_panel(6, 3, 60, promo_days=False)
    outcome = np.full((3, 60), 10.0) * np.array([[1.0], [2.0], [3.0]])
    outcome[0, 5] = outcome[2, 7] = np.nan
    outcome[:2, 9] = np.nan
    outcome[1:, 11] = np.nan
    signal = panel.signal.copy()
    signal[1, 3] = np.nan
    one = summed(replace(panel, outcome=outcome, signal=signal))
    want = np.full(60, 60.0)
    want[11] = np.nan  # a sixth of the usual sum is too little
    np.testing.assert_allclose(one.outcome[0], want)
    assert one.signal[0, 3] == pytest.approx(signal[[0, 2], 3].mean())


def test_categories_are_pooled_apart_and_all_together() -> None:
    panel = simulated_panel(7, 9, 150)
    panel = replace(panel, categories=("a",) * 5 + ("b",) * 2 + (None,) * 2)
    found = {effect.category: effect for effect in pooled_effects(panel)}
    assert list(found) == ["all", "a", "b"]
    assert [found[name].n_products for name in found] == [9, 5, 2]
    assert found["b"].reason == "2 of 3 products with enough days"
    assert not found["b"].is_tested
    alone = pooled_effects(panel.select(np.arange(5)), ["a"])[0]
    assert found["a"].p == pytest.approx(alone.p)


def test_products_of_low_volume_are_pooled_and_short_ones_are_not() -> None:
    panel = simulated_panel(8, 6, 150, units_per_day=2.0)
    outcome = panel.outcome.copy()
    outcome[0, :110] = np.nan
    outcome[1] = 4.0
    (effect,) = pooled_effects(replace(panel, outcome=outcome), ["all"])
    assert effect.n_products == 4
    assert effect.is_tested


def test_nothing_in_nothing_out() -> None:
    panel = simulated_panel(9, 4, 30)
    (effect,) = pooled_effects(panel, ["all"])
    assert effect.n_products == 0
    assert not effect.is_tested
    flat = replace(panel, outcome=np.full((4, 30), np.nan))
    assert pooled_effects(flat)[0].reason == "0 of 3 products with enough days"
