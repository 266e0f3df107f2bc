"""The batched arithmetic against statsmodels and plain loops, one product at a time."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tsa.ar_model import AutoReg

from tests.statistics.references import Array, autoregressive, log_linear_shop, panel_of
from udfs.lead_lag import effect, links, testing
from udfs.lead_lag.correlating import cross_correlation
from udfs.lead_lag.gates import judge
from udfs.lead_lag.panel import LAGS, Options, Panel
from udfs.lead_lag.preparing import Prepared, prepare, winsorise
from udfs.lead_lag.whitening import apply_filter, fit_autoregression

PRODUCTS, DAYS = 6, 200


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Gaps, windows of their own, a holiday and days out of stock."""
    generator = np.random.default_rng(1)
    shop = log_linear_shop(PRODUCTS, DAYS, seed=2, uplift=0.2)
    outcome, signal = shop.outcome.copy(), shop.signal.copy()
    outcome[generator.random(outcome.shape) < 0.04] = np.nan
    signal[generator.random(signal.shape) < 0.03] = np.nan
    outcome[1, :30] = np.nan
    signal[2, 150:] = np.nan
    holiday = np.zeros(outcome.shape, dtype=bool)
    holiday[:, [60, 130]] = True
    stock_out = np.zeros(outcome.shape, dtype=bool)
    stock_out[3, 80:86] = True
    outcome[4] = np.round(outcome[4] / 12)  # few enough for the square root
    return panel_of(
        signal,
        outcome,
        signal_variance=shop.signal_variance,
        promo=shop.promo,
        holiday=holiday,
        stock_out=stock_out,
    )


@pytest.fixture(scope="module")
def prepared(panel: Panel) -> Prepared:
    gates = judge(panel, Options())
    return prepare(panel, gates.start, gates.length, Options())


def window(panel: Panel, row: int) -> slice:
    """From the first to the last day that both series span."""
    days = [np.flatnonzero(~np.isnan(series[row])) for series in (panel.signal, panel.outcome)]
    return slice(max(each[0] for each in days), min(each[-1] for each in days) + 1)


