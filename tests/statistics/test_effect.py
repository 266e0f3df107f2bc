"""Size, interval and reliability of an effect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.statistics.references import autoregressive, log_linear_shop
from udfs.lead_lag.links import test_links as run_tests
from udfs.lead_lag.panel import Panel

UPLIFT = 0.3


@pytest.fixture(scope="module")
def shop() -> Panel:
    return log_linear_shop(200, 300, seed=21, uplift=UPLIFT)


def test_sampling_noise_of_the_signal_is_corrected_once(shop: Panel) -> None:
    generator = np.random.default_rng(1)
    noise = 0.08
    noisy = replace(
        shop,
        signal=shop.signal + noise * generator.standard_normal(shop.signal.shape),
        signal_variance=shop.signal_variance + noise**2,
    )
    clean, corrected = run_tests(shop), run_tests(noisy)
    ignored = run_tests(replace(noisy, signal_variance=np.full_like(shop.signal, np.nan)))
    at_lag = clean.lag_days == 3

    def middle(values: np.ndarray) -> float:
        return float(np.nanmedian(values[at_lag]))

    assert middle(corrected.uplift) == pytest.approx(middle(clean.uplift), rel=0.1)
    assert middle(corrected.signal_sd) == pytest.approx(0.12, rel=0.1)
    assert middle(clean.signal_sd) == pytest.approx(0.12, rel=0.1)
    assert middle(corrected.reliability) < middle(clean.reliability) - 0.1
    # Uncorrected, a standard deviation is wider and holds noise that moves nothing.
    assert middle(ignored.uplift) < 0.9 * middle(corrected.uplift)
    assert np.isnan(ignored.reliability).all()
    assert ignored.is_percentage_allowed.all()


def test_units_of_the_signal_do_not_matter(shop: Panel) -> None:
    other = replace(shop, signal=5 - 40 * shop.signal, signal_variance=1600 * shop.signal_variance)
    one, two = run_tests(shop), run_tests(other)
    np.testing.assert_allclose(two.z, -one.z, rtol=1e-6)
    np.testing.assert_allclose(two.p, one.p, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(1 + two.uplift, 1 / (1 + one.uplift), rtol=1e-6)
    np.testing.assert_allclose(1 + two.uplift_low, 1 / (1 + one.uplift_high), rtol=1e-6)
    np.testing.assert_allclose(two.signal_sd, 40 * one.signal_sd, rtol=1e-6)


def test_units_of_the_outcome_do_not_matter_to_a_fraction(shop: Panel) -> None:
    cents = run_tests(replace(shop, outcome=100 * shop.outcome))
    usual = run_tests(shop)
    np.testing.assert_allclose(
        cents.uplift[cents.lag_days == usual.lag_days],
        usual.uplift[cents.lag_days == usual.lag_days],
        rtol=1e-5,
    )


def test_what_can_be_detected_is_detected_four_times_in_five() -> None:
    unrelated = run_tests(log_linear_shop(200, 180, seed=22))
    detectable = float(np.median(unrelated.minimum_detectable_effect))
    planted = run_tests(log_linear_shop(300, 180, seed=23, uplift=detectable))
    assert 0.65 <= np.mean(planted.p < 0.05) <= 0.95


def test_ratings_move_by_a_fraction_of_their_mean() -> None:
    generator = np.random.default_rng(24)
    shape = (60, 300)
    mood = autoregressive(generator, shape, 0.5)
    rating = 4 + 0.2 * autoregressive(generator, shape, 0.4)
    rating[:, 2:] += 0.2 * mood[:, :-2]  # a twentieth of the mean
    shop = log_linear_shop(60, 300, seed=24)
    panel = replace(
        shop, signal=mood, outcome=rating, scale="identity", signal_variance=np.full(shape, np.nan)
    )
    tests = run_tests(panel)
    assert (tests.lag_days == 2).mean() > 0.95
    assert np.median(tests.uplift) == pytest.approx(0.05, rel=0.1)


def test_a_signal_that_is_all_noise_has_no_effect_stated(shop: Panel) -> None:
    tests = run_tests(replace(shop, signal_variance=np.full_like(shop.signal, 1.0)))
    assert np.isnan(tests.uplift).all()
    assert (tests.reliability == 0).all()
    assert not tests.is_percentage_allowed.any()
    assert all("reliability of the signal 0.00" in reason for reason in tests.percentage_reason)


def test_a_day_of_net_returns_counts_as_one_without_sales(shop: Panel) -> None:
    returned, unsold = shop.outcome.copy(), shop.outcome.copy()
    returned[:, ::100], unsold[:, ::100] = -4.0, 0.0
    one = run_tests(replace(shop, outcome=returned))
    two = run_tests(replace(shop, outcome=unsold))
    np.testing.assert_allclose(one.p, two.p, rtol=1e-9)
    np.testing.assert_allclose(one.uplift, two.uplift, rtol=1e-9)
    assert one.is_percentage_allowed.all()


def test_what_is_often_negative_is_no_count(shop: Panel) -> None:
    mixed = shop.outcome.copy()
    mixed[:, ::5] *= -1
    tests = run_tests(replace(shop, outcome=mixed))
    assert not tests.is_percentage_allowed.any()
    assert all("below 0" in reason for reason in tests.percentage_reason)
