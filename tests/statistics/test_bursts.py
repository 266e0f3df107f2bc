"""Bursts: few false alarms on quiet topics, planted bursts found, one loud account ignored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from udfs.lead_lag.bursts import (
    MIN_AUTHORS,
    MIN_HISTORY_DAYS,
    Bursts,
    find_bursts,
    upper_tail,
    usual_range,
)

DAYS = 365
DATES = np.datetime64("2026-01-05") + np.arange(DAYS)
RATIO_DAYS = 28
Floats = NDArray[np.float64]


def quiet_topics(
    generator: np.random.Generator,
    count: int = 400,
    *,
    low: float = 0.3,
    high: float = 40.0,
    dispersion: float = 0.2,
    persistence: float = 0.0,
    growth: float = 0.0,
) -> Floats:
    """Topics without any burst: uneven days and weekdays, a level that wanders or grows."""
    mean = np.exp(generator.uniform(np.log(low), np.log(high), (count, 1)))
    weekday = np.exp(0.2 * generator.standard_normal((count, 7)))
    weekday *= np.exp([0.2, 0.2, 0.1, 0.1, 0.0, -0.4, -0.4])
    level = np.zeros((count, DAYS))
    shocks = generator.standard_normal((count, DAYS))
    for day in range(1, DAYS):
        level[:, day] = 0.8 * level[:, day - 1] + 0.6 * persistence * shocks[:, day]
    slope = growth * generator.standard_normal((count, 1)) * np.arange(DAYS) / DAYS
    rate = mean * weekday[:, np.arange(DAYS) % 7] * np.exp(level + slope)
    if dispersion:
        rate = rate * generator.gamma(1 / dispersion, dispersion, rate.shape)
    return generator.poisson(rate).astype(float)


def ratio_rule(counts: Floats) -> NDArray[np.bool_]:
    """The usual rule, on the days after the first four weeks: twice the mean of four weeks."""
    total = np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
    mean = (total[:, RATIO_DAYS:-1] - total[:, : -RATIO_DAYS - 1]) / RATIO_DAYS
    recent = counts[:, RATIO_DAYS:]
    return (recent > 0) & (recent >= 2 * mean)


def alarm_rate(found: Bursts) -> float:
    return float(found.is_burst.sum() / np.isfinite(found.p).sum())


QUIET = {
    "poisson": {"dispersion": 0.0},
    "uneven days": {"dispersion": 0.3},
    "very uneven days": {"dispersion": 1.0},
    "wandering level": {"persistence": 0.3},
    "growing": {"growth": 1.0},
    "rare": {"low": 0.02, "high": 1.0},
    "large": {"low": 20.0, "high": 500.0, "dispersion": 0.05},
    "all at once": {"dispersion": 0.3, "persistence": 0.3, "growth": 0.7},
}


@pytest.mark.parametrize("kind", QUIET)
def test_quiet_topics_hardly_ever_alarm(kind: str) -> None:
    counts = quiet_topics(np.random.default_rng(11), **QUIET[kind])
    found = find_bursts(counts, DATES)
    assert alarm_rate(found) < 0.0005
    tested = found.p[np.isfinite(found.p)]
    assert (tested < 0.01).mean() < 0.014  # before any correction
    assert (tested < 0.0001).mean() < 0.0006
    if kind != "large":
        assert ratio_rule(counts).mean() > 0.07


def test_a_shop_with_few_topics_is_no_noisier() -> None:
    rates = [
        alarm_rate(
            find_bursts(quiet_topics(np.random.default_rng(seed), 8, persistence=0.3), DATES)
        )
        for seed in range(20)
    ]
    assert np.mean(rates) < 0.001


def test_planted_bursts_are_found_and_little_else() -> None:
    generator = np.random.default_rng(12)
    counts = quiet_topics(generator, low=2.0, high=40.0)
    topics = np.arange(0, len(counts), 4)
    days = generator.integers(60, DAYS, len(topics))
    counts[topics, days] += np.ceil(6 * counts[topics].mean(axis=1)) + 8
    found = find_bursts(counts, DATES)
    is_hit = found.is_burst[topics, days]
    assert is_hit.mean() > 0.8
    assert found.is_burst.sum() - is_hit.sum() <= 0.12 * found.is_burst.sum()


def test_a_topic_out_of_nowhere_bursts_and_then_is_usual() -> None:
    counts = quiet_topics(np.random.default_rng(13), 50)
    counts[0, :200] = 0
    counts[0, 200:] = 30
    found = find_bursts(counts, DATES)
    assert found.is_burst[0, 200]
    assert found.expected[0, 200] < 0.1
    assert not found.is_burst[0, 260:].any()


def test_a_past_burst_does_not_hide_the_next() -> None:
    counts = np.tile(quiet_topics(np.random.default_rng(14), 1, low=5, high=5), (2, 1))
    counts[:, 240] = 60
    counts[1, 200] = 400
    found = find_bursts(counts, DATES)
    assert found.is_burst[:, 240].all()
    assert found.is_burst[1, 200]
    assert abs(found.expected[1, 240] / found.expected[0, 240] - 1) < 0.25


def test_few_people_make_no_burst_however_unusual() -> None:
    counts = np.zeros((3, DAYS))
    counts[1, 100] = MIN_AUTHORS - 1
    counts[2, 100] = MIN_AUTHORS
    found = find_bursts(counts, DATES)
    assert found.p[1, 100] < 1e-4
    assert found.is_burst.sum() == 1
    assert found.is_burst[2, 100]


def test_weekends_are_weekends() -> None:
    weekly = np.array([20, 20, 20, 20, 20, 60, 60])
    generator = np.random.default_rng(15)
    counts = generator.poisson(weekly[np.arange(DAYS) % 7], (30, DAYS)).astype(float)
    found = find_bursts(counts, DATES)
    assert not found.is_burst.any()
    assert np.nanmean(found.expected[:, 100:] / weekly[np.arange(100, DAYS) % 7]) == pytest.approx(
        1, abs=0.05
    )


def test_only_the_past_speaks() -> None:
    counts = quiet_topics(np.random.default_rng(16), 20)
    changed = counts.copy()
    changed[:, 300:] *= 5
    before, after = find_bursts(counts, DATES), find_bursts(changed, DATES)
    np.testing.assert_array_equal(before.p[:, :300], after.p[:, :300])


def test_days_that_were_not_observed_are_neither_tested_nor_quiet() -> None:
    counts = quiet_topics(np.random.default_rng(17), 20, low=10, high=20)
    gaps = counts.copy()
    gaps[:, 100:160] = np.nan
    found = find_bursts(gaps, DATES)
    assert np.isnan(found.p[:, 100:160]).all()
    assert np.isnan(found.p[:, :MIN_HISTORY_DAYS]).all()
    assert np.isfinite(found.p[:, 160:]).all()
    assert not found.is_burst.any()
    assert (found.expected[:, 160] > 5).all()


def test_nothing_to_test_is_no_error() -> None:
    assert find_bursts(np.empty((0, 5)), DATES[:5]).q.shape == (0, 5)
    assert find_bursts(np.empty((0, 0)), DATES[:0]).q.shape == (0, 0)
    assert np.isnan(find_bursts(np.full((2, 40), np.nan), DATES[:40]).p).all()
    assert not find_bursts(np.zeros((2, 40)), DATES[:40]).is_burst.any()


@pytest.mark.parametrize("size", [0.3, 1.0, 12.0, 5000.0])
@pytest.mark.parametrize("mean", [0.01, 2.0, 300.0])
def test_the_tail_is_scipy_s(mean: float, size: float) -> None:
    counts = np.array([0.0, 1, 2, 7, 40, 900])
    ours = upper_tail(counts, np.full(6, mean), np.full(6, size))
    theirs = stats.nbinom.sf(counts - 1, size, size / (size + mean))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-300)


@pytest.mark.shared
def test_real_bursts_are_the_days_of_news(shared: Path) -> None:
    """Cashtags of six shares: days of quarterly figures burst."""
    folder = shared / "data" / "stocknet" / "tweet" / "raw"
    first, last = np.datetime64("2014-01-01"), np.datetime64("2016-03-31")
    dates = np.arange(first, last + 1)
    symbols = ("AMZN", "KO", "HD", "CSCO", "PEP", "INTC")
    counts = np.zeros((len(symbols), len(dates)))
    for row, symbol in enumerate(symbols):
        for file in (folder / symbol).iterdir():
            authors = {
                json.loads(line)["user"]["id_str"]
                for line in file.read_text(encoding="utf-8").splitlines()
                if line
            }
            counts[row, (np.datetime64(file.name) - first).astype(int)] = len(authors)
    found = find_bursts(counts, dates)
    assert ratio_rule(counts).mean() > 0.05
    assert alarm_rate(found) < 0.01
    published = [
        ("HD", "2014-05-20"),
        ("HD", "2014-08-19"),
        ("HD", "2015-02-24"),
        ("KO", "2014-10-21"),
        ("PEP", "2015-02-11"),
        ("CSCO", "2016-02-10"),
    ]
    is_hit = [
        found.is_burst[symbols.index(symbol), (np.datetime64(day) - first).astype(int)]
        for symbol, day in published
    ]
    assert sum(is_hit) >= 5


@pytest.mark.parametrize("kind", ["poisson", "uneven days", "rare", "large"])
def test_usual_days_lie_in_the_usual_range(kind: str) -> None:
    counts = quiet_topics(np.random.default_rng(12), 200, **QUIET[kind])
    found = find_bursts(counts, DATES)
    low, high = usual_range(found.expected, found.size)
    is_tested = np.isfinite(found.expected)
    assert (np.isfinite(low) == is_tested).all()
    assert (np.isfinite(high) == is_tested).all()
    assert (low <= high)[is_tested].all()
    assert ((low <= counts) & (counts <= high))[is_tested].mean() > 0.94
    # Each end is the nearest count: one step further in and too many days lie beyond.
    assert (upper_tail(high + 1, found.expected, found.size)[is_tested] <= 0.025 + 1e-9).all()
    assert (upper_tail(high, found.expected, found.size)[is_tested] > 0.025 - 1e-9).all()
