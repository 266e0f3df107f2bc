"""Planted links are found, nothing is found where nothing is; small versions of the bench."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.statistics.references import autoregressive, log_linear_shop
from udfs.lead_lag.links import PRODUCTS_AT_ONCE
from udfs.lead_lag.links import test_links as run_tests
from udfs.lead_lag.multiplicity import decide
from udfs.lead_lag.panel import LinkTests, Options, Panel
from udfs.lead_lag.stability import agreement


def found(tests: LinkTests, lag: int, tolerance: int = 1) -> float:
    """Share of products whose link is claimed within `tolerance` days of its lag."""
    is_right = np.abs(tests.lag_days - lag) <= tolerance
    return float(np.mean((decide(tests).verdict == "social_leads") & is_right))


@pytest.mark.parametrize("days", [90, 180, 365])
def test_unrelated_series(days: int) -> None:
    tests = run_tests(log_linear_shop(400, days, seed=days))
    # Two standard errors of 400 products at .05 are .022.
    assert 0.01 <= np.mean(tests.p < 0.05) <= 0.072
    assert 0.01 <= np.mean(tests.reverse_p < 0.05) <= 0.072
    assert 0.4 <= np.mean(tests.p < 0.5) <= 0.55
    assert np.mean(decide(tests).is_claim) <= 0.01
    covers = (tests.uplift_low <= 0) & (tests.uplift_high >= 0)
    assert np.mean(covers) >= 0.91


@pytest.mark.parametrize(
    ("days", "uplift", "power"),
    [(90, 0.2, 0.15), (180, 0.2, 0.78), (180, 0.3, 0.95), (365, 0.2, 0.98)],
)
def test_planted_effects(days: int, uplift: float, power: float) -> None:
    tests = run_tests(log_linear_shop(250, days, seed=10 + days, uplift=uplift))
    assert found(tests, 3) >= power
    at_lag = tests.lag_days == 3
    covers = (tests.uplift_low <= uplift) & (uplift <= tests.uplift_high)
    assert covers[at_lag].mean() >= 0.95
    assert 0.85 <= np.median(tests.uplift[at_lag]) / uplift <= 1.10
    assert (tests.minimum_detectable_effect > 0).all()


def test_spread_effect() -> None:
    kernel = {2: 0.25, 3: 0.4, 4: 0.25, 5: 0.1}
    tests = run_tests(log_linear_shop(250, 180, seed=3, uplift=0.3, kernel=kernel))
    assert found(tests, 3, 2) >= 0.72
    assert np.mean(tests.width_days[tests.p < 0.05] == 3) > 0.5


def test_sales_that_move_the_mood_are_no_lead() -> None:
    tests = run_tests(log_linear_shop(300, 180, seed=4, sales_move_mood=0.6))
    verdict = decide(tests).verdict
    assert np.mean(verdict == "social_leads") <= 0.01
    assert np.mean(verdict == "sales_lead") >= 0.9
    assert np.mean(np.abs(tests.reverse_lag_days - 2) <= 1) >= 0.95
    assert np.mean(tests.peak_lag_days == -2) >= 0.9


def test_both_directions_are_feedback() -> None:
    """Each direction is held against the peak of its own side of the curve."""
    tests = run_tests(log_linear_shop(200, 365, seed=14, uplift=0.3, sales_move_mood=0.5))
    verdict = decide(tests).verdict
    assert np.mean(verdict == "feedback") >= 0.9
    assert np.mean(tests.lag_days == 3) >= 0.9
    assert np.mean(tests.reverse_lag_days == 2) >= 0.9


def test_closed_and_missing_days_cost_little() -> None:
    panel = log_linear_shop(250, 210, seed=5, uplift=0.25)
    generator = np.random.default_rng(5)
    outcome = panel.outcome.copy()
    outcome[:, panel.dates.astype("datetime64[D]").astype(int) % 7 == 3] = np.nan
    outcome[generator.random(outcome.shape) < 0.03] = np.nan
    tests = run_tests(replace(panel, outcome=outcome))
    assert tests.is_tested.mean() > 0.98
    assert found(tests, 3) >= 0.85
    mixed = run_tests(replace(panel, outcome=outcome[np.roll(np.arange(250), 1)]))
    assert np.mean(mixed.p < 0.05) <= 0.08


def test_volatile_series_are_not_links() -> None:
    """Bursts of volatility in both series at once: 40 % by a plain variance."""
    generator = np.random.default_rng(6)
    panel = log_linear_shop(300, 200, seed=6)
    burst = 1 + 3 * (np.sin(np.arange(200) / 30) > 0.5)
    noise = [burst * autoregressive(generator, (300, 200), 0.3) for _ in range(2)]
    tests = run_tests(replace(panel, signal=noise[0], outcome=np.exp(4 + 0.1 * noise[1])))
    assert np.mean(tests.p < 0.05) <= 0.075


def test_days_out_of_stock_belong_to_the_reverse_test_alone() -> None:
    panel = log_linear_shop(60, 200, seed=7)
    outcome, signal = panel.outcome.copy(), panel.signal.copy()
    stock_out = np.zeros(outcome.shape, dtype=bool)
    for day in (40, 80, 120, 160):
        stock_out[:, day : day + 4] = True
        outcome[:, day : day + 4] = 0
        signal[:, day + 2 : day + 7] -= 0.5  # complaints
    marked = run_tests(replace(panel, outcome=outcome, signal=signal, stock_out=stock_out))
    verdict = decide(marked).verdict
    assert not np.isin(verdict.astype(str), ["social_leads", "feedback"]).any()
    assert np.mean(marked.reverse_p < 0.05) > 0.75
    assert (marked.n_days == 184).all()


def test_products_do_not_depend_on_their_company() -> None:
    panel = log_linear_shop(PRODUCTS_AT_ONCE + 5, 120, seed=8, uplift=0.2)
    outcome = panel.outcome.copy()
    outcome[::2, :20] = np.nan  # windows of two lengths
    panel = replace(panel, outcome=outcome)
    together, alone = run_tests(panel), run_tests(panel.select([130]))
    for name in ("p", "z", "reverse_p", "uplift", "uplift_low", "reliability", "lag_days"):
        np.testing.assert_allclose(
            getattr(alone, name)[0], getattr(together, name)[130], rtol=1e-6, err_msg=name
        )


def test_time_before_and_after_a_window_changes_nothing() -> None:
    panel = log_linear_shop(5, 150, seed=9, uplift=0.2)
    pad = np.full((5, 35), np.nan)
    off = np.zeros((5, 35), dtype=bool)

    def wide(values: np.ndarray) -> np.ndarray:
        edge = off if values.dtype == bool else pad
        return np.concatenate([edge, values, edge], axis=1)

    padded = Panel(
        product_ids=panel.product_ids,
        dates=panel.dates[0] - 35 + np.arange(220),
        categories=panel.categories,
        **{
            name: wide(getattr(panel, name))
            for name in (
                "signal", "outcome", "signal_variance", "posts",
                "promo", "holiday", "stock_out", "is_open",
            )
        },
    )  # fmt: skip
    expected, given = run_tests(panel), run_tests(padded)
    for name in ("p", "reverse_p", "uplift", "null_band", "whitened_correlation"):
        np.testing.assert_allclose(getattr(given, name), getattr(expected, name), rtol=1e-6)


def test_stability_of_a_strong_link_and_of_none() -> None:
    strong = log_linear_shop(6, 240, seed=11, uplift=0.4)
    tests = run_tests(strong)
    share, checks = agreement(strong, tests, [0, 3])
    assert share[[0, 3]].min() >= 0.8
    assert np.isnan(share[[1, 2, 4, 5]]).all()
    assert {each.row for each in checks} == {0, 3}
    assert len({each.check for each in checks}) == len(checks) / 2
    assert all(each.is_agreeing for each in checks if each.check == "shorter filter")

    turned = replace(strong, signal=-strong.signal)
    _, checks = agreement(strong, tests, [0], variants={"turned": turned})
    assert [each.is_agreeing for each in checks if each.check == "turned"] == [False]

    short = log_linear_shop(2, 95, seed=12)
    tests = run_tests(short)
    _, checks = agreement(short, tests, np.array([True, False]))
    recent = [each for each in checks if each.check == "recent days"]
    assert [each.is_agreeing for each in recent] == [None]  # 71 days say nothing


def test_options_change_the_method() -> None:
    panel = log_linear_shop(4, 200, seed=13)
    usual = run_tests(panel)
    for other in (
        Options(ar_order_max=1),
        Options(days_per_cosine=30),
        Options(scale="sqrt"),
        Options(last_days=120),
    ):
        assert not np.allclose(run_tests(panel, other).z, usual.z)
    drawn_otherwise = run_tests(panel, Options(seed=1))
    np.testing.assert_allclose(drawn_otherwise.p, usual.p, rtol=0.1, atol=0.05)
    assert not (drawn_otherwise.p == usual.p).any()


def test_days_out_of_stock_say_nothing_of_what_precedes_sales() -> None:
    shop = log_linear_shop(30, 180, seed=5, uplift=0.2)
    generator = np.random.default_rng(6)
    stock_out = generator.random(shop.outcome.shape) < 0.04
    empty = replace(shop, stock_out=stock_out, outcome=np.where(stock_out, 0.0, shop.outcome))
    full = replace(empty, outcome=np.where(stock_out, 3 * shop.outcome, shop.outcome))
    one, two = run_tests(empty), run_tests(full)
    for name in ("p", "z", "uplift", "uplift_low", "correlation"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9)
    # What people say after they found the shelf empty is another matter.
    assert np.abs(one.reverse_z - two.reverse_z).max() > 0.1
