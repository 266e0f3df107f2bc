"""The audit: other products' moods, near 5 % of rejections, shared signals told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.statistics.simulated_panels import simulated_panel
from udfs.lead_lag import placebo
from udfs.lead_lag.links import test_links as link_tests
from udfs.lead_lag.panel import Options
from udfs.lead_lag.placebo import (
    audit,
    lead_p_values,
    placebo_audit,
    placebo_p_values,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (3, 72), (72, 72), (11, 200)])
def test_the_interval_is_wilsons(successes: int, trials: int) -> None:
    want = proportion_confint(successes, trials, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx(want, abs=1e-12)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_p_values_are_those_of_the_lead_test() -> None:
    panel = simulated_panel(1, 6, 150, uplift=0.2)
    outcome = panel.outcome.copy()
    outcome[0, 40:] = np.nan
    panel = replace(panel, outcome=outcome)
    np.testing.assert_allclose(lead_p_values(panel, Options()), link_tests(panel).p)


@pytest.mark.parametrize("days", [100, 180])
def test_links_of_a_products_own_do_not_show_in_the_audit(days: int) -> None:
    panel = simulated_panel(days, 100, days, uplift=0.3)
    own = np.mean(link_tests(panel).p < 0.05)
    found = placebo_audit(panel, n_pairings=5, seed=3)
    assert own > 0.9
    assert found.n_tests + found.n_left_out == 500
    assert found.n_left_out < 10
    assert found.share_below_05 is not None
    assert 0.01 <= found.share_below_05 <= 0.08
    assert found.low <= found.share_below_05 <= found.high
    assert found.is_as_expected


def test_no_product_meets_its_own_mood(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = simulated_panel(2, 7, 120)
    # Moods that tell who they are.
    panel = replace(panel, signal=panel.signal + 100 * np.arange(7)[:, None])
    met = []

    def remember(mixed: placebo.Panel, options: Options) -> np.ndarray:
        owner = np.rint(mixed.signal.mean(axis=1) / 100).astype(int)
        met.extend(zip([int(name[1:]) for name in mixed.product_ids], owner, strict=True))
        return np.full(mixed.n_products, 0.5)

    monkeypatch.setattr(placebo, "lead_p_values", remember)
    p, left_out = placebo_p_values(panel, n_pairings=50, seed=1)
    assert len(met) == len(set(met)) == len(p) == 42 - left_out
    assert all(product != owner for product, owner in met)


def test_moods_that_move_together_are_no_placebo() -> None:
    panel = simulated_panel(3, 8, 150, uplift=0.4, shared_mood=1.0, posts_per_day=1000)
    found = placebo_audit(panel, n_pairings=7, seed=1)
    assert (found.n_tests, found.n_left_out) == (0, 56)
    assert found.share_below_05 is None
    assert found.is_as_expected is None


def test_a_method_that_rejects_too_often_is_caught() -> None:
    assert audit(np.full(40, 0.01)).is_as_expected is False
    bad = np.concatenate([np.full(30, 0.01), np.full(170, 0.5)])
    assert audit(bad).is_as_expected is False
    assert audit(np.concatenate([bad[20:], np.full(50, 0.7)])).is_as_expected is True
    assert audit(np.full(19, 0.5)).is_as_expected is None


def test_it_is_repeatable_and_needs_two_products() -> None:
    panel = simulated_panel(4, 12, 120)
    assert len({placebo_audit(panel, n_pairings=3, seed=5) for _ in range(2)}) == 1
    one, other = (placebo_p_values(panel, n_pairings=3, seed=seed)[0] for seed in (5, 6))
    assert set(one) != set(other)
    assert placebo_audit(panel.select([0]), n_pairings=3, seed=5).n_tests == 0
    short = simulated_panel(4, 12, 50)
    assert placebo_audit(short, n_pairings=3, seed=5).n_tests == 0