def design_of(panel: Panel, row: int) -> Array:
    """The design of one product, column by column."""
    at = window(panel, row)
    days = at.stop - at.start
    weekday = panel.dates[at].astype("datetime64[D]").astype(int) % 7
    place = (np.arange(days) + 0.5) / days
    columns = [weekday == day for day in range(7)] + [place]
    columns += [np.cos(np.pi * wave * place) for wave in range(1, 2 * days // 120 + 1)]
    columns += [flag[row, at] for flag in (panel.holiday, panel.promo) if flag[row, at].any()]
    return np.column_stack(columns).astype(float)


def residuals_of(values: Array, design: Array, used: Array) -> Array:
    fit = sm.OLS(values[used], design[used]).fit()
    return np.where(np.isnan(values), 0.0, values - design @ fit.params)


@pytest.mark.parametrize("row", range(PRODUCTS))
def test_residuals_are_those_of_least_squares(panel: Panel, prepared: Prepared, row: int) -> None:
    at, design = window(panel, row), design_of(panel, row)
    signal, outcome = panel.signal[row, at], panel.outcome[row, at]
    days = len(signal)
    in_stock = ~np.isnan(outcome) & ~panel.stock_out[row, at]
    tenth = np.quantile(outcome[in_stock], 0.1)
    assert (tenth < 10) == (row == 4)
    scaled = np.log1p(outcome) if tenth >= 10 else np.sqrt(outcome + 0.375)
    expected = residuals_of(signal, design, ~np.isnan(signal))
    np.testing.assert_allclose(prepared.signal.values[row, :days], expected, atol=1e-7)
    expected = residuals_of(scaled, design, in_stock)
    np.testing.assert_allclose(prepared.outcome.values[row, :days], expected, atol=1e-7)
    assert not prepared.outcome.values[row, days:].any()
    assert prepared.rank[row] == np.linalg.matrix_rank(design)

    used = expected[in_stock]
    mad = np.median(np.abs(used - np.median(used)))
    bound = 3 * max(1.4826 * mad, 0.3 * used.std())
    clipped = np.clip(expected, -bound, bound)
    np.testing.assert_allclose(prepared.outcome.winsorised[row, :days], clipped, atol=1e-7)


def test_autoregression_is_that_of_statsmodels_with_the_least_aic() -> None:
    generator = np.random.default_rng(3)
    values = autoregressive(generator, (5, 180), 0.5)
    values[1] += 0.8 * np.roll(values[1], 7)
    values[2] = generator.standard_normal(180)
    on = np.ones(values.shape, dtype=bool)
    found, order = fit_autoregression(values, on, 7)
    for row, series in enumerate(values):
        fits = [AutoReg(series, lags, trend="n", hold_back=7).fit() for lags in range(1, 8)]
        rests = [series[7:], *(np.asarray(fit.resid) for fit in fits)]
        akaike = [173 * np.log((rest**2).mean()) + 2 * lags for lags, rest in enumerate(rests)]
        best = int(np.argmin(akaike))
        assert order[row] == best
        if best:
            np.testing.assert_allclose(found[row, :best], fits[best - 1].params, rtol=1e-6)
        assert not found[row, best:].any()
    filtered = apply_filter(values, found)
    expected = values[0, 50] - sum(found[0, lag - 1] * values[0, 50 - lag] for lag in range(1, 8))
    assert filtered[0, 50] == pytest.approx(expected)


def test_correlations_are_those_of_days_with_both(prepared: Prepared) -> None:
    signal, outcome = prepared.signal, prepared.outcome
    found, n_days = cross_correlation(
        signal.values, outcome.values, signal.observed, outcome.observed
    )
    for row in range(PRODUCTS):
        for lag in LAGS:
            pairs = [
                (signal.values[row, day - lag], outcome.values[row, day])
                for day in range(outcome.values.shape[1])
                if 0 <= day - lag < signal.values.shape[1]
                and outcome.observed[row, day]
                and signal.observed[row, day - lag]
            ]
            left, right = np.array(pairs).T
            expected = left @ right / np.sqrt((left @ left) * (right @ right))
            assert found[row, lag + 14] == pytest.approx(expected, abs=1e-9)
            assert n_days[row, lag + 14] == len(pairs)


def directed_by_hand(panel: Panel, row: int) -> tuple[Array, Array, float, float]:
    """z and correlation of the 14 lags, scale of width 1 and 3 by rolling, of one product."""
    at, design = window(panel, row), design_of(panel, row)
    y, x = panel.outcome[row, at], panel.signal[row, at]
    rows = ~np.isnan(y) & ~panel.stock_out[row, at]
    known = ~np.isnan(x)
    scaled = np.log1p(y) if np.quantile(y[rows], 0.1) >= 10 else np.sqrt(y + 0.375)

    def clip(values: Array, used: Array, limit: float) -> Array:
        inside = values[used]
        mad = np.median(np.abs(inside - np.median(inside)))
        bound = limit * max(1.4826 * mad, 0.3 * inside.std())
        return np.where(used, np.clip(values, -bound, bound), 0.0)

    y = clip(residuals_of(scaled, design, rows), rows, 3)
    x = clip(residuals_of(x, design, known), known, 4)
    phi, order = fit_autoregression(y[None], rows[None], 7)
    filtered = [
        np.array(
            [
                values[day] - sum(phi[0, j] * values[day - 1 - j] for j in range(min(7, day)))
                for day in range(len(values))
            ]
        )
        for values in (y, x)
    ]
    y, x = clip(filtered[0], rows, 3), clip(filtered[1], known, 5)
    sd = np.sqrt((y**2).sum() / (rows.sum() - np.linalg.matrix_rank(design) - order[0]))

    def score(shifted: Array) -> float:
        return float(y @ shifted / (sd * np.sqrt((shifted[rows] ** 2).sum())))

    past = [np.concatenate([np.zeros(lag), x[:-lag]]) for lag in range(1, 15)]
    lags = np.array([score(each) for each in past])
    turned = np.array([score(np.roll(x, shift)) for shift in range(len(x))])
    moved = np.array(past)[:, rows]
    close = moved @ moved.T
    close /= np.sqrt(np.outer(np.diag(close), np.diag(close)))
    spread = 3 + 4 * np.diag(close, 1).mean() + 2 * np.diag(close, 2).mean()
    shifts = np.arange(29, len(x) - 28)
    narrow = excess(turned[shifts])
    wide = excess((turned[shifts - 1] + turned[shifts] + turned[shifts + 1]) / np.sqrt(spread))
    near = [np.roll(x, shift) ** 2 for shift in range(-14, 15)]
    together = np.mean([y**2 @ each / ((y[rows] ** 2).mean() * each[rows].sum()) for each in near])
    least = shrunk(together, 4 / 29 / rows.sum())
    return lags, close, np.sqrt(max(least, narrow)), np.sqrt(max(least, wide))


def shrunk(variance: float, noise: float) -> float:
    part = max(variance - 1, 0)
    return 1 + part * part**2 / (part**2 + noise)


def excess(z: Array) -> float:
    mean = (z**2).mean()
    alike = [(z[apart:] @ z[:-apart] / len(z) / mean) ** 2 for apart in range(1, 14)]
    return shrunk(mean, 2 * (1 + 2 * sum(alike)) / len(z))


def gaussian(z: Array, freedom: int) -> Array:
    """The normal quantile with the p of the correlation z / √freedom."""
    r = z / np.sqrt(freedom)
    t = r * np.sqrt((freedom - 1) / (1 - r**2))
    return -stats.norm.isf(stats.t.cdf(t, freedom - 1))


@pytest.mark.parametrize("row", range(PRODUCTS))
def test_directed_test_by_hand(panel: Panel, prepared: Prepared, row: int) -> None:
    found = testing.directed_test(
        prepared.outcome.winsorised,
        prepared.signal.winsorised,
        prepared.outcome.fitted,
        prepared.signal.observed,
        (3.0, 4.0),
        prepared.rank,
        prepared.length,
        Options(),
    )
    lags, close, narrow, wide = directed_by_hand(panel, row)
    np.testing.assert_allclose(found.z_single[row], lags, atol=1e-6)
    threes = [
        lags[first : first + 3].sum() / np.sqrt(close[first : first + 3, first : first + 3].sum())
        for first in range(12)
    ]
    scaled = np.array([*(lags / narrow), *(np.array(threes) / wide)])
    rows = prepared.outcome.fitted[row].sum()
    heights = np.abs(gaussian(scaled, rows - prepared.rank[row] - found.order[row]))
    assert abs(found.z[row]) == pytest.approx(heights.max())
    assert found.width_days[row] == (1 if heights.argmax() < 14 else 3)
    tests = links.test_links(panel)
    assert tests.z[row] == pytest.approx(found.z[row])
    assert tests.p[row] == pytest.approx(found.p[row])


def test_p_value_is_that_of_the_largest_of_26_gaussian_contrasts() -> None:
    generator = np.random.default_rng(4)
    lag = np.arange(14)
    correlation = np.stack([0.6 ** np.abs(lag[:, None] - lag), np.eye(14)])
    contrasts = np.concatenate(
        [np.eye(14), [(lag >= first) & (lag < first + 3) for first in range(12)]]
    )
    mixing = testing.mixing_of(correlation)
    for case in range(2):
        draws = generator.multivariate_normal(np.zeros(14), correlation[case], 200_000)
        weight = np.sqrt(np.einsum("ck,kj,cj->c", contrasts, correlation[case], contrasts))
        heights = np.abs(draws @ contrasts.T / weight).max(axis=1)
        for level in (0.5, 0.2, 0.05, 0.01, 0.001):
            height = np.full(2, np.quantile(heights, 1 - level))
            found = testing.sup_p_value(height, mixing, seed=1)[case]
            assert found == pytest.approx(level, rel=0.2 if level < 0.01 else 0.1)
        limit = testing.critical_value(mixing[:, :14], seed=1)[case]
        expected = np.quantile(np.abs(draws).max(axis=1), 0.95)
        assert limit == pytest.approx(expected, abs=0.03)


def test_baseline_is_that_of_a_poisson_regression(panel: Panel, prepared: Prepared) -> None:
    rows = prepared.outcome.fitted
    found = effect.quasi_poisson_mean(
        prepared.design, np.where(rows, prepared.outcome_raw, 0.0), rows
    )
    for row in range(PRODUCTS):
        at, design = window(panel, row), design_of(panel, row)
        used = rows[row, : len(design)]
        fit = sm.GLM(panel.outcome[row, at][used], design[used], family=sm.families.Poisson()).fit()
        np.testing.assert_allclose(found[row, : len(design)][used], fit.fittedvalues, rtol=1e-5)


@pytest.mark.parametrize("row", range(PRODUCTS))
def test_effect_is_that_of_least_squares_on_filtered_days(
    panel: Panel, prepared: Prepared, row: int
) -> None:
    lag = 3
    lags = np.full(PRODUCTS, lag)
    rows = prepared.outcome.fitted
    deviation = effect.relative_deviation(prepared)
    signal = np.zeros_like(deviation)
    signal[:, lag:] = prepared.signal.values[:, :-lag]
    known = np.zeros_like(rows)
    known[:, lag:] = prepared.signal.observed[:, :-lag]
    slope, error, phi, variance = effect.regress(
        prepared.design, deviation, signal, rows, known, Options()
    )

    design = design_of(panel, row)
    days = len(design)
    on = rows[row, :days]
    columns = np.column_stack([signal[row, :days], design]) * on[:, None]
    target = deviation[row, :days]

    def filtered(values: Array) -> Array:
        return sum(
            (
                -phi[row, j - 1] * np.concatenate([np.zeros_like(values[:j]), values[:-j]])
                for j in range(1, 8)
            ),
            start=values,
        )[on]

    fit = sm.OLS(filtered(target), filtered(columns)).fit()
    assert slope[row] == pytest.approx(fit.params[0], rel=1e-6)
    order = np.count_nonzero(phi[row])
    robust = fit.get_robustcov_results("HC3").bse[0] * np.sqrt(on.sum() / (on.sum() - order))
    assert error[row] == pytest.approx(robust, rel=1e-5)

    # Per standard deviation of the denoised signal, over its reliability.
    at = window(panel, row)
    sampling = np.nanmean(
        np.where(prepared.signal.observed[row, :days], panel.signal_variance[row, at], np.nan)
    )
    total = (prepared.signal.values[row] ** 2).sum() / prepared.signal.observed[row].sum()
    reliability = 1 - sampling * (1 + (phi[row] ** 2).sum()) / variance[row]
    found = effect.estimate_effect(prepared, lags, np.full(PRODUCTS, 2.9), Options())
    assert found.reliability[row] == pytest.approx(reliability)
    assert found.signal_sd[row] == pytest.approx(np.sqrt(total - sampling))
    per_sd = found.signal_sd[row] / reliability
    assert found.slope[row] == pytest.approx(slope[row] * per_sd)
    assert found.standard_error[row] == pytest.approx(error[row] * per_sd)
    width = 2.9 * found.standard_error[row]
    expected = np.expm1(found.slope[row] + np.array([0.0, -width, width]))
    stated = (found.uplift[row], found.uplift_low[row], found.uplift_high[row])
    assert stated == pytest.approx(tuple(expected))
    detectable = np.expm1(width + stats.norm.ppf(0.8) * found.standard_error[row])
    assert found.minimum_detectable[row] == pytest.approx(detectable)


def test_effect_agrees_with_iterated_least_squares_of_statsmodels() -> None:
    shop = log_linear_shop(4, 240, seed=5, uplift=0.2)
    gates = judge(shop, Options())
    prepared = prepare(shop, gates.start, gates.length, Options())
    deviation = effect.relative_deviation(prepared)
    signal = np.zeros_like(deviation)
    signal[:, 3:] = prepared.signal.values[:, :-3]
    rows = prepared.outcome.fitted
    slope, error, _, _ = effect.regress(prepared.design, deviation, signal, rows, rows, Options())
    for row in range(4):
        columns = np.column_stack([signal[row], design_of(shop, row)])
        fit = sm.GLSAR(deviation[row], columns, rho=3).iterative_fit(6)
        # Another order and another estimate of it: the same within a part of the error.
        assert slope[row] == pytest.approx(fit.params[0], abs=0.5 * error[row])
        assert error[row] == pytest.approx(fit.HC3_se[0], rel=0.2)


def test_winsorising_keeps_most_of_a_series_of_equal_values() -> None:
    values = np.zeros((1, 100))
    values[0, :10] = 10.0
    on = np.ones(values.shape, dtype=bool)
    assert winsorise(values, on, 3.0).max() == pytest.approx(0.9 * values.std())
