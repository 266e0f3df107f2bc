"""Forecasts with and without the signal: no look ahead, no false skill, real skill found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from tests.statistics.simulated_panels import Array, ar1, simulated_panel
from udfs.lead_lag.links import test_links as link_tests
from udfs.lead_lag.panel import Options, Panel
from udfs.lead_lag.rolling import steps_ahead
from udfs.lead_lag.skill import clark_west, forecast_skill, rolling_forecasts, skill_claims


@dataclass
class Lead:
    """A lead test that says the same of every product."""

    p: Array
    gate: Array
    is_tested: Array
    reason: Array


def lead_of(panel: Panel, p: float = 0.001, gate: str = "full") -> Lead:
    count = panel.n_products
    return Lead(
        np.full(count, p),
        np.full(count, gate, dtype=object),
        np.ones(count, dtype=bool),
        np.full(count, "", dtype=object),
    )


def test_clark_west_is_its_formula() -> None:
    generator = np.random.default_rng(4)
    error = generator.standard_normal((6, 90)) + 0.2
    change = 0.3 * generator.standard_normal((6, 90))
    counted = generator.random((6, 90)) < 0.9
    for horizon in (1, 7):
        found = clark_west(error, change, counted, horizon)
        for row in range(6):
            without, larger = error[row], error[row] - change[row]
            f = (without**2 - (larger**2 - change[row] ** 2))[counted[row]]
            # Days that do not count keep their place between those that do.
            centred = np.where(counted[row], 0.0, 0.0)
            centred[counted[row]] = f - f.mean()
            own = (centred**2).sum()
            variance = own + 2 * sum(
                (1 - lag / horizon) * (centred[lag:] * centred[:-lag]).sum()
                for lag in range(1, horizon)
            )
            t_value = f.sum() / np.sqrt(max(variance, own))
            want = stats.t.sf(t_value, f.size / horizon - 1)
            assert found[row] == pytest.approx(want, rel=1e-10)


def test_a_change_of_nothing_is_no_skill() -> None:
    error = np.ones((1, 40))
    assert clark_west(error, np.zeros((1, 40)), np.ones((1, 40), dtype=bool), 1).tolist() == [1.0]


def test_steps_ahead_are_the_recursion() -> None:
    coefficients = np.array([[0.5, -0.2, 0.1]])
    past = [0.3, -1.0, 2.0]  # the newest first
    known = list(past)
    for _ in range(7):
        known.insert(0, float(np.dot(coefficients[0], known[:3])))
    ahead = steps_ahead(coefficients, 7)
    assert ahead.shape == (1, 9)
    assert (ahead[0, :6] == 0).all()
    assert np.dot(ahead[0, 6:], past) == pytest.approx(known[0])


@pytest.mark.parametrize("horizon", [1, 7])
def test_no_forecast_knows_the_days_to_come(horizon: int) -> None:
    panel = simulated_panel(3, 6, 200, uplift=0.3, lag=8)
    made = rolling_forecasts(panel, horizon, Options())
    assert made.change[made.is_forecast].any()
    day = 150
    outcome, signal = panel.outcome.copy(), panel.signal.copy()
    outcome[:, day:] = np.roll(outcome[:, day:], 3, axis=1)
    signal[:, day + 1 - horizon :] += 1.0
    other = rolling_forecasts(replace(panel, outcome=outcome, signal=signal), horizon, Options())
    np.testing.assert_allclose(other.change[:, : day + 1], made.change[:, : day + 1])
    np.testing.assert_allclose(other.error[:, :day], made.error[:, :day])
    assert not np.allclose(other.change[:, day + 1 :], made.change[:, day + 1 :])


def test_seldom_claims_skill_that_is_not_there() -> None:
    claims, low = [], []
    for seed, days, more in ((1, 180, {}), (2, 180, {"buzz_of_sales": 0.6}), (3, 300, {})):
        panel = simulated_panel(seed, 150, days, closed_sundays=seed == 2, **more)
        # The lead test lets everything through, so that skill is judged alone.
        found = forecast_skill(panel, lead_of(panel), horizons=(1, 7))
        assert found.is_tested.all()
        claims.append(found.is_predictive)
        low.append(found.p)
    # 900 forecasts; 5 % and three standard errors.
    assert np.mean(np.concatenate(low) < 0.05) <= 0.072
    assert np.mean(np.concatenate(claims)) <= 0.005
    # Most of these have a smaller error by chance alone in one case of four.
    assert np.mean(np.concatenate(low) < 0.5) >= 0.2


def test_levels_that_shift_make_no_skill() -> None:
    generator = np.random.default_rng(8)
    panel = simulated_panel(8, 120, 240)
    day = np.arange(240)

    def shifts() -> Array:
        moved = np.zeros((120, 240))
        for _ in range(2):
            start = generator.integers(0, 240, 120)[:, None]
            moved += (day >= start) * generator.normal(0, 0.7, (120, 1))
        return moved

    shifted = replace(
        panel,
        outcome=np.round(panel.outcome * np.exp(shifts())),
        signal=panel.signal + 0.2 * shifts(),
    )
    found = forecast_skill(shifted, link_tests(shifted))
    assert np.mean(found.is_predictive) <= 0.01


def test_finds_skill_that_is_there() -> None:
    panel = simulated_panel(5, 80, 180, uplift=0.2)
    found = forecast_skill(panel, link_tests(panel))
    assert found.is_predictive[:, 0].mean() >= 0.8
    assert found.improvement_ratio[:, 0].mean() > 0.05
    assert (np.abs(found.lag_days[:, 0] - 3) <= 1).mean() >= 0.9
    # What moves sales three days later says nothing of a week ahead.
    assert found.is_predictive[:, 1].mean() <= 0.02
    np.testing.assert_allclose(
        found.improvement_ratio, 1 - found.mase_with / found.mase_without, rtol=1e-9
    )
    assert (found.mase_without < 1).mean() > 0.9  # better than last week's day


def test_a_lead_of_nine_days_helps_a_week_ahead() -> None:
    panel = simulated_panel(6, 40, 220, uplift=0.25, lag=9)
    found = forecast_skill(panel, lead_of(panel))
    assert found.is_predictive.mean(axis=0).min() >= 0.8
    assert (found.lag_days >= 7)[:, 1].all()


def test_a_week_ahead_needs_the_full_gate() -> None:
    panel = simulated_panel(7, 3, 170)
    found = forecast_skill(panel, link_tests(panel))
    assert found.is_tested.tolist() == [[True, False]] * 3
    assert found.reason[0, 1] == "forecasts 7 days ahead need 180 days"
    assert np.isnan(found.p[:, 1]).all()
    assert np.isnan(found.q[:, 1]).all()


def test_what_was_not_tried_counts_in_the_correction() -> None:
    p = np.array([0.004, np.nan, np.nan, np.nan, 0.6])
    gain, lead = np.full(5, 0.1), np.array([0.001, 0.9, 0.8, np.nan, 0.02])
    q, is_predictive = skill_claims(p, gain, lead, np.zeros(5, dtype=int))
    # Four of five were tested for a lead.
    assert q[0] == pytest.approx(0.016)
    assert is_predictive.tolist() == [True, False, False, False, False]
    assert np.isnan(q[1:4]).all()


@pytest.mark.parametrize(
    ("p", "gain", "lead_p"), [(0.03, 0.1, 0.01), (0.001, -0.1, 0.01), (0.001, 0.1, 0.06)]
)
def test_skill_needs_a_small_p_a_smaller_error_and_a_lead(
    p: float, gain: float, lead_p: float
) -> None:
    arrays = (np.array([value]) for value in (p, gain, lead_p))
    assert not skill_claims(*arrays, np.zeros(1, dtype=int))[1].any()


def test_rows_limit_what_is_tried() -> None:
    panel = simulated_panel(9, 4, 120, uplift=0.3)
    tests = link_tests(panel)
    rows = np.array([True, False, True, False])
    some, every = (forecast_skill(panel, tests, rows=chosen) for chosen in (rows, None))
    np.testing.assert_allclose(some.p[rows], every.p[rows])
    assert some.is_tested[:, 0].tolist() == rows.tolist()
    assert (some.reason[~rows, 0] == "the lead test gives no ground to try a forecast").all()


def test_odd_series_get_a_reason_and_no_warning() -> None:
    panel = simulated_panel(10, 4, 120)
    outcome = panel.outcome.copy()
    outcome[0] = 7.0
    outcome[1] = np.nan
    outcome[2, :40] = np.nan
    signal = panel.signal.copy()
    signal[3] = 0.5
    odd = replace(panel, outcome=outcome, signal=signal)
    found = forecast_skill(odd, link_tests(odd))
    assert not found.is_tested[[0, 1, 3]].any()
    assert (found.reason[[0, 1, 3]] != "").all()
    # Without a gate the numbers must hold up as well.
    bare = forecast_skill(odd, lead_of(odd))
    assert np.isnan(bare.p[1]).all()
    assert not bare.is_predictive.any()
    assert (bare.reason[~bare.is_tested] != "").all()


def test_ratings_are_forecast_as_they_are() -> None:
    generator = np.random.default_rng(2)
    panel = simulated_panel(2, 20, 180)
    rating = 4 + 0.3 * ar1(generator, (20, 180), 0.4)
    rating[:, 4:] += 1.0 * (panel.signal[:, :-4] - 0.1)
    found = forecast_skill(replace(panel, outcome=rating, scale="identity"), lead_of(panel))
    assert found.is_predictive[:, 0].mean() >= 0.7
