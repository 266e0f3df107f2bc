"""Published series with known answers (STATISTICS, "Golden series")."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import statsmodels.datasets.macrodata as macrodata

from tests.statistics.references import Array, golden, granger
from udfs.lead_lag.correlating import cross_correlation
from udfs.lead_lag.panel import Options
from udfs.lead_lag.preparing import OUTCOME_LIMIT, SIGNAL_LIMIT, winsorise
from udfs.lead_lag.testing import Directed, directed_test
from udfs.lead_lag.whitening import apply_filter, fit_autoregression


def directed(response: Array, predictor: Array, limits: tuple[float, float]) -> Directed:
    """The project's test of two series without season."""
    on = np.ones((1, len(response)), dtype=bool)
    left, right = response[None] - response.mean(), predictor[None] - predictor.mean()
    return directed_test(
        winsorise(left, on, limits[0]),
        winsorise(right, on, limits[1]),
        on,
        on,
        limits,
        np.array([1]),
        np.array([len(response)]),
        Options(),
    )


def prewhitened(signal: Array, outcome: Array, order_max: int) -> tuple[Array, Array]:
    """Coefficients of the signal's autoregression, and correlations at lags 0 to 14 behind it."""
    on = np.ones((1, len(signal)), dtype=bool)
    left, right = signal[None] - signal.mean(), outcome[None] - outcome.mean()
    coefficients, _ = fit_autoregression(left, on, order_max)
    left, right = apply_filter(left, coefficients), apply_filter(right, coefficients)
    correlation, _ = cross_correlation(left - left.mean(), right - right.mean(), on, on)
    return coefficients[0], correlation[0, 14:]


@pytest.mark.shared
def test_chickens_and_eggs(shared: Path) -> None:
    _, chicken, egg = golden(shared, "chickegg").T
    assert granger(chicken, egg, 3) == pytest.approx((5.405, 0.002966), rel=1e-3)
    assert granger(egg, chicken, 3) == pytest.approx((0.5916, 0.6238), rel=1e-3)


@pytest.mark.shared
def test_leading_indicator_of_sales(shared: Path) -> None:
    _, lead, sales = np.diff(golden(shared, "bjsales"), axis=0).T
    _, correlation = prewhitened(lead, sales, 7)
    assert np.abs(correlation[:3]).max() < 0.05
    assert correlation[3] == pytest.approx(0.682, abs=0.005)
    found = directed(sales, lead, (OUTCOME_LIMIT, SIGNAL_LIMIT))
    assert (found.lag_days[0], found.width_days[0]) == (3, 1)
    assert found.z[0] == pytest.approx(11.4, rel=0.06)
    assert found.p[0] < 1e-20
    reverse = directed(lead, sales, (SIGNAL_LIMIT, OUTCOME_LIMIT))
    assert reverse.p[0] == pytest.approx(0.93, abs=0.06)


@pytest.mark.shared
def test_gas_furnace(shared: Path) -> None:
    gas, carbon_dioxide = golden(shared, "gasfurnace").T
    coefficients, correlation = prewhitened(gas, carbon_dioxide, 3)
    assert coefficients == pytest.approx([1.976, -1.374, 0.343], abs=0.002)
    expected = [-0.283, -0.330, -0.457, -0.269, -0.169]
    assert correlation[3:8] == pytest.approx(expected, abs=0.005)
    found = directed(carbon_dioxide, gas, (OUTCOME_LIMIT, SIGNAL_LIMIT))
    assert found.lag_days[0] == 5
    assert found.z[0] < -8
    reverse = directed(gas, carbon_dioxide, (SIGNAL_LIMIT, OUTCOME_LIMIT))
    assert reverse.p[0] == pytest.approx(0.68, abs=0.08)


def test_consumption_and_income() -> None:
    data = macrodata.load_pandas().data
    income, consumption = (
        np.diff(np.log(data[name].to_numpy())) for name in ("realgdp", "realcons")
    )
    assert granger(income, consumption, 4)[0] == pytest.approx(11.007, rel=1e-3)
    assert granger(consumption, income, 4) == pytest.approx((1.3208, 0.2637), rel=1e-3)
