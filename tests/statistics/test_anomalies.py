"""Anomalies: few false alarms on noisy series, odd days found, neighbours left alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from udfs.lead_lag.anomalies import MIN_DAYS, Anomalies, Series, find_anomalies

COUNT, DAYS = 200, 240
Floats = NDArray[np.float64]


def series(values: Floats, **flags: NDArray[np.bool_]) -> Series:
    none = np.zeros(values.shape, dtype=np.bool_)
    return Series(
        dates=np.datetime64("2026-01-05") + np.arange(values.shape[1]),
        values=values,
        promo=flags.get("promo", none),
        holiday=flags.get("holiday", none),
        stock_out=flags.get("stock_out", none),
        group=np.array(["units"] * len(values), dtype=object),
    )


def persistent(shocks: Floats, weight: float = 0.5) -> Floats:
    values = np.zeros_like(shocks)
    for day in range(shocks.shape[1]):
        values[:, day] = shocks[:, day] + (weight * values[:, day - 1] if day else 0)
    return values


def made(kind: str, seed: int = 31, days: int = DAYS) -> Floats:
    """Series without any odd day, with weekdays and a memory."""
    generator = np.random.default_rng(seed)
    weekday = generator.standard_normal((COUNT, 7))[:, np.arange(days) % 7]
    normal = generator.standard_normal((COUNT, days))
    if kind == "normal":
        return weekday + persistent(normal)
    if kind == "with gaps":
        values = weekday + persistent(normal)
        values[generator.random(values.shape) < 0.1] = np.nan
        return values
    if kind == "heavy-tailed":
        return weekday + persistent(generator.standard_t(4, (COUNT, days)))
    if kind == "changing spread":
        spread = np.exp(0.3 * persistent(0.5 * generator.standard_normal(normal.shape), 0.95))
        return weekday + persistent(spread * normal, 0.3)
    if kind == "random walk":
        return weekday + np.cumsum(normal, axis=1)
    level = generator.uniform(1, 4, (COUNT, 1))
    rate = np.exp(level + 0.3 * weekday + persistent(0.2 * normal))
    units = generator.poisson(rate * generator.gamma(4, 0.25, rate.shape))
    low = np.quantile(units, 0.1, axis=1, keepdims=True)
    return np.where(low >= 10, np.log1p(units), np.sqrt(units + 0.375))


KINDS = ("normal", "with gaps", "heavy-tailed", "changing spread", "random walk", "counts")


def rate(found: Anomalies) -> float:
    return float(found.is_anomaly.sum() / np.isfinite(found.p).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_ordinary_days_hardly_ever_alarm(kind: str) -> None:
    found = find_anomalies(series(made(kind)))
    assert found.is_tested.all()
    assert rate(found) < 0.001
    judged = found.p[np.isfinite(found.p)]
    assert (judged < 0.01).mean() < 0.014
    assert (judged < 0.05).mean() > 0.03  # not by being deaf


def test_three_standard_deviations_alarm_tenfold() -> None:
    values = made("heavy-tailed")
    deviation = np.abs(values - values.mean(axis=1, keepdims=True))
    usual_way = deviation > 3 * values.std(axis=1, keepdims=True)
    assert usual_way.mean() > 0.005 > 10 * rate(find_anomalies(series(values)))


@pytest.mark.parametrize("kind", ["normal", "with gaps", "counts"])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_odd_day_is_found_and_its_neighbours_are_not(kind: str, sign: int) -> None:
    values = made(kind)
    generator = np.random.default_rng(32)
    rows, days = np.arange(COUNT), generator.integers(20, DAYS - 3, COUNT)
    size = np.nanstd(np.diff(values, axis=1), axis=1) / np.sqrt(2)
    values[rows, days] += sign * 9 * size
    found = find_anomalies(series(values))
    seen = np.isfinite(values[rows, days])
    hits = found.is_anomaly[rows, days][seen]
    assert hits.mean() > 0.9
    assert (np.sign(found.z[rows, days][seen][hits]) == sign).all()
    assert found.is_anomaly[rows, days + 1].mean() < 0.04
    assert found.is_anomaly.sum() - hits.sum() <= 0.08 * found.is_anomaly.sum()


def test_a_new_level_is_one_odd_day_not_many() -> None:
    values = made("normal")
    values[:, 150:] += 8 * np.std(np.diff(values, axis=1), axis=1, keepdims=True) / np.sqrt(2)
    found = find_anomalies(series(values))
    assert found.is_anomaly[:, 150].mean() > 0.5
    assert found.is_anomaly[:, 151:].sum(axis=1).mean() < 1.0


def test_a_stock_out_is_judged_and_not_learnt_from() -> None:
    values = made("normal")
    stock_out = np.zeros(values.shape, dtype=np.bool_)
    stock_out[:, 100:120] = True
    empty = values.copy()
    empty[:, 100:120] -= 15
    plain, found = (
        find_anomalies(series(values)),
        find_anomalies(series(empty, stock_out=stock_out)),
    )
    assert found.is_anomaly[:, 100:120].mean() > 0.95
    rest = np.r_[0:100, 125:DAYS]
    assert found.is_anomaly[:, rest].mean() < 0.001
    assert np.abs(found.z[:, rest] - plain.z[:, rest]).mean() < 0.15


def test_promotions_and_holidays_are_expected() -> None:
    values = made("normal")
    promo = np.zeros(values.shape, dtype=np.bool_)
    promo[:, 50:60] = promo[:, 150:160] = True
    values = values + 12 * promo
    assert find_anomalies(series(values, promo=promo)).is_anomaly.mean() < 0.001
    assert find_anomalies(series(values, holiday=promo)).is_anomaly.mean() < 0.001
    assert find_anomalies(series(values)).is_anomaly[:, 60].mean() > 0.5  # who did not know


def test_series_that_cannot_be_judged_are_left_out() -> None:
    generator = np.random.default_rng(33)
    values = np.full((6, DAYS), np.nan)
    values[0, : MIN_DAYS - 1] = generator.standard_normal(MIN_DAYS - 1)
    values[1] = 7.0
    values[2] = generator.random(DAYS) < 0.1
    values[3] = np.arange(DAYS) % 7 + 0.01 * np.arange(DAYS)  # nothing but the calendar
    values[5] = generator.standard_normal(DAYS)
    found = find_anomalies(series(values))
    assert found.is_tested.tolist() == [False, False, False, False, False, True]
    assert np.isnan(found.q[:5]).all()
    assert np.isfinite(found.q[5]).all()
    assert find_anomalies(series(np.empty((0, 5)))).q.shape == (0, 5)


def test_units_do_not_matter() -> None:
    values = made("normal")[:20]
    first, second = find_anomalies(series(values)), find_anomalies(series(1e7 + 1e3 * values))
    np.testing.assert_allclose(first.z, second.z, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(1e7 + 1e3 * first.expected, second.expected, rtol=1e-6)


def test_a_late_series_is_judged_like_an_early_one() -> None:
    values = made("normal")[:20]
    late = np.concatenate([np.full((20, 35), np.nan), values], axis=1)  # five weeks later
    first, second = find_anomalies(series(values)), find_anomalies(series(late))
    np.testing.assert_allclose(first.z, second.z[:, 35:], rtol=1e-6, atol=1e-6)
